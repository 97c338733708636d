"""The network: a frontal chest film in, region masks out."""

from leadapron.anatomy.cover import core, cover
from leadapron.anatomy.outline import contours, to_segmentation
from leadapron.anatomy.segmenter import Segmenter

__all__ = ["Segmenter", "contours", "core", "cover", "to_segmentation"]
