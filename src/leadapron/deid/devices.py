"""Devices that an administrator has proven to burn no text into their pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydicom import Dataset

from leadapron.model import BadInput


@dataclass(frozen=True)
class CleanDevice:
    """One rule: every given value must equal the object's, case and outer spaces aside.

    `manufacturer` is (0008,0070), `model` (0008,1090), `station` (0008,1010). A rule needs the
    manufacturer and one of the others: a maker alone says nothing about one machine's settings.
    """

    manufacturer: str
    model: str = ""
    station: str = ""

    def __post_init__(self) -> None:
        """Refuse a rule that would cover too much."""
        if not self.manufacturer.strip() or not (self.model.strip() or self.station.strip()):
            raise BadInput(
                "a rule for clean devices names no single kind of device",
                remedy="give `manufacturer` and `model` or `station`",
                code="bad-setting",
            )

    def fits(self, ds: Dataset) -> bool:
        """Return whether the object says that it comes from this device."""
        places = {
            "Manufacturer": self.manufacturer,
            "ManufacturerModelName": self.model,
            "StationName": self.station,
        }
        wanted = {place: _fold(value) for place, value in places.items() if value.strip()}
        return all(_fold(str(ds.get(place) or "")) == value for place, value in wanted.items())


def proven_clean(ds: Dataset, devices: Iterable[CleanDevice]) -> bool:
    """Return whether Burned In Annotation is NO and a rule vouches for the device.

    Neither is enough alone: the flag is often wrong, and a device may say YES of one picture.
    """
    flag = str(ds.get("BurnedInAnnotation") or "").strip().upper()
    return flag == "NO" and any(device.fits(ds) for device in devices)


def _fold(text: str) -> str:
    return " ".join(text.split()).casefold()
