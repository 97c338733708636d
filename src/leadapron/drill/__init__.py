"""Red-blue drills: runner and scorecard."""
