"""The way into a seal that shows no pixel: unwrap the key, check the list, re-wrap."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace

from pydicom.dataset import Dataset

from leadapron.model import Denied
from leadapron.seal.block import Block, CellItem, read_block, write_block
from leadapron.seal.keys import SealKeys
from leadapron.seal.manifest import CellRecord, Manifest
from leadapron.seal.pixels import PixelFormat, duplicate
from leadapron.seal.suite import Context, Role, check_value, decrypt, digest, tampered


@dataclass(frozen=True)
class Unlocked:
    """A seal whose key was unwrapped and whose every ciphertext is the one that was sealed."""

    context: Context
    manifest: Manifest
    _dek: bytes
    _items: dict[tuple[int, int], CellItem]

    def plaintext(self, record: CellRecord) -> bytes:
        """Return one cell's plaintext."""
        item = self._items[record.frame, record.cell]
        aad = self.context.bind(Role.CELL, record.frame, record.cell)
        return decrypt(self.context.suite, self._dek, aad, item.ciphertext)


def unlock(ds: Dataset, keys: SealKeys) -> Unlocked:
    """Open the manifest of `ds` and check every cell's digest against it.

    Raises BadInput (not sealed), Denied (not this key) or IntegrityFailure (changed).
    """
    block = read_block(ds)
    context = _context(ds, block)
    dek = _unwrap(block, context, keys)
    counts = _counts(block)
    plaintext = decrypt(block.suite, dek, context.bind(Role.MANIFEST, *counts), block.manifest)
    manifest = Manifest.from_plaintext(plaintext)
    if manifest.sop_instance_uid != context.sop_instance_uid or manifest.profile != block.profile:
        raise tampered("its manifest belongs to another object")
    items = {(i.frame, i.cell): i for i in block.cells}
    listed = {(r.frame, r.cell): r.sha256 for r in manifest.cells}
    if len(items) != len(block.cells) or items.keys() != listed.keys():
        raise tampered("its cells are not those of its manifest")
    if any(digest(item.ciphertext) != listed[at] for at, item in items.items()):
        raise tampered("a cell is not the one that was sealed")
    return Unlocked(context, manifest, dek, items)


def inspect(ds: Dataset, keys: SealKeys) -> Manifest:
    """Return what a seal holds (regions, cells, digests) without opening a pixel.

    Raises BadInput (not sealed), Denied (not this key) or IntegrityFailure (changed).
    """
    return unlock(ds, keys).manifest


def rewrap(ds: Dataset, opener: SealKeys, wrapper: SealKeys) -> Dataset:
    """Return a copy of `ds` whose instance key is wrapped by `wrapper`; cells stay as they are.

    `opener` must be able to unwrap the present wrapping. Raises like `inspect`.
    """
    block = read_block(ds)
    context = _context(ds, block)
    dek = _unwrap(block, context, opener)
    wrapped = wrapper.wrap(dek, context.bind(Role.WRAP, *_counts(block)))
    made = duplicate(ds)
    write_block(made, replace(block, key_id=wrapper.key_id, wrapped=wrapped))
    return made


def _unwrap(block: Block, context: Context, keys: SealKeys) -> bytes:
    if block.key_id != keys.key_id:
        raise Denied(
            f"the object is sealed for the key {block.key_id}, not for {keys.key_id}",
            remedy="open it with that key, or have its holder re-wrap the object for yours",
            code="wrong-key",
        )
    counts = _counts(block)
    try:
        dek = keys.unwrap(block.wrapped, context.bind(Role.WRAP, *counts))
    except Denied as exc:
        if exc.slug != "wrong-key":
            raise
        raise tampered("its wrapped key does not belong to it") from exc
    expected = check_value(block.suite, dek, context.bind(Role.CHECK, *counts))
    if not hmac.compare_digest(expected, block.check):
        raise tampered("its key check value is wrong")
    return dek


def _context(ds: Dataset, block: Block) -> Context:
    fmt = PixelFormat.of(ds)
    uid = str(ds.get("SOPInstanceUID") or "")
    if not (uid.isascii() and block.profile.isascii()):
        raise tampered("its identifiers are not ASCII")
    return Context(block.suite, block.profile, uid, fmt.rows, fmt.columns)


def _counts(block: Block) -> tuple[int, int]:
    return len({c.frame for c in block.cells}), len(block.cells)
