"""HTTP: the console's API and DICOMweb."""
