"""What a de-identification does: PS3.15 Annex E Basic Profile with its options."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from leadapron.deid.devices import CleanDevice
from leadapron.model import BadInput

if TYPE_CHECKING:
    from leadapron.deid.recipients import SharedKey

OPTIONS = (
    "retain_safe_private",
    "retain_uids",
    "retain_device_identity",
    "retain_institution_identity",
    "retain_patient_characteristics",
    "retain_longitudinal_full_dates",
    "retain_longitudinal_modified_dates",
    "clean_descriptors",
    "clean_structured_content",
    "clean_graphics",
)
"""The ten option columns of Table E.1-1, in the data file's order."""

METHOD_CODES = {
    "basic": ("113100", "Basic Application Confidentiality Profile"),
    "clean_pixels": ("113101", "Clean Pixel Data Option"),
    "clean_graphics": ("113103", "Clean Graphics Option"),
    "clean_structured_content": ("113104", "Clean Structured Content Option"),
    "clean_descriptors": ("113105", "Clean Descriptors Option"),
    "retain_longitudinal_full_dates": (
        "113106",
        "Retain Longitudinal Temporal Information Full Dates Option",
    ),
    "retain_longitudinal_modified_dates": (
        "113107",
        "Retain Longitudinal Temporal Information Modified Dates Option",
    ),
    "retain_patient_characteristics": ("113108", "Retain Patient Characteristics Option"),
    "retain_device_identity": ("113109", "Retain Device Identity Option"),
    "retain_uids": ("113110", "Retain UIDs Option"),
    "retain_safe_private": ("113111", "Retain Safe Private Option"),
    "retain_institution_identity": ("113112", "Retain Institution Identity Option"),
}
"""De-identification Method codes (PS3.16 CID 7050)."""


@dataclass(frozen=True)
class Profile:
    """The Basic Profile plus options; the first ten flags are the columns of Table E.1-1.

    Attributes:
        clean_pixels: detect and fill burned-in text on every frame (Clean Pixel Data Option).
        clean_devices: rules for devices that an administrator has proven to burn nothing in;
            their pictures are not searched if Burned In Annotation also says NO.
        allow_marks: laterality and projection marks that stay visible besides the built-in list.
        remove: keywords of further attributes to remove, whatever the options retain.
        recipients: who may open the identity inside the object (Encrypted Attributes Sequence):
            PEM certificates (RSA, EC or ML-KEM) and shared keys; none leaves it out.
        max_pixels: largest samples a frame set may decode to; more is quarantined unread.
        max_depth: deepest nesting of sequences that is followed; more is quarantined.
    """

    retain_safe_private: bool = False
    retain_uids: bool = False
    retain_device_identity: bool = False
    retain_institution_identity: bool = False
    retain_patient_characteristics: bool = False
    retain_longitudinal_full_dates: bool = False
    retain_longitudinal_modified_dates: bool = False
    clean_descriptors: bool = False
    clean_structured_content: bool = False
    clean_graphics: bool = False
    clean_pixels: bool = False
    clean_devices: tuple[CleanDevice, ...] = ()
    allow_marks: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()
    recipients: tuple[bytes | SharedKey, ...] = ()
    max_pixels: int = 1 << 29
    max_depth: int = 32

    def __post_init__(self) -> None:
        """Refuse the two date options together: Annex E allows one of them."""
        if self.retain_longitudinal_full_dates and self.retain_longitudinal_modified_dates:
            raise BadInput(
                "full dates and modified dates cannot both be retained",
                remedy="choose one of the two longitudinal options",
            )

    @classmethod
    def basic(cls) -> Profile:
        """Return the Basic Profile alone: headers only, no option."""
        return cls()

    @classmethod
    def gateway(cls) -> Profile:
        """Return the hospital pipeline's default.

        Dates are shifted per patient, descriptors and structured content cleaned, burned-in
        text filled; sex, age, size and weight stay because a reader needs them for the film, the
        ethnic group does not.
        """
        return cls(
            retain_safe_private=True,
            retain_patient_characteristics=True,
            retain_longitudinal_modified_dates=True,
            clean_descriptors=True,
            clean_structured_content=True,
            clean_pixels=True,
            remove=frozenset({"EthnicGroup", "EthnicGroupCodeSequence", "EthnicGroups"}),
        )

    @classmethod
    def of(cls, profile: Profile | str) -> Profile:
        """Return `profile` itself or the named one (``basic``, ``gateway``)."""
        if isinstance(profile, Profile):
            return profile
        named = {"basic": cls.basic, "gateway": cls.gateway}
        if profile not in named:
            raise BadInput(f"no profile called '{profile}'", remedy="there are: basic, gateway")
        return named[profile]()

    @property
    def shift_dates(self) -> bool:
        """Whether dates move by the patient's own number of days."""
        return self.retain_longitudinal_modified_dates

    @property
    def options(self) -> tuple[str, ...]:
        """The enabled columns of Table E.1-1."""
        return tuple(o for o in OPTIONS if getattr(self, o))

    @property
    def methods(self) -> tuple[tuple[str, str], ...]:
        """The (code, meaning) pairs of De-identification Method Code Sequence."""
        flags = {f.name for f in fields(self) if getattr(self, f.name) is True}
        return tuple(c for k, c in METHOD_CODES.items() if k == "basic" or k in flags)
