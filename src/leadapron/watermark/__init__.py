"""An invisible mark per view, and the trace from a leaked copy back to it."""
