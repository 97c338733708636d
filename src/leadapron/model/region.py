"""Anatomical regions of a frontal chest film and their codes."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Code(NamedTuple):
    """A coded concept (PS3.3 8.8) with its name in both languages."""

    value: str
    meaning: str
    zh: str
    scheme: str = "SCT"


class Region(StrEnum):
    """Region names as they travel: files, API, policy. Left and right are the patient's."""

    RIGHT_LUNG = "right_lung"
    LEFT_LUNG = "left_lung"
    HEART = "heart"
    RIBS = "ribs"
    MEDIASTINUM = "mediastinum"
    RIGHT_CLAVICLE = "right_clavicle"
    LEFT_CLAVICLE = "left_clavicle"
    SPINE = "spine"
    SUBDIAPHRAGM = "subdiaphragm"
    THORAX = "thorax"
    OUTSIDE = "outside"

    @property
    def coded(self) -> Code:
        """The SNOMED CT concept; ``outside`` has a LeadApron code of its own."""
        return _CODES[self]


_CODES = {
    Region.RIGHT_LUNG: Code("3341006", "Right lung", "右肺"),
    Region.LEFT_LUNG: Code("44029006", "Left lung", "左肺"),
    Region.HEART: Code("80891009", "Heart", "心脏"),
    Region.RIBS: Code("113197003", "Rib", "肋骨"),
    Region.MEDIASTINUM: Code("72410000", "Mediastinum", "纵隔"),
    Region.RIGHT_CLAVICLE: Code("51872008", "Right clavicle", "右锁骨"),
    Region.LEFT_CLAVICLE: Code("22541007", "Left clavicle", "左锁骨"),
    Region.SPINE: Code("421060004", "Vertebral column", "脊柱"),
    Region.SUBDIAPHRAGM: Code("818983003", "Abdomen", "膈下"),
    Region.THORAX: Code("51185008", "Thorax", "胸部"),
    Region.OUTSIDE: Code("outside", "Outside the body field", "体外", "99LEADAPRON"),
}

ANATOMY = frozenset(Region) - {Region.THORAX, Region.OUTSIDE}
"""The regions that name one anatomical structure; THORAX and OUTSIDE are fields."""
