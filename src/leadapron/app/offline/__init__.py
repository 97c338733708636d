"""What travels inside an offline archive and runs before anything is installed."""
