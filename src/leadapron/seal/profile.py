"""What is sealed, and with which suite."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pydicom.uid import HTJ2KLossless

from leadapron.model import ANATOMY, BadInput, Region
from leadapron.seal.codec import lossless_syntax
from leadapron.seal.suite import Suite

FULL = "FULL"
REGIONS = "REGIONS"


@dataclass(frozen=True)
class SealPolicy:
    """How to seal.

    Attributes:
        profile: ``full`` seals every pixel, background included (the default at rest);
            ``regions`` seals only `regions` and leaves the rest readable.
        regions: what the profile ``regions`` seals; by default all anatomy.
        transfer_syntax: of the stored picture; HTJ2K Lossless (.201) unless told otherwise.
        verify: decode every cell again before the original is let go.
        suite: AES-256-GCM with SHA-256, or SM4-GCM with SM3.
    """

    profile: str = "full"
    regions: frozenset[Region] = field(default=ANATOMY)
    suite: Suite = Suite.AES256_GCM
    transfer_syntax: str = HTJ2KLossless
    verify: bool = True

    def __post_init__(self) -> None:
        """Refuse an unknown profile, suite or region name."""
        if self.profile not in {"full", "regions"}:
            raise BadInput(f"no seal profile '{self.profile}'", remedy="use 'full' or 'regions'")
        lossless_syntax(self.transfer_syntax)
        object.__setattr__(self, "regions", as_regions(self.regions))
        object.__setattr__(self, "suite", Suite(self.suite))

    @classmethod
    def of(cls, policy: SealPolicy | str | None) -> SealPolicy:
        """Return a policy from a policy, a profile's name or None (the default)."""
        if isinstance(policy, SealPolicy):
            return policy
        return cls() if policy is None else cls(profile=policy)

    @property
    def code(self) -> str:
        """The profile as the object carries it (VR CS)."""
        return self.profile.upper()


def as_regions(names: Iterable[str]) -> frozenset[Region]:
    """Return regions from names; one string may hold several, separated by commas."""
    if isinstance(names, str):
        names = [n for n in names.split(",") if n.strip()]
    try:
        return frozenset(Region(str(n).strip()) for n in names)
    except ValueError as exc:
        raise BadInput(
            f"unknown region name: {exc}", remedy=f"known regions: {', '.join(Region)}"
        ) from exc
