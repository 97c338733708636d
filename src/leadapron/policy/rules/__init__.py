"""Built-in policy rules, one file each."""
