"""What the network found on one film."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from leadapron.model.errors import BadInput, NotFound
from leadapron.model.region import Region

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RegionMap:
    """Region masks of one frame at its native resolution; masks may overlap.

    Attributes:
        shape: (rows, columns) of the frame.
        masks: bool arrays of that shape, by region. A region that was looked for and
            not found is absent.
        scores: confidence 0..1 by region.
        in_domain: False when the picture is no frontal chest film; it is then sealed whole.
        reasons: why it is out of domain or was turned, as slugs for reports.
        model_version: name and digest of the weights, for the record.
    """

    shape: tuple[int, int]
    masks: Mapping[Region, Mask]
    scores: Mapping[Region, float]
    in_domain: bool = True
    reasons: tuple[str, ...] = ()
    model_version: str = ""
    extras: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse masks that do not fit the frame."""
        for region, mask in self.masks.items():
            if mask.shape != self.shape or mask.dtype != np.bool_:
                raise BadInput(
                    f"the mask of {region} is {mask.dtype} {mask.shape}, not bool {self.shape}",
                    remedy="give one bool array of the frame's shape per region",
                )

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions found, in the vocabulary's order."""
        return tuple(r for r in Region if r in self.masks)

    def mask(self, region: str) -> Mask:
        """Return the region's bool mask (H, W); NotFound if the network did not find it."""
        found = self.masks.get(Region(region))
        if found is None:
            raise NotFound(
                f"no region '{region}' on this film",
                remedy=f"the film has: {', '.join(self.regions) or 'none'}",
            )
        return found

    def score(self, region: str) -> float:
        """Return the confidence 0..1 for a region; 0.0 if it was not found."""
        return float(self.scores.get(Region(region), 0.0))

    @classmethod
    def whole(cls, shape: tuple[int, int], *reasons: str) -> RegionMap:
        """Return the map of a film that could not be read: one field, nothing known."""
        everything = np.ones(shape, dtype=np.bool_)
        return cls(shape, {Region.OUTSIDE: everything}, {}, in_domain=False, reasons=reasons)
