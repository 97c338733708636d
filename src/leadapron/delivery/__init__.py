"""open_view(request) → View: the only place that unseals."""
