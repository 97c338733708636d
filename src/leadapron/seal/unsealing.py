"""Unsealing: the only module that turns ciphertext back into pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian

from leadapron.model import BadInput, NotFound, Region
from leadapron.seal import attributes
from leadapron.seal.block import remove_block
from leadapron.seal.cells import Mask, spread, unpack, unpack_codestream
from leadapron.seal.codec import set_codestreams, set_pixels, set_transfer_syntax
from leadapron.seal.keys import SealKeys
from leadapron.seal.manifest import CODESTREAM, CellRecord, Manifest
from leadapron.seal.opening import Unlocked, unlock
from leadapron.seal.pixels import PixelFormat, Words, duplicate, read_words
from leadapron.seal.profile import FULL, as_regions
from leadapron.seal.suite import digest, tampered

_GRANTED = np.uint16(1 << 15)


@dataclass(frozen=True)
class OpenedFrame:
    """One frame with only the granted regions in it.

    Attributes:
        pixels: values (rows, columns[, samples]); fill where nothing is granted.
        granted: bool (rows, columns): where `pixels` are real.
        region_masks: bool (rows, columns) of each granted region, and of no other.
        bits_stored: of the original.
        photometric: of `pixels`.
        signed: whether the original's Pixel Representation is 1.
        fill: the value outside; shown it is black.
    """

    pixels: npt.NDArray[Any]
    granted: Mask
    region_masks: Mapping[Region, Mask]
    bits_stored: int
    photometric: str
    signed: bool
    fill: tuple[int, ...]


@dataclass(frozen=True)
class _Raster:
    words: Words
    signature: npt.NDArray[np.uint16]

    @property
    def granted(self) -> Mask:
        return np.not_equal(self.signature, 0)


class _RegionMasks(Mapping[Region, Mask]):
    """The masks of granted regions, made when asked for."""

    def __init__(self, signature: npt.NDArray[np.uint16], regions: frozenset[Region]) -> None:
        self._signature = signature
        self._regions = tuple(r for r in Region if r in regions)

    def __getitem__(self, region: Region) -> Mask:
        if region not in self._regions:
            raise KeyError(region)
        mask: Mask = np.not_equal(self._signature & _bit(Region(region)), 0)
        return mask

    def __iter__(self) -> Iterator[Region]:
        return iter(self._regions)

    def __len__(self) -> int:
        return len(self._regions)


def unseal(ds: Dataset, keys: SealKeys, regions: Iterable[str] | None = None) -> Dataset:
    """Return an unsealed copy of the sealed `ds`; `ds` is not touched.

    `regions` None restores everything: pixel values bit for bit, the pixel attributes and
    all that sealing took out. Otherwise only those regions are real and the rest is fill
    that displays as black; what measures or shows the whole film stays out, and so does the
    seal. An empty selection gives a film of fill. Comes back in its original transfer
    syntax if that was native, or codestreams kept as received; else in Explicit VR LE.

    Raises BadInput (not sealed, unknown name), NotFound (none of `regions` is on the film),
    Denied (not this key) or IntegrityFailure (changed); never partial pixels.
    """
    opened = unlock(ds, keys)
    manifest = opened.manifest
    wanted = _wanted(manifest, regions)
    stored = _stored_words(ds, manifest)
    if manifest.form == CODESTREAM:
        return _unseal_codestreams(ds, opened, wanted)
    fmt = manifest.format
    frames = []
    for number in range(1, fmt.frames + 1):
        raster = _compose(opened, number, wanted, stored)
        _check_frame(manifest, number, wanted, raster)
        frames.append(raster.words)
    made = _restored(ds, manifest, everything=wanted is None)
    set_pixels(made, fmt, frames)
    made["PixelData"].VR = manifest.vr
    set_transfer_syntax(made, _native_syntax(manifest))
    return made


def open_frame(
    ds: Dataset, keys: SealKeys, regions: Iterable[str] | None = None, frame: int = 1
) -> OpenedFrame:
    """Return frame `frame` (from 1) with only `regions` in it, or all of it for None.

    Decodes only the cells that are needed. Raises like `unseal`.
    """
    opened = unlock(ds, keys)
    manifest = opened.manifest
    if not 1 <= frame <= manifest.format.frames:
        raise BadInput(
            f"no frame {frame} of {manifest.format.frames}", remedy="frames count from 1"
        )
    wanted = _wanted(manifest, regions)
    granted = frozenset(manifest.regions) if wanted is None else wanted
    fmt = manifest.format
    if manifest.form == CODESTREAM:
        return _open_codestream(ds, opened, frame, granted)
    raster = _compose(opened, frame, wanted, _stored_words(ds, manifest))
    _check_frame(manifest, frame, wanted, raster)
    masks = _RegionMasks(raster.signature, granted & _regions_of(manifest, frame))
    return _frame(fmt, fmt.values(raster.words), raster.granted, masks, fmt.photometric)


def _compose(
    opened: Unlocked, frame: int, wanted: frozenset[Region] | None, stored: list[Words]
) -> _Raster:
    fmt = opened.manifest.format
    words = stored[frame - 1].copy() if stored and wanted is None else fmt.flat()
    signature = np.zeros((fmt.rows, fmt.columns), np.uint16)
    if wanted is None:
        signature |= _GRANTED
    chosen = _chosen(opened.manifest, frame, wanted)
    opened_cells = spread(lambda r: unpack(fmt, opened.plaintext(r)), chosen)
    for record, cell in zip(chosen, opened_cells, strict=True):
        mark = _GRANTED
        for region in record.regions:
            mark |= _bit(region)
        if cell.mask is None:
            words[cell.box] = cell.words
            # A cell of stacked colour planes is the whole frame.
            signature[cell.box if fmt.raster == signature.shape else ...] = mark
        else:
            np.copyto(words[cell.box], cell.words, where=cell.mask)
            np.copyto(signature[cell.box], mark, where=cell.mask)
    return _Raster(words, signature)


def _chosen(manifest: Manifest, frame: int, wanted: frozenset[Region] | None) -> list[CellRecord]:
    here = [r for r in manifest.cells if r.frame == frame]
    return here if wanted is None else [r for r in here if r.regions & wanted]


def _check_frame(
    manifest: Manifest, frame: int, wanted: frozenset[Region] | None, raster: _Raster
) -> None:
    if wanted is not None:
        return
    made = digest(manifest.format.frame_bytes(raster.words))
    if made != manifest.frames[frame - 1].sha256:
        raise tampered("the opened frame is not the one that was sealed")


def _wanted(manifest: Manifest, regions: Iterable[str] | None) -> frozenset[Region] | None:
    if regions is None:
        return None
    wanted = as_regions(regions)
    if wanted and not wanted & frozenset(manifest.regions):
        raise NotFound(
            f"the film has none of the regions {', '.join(sorted(wanted))}",
            remedy=f"it has: {', '.join(manifest.regions)}",
        )
    return wanted


def _regions_of(manifest: Manifest, frame: int) -> frozenset[Region]:
    here = (r.regions for r in manifest.cells if r.frame == frame)
    return frozenset[Region]().union(*here)


def _stored_words(ds: Dataset, manifest: Manifest) -> list[Words]:
    """Check the stored picture; return its frames where parts of it are real."""
    data = ds.get("PixelData")
    intact = isinstance(data, bytes) and digest(data) == manifest.encoded_sha256
    if intact and manifest.profile == FULL:
        return []
    try:
        here = PixelFormat.of(ds)
        frames = [read_words(ds, here, i) for i in range(manifest.stored.frames)]
        digests = [digest(manifest.stored.frame_bytes(f)) for f in frames]
    except (BadInput, ValueError) as exc:
        raise tampered("its stored picture can't be read") from exc
    if digests != [f.stored_sha256 for f in manifest.frames]:
        raise tampered("its stored picture is not the one that sealing left")
    return [] if manifest.profile == FULL else frames


def _restored(ds: Dataset, manifest: Manifest, everything: bool) -> Dataset:
    made = duplicate(ds)
    remove_block(made)
    attributes.restore(made, manifest.originals, everything)
    return made


def _native_syntax(manifest: Manifest) -> UID:
    syntax = UID(manifest.transfer_syntax)
    if syntax.is_encapsulated or syntax == ExplicitVRBigEndian:
        return ExplicitVRLittleEndian
    return syntax


def _unseal_codestreams(ds: Dataset, opened: Unlocked, wanted: frozenset[Region] | None) -> Dataset:
    manifest = opened.manifest
    made = _restored(ds, manifest, everything=wanted is None)
    if wanted is not None and Region.OUTSIDE not in wanted:
        flat = manifest.stored
        made.PhotometricInterpretation = flat.photometric
        if flat.samples > 1:
            made.PlanarConfiguration = flat.planar
        set_pixels(made, flat, [flat.flat()] * flat.frames)
        return made
    frames = [_codestream(opened, n) for n in range(1, manifest.format.frames + 1)]
    set_codestreams(made, frames, manifest.transfer_syntax)
    return made


def _codestream(opened: Unlocked, frame: int) -> bytes:
    (record,) = _chosen(opened.manifest, frame, None)
    data = unpack_codestream(opened.plaintext(record))
    if digest(data) != opened.manifest.frames[frame - 1].sha256:
        raise tampered("the opened frame is not the one that was sealed")
    return data


def _open_codestream(
    ds: Dataset, opened: Unlocked, frame: int, granted: frozenset[Region]
) -> OpenedFrame:
    manifest = opened.manifest
    fmt = manifest.format
    real = Region.OUTSIDE in granted
    mask = np.full((fmt.rows, fmt.columns), real, np.bool_)
    if not real:
        flat = manifest.stored
        return _frame(flat, flat.values(flat.flat()), mask, {}, flat.photometric)
    one = _restored(ds, manifest, everything=False)
    one.NumberOfFrames = 1
    set_codestreams(one, [_codestream(opened, frame)], manifest.transfer_syntax)
    colour = fmt.samples > 1
    pixels = pixel_array(one, index=0, raw=not colour)
    photometric = "RGB" if colour else fmt.photometric
    return _frame(fmt, pixels, mask, {Region.OUTSIDE: mask}, photometric)


def _frame(
    fmt: PixelFormat,
    pixels: npt.NDArray[Any],
    granted: Mask,
    masks: Mapping[Region, Mask],
    photometric: str,
) -> OpenedFrame:
    fill = fmt.values(fmt.flat()).reshape(fmt.rows * fmt.columns, -1)[0]
    return OpenedFrame(
        pixels=pixels,
        granted=granted,
        region_masks=masks,
        bits_stored=fmt.bits_stored,
        photometric=photometric,
        signed=fmt.signed,
        fill=tuple(int(v) for v in fill),
    )


def _bit(region: Region) -> np.uint16:
    return np.uint16(1 << list(Region).index(region))
