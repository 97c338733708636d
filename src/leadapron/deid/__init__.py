"""De-identification by PS3.15 Annex E: attributes, identity, burned-in text."""
