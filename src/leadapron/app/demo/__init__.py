"""`leadapron demo`: the whole main job on a real film."""
