"""The diagnostic-need model: which regions a clinical question needs (needs.json)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from leadapron.model import BadInput, NotFound, Obligations, Region
from leadapron.policy import resources

Alternatives = tuple[frozenset[Region], ...]


@dataclass(frozen=True)
class Need:
    """One diagnostic need.

    Attributes:
        key: as orders name it, for instance ``rib_fracture``.
        en, zh: its name.
        required: without these the question cannot be answered; a film that lacks one falls
            back to a neighbour.
        helpful: shown as well when the film has them.
        outlines: contour lines only, no pixels (a width can be measured on them).
        whole_film: the need is served by a film of which nothing is known.
        background: ``flat`` or ``mosaic`` outside the granted regions.
        psnr_db: watermark strength, dB.
        why: the clinical reason for the choice.
    """

    key: str
    en: str
    zh: str
    required: frozenset[Region]
    helpful: frozenset[Region] = frozenset()
    outlines: frozenset[Region] = frozenset()
    whole_film: bool = False
    background: str = "flat"
    psnr_db: float = 56.0
    why: str = ""

    @property
    def obligations(self) -> Obligations:
        """What delivery must do with a view under this need."""
        return Obligations(psnr_db=self.psnr_db, background=self.background, outlines=self.outlines)


@dataclass(frozen=True)
class Grant:
    """What a need grants on one film.

    `substituted` were required, not found, and are shown through a neighbour; `missing` were
    required and nothing could stand in.
    """

    regions: frozenset[Region] = frozenset()
    substituted: frozenset[Region] = frozenset()
    missing: frozenset[Region] = frozenset()


@dataclass(frozen=True)
class NeedModel:
    """All needs, and what stands in for a region that a film lacks."""

    version: str
    needs: Mapping[str, Need]
    fallbacks: Mapping[Region, Alternatives] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> NeedModel:
        """Read the model from its JSON value.

        Raises:
            BadInput: an unknown region, background or watermark strength.
        """
        try:
            needs = {key: _need(key, item) for key, item in value["needs"].items()}
            fallbacks = {
                Region(region): tuple(_regions(group) for group in groups)
                for region, groups in value["fallbacks"].items()
            }
            return cls(str(value["version"]), needs, fallbacks)
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(
                f"the diagnostic-need model is not valid: {error}",
                remedy="compare it with the packaged policy/needs.json",
            ) from error

    def get(self, key: str) -> Need:
        """Return the need; NotFound lists those there are."""
        need = self.needs.get(key)
        if need is None:
            raise NotFound(
                f"no diagnostic need called '{key}'",
                remedy=f"there are: {', '.join(sorted(self.needs))}",
            )
        return need

    def grant(self, need: Need, available: frozenset[Region], *, in_domain: bool) -> Grant:
        """Return the regions of a film with `available` regions that the need grants."""
        if not in_domain:
            return Grant(available if need.whole_film else frozenset())
        shown = (need.required | need.helpful) & available
        substituted = set()
        for region in need.required - available:
            instead = self._instead(region, available)
            if instead:
                shown |= instead
                substituted.add(region)
        missing = need.required - available - substituted
        return Grant(frozenset(shown), frozenset(substituted), missing)

    def _instead(self, region: Region, available: frozenset[Region]) -> frozenset[Region]:
        """Return what the first alternative with anything on the film offers."""
        for group in self.fallbacks.get(region, ()):
            if group & available:
                return group & available
        return frozenset()


def _need(key: str, item: Mapping[str, Any]) -> Need:
    need = Need(
        key=key,
        en=str(item["en"]),
        zh=str(item["zh"]),
        required=_regions(item["required"]),
        helpful=_regions(item.get("helpful", ())),
        outlines=_regions(item.get("outlines", ())),
        whole_film=bool(item.get("whole_film", False)),
        background=str(item["background"]),
        psnr_db=float(item["psnr_db"]),
        why=str(item.get("why", "")),
    )
    if need.background not in ("flat", "mosaic") or need.psnr_db not in (50.0, 56.0, 60.0):
        raise ValueError(f"{key}: background is flat or mosaic, psnr_db 50, 56 or 60")
    if not need.required:
        raise ValueError(f"{key}: a need requires at least one region")
    return need


def _regions(names: Any) -> frozenset[Region]:
    return frozenset(Region(name) for name in names)


@cache
def default_model() -> NeedModel:
    """Return the packaged model."""
    return NeedModel.from_json(resources.data("needs.json"))
