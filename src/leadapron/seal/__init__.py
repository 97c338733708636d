"""Per-region reversible encryption inside the DICOM object."""
