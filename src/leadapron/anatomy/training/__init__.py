"""Training of the anatomy network; the only place that imports PyTorch."""
