"""The network: a frontal chest film in, region masks out."""

from leadapron.anatomy.cover import core, cover
from leadapron.anatomy.outline import contours, ribs_to_segmentation, to_segmentation
from leadapron.anatomy.ribs import Rib, single_ribs
from leadapron.anatomy.segmenter import Segmenter

__all__ = [
    "Rib",
    "Segmenter",
    "contours",
    "core",
    "cover",
    "ribs_to_segmentation",
    "single_ribs",
    "to_segmentation",
]
