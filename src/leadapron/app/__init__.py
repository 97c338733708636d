"""Settings and wiring: the only package that knows all others."""
