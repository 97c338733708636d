"""The stored words of a frame, as they lie in Pixel Data, and what describes them."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from leadapron.model import BadInput

Words = npt.NDArray[Any]
"""Unsigned words of BitsAllocated, (rows × samples, columns): sample planes stacked."""

MAX_FRAME_BYTES = 2**31
MAX_FRAMES = 100_000
_WORD: dict[int, type[np.unsignedinteger[Any]]] = {
    1: np.uint8,
    8: np.uint8,
    16: np.uint16,
    32: np.uint32,
    64: np.uint64,
}
_SUBSAMPLED = "YBR_FULL_422"


@dataclass(frozen=True)
class PixelFormat:
    """The Image Pixel attributes that say how stored words become pixel values."""

    rows: int
    columns: int
    frames: int
    samples: int
    photometric: str
    planar: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool

    @classmethod
    def of(cls, ds: Dataset) -> PixelFormat:
        """Read them from `ds`; BadInput where they are missing or impossible."""
        try:
            made = cls(
                rows=int(ds.Rows),
                columns=int(ds.Columns),
                frames=int(ds.get("NumberOfFrames") or 1),
                samples=int(ds.get("SamplesPerPixel") or 1),
                photometric=_colour(ds),
                planar=int(ds.get("PlanarConfiguration") or 0),
                bits_allocated=int(ds.BitsAllocated),
                bits_stored=int(ds.get("BitsStored") or ds.BitsAllocated),
                high_bit=int(ds.get("HighBit", int(ds.get("BitsStored") or ds.BitsAllocated) - 1)),
                signed=bool(int(ds.get("PixelRepresentation") or 0)),
            )
        except (AttributeError, TypeError, ValueError) as exc:
            raise BadInput(
                "an Image Pixel attribute is missing or no number",
                remedy="check Rows, Columns, Bits Allocated and Photometric Interpretation",
            ) from exc
        made._check()
        return made

    def as_dict(self) -> dict[str, int | str | bool]:
        """Return plain values, for the manifest."""
        return asdict(self)

    @property
    def word(self) -> type[np.unsignedinteger[Any]]:
        """The unsigned type of one stored word; single bits are handled as bytes."""
        return _WORD[self.bits_allocated]

    @property
    def raster(self) -> tuple[int, int]:
        """The shape of `Words`."""
        planes = 2 if self.subsampled else self.samples
        return self.rows * planes, self.columns

    @property
    def subsampled(self) -> bool:
        """Whether chroma is stored for every second pixel only (native YBR_FULL_422)."""
        return self.photometric == _SUBSAMPLED

    @property
    def frame_bits(self) -> int:
        """The bits of one native frame."""
        height, width = self.raster
        return height * width * self.bits_allocated

    @property
    def aligned(self) -> bool:
        """Whether the stored bits are the low bits of a word of 8 or 16."""
        return self.bits_allocated in {8, 16} and self.high_bit == self.bits_stored - 1

    def fill(self) -> list[int]:
        """Return the stored word of each sample that displays as black."""
        if self.samples > 1:
            middle = 1 << (self.bits_stored - 1)
            chroma = self.photometric.startswith("YBR_FULL")
            return [0] + [middle if chroma else 0] * (self.samples - 1)
        if self.photometric == "PALETTE COLOR":
            return [0]
        top = (1 << (self.bits_stored - self.signed)) - 1
        value = top if self.photometric == "MONOCHROME1" else -(top + 1) * self.signed
        shift = max(self.high_bit - self.bits_stored + 1, 0)
        return [(value << shift) & ((1 << self.bits_allocated) - 1)]

    def flat(self) -> Words:
        """Return one frame of nothing but fill."""
        if self.subsampled:
            half = 1 << (self.bits_stored - 1)
            pattern = np.array([0, 0, half, half], self.word)
            return np.resize(pattern, self.raster)
        planes = [np.full((self.rows, self.columns), f, self.word) for f in self.fill()]
        return np.concatenate(planes)

    def values(self, words: Words) -> npt.NDArray[Any]:
        """Return pixel values: (rows, columns) or (rows, columns, samples), signed if they are.

        Bits above BitsStored are dropped or become the sign.
        """
        planes = self.unstacked(words)
        if self.bits_allocated == 1:
            return planes
        spare = self.bits_allocated - self.bits_stored
        up = max(self.bits_allocated - 1 - self.high_bit, 0)
        kind = np.dtype(f"i{planes.itemsize}") if self.signed else planes.dtype
        if spare == 0 or self.canonical(words):
            return planes.view(kind)
        moved = (planes << np.array(up, planes.dtype)).view(kind)
        made: npt.NDArray[Any] = moved >> np.array(spare, kind)
        return made

    def canonical(self, words: Words) -> bool:
        """Return whether the bits above Bits Stored are zero, or the sign of a signed value."""
        if self.bits_stored == self.bits_allocated:
            return True
        if not self.aligned:
            return False
        if not self.signed:
            return int(words.max()) < 1 << self.bits_stored
        values = words.view(f"i{words.itemsize}")
        half = 1 << (self.bits_stored - 1)
        return -half <= int(values.min()) and int(values.max()) < half

    def unstacked(self, words: Words) -> npt.NDArray[Any]:
        """Return words as (rows, columns) or (rows, columns, samples)."""
        if self.samples == 1 or self.subsampled:
            return words
        stacked = words.reshape(self.samples, self.rows, self.columns)
        return np.ascontiguousarray(np.moveaxis(stacked, 0, -1))

    def stacked(self, pixels: npt.NDArray[Any]) -> Words:
        """Return (rows, columns[, samples]) pixels of this word size as words."""
        words = np.ascontiguousarray(pixels).astype(self._kind(), copy=False).view(self.word)
        if words.ndim == 3:
            words = np.moveaxis(words, -1, 0).reshape(-1, self.columns)
        return np.ascontiguousarray(words).reshape(self.raster)

    def native(self, frames: list[Words]) -> bytes:
        """Return Pixel Data of a native little-endian object, padded to even length."""
        if self.bits_allocated == 1:
            bits = np.concatenate([f.ravel() for f in frames])
            data = np.packbits(bits, bitorder="little").tobytes()
        else:
            data = b"".join(self.frame_bytes(f) for f in frames)
        return data + bytes(len(data) % 2)

    def frame_bytes(self, words: Words) -> bytes:
        """Return one native little-endian frame (single bits as bytes): what digests cover."""
        ordered = words if self.planar or self.subsampled else self.unstacked(words)
        return ordered.astype(ordered.dtype.newbyteorder("<"), copy=False).tobytes()

    def _kind(self) -> np.dtype[Any]:
        word = np.dtype(self.word)
        return np.dtype(f"i{word.itemsize}") if self.signed and self.bits_allocated > 1 else word

    def _check(self) -> None:
        sane = (
            0 < self.rows <= 65535
            and 0 < self.columns <= 65535
            and 0 < self.frames <= MAX_FRAMES
            and 1 <= self.samples <= 4
            and self.bits_allocated in _WORD
            and 1 <= self.bits_stored <= self.bits_allocated
            and self.high_bit < self.bits_allocated
        )
        if not sane:
            raise BadInput(
                "the Image Pixel attributes are not possible or not supported",
                remedy="Bits Allocated must be 1, 8, 16, 32 or 64 and Bits Stored fit in it",
            )
        if self.frame_bits // 8 > MAX_FRAME_BYTES:
            raise BadInput(
                f"one frame of {self.rows} × {self.columns} is larger than 2 GiB",
                remedy="the header is damaged or this is no radiograph; check Rows and Columns",
                code="too-large",
            )


def _colour(ds: Dataset) -> str:
    name = str(ds.PhotometricInterpretation)
    # Decoders hand subsampled chroma out at full size.
    return "YBR_FULL" if name == _SUBSAMPLED and transfer_syntax(ds).is_encapsulated else name


def duplicate(ds: Dataset) -> Dataset:
    """Return a deep copy of `ds` that shares nothing with it."""
    made = copy.deepcopy(ds)
    # A copied FileDataset keeps its cached private blocks, which write to the original.
    vars(made)["_private_blocks"] = {}
    return made


def transfer_syntax(ds: Dataset) -> Any:
    """Return the transfer syntax UID of `ds`; Explicit VR LE for one made in memory."""
    meta = getattr(ds, "file_meta", None)
    return getattr(meta, "TransferSyntaxUID", None) or ExplicitVRLittleEndian


def check_pixels(ds: Dataset, fmt: PixelFormat) -> None:
    """Raise BadInput if Pixel Data is missing, or native and too short for `fmt`."""
    data = ds.get("PixelData")
    if not isinstance(data, bytes) or not data:
        raise BadInput(
            "the object has no Pixel Data",
            remedy="only image objects are sealed; check what the modality sent",
            code="no-pixel-data",
        )
    need = -(-fmt.frame_bits * fmt.frames // 8)
    if len(data) < need and not transfer_syntax(ds).is_encapsulated:
        raise BadInput(
            f"Pixel Data has {len(data)} bytes where its attributes need {need}",
            remedy="the file is truncated; send it again from the modality",
            code="truncated",
        )


def read_words(ds: Dataset, fmt: PixelFormat, index: int = 0) -> Words:
    """Return frame `index` (from 0) as stored; BadInput if it is short or can't be decoded."""
    check_pixels(ds, fmt)
    data = ds.PixelData
    if not 0 <= index < fmt.frames:
        raise BadInput(f"no frame {index + 1} of {fmt.frames}", remedy="frames count from 1")
    syntax = transfer_syntax(ds)
    if syntax.is_encapsulated:
        return _decoded(ds, fmt, index)
    height, width = fmt.raster
    count = height * width
    if fmt.bits_allocated == 1:
        start = index * count
        raw = np.frombuffer(data, np.uint8)[start // 8 : -(-(start + count) // 8)]
        bits = np.unpackbits(raw, bitorder="little")
        return bits[start % 8 : start % 8 + count].reshape(fmt.raster)
    kind = np.dtype(fmt.word).newbyteorder(">" if syntax == ExplicitVRBigEndian else "<")
    words = np.frombuffer(data, kind, count, index * count * kind.itemsize).astype(fmt.word)
    if fmt.samples > 1 and not fmt.planar and not fmt.subsampled:
        return fmt.stacked(words.reshape(fmt.rows, fmt.columns, fmt.samples))
    return words.reshape(fmt.raster)


def _decoded(ds: Dataset, fmt: PixelFormat, index: int) -> Words:
    try:
        pixels = pixel_array(ds, index=index, raw=True)
    except Exception as exc:  # codecs raise whatever they like
        raise BadInput(
            f"the pixel data ({transfer_syntax(ds).name}) can't be decoded",
            remedy="send it again uncompressed or as JPEG-LS, JPEG 2000 or HTJ2K",
            code="undecodable",
        ) from exc
    if pixels.shape[:2] != (fmt.rows, fmt.columns):
        raise BadInput(
            "the coded picture is not as large as Rows and Columns say",
            remedy="send it again from the modality",
            code="undecodable",
        )
    return fmt.stacked(pixels)
