"""Small films for the seal tests."""

from __future__ import annotations

import io

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from leadapron.model import Region, RegionMap

DX = "1.2.840.10008.5.1.4.1.1.1.1"


def film(
    pixels: np.ndarray,
    *,
    bits_stored: int | None = None,
    photometric: str = "MONOCHROME2",
    syntax: str = ExplicitVRLittleEndian,
    frames: int = 1,
) -> FileDataset:
    """Return an object with `pixels`: (rows, columns), (frames, rows, columns) or colour last."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    ds = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    ds.SOPClassUID = meta.MediaStorageSOPClassUID = DX
    ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.PatientID = "PSEUDONYM"
    colour = photometric in {"RGB", "YBR_FULL"}
    body = pixels.shape[1:] if frames > 1 else pixels.shape
    ds.Rows, ds.Columns = body[:2]
    if frames > 1:
        ds.NumberOfFrames = frames
    ds.SamplesPerPixel = 3 if colour else 1
    if colour:
        ds.PlanarConfiguration = 0
    ds.PhotometricInterpretation = photometric
    ds.BitsAllocated = pixels.itemsize * 8
    ds.BitsStored = bits_stored or ds.BitsAllocated
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(np.issubdtype(pixels.dtype, np.signedinteger))
    data = pixels.tobytes()
    ds.PixelData = data + bytes(len(data) % 2)
    ds["PixelData"].VR = "OW" if ds.BitsAllocated > 8 else "OB"
    return ds


def noise(shape: tuple[int, ...], bits: int, signed: bool = False, seed: int = 1) -> np.ndarray:
    """Return random pixels that use every value of `bits` bits."""
    low = -(1 << (bits - 1)) if signed else 0
    values = np.random.default_rng(seed).integers(low, low + (1 << bits), shape)
    kind = "i" if signed else "u"
    return values.astype(f"{kind}{1 if bits <= 8 else 2}")


def regions(rows: int, columns: int) -> RegionMap:
    """Return overlapping lungs, heart and thorax with some `outside` left."""
    y, x = np.mgrid[:rows, :columns].astype(float)
    y, x = (y + 0.5) / rows, (x + 0.5) / columns

    def ellipse(cy: float, cx: float, ry: float, rx: float) -> np.ndarray:
        return ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1

    masks = {
        Region.RIGHT_LUNG: ellipse(0.5, 0.3, 0.35, 0.17),
        Region.LEFT_LUNG: ellipse(0.5, 0.7, 0.35, 0.17),
        Region.HEART: ellipse(0.6, 0.57, 0.2, 0.2),
        Region.THORAX: ellipse(0.5, 0.5, 0.48, 0.47),
    }
    return RegionMap((rows, columns), masks, {Region.HEART: 0.97}, model_version="test-net")


def reread(ds: Dataset) -> FileDataset:
    """Write `ds` as Part 10 and read it again."""
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return pydicom.dcmread(io.BytesIO(buffer.getvalue()))
