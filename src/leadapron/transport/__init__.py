"""The way between gateway and centre."""
