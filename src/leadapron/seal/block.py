"""The private block that carries a seal: (7FE1,xx01..xx09), after Pixel Data.

A group above 7FE0 keeps the block out of the way of readers that stop at Pixel Data.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import add_private_dict_entries
from pydicom.dataset import Dataset, PrivateBlock
from pydicom.sequence import Sequence

from leadapron.model import BadInput
from leadapron.seal.suite import TAG_BYTES, VERSION, Suite, tampered

GROUP = 0x7FE1
CREATOR = VERSION.decode()

SUITE, PROFILE, KEY_ID, WRAPPED, CHECK, MANIFEST, CELLS = range(0x01, 0x08)
FRAME, CELL, CIPHERTEXT = 0x08, 0x09, 0x0A
_ELEMENTS = {
    SUITE: ("CS", "Cipher Suite"),
    PROFILE: ("CS", "Seal Profile"),
    KEY_ID: ("LO", "Wrapping Key Identifier"),
    WRAPPED: ("OB", "Wrapped Instance Key"),
    CHECK: ("OB", "Instance Key Check Value"),
    MANIFEST: ("OB", "Encrypted Manifest"),
    CELLS: ("SQ", "Sealed Cell Sequence"),
    FRAME: ("UL", "Cell Frame Number"),
    CELL: ("UL", "Cell Number"),
    CIPHERTEXT: ("OB", "Cell Ciphertext"),
}

_IN_ITEM = frozenset({FRAME, CELL, CIPHERTEXT})
_IN_OBJECT = frozenset(_ELEMENTS) - _IN_ITEM

# Without a VR in the stream (Implicit VR) pydicom would read the sequence as bytes.
add_private_dict_entries(
    CREATOR,
    {GROUP << 16 | e: (vr, "1", name, "") for e, (vr, name) in _ELEMENTS.items()},
)


@dataclass(frozen=True)
class CellItem:
    """One item of the cell sequence; frame and cell count from 1."""

    frame: int
    cell: int
    ciphertext: bytes


@dataclass(frozen=True)
class Block:
    """The private block's values."""

    suite: Suite
    profile: str
    key_id: str
    wrapped: bytes
    check: bytes
    manifest: bytes
    cells: tuple[CellItem, ...]


def has_block(ds: Dataset) -> bool:
    """Return whether `ds` says that it carries a seal of this version."""
    return bool(_creators(ds))


def remove_block(ds: Dataset) -> None:
    """Take the seal out of `ds`, in place."""
    for creator in _creators(ds):
        for tag in list(ds.keys()):
            if tag.group == GROUP and tag.element >> 8 == creator:
                del ds[tag]
        del ds[GROUP, creator]


def write_block(ds: Dataset, block: Block) -> None:
    """Put `block` into `ds`, in place of any other seal there."""
    remove_block(ds)
    target = _reserve(ds)
    _add(target, SUITE, str(block.suite))
    _add(target, PROFILE, block.profile)
    _add(target, KEY_ID, block.key_id)
    _add(target, WRAPPED, _framed(block.wrapped))
    _add(target, CHECK, block.check)
    _add(target, MANIFEST, block.manifest)
    _add(target, CELLS, Sequence(_item(cell) for cell in block.cells))


def read_block(ds: Dataset) -> Block:
    """Return the seal of `ds`; BadInput if there is none, IntegrityFailure if it is broken."""
    creators = _creators(ds)
    if not creators:
        raise BadInput(
            "the object carries no seal",
            remedy="give an object that `leadapron protect` or the edge gateway made",
            code="not-sealed",
        )
    if len(creators) > 1:
        raise tampered("it carries two seals")
    try:
        source = _opened(ds)
        _refuse_strangers(ds, creators[0], _IN_OBJECT)
        return Block(
            suite=Suite(_text(source, SUITE)),
            profile=_text(source, PROFILE),
            key_id=_text(source, KEY_ID),
            wrapped=_unframed(_bytes(source, WRAPPED)),
            check=_bytes(source, CHECK),
            manifest=_bytes(source, MANIFEST),
            cells=tuple(_cells(source[CELLS].value)),
        )
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as exc:
        raise tampered("its private block lacks an element or holds a wrong value") from exc


def _cells(items: Any) -> Iterator[CellItem]:
    if not isinstance(items, Sequence):
        raise TypeError("not a sequence")
    for item in items:
        source = _opened(item)
        _refuse_strangers(item, _creators(item)[0], _IN_ITEM, alone=True)
        frame, cell = source[FRAME].value, source[CELL].value
        if not isinstance(frame, int) or not isinstance(cell, int):
            raise TypeError("not a number")
        yield CellItem(frame, cell, _bytes(source, CIPHERTEXT))


def _refuse_strangers(
    ds: Dataset, creator: int, known: frozenset[int], alone: bool = False
) -> None:
    """Raise ValueError for what this format does not define: it could hold a picture."""
    for tag in list(ds.keys()):
        ours = tag.group == GROUP and tag.element >> 8 == creator
        reserved = tag.group == GROUP and tag.element == creator
        if (ours and tag.element & 0xFF not in known) or (alone and not ours and not reserved):
            raise ValueError("an element that the format does not define")


def _item(cell: CellItem) -> Dataset:
    item = Dataset()
    target = _reserve(item)
    _add(target, FRAME, cell.frame)
    _add(target, CELL, cell.cell)
    _add(target, CIPHERTEXT, cell.ciphertext)
    return item


def _reserve(ds: Dataset) -> PrivateBlock:
    element = next(e for e in range(0x10, 0x100) if (GROUP, e) not in ds)
    ds.add_new((GROUP, element), "LO", CREATOR)
    return PrivateBlock((GROUP, CREATOR), ds, element)


def _opened(ds: Dataset) -> PrivateBlock:
    # Not Dataset.private_block: its cache, once copied, answers for the original object.
    return PrivateBlock((GROUP, CREATOR), ds, _creators(ds)[0])


def _add(target: PrivateBlock, element: int, value: object) -> None:
    target.add_new(element, _ELEMENTS[element][0], value)


def _creators(ds: Dataset) -> list[int]:
    tags = list(ds.keys())
    reserved = (t for t in tags if t.group == GROUP and 0x10 <= t.element <= 0xFF)
    return [t.element for t in reserved if ds[t].value == CREATOR]


def _text(source: PrivateBlock, element: int) -> str:
    value = source[element].value
    if not isinstance(value, str) or not value:
        raise TypeError("not text")
    return value


def _bytes(source: PrivateBlock, element: int) -> bytes:
    value = source[element].value
    if not isinstance(value, bytes) or len(value) < TAG_BYTES:
        raise TypeError("not a ciphertext")
    return value


def _framed(value: bytes) -> bytes:
    """Prefix the length (u32): a wrapped key may be odd, a DICOM value may not."""
    return struct.pack("<I", len(value)) + value + bytes(len(value) % 2)


def _unframed(value: bytes) -> bytes:
    size = struct.unpack_from("<I", value)[0]
    if len(value) != 4 + size + size % 2 or any(value[4 + size :]):
        raise ValueError("wrong length")
    return value[4 : 4 + size]
