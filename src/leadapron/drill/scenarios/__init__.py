"""Attack scenarios, one file each."""
