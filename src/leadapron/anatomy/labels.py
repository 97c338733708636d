"""The network's output channels, in order."""

from __future__ import annotations

from leadapron.model import Region

CHANNELS = (
    Region.RIGHT_LUNG,
    Region.LEFT_LUNG,
    Region.HEART,
    Region.RIBS,
    Region.MEDIASTINUM,
    Region.RIGHT_CLAVICLE,
    Region.LEFT_CLAVICLE,
    Region.SPINE,
    Region.THORAX,
)
"""One sigmoid each; regions overlap on a projection, so they do not compete."""

INDEX = {region: position for position, region in enumerate(CHANNELS)}
MIRROR = tuple(
    INDEX[
        {
            Region.RIGHT_LUNG: Region.LEFT_LUNG,
            Region.LEFT_LUNG: Region.RIGHT_LUNG,
            Region.RIGHT_CLAVICLE: Region.LEFT_CLAVICLE,
            Region.LEFT_CLAVICLE: Region.RIGHT_CLAVICLE,
        }.get(region, region)
    ]
    for region in CHANNELS
)
"""Channel order after a left-right flip of the picture."""
