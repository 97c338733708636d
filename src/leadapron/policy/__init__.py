"""May this recipient see these regions now? Cedar answers, and no answer means no."""
