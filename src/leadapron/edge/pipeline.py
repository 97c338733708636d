"""One film through the gateway: de-identify, find the anatomy, seal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from leadapron.anatomy import Segmenter
from leadapron.deid import Profile, Report, Vault, deidentify
from leadapron.deid.files import parse
from leadapron.model import BadInput, Quarantined, RegionMap
from leadapron.seal import SealKeys, SealPolicy, seal
from leadapron.seal.codec import decode_frame


@dataclass(frozen=True)
class Protected:
    """A film that may leave the gateway, and how it got there (`timings` in ms)."""

    dataset: Dataset
    region_map: RegionMap
    report: Report
    timings: dict[str, float]


@dataclass
class Protector:
    """The gateway's pipeline; one instance serves one worker thread.

    `keys` needs only the public half: what it sealed, the gateway can't open again.
    """

    profile: Profile
    vault: Vault
    segmenter: Segmenter
    keys: SealKeys
    policy: SealPolicy = field(default_factory=SealPolicy)

    def protect(self, dataset: Dataset) -> Protected:
        """Return the sealed object; raise Quarantined or BadInput when it can't be safe."""
        timings: dict[str, float] = {}
        with _timed(timings, "deid"):
            clean, report = deidentify_film(dataset, self.profile, self.vault)
        with _timed(timings, "anatomy"):
            region_map = self._segment(clean)
        with _timed(timings, "seal"):
            sealed = seal(clean, region_map, self.policy, self.keys)
        return Protected(sealed, region_map, report, timings)

    def _segment(self, dataset: Dataset) -> RegionMap:
        shape = (int(dataset.Rows), int(dataset.Columns))
        if int(dataset.get("NumberOfFrames", 1) or 1) != 1:
            return RegionMap.whole(shape, "multi-frame")
        if int(dataset.get("SamplesPerPixel", 1)) != 1:
            return RegionMap.whole(shape, "colour")
        pixels = np.asarray(decode_frame(dataset))
        return self.segmenter.segment(pixels, photometric=str(dataset.PhotometricInterpretation))


def deidentify_film(dataset: Dataset, profile: Profile, vault: Vault) -> tuple[Dataset, Report]:
    """De-identify alone; Quarantined carries the first reason's slug, and all their words."""
    result = deidentify(dataset, profile, vault)
    if result.quarantine:
        raise Quarantined(
            "; ".join(reason.message for reason in result.quarantine),
            remedy="look at the object in quarantine; release it when the cause is mended",
            code=result.quarantine[0].code,
        )
    if result.dataset is None or "PixelData" not in result.dataset:
        raise Quarantined(
            "the object has no pixel data: there is no film to seal",
            remedy="send image objects only, or release the object by hand",
            code="no-pixel-data",
        )
    return result.dataset, result.report


def read_part10(data: bytes) -> Dataset:
    """Parse a Part 10 file (PS3.10 7); BadInput names what is wrong with it.

    Values stay undecoded: de-identification judges character sets by the raw bytes.
    """
    dataset = parse(data)
    for required in ("SOPClassUID", "SOPInstanceUID"):
        if not dataset.get(required):
            raise BadInput(
                f"the object has no {required}",
                remedy="send a complete SOP Instance",
                code="incomplete",
            )
    syntax: Any = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is None or not pydicom.uid.UID(syntax).is_transfer_syntax:
        raise BadInput(
            f"unknown transfer syntax {syntax or '(none)'}",
            remedy="let the sender use a standard transfer syntax, such as Explicit VR "
            "Little Endian",
            code="unknown-transfer-syntax",
        )
    return dataset


def write_part10(dataset: Dataset) -> bytes:
    """Encode as Part 10 with an empty preamble."""
    dataset.preamble = b"\0" * 128
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    timings[stage] = round((time.perf_counter() - start) * 1000, 1)
