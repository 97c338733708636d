"""Published facts of the standard as data files, each with its edition and source."""
