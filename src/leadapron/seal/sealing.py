"""Sealing: replace the picture by a flat one and keep the real one in encrypted cells."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import ExplicitVRLittleEndian

from leadapron.model import BadInput, Conflict, IntegrityFailure, Region, RegionMap
from leadapron.seal import attributes, cells
from leadapron.seal.block import Block, CellItem, has_block, write_block
from leadapron.seal.cells import Cell, Mask
from leadapron.seal.codec import can_store_htj2k, lossless_syntax, set_pixels, to_little_endian
from leadapron.seal.keys import SealKeys
from leadapron.seal.manifest import CODESTREAM, PIXELS, CellRecord, FrameRecord, Manifest
from leadapron.seal.pixels import (
    PixelFormat,
    Words,
    check_pixels,
    duplicate,
    read_words,
    transfer_syntax,
)
from leadapron.seal.profile import FULL, SealPolicy
from leadapron.seal.suite import (
    DEK_BYTES,
    VERSION,
    Context,
    Role,
    check_value,
    digest,
    encrypt,
)

RegionMaps = RegionMap | Sequence[RegionMap | None] | None


@dataclass(frozen=True)
class _Frame:
    """One frame on its way: cell plaintexts, what stays readable, what the manifest says."""

    cells: list[Cell]
    plaintexts: list[bytes]
    stored: Words
    record: FrameRecord


def seal(
    ds: Dataset,
    region_map: RegionMaps,
    policy: SealPolicy | str | None,
    keys: SealKeys,
    *,
    cover: Mapping[Region, Mask] | None = None,
) -> Dataset:
    """Return a sealed copy of `ds`; `ds` is not touched.

    Args:
        ds: a de-identified image object. Its SOP Instance UID must be final: the seal is
            bound to it.
        region_map: the regions of the frame; for several frames one map for all, or a
            sequence with a map or None for each. A frame without a map, and every frame of
            a colour object, is one cell of the region ``outside``.
        policy: a SealPolicy, the name of a profile, or None for the default.
        keys: who may open it; the centre's public half is enough.
        cover: wider masks (bool, shape of the frame) to seal and to unseal with a region.

    Returns:
        A data set in HTJ2K Lossless (.201), or Explicit VR LE where HTJ2K can't hold the
        format, with the private block of docs/seal.md.

    Raises:
        BadInput: no pixels, truncated, undecodable, or a map that does not fit.
        Conflict: `ds` is sealed already.
        IntegrityFailure: a codec did not give back what it was given (`policy.verify`).
    """
    if has_block(ds):
        raise Conflict("the object is sealed already", remedy="unseal it first, or re-wrap its key")
    how = SealPolicy.of(policy)
    fmt = PixelFormat.of(ds)
    check_pixels(ds, fmt)
    maps = _maps(region_map, fmt, cover or {})
    if fmt.samples > 1 or fmt.bits_allocated > 16:
        maps = [m and _unmapped(m) for m in maps]
    verbatim = _received(ds, fmt, maps, how)
    if verbatim is None:
        frames = [_sealed_frame(ds, fmt, i, m, how) for i, m in enumerate(maps)]
    else:
        frames = [_kept_frame(fmt, c, m) for c, m in zip(verbatim, maps, strict=True)]
    return _assemble(ds, fmt, frames, how, keys, CODESTREAM if verbatim else PIXELS)


def _assemble(
    ds: Dataset, fmt: PixelFormat, frames: list[_Frame], how: SealPolicy, keys: SealKeys, form: str
) -> Dataset:
    made = duplicate(ds)
    made.preamble = bytes(128)
    to_little_endian(made)
    taken = attributes.strip(made)
    stored = _stored_format(fmt, how.code)
    _describe(made, stored)
    readable = how.code == FULL or all(stored.canonical(f.stored) for f in frames)
    syntax = lossless_syntax(how.transfer_syntax if readable else ExplicitVRLittleEndian)
    set_pixels(made, stored, [f.stored for f in frames], syntax)
    context = Context(how.suite, how.code, _uid(ds), fmt.rows, fmt.columns)
    dek = os.urandom(DEK_BYTES)
    items, records = _encrypt_cells(context, dek, frames)
    manifest = Manifest(
        sop_instance_uid=_uid(ds),
        profile=how.code,
        transfer_syntax=str(transfer_syntax(ds)),
        form=form,
        format=fmt,
        stored=stored,
        vr=_vr(ds, fmt),
        encoded_sha256=digest(made.PixelData),
        frames=tuple(f.record for f in frames),
        cells=tuple(records),
        originals=taken,
    )
    counts = (len(frames), len(items))
    block = Block(
        suite=how.suite,
        profile=how.code,
        key_id=keys.key_id,
        wrapped=keys.wrap(dek, context.bind(Role.WRAP, *counts)),
        check=check_value(how.suite, dek, context.bind(Role.CHECK, *counts)),
        manifest=encrypt(
            how.suite, dek, context.bind(Role.MANIFEST, *counts), manifest.to_plaintext()
        ),
        cells=tuple(items),
    )
    write_block(made, block)
    return made


def _encrypt_cells(
    context: Context, dek: bytes, frames: list[_Frame]
) -> tuple[list[CellItem], list[CellRecord]]:
    items, records = [], []
    for frame, sealed in enumerate(frames, start=1):
        pairs = list(zip(sealed.cells, sealed.plaintexts, strict=True))
        # A fixed order would tell which region a ciphertext's length belongs to.
        random.SystemRandom().shuffle(pairs)
        for number, (cell, plaintext) in enumerate(pairs, start=1):
            aad = context.bind(Role.CELL, frame, number)
            ciphertext = encrypt(context.suite, dek, aad, plaintext)
            items.append(CellItem(frame, number, ciphertext))
            records.append(CellRecord(frame, number, cell.regions, cell.pixels, digest(ciphertext)))
    return items, records


def _sealed_frame(
    ds: Dataset, fmt: PixelFormat, index: int, region_map: RegionMap | None, how: SealPolicy
) -> _Frame:
    words = read_words(ds, fmt, index)
    stored = _stored_format(fmt, how.code)
    parts = _parts(region_map, how)
    if how.code == FULL or not parts:
        shown = stored.flat()
    else:
        shown = words.copy()
        for part in parts:
            shown[part.box][... if part.mask is None else part.mask] = fmt.fill()[0]
    parts = parts or [cells.whole_frame(fmt)]
    plaintexts = list(cells.pack(fmt, words, parts))
    if how.verify:
        _check_reversible(fmt, words, plaintexts)
    return _Frame(
        parts,
        plaintexts,
        shown,
        _record(region_map, digest(fmt.frame_bytes(words)), digest(stored.frame_bytes(shown))),
    )


def _check_reversible(fmt: PixelFormat, words: Words, plaintexts: list[bytes]) -> None:
    def same(plaintext: bytes) -> bool:
        cell = cells.unpack(fmt, plaintext)
        equal = cell.words == words[cell.box]
        return bool((equal if cell.mask is None else equal | ~cell.mask).all())

    if not all(cells.spread(same, plaintexts)):
        raise IntegrityFailure(
            "a coded cell does not give back its pixels: the film was not sealed",
            remedy="keep the original and report this film's format: a codec is faulty",
            code="not-reversible",
        )


def _parts(region_map: RegionMap | None, how: SealPolicy) -> list[Cell]:
    """Return the cells to seal; none where the frame must be sealed whole.

    That is so without a map and, in the profile ``regions``, when the network did not
    recognise the film or found nothing of what had to be sealed.
    """
    if region_map is None or not set(region_map.masks) - {Region.OUTSIDE}:
        return []
    if how.code == FULL:
        return cells.partition(region_map.shape, region_map.masks)
    if not region_map.in_domain:
        return []
    parts = cells.partition(region_map.shape, region_map.masks)
    named = [replace(p, regions=p.regions & how.regions) for p in parts]
    return [p for p in named if p.regions]


def _kept_frame(fmt: PixelFormat, codestream: bytes, region_map: RegionMap | None) -> _Frame:
    stored = _stored_format(fmt, FULL)
    flat = stored.flat()
    return _Frame(
        [cells.whole_frame(fmt)],
        [cells.pack_codestream(fmt, codestream)],
        flat,
        _record(region_map, digest(codestream), digest(stored.frame_bytes(flat))),
    )


def _record(region_map: RegionMap | None, original: str, stored: str) -> FrameRecord:
    if region_map is None:
        return FrameRecord(original, stored, in_domain=False)
    return FrameRecord(
        original,
        stored,
        in_domain=region_map.in_domain,
        reasons=tuple(region_map.reasons),
        scores={str(r): float(s) for r, s in region_map.scores.items()},
        model_version=region_map.model_version,
    )


def _received(
    ds: Dataset, fmt: PixelFormat, maps: list[RegionMap | None], how: SealPolicy
) -> list[bytes] | None:
    """Return the frames' codestreams where each is one cell: they are kept as received."""
    if not transfer_syntax(ds).is_encapsulated or how.code != FULL:
        return None
    if any(m is not None and set(m.masks) - {Region.OUTSIDE} for m in maps):
        return None
    for index in range(fmt.frames):
        read_words(ds, fmt, index)  # what can't be decoded now could never be shown
    frames = list(generate_frames(ds.PixelData, number_of_frames=fmt.frames))
    return frames if len(frames) == fmt.frames else None


def _maps(
    given: RegionMaps, fmt: PixelFormat, cover: Mapping[Region, Mask]
) -> list[RegionMap | None]:
    if given is None or isinstance(given, RegionMap):
        given = [given] * fmt.frames
    if len(given) != fmt.frames:
        raise BadInput(
            f"{len(given)} region maps for {fmt.frames} frames",
            remedy="give one map for all frames, or one map or None for each",
        )
    for one in given:
        if one is not None and one.shape != (fmt.rows, fmt.columns):
            raise BadInput(
                f"the region map is {one.shape}, the frame {(fmt.rows, fmt.columns)}",
                remedy="segment the frame at its native resolution",
            )
    return [_covered(m, cover) if m is not None else None for m in given]


def _covered(region_map: RegionMap, cover: Mapping[Region, Mask]) -> RegionMap:
    if not cover:
        return region_map
    wide = dict(region_map.masks)
    for region, mask in cover.items():
        wide[region] = mask | wide[region] if region in wide else mask
    return replace(region_map, masks=wide)


def _unmapped(region_map: RegionMap) -> RegionMap:
    return replace(region_map, masks={})


def _stored_format(fmt: PixelFormat, profile: str) -> PixelFormat:
    """Return the format at rest: what the original says, brought to what HTJ2K can hold."""
    if profile != FULL and fmt.samples == 1:
        return fmt
    plain = fmt if fmt.samples == 1 else replace(fmt, photometric="RGB", planar=0)
    low = replace(plain, high_bit=fmt.bits_stored - 1)
    return low if can_store_htj2k(low) else plain


def _vr(ds: Dataset, fmt: PixelFormat) -> str:
    vr = str(ds["PixelData"].VR)
    return vr if vr in {"OB", "OW"} else "OW" if fmt.bits_allocated > 8 else "OB"


def _describe(ds: Dataset, fmt: PixelFormat) -> None:
    ds.PhotometricInterpretation = fmt.photometric
    ds.HighBit = fmt.high_bit
    if fmt.samples > 1:
        ds.PlanarConfiguration = fmt.planar


def _uid(ds: Dataset) -> str:
    uid = str(ds.get("SOPInstanceUID") or "")
    if not uid or not uid.isascii():
        raise BadInput(
            "the object has no SOP Instance UID to bind the seal to",
            remedy=f"give it one before sealing ({VERSION.decode()} binds every cell to it)",
        )
    return uid
