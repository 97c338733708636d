"""Disjoint cells of a frame, and the plaintext that one cell's ciphertext holds."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from leadapron.model import Region
from leadapron.seal.codec import encode_htj2k
from leadapron.seal.pixels import PixelFormat, Words
from leadapron.seal.suite import padded, tampered

Mask = npt.NDArray[np.bool_]
Box = tuple[slice, slice]
S = TypeVar("S")
T = TypeVar("T")

MAX_THREADS = 4

JPEG_LS, HTJ2K, PACKED, CODESTREAM = 1, 2, 3, 4
WHOLE_BOX, PACKED_ROWS = 0, 1
VALUES, RAW_WORDS = 0, 1
_HEADER = struct.Struct("<BBBBIIIIIII")
_SPARSE_PIXELS = 4096
_SPARSE_SHARE = 0.05


@dataclass(frozen=True)
class Cell:
    """One atom of the overlapping masks: the pixels that lie in exactly `regions`."""

    regions: frozenset[Region]
    box: Box
    mask: Mask | None
    pixels: int


@dataclass(frozen=True)
class OpenedCell:
    """A cell's plaintext. `words` are meaningful where `mask` (None: everywhere) is True."""

    box: Box
    mask: Mask | None
    words: Words


def partition(shape: tuple[int, int], masks: Mapping[Region, Mask]) -> list[Cell]:
    """Return the disjoint cells that cover a frame of `shape`.

    Pixels in no mask are `outside`, and only they: an explicit ``outside`` mask is ignored.
    """
    from scipy import ndimage

    named = [r for r in Region if r in masks and r is not Region.OUTSIDE]
    signature = np.zeros(shape, np.uint16)
    for bit, region in enumerate(named):
        signature |= masks[region].astype(np.uint16) << np.uint16(bit)
    counts = np.bincount(signature.ravel(), minlength=1 << len(named))
    present = np.flatnonzero(counts)
    labels = np.zeros(1 << len(named), np.int32)
    labels[present] = np.arange(1, len(present) + 1)
    label = labels[signature]
    cells = []
    for number, (bits, box) in enumerate(
        zip(present.tolist(), ndimage.find_objects(label), strict=True), start=1
    ):
        members = frozenset(r for i, r in enumerate(named) if bits >> i & 1)
        mask = label[box] == number
        whole = bool(mask.all())
        cells.append(
            Cell(
                members or frozenset({Region.OUTSIDE}),
                box,
                None if whole else mask,
                int(counts[bits]),
            )
        )
    return cells


def whole_frame(fmt: PixelFormat) -> Cell:
    """Return the one cell of a frame without a region map; it belongs to `outside`."""
    height, width = fmt.raster
    everything = (slice(0, height), slice(0, width))
    return Cell(frozenset({Region.OUTSIDE}), everything, None, fmt.rows * fmt.columns)


def pack(fmt: PixelFormat, words: Words, cells: list[Cell]) -> Iterator[bytes]:
    """Yield the padded plaintext of each cell of one frame."""
    domain = VALUES if fmt.canonical(words) and fmt.bits_allocated in {8, 16} else RAW_WORDS
    samples = _to_samples(fmt, words) if domain == VALUES else words
    coded = spread(lambda c: _code(samples[c.box], c.mask), cells)
    for cell, (coding, data) in zip(cells, coded, strict=True):
        mask = b"" if cell.mask is None else _pack_mask(cell.mask)
        rows, columns = cell.box
        head = _HEADER.pack(
            coding,
            WHOLE_BOX if cell.mask is None else PACKED_ROWS,
            domain,
            words.itemsize,
            rows.start,
            columns.start,
            rows.stop - rows.start,
            columns.stop - columns.start,
            cell.pixels,
            len(mask),
            len(data),
        )
        yield padded(head + mask + data)


def pack_codestream(fmt: PixelFormat, codestream: bytes) -> bytes:
    """Return the padded plaintext that keeps a frame's codestream as it was received."""
    height, width = fmt.raster
    head = _HEADER.pack(
        CODESTREAM, WHOLE_BOX, RAW_WORDS, 1, 0, 0, height, width,
        fmt.rows * fmt.columns, 0, len(codestream),
    )  # fmt: skip
    return padded(head + codestream)


def unpack_codestream(plaintext: bytes) -> bytes:
    """Return the codestream of `pack_codestream`."""
    if len(plaintext) < _HEADER.size:
        raise tampered("a cell is too short")
    head = _HEADER.unpack_from(plaintext)
    if head[0] != CODESTREAM or len(plaintext) < _HEADER.size + head[10]:
        raise tampered("a cell holds no codestream")
    return plaintext[_HEADER.size : _HEADER.size + head[10]]


def unpack(fmt: PixelFormat, plaintext: bytes) -> OpenedCell:
    """Return a cell from its plaintext; IntegrityFailure if that does not fit the frame."""
    try:
        return _unpack(fmt, plaintext)
    except (struct.error, ValueError, zlib.error, RuntimeError) as exc:
        raise tampered("a cell's plaintext is malformed") from exc


def spread(work: Callable[[S], T], items: Sequence[S]) -> list[T]:
    """Return `work` of each item, in order; the codecs let threads run side by side."""
    workers = min(len(items), MAX_THREADS, _cores())
    if workers < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(workers, thread_name_prefix="seal") as pool:
        return list(pool.map(work, items))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _unpack(fmt: PixelFormat, plaintext: bytes) -> OpenedCell:
    head = _HEADER.unpack_from(plaintext)
    coding, mask_coding, domain, itemsize, top, left, height, width, count, n_mask, n = head
    rows, columns = fmt.raster
    if top + height > rows or left + width > columns or itemsize != np.dtype(fmt.word).itemsize:
        raise ValueError("box outside the frame")
    start = _HEADER.size + n_mask
    if len(plaintext) < start + n:
        raise ValueError("short")
    mask = None
    if mask_coding == PACKED_ROWS:
        mask = _unpack_mask(plaintext[_HEADER.size : start], (height, width))
    data = plaintext[start : start + n]
    samples = _decode(coding, data, mask, (height, width), fmt.word, count)
    if samples.shape != (height, width):
        raise ValueError("decoded to another size")
    words = _from_samples(fmt, samples) if domain == VALUES else samples
    return OpenedCell((slice(top, top + height), slice(left, left + width)), mask, words)


def _code(samples: Words, mask: Mask | None) -> tuple[int, bytes]:
    import imagecodecs

    if samples.itemsize > 2:
        return PACKED, _pack_values(samples.ravel() if mask is None else samples[mask])
    if mask is None:
        return HTJ2K, encode_htj2k(samples)
    inside = samples[mask]
    if inside.size < max(_SPARSE_PIXELS, _SPARSE_SHARE * mask.size):
        return PACKED, _pack_values(inside)
    # Any value will do outside the mask; the mean was the cheapest of those measured.
    filled = np.where(mask, samples, samples.dtype.type(round(float(inside.mean()))))
    return JPEG_LS, cast(bytes, imagecodecs.jpegls_encode(filled))


def _decode(
    coding: int,
    data: bytes,
    mask: Mask | None,
    shape: tuple[int, int],
    word: type[np.unsignedinteger[Any]],
    count: int,
) -> Words:
    import imagecodecs

    if coding == JPEG_LS:
        decoded: Words = imagecodecs.jpegls_decode(data)
        return decoded.astype(word, copy=False)
    if coding == HTJ2K:
        decoded = imagecodecs.htj2k_decode(data)
        return decoded.astype(word, copy=False)
    if coding != PACKED:
        raise ValueError("unknown coding")
    values = _unpack_values(data, np.dtype(word), shape[0] * shape[1] if mask is None else count)
    if mask is None:
        return values.reshape(shape)
    samples = np.zeros(shape, word)
    samples[mask] = values
    return samples


def _to_samples(fmt: PixelFormat, words: Words) -> Words:
    """Offset binary of Bits Stored: signed values keep their order as unsigned ones."""
    if not fmt.signed:
        return words
    kind = words.dtype.type
    made: Words = (words & kind((1 << fmt.bits_stored) - 1)) ^ kind(1 << (fmt.bits_stored - 1))
    return made


def _from_samples(fmt: PixelFormat, samples: Words) -> Words:
    if not fmt.signed:
        return samples
    kind = samples.dtype.type
    made: Words = samples - kind(1 << (fmt.bits_stored - 1))
    return made  # modulo the word, so the sign fills the high bits


def _pack_values(values: Words) -> bytes:
    """Deflate of the byte planes, least significant first, of successive differences."""
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    differences = np.diff(little, prepend=little.dtype.type(0))
    planes = differences.view(np.uint8).reshape(-1, little.itemsize).T
    return zlib.compress(np.ascontiguousarray(planes).tobytes(), 6)


def _unpack_values(data: bytes, kind: np.dtype[Any], count: int) -> Words:
    planes = np.frombuffer(_inflate(data, count * kind.itemsize), np.uint8)
    little = kind.newbyteorder("<")
    together = np.ascontiguousarray(planes.reshape(kind.itemsize, count).T)
    differences = together.view(little).ravel()
    return np.cumsum(differences, dtype=kind)


def _pack_mask(mask: Mask) -> bytes:
    rows = np.packbits(mask, axis=1)
    rows[1:] ^= rows[:-1].copy()
    return zlib.compress(rows.tobytes(), 6)


def _unpack_mask(data: bytes, shape: tuple[int, int]) -> Mask:
    stride = -(-shape[1] // 8)
    rows = np.frombuffer(_inflate(data, shape[0] * stride), np.uint8).reshape(shape[0], stride)
    rows = np.bitwise_xor.accumulate(rows, axis=0)
    return np.unpackbits(rows, axis=1, count=shape[1]).view(np.bool_)


def _inflate(data: bytes, size: int) -> bytes:
    inflater = zlib.decompressobj()
    made = inflater.decompress(data, size + 1)
    if len(made) != size:
        raise ValueError("inflated to another size")
    return made
