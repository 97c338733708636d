"""From unsealed values to the picture that a reader gets: masked, and the object around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as ItemSequence
from pydicom.uid import ExplicitVRLittleEndian

from leadapron.archive import Film
from leadapron.deid import dates, identity
from leadapron.deid.identity import DATE_VRS
from leadapron.deid.reversible import ENCRYPTED_ATTRIBUTES
from leadapron.delivery.view import Frame

MOSAIC_BLOCKS = 24
"""Blocks along the longer side of the orientation mosaic."""

_STALE = (
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "PixelPaddingValue",
    "VOILUTSequence",
    "VOILUTFunction",
    "PresentationLUTShape",
    "PresentationLUTSequence",
    "IconImageSequence",
    "ModalityLUTSequence",
    "PixelPaddingRangeLimit",
    "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData",
    "PaletteColorLookupTableUID",
)
_GREY_ONLY = (
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "WindowCenter",
    "WindowWidth",
    "WindowCenterWidthExplanation",
)


def hide(frame: Frame, granted: npt.NDArray[np.bool_], background: str) -> Frame:
    """Return a copy that shows `granted` only; the rest flat black or a coarse mosaic.

    `frame` is (rows, columns) or RGB (rows, columns, 3), `granted` (rows, columns).
    """
    if frame.ndim == 3:
        planes = [hide(frame[..., i], granted, background) for i in range(frame.shape[2])]
        return np.stack(planes, axis=-1)
    hidden = _mosaic(frame, granted) if background == "mosaic" else np.zeros_like(frame)
    return np.where(granted, frame, hidden).astype(frame.dtype)


def _mosaic(frame: Frame, granted: npt.NDArray[np.bool_]) -> Frame:
    """Block means over hidden pixels only, so that no block repeats a granted detail."""
    side = -(-max(frame.shape) // MOSAIC_BLOCKS)
    rows = np.arange(0, frame.shape[0], side)
    columns = np.arange(0, frame.shape[1], side)
    weights = (~granted).astype(np.float64)
    sums = _blocks(frame * weights, rows, columns)
    counts = _blocks(weights, rows, columns)
    means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    whole = np.repeat(np.repeat(means, side, axis=0), side, axis=1)
    return whole[: frame.shape[0], : frame.shape[1]].astype(frame.dtype)


def _blocks(
    values: npt.NDArray[np.float64], rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    return np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)


def window(dataset: Dataset, frame: Frame, granted: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return (center, width) in output units: the file's own, else the granted percentiles."""
    stored = _stored_window(dataset)
    if stored is not None:
        return stored
    shown = frame[granted] if granted.any() else frame.ravel()
    low, high = (float(v) for v in np.percentile(shown, (0.5, 99.5)))
    return (low + high) / 2, max(high - low, 1.0)


def _stored_window(dataset: Dataset) -> tuple[float, float] | None:
    center, width = dataset.get("WindowCenter"), dataset.get("WindowWidth")
    if center is None or width is None or "ModalityLUTSequence" in dataset:
        return None
    center = float(center[0] if hasattr(center, "__getitem__") else center)
    width = float(width[0] if hasattr(width, "__getitem__") else width)
    slope = float(dataset.get("RescaleSlope", 1) or 1)
    center = (center - float(dataset.get("RescaleIntercept", 0) or 0)) / slope
    width = abs(width / slope)
    bits = int(dataset.BitsStored)
    if int(dataset.get("PixelRepresentation", 0)) == 1:
        center += 1 << (bits - 1)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        center = (1 << bits) - 1 - center
    inside = 0 < center < (1 << bits) and width > 1
    return (center, width) if inside else None


def copy_for_reader(
    dataset: Dataset,
    frames: Sequence[Frame],
    bits: int,
    granted: npt.NDArray[np.bool_],
    clear: Frame,
) -> Dataset:
    """Return the reader's dataset around the marked `frames`; Explicit VR Little Endian.

    `bits` become Bits Stored; `clear` is the first frame without its mark, used for the window
    alone.
    """
    copy = Dataset()
    copy.update({e.tag: e for e in dataset if not e.tag.is_private})
    grey = frames[0].ndim == 2
    shown = window(dataset, clear, granted) if grey else None
    for keyword in _STALE:
        if keyword in copy:
            delattr(copy, keyword)
    copy.PixelRepresentation = 0
    copy.BitsAllocated = 8 * frames[0].itemsize
    copy.BitsStored = bits
    copy.HighBit = bits - 1
    if shown is not None:
        _describe_grey(copy, *shown)
    else:
        _describe_colour(copy)
    _drop_bad_spacing(copy)
    data = b"".join(frame.tobytes() for frame in frames)
    copy.PixelData = data + b"\0" * (len(data) % 2)
    copy["PixelData"].VR = "OB" if frames[0].itemsize == 1 else "OW"
    copy.file_meta = FileMetaDataset()
    copy.file_meta.MediaStorageSOPClassUID = copy.SOPClassUID
    copy.file_meta.MediaStorageSOPInstanceUID = copy.SOPInstanceUID
    copy.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return copy


def _describe_grey(copy: Dataset, center: float, width: float) -> None:
    copy.PhotometricInterpretation = "MONOCHROME2"
    copy.RescaleIntercept, copy.RescaleSlope, copy.RescaleType = 0, 1, "US"
    copy.WindowCenter, copy.WindowWidth = round(center, 1), round(width, 1)
    for group in _functional_groups(copy):
        for item in group.get("PixelValueTransformationSequence", ()):
            item.RescaleIntercept, item.RescaleSlope, item.RescaleType = 0, 1, "US"
        for item in group.get("FrameVOILUTSequence", ()):
            item.WindowCenter, item.WindowWidth = copy.WindowCenter, copy.WindowWidth
    if "PixelIntensityRelationshipSign" in copy:
        copy.PixelIntensityRelationshipSign = -1


def _functional_groups(copy: Dataset) -> Iterator[Dataset]:
    """Yield the items that describe single frames of an enhanced object (PS3.3 C.7.6.16)."""
    yield from copy.get("SharedFunctionalGroupsSequence", ())
    yield from copy.get("PerFrameFunctionalGroupsSequence", ())


def _describe_colour(copy: Dataset) -> None:
    copy.PhotometricInterpretation = "RGB"
    copy.SamplesPerPixel, copy.PlanarConfiguration = 3, 0
    for keyword in _GREY_ONLY:
        if keyword in copy:
            delattr(copy, keyword)


def _drop_bad_spacing(copy: Dataset) -> None:
    """A spacing of zero (as in real films) makes viewers show nothing."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        spacing = copy.get(keyword)
        if spacing is not None and (len(spacing) != 2 or any(float(v) <= 0 for v in spacing)):
            delattr(copy, keyword)


def relabel(copy: Dataset, film: Film) -> None:
    """Say in a reader's copy whose film it is now, at every depth, and move its dates along.

    The stored object keeps the pseudonym and the date shift that it came with; elements that
    `copy` shares with it are replaced, not changed. The identity encrypted inside the object
    (0400,0500) is left out where it may be another patient's.
    """
    if str(copy.get("PatientID", "")) != film.patient:
        copy.pop(ENCRYPTED_ATTRIBUTES, None)
    _relabel(copy, film)


def _relabel(copy: Dataset, film: Film) -> None:
    for element in list(copy):
        if element.tag in _PATIENT:
            copy[element.tag] = DataElement(element.tag, element.VR, film.patient)
        elif element.VR == "SQ":
            copy[element.tag] = DataElement(
                element.tag, "SQ", ItemSequence([_relabelled(item, film) for item in element.value])
            )
        elif element.VR in DATE_VRS and film.shift_days and element.value:
            values = element.value if element.VM > 1 else [element.value]
            moved = [dates.shift(str(v), film.shift_days) or str(v) for v in values]
            value = moved if element.VM > 1 else moved[0]
            copy[element.tag] = DataElement(element.tag, element.VR, value)


def _relabelled(item: Dataset, film: Film) -> Dataset:
    fresh = Dataset()
    fresh.update({element.tag: element for element in item})
    _relabel(fresh, film)
    return fresh


_PATIENT = frozenset({identity.PATIENT_NAME, identity.PATIENT_ID})
