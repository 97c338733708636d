"""Merkle trees and proofs of RFC 6962 section 2.1, verified as RFC 9162 section 2.1 says.

`start`, `end`, `index` and `size` count leaves; hashes are 32 bytes of SHA-256.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from leadapron.model import BadInput

EMPTY_ROOT = sha256(b"").digest()
HASH_SIZE = 32

Subtree = Callable[[int, int], bytes]
"""``(height, index)`` → root of the complete subtree over leaves [index·2^h, (index+1)·2^h)."""


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(0x00 || entry), RFC 6962 section 2.1."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right), RFC 6962 section 2.1."""
    return sha256(b"\x01" + left + right).digest()


@dataclass
class Frontier:
    """The roots of the complete subtrees of a growing tree, largest first: O(log size) memory."""

    size: int = 0
    roots: list[bytes] = field(default_factory=list)

    def push(self, leaf: bytes) -> None:
        """Add one leaf hash, or the root of a complete subtree if all leaves stand for such."""
        self.roots.append(leaf)
        self.size += 1
        carry = self.size
        while carry % 2 == 0:
            right = self.roots.pop()
            self.roots[-1] = node_hash(self.roots[-1], right)
            carry //= 2

    def root(self) -> bytes:
        """Return the Merkle Tree Hash of all leaves so far."""
        return fold(self.roots)


def peaks(hashes: Sequence[bytes]) -> list[bytes]:
    """Return the roots of the complete subtrees over these hashes, largest first."""
    frontier = Frontier()
    for item in hashes:
        frontier.push(item)
    return frontier.roots


def fold(roots: Sequence[bytes]) -> bytes:
    """Return the root of a tree from the roots of its complete subtrees, largest first."""
    if not roots:
        return EMPTY_ROOT
    result = roots[-1]
    for left in reversed(roots[:-1]):
        result = node_hash(left, result)
    return result


def complete_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over a power of two of hashes."""
    level = list(hashes)
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
    return level[0]


def range_root(subtree: Subtree, start: int, end: int) -> bytes:
    """Return MTH(D[start:end]) where `start` is a multiple of the range's own left subtree."""
    if end == start:
        return EMPTY_ROOT
    width = end - start
    if width & (width - 1) == 0:
        return subtree(width.bit_length() - 1, start // width)
    split = start + _split(width)
    return node_hash(range_root(subtree, start, split), range_root(subtree, split, end))


def inclusion_path(subtree: Subtree, index: int, size: int) -> list[bytes]:
    """Return PATH(index, D[size]) of RFC 6962 section 2.1.1, from leaf to root."""
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        split = start + _split(end - start)
        if index < split:
            path.append(range_root(subtree, split, end))
            end = split
        else:
            path.append(range_root(subtree, start, split))
            start = split
    path.reverse()
    return path


def consistency_path(subtree: Subtree, old: int, new: int) -> list[bytes]:
    """Return PROOF(old, D[new]) of RFC 6962 section 2.1.2; empty if `old` is 0 or `new`."""
    path: list[bytes] = []
    start, end, known = 0, new, True
    while 0 < old < end:
        split = start + _split(end - start)
        if old <= split:
            path.append(range_root(subtree, split, end))
            end = split
        else:
            path.append(range_root(subtree, start, split))
            start, known = split, False
    if not known:
        path.append(range_root(subtree, start, end))
    path.reverse()
    return path


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> bool:
    """Tell whether `path` proves `leaf` at `index` of the tree (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    position, last, result = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            result = node_hash(sibling, result)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and result == root


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> bool:
    """Tell whether the tree of size `new` extends that of `old` (RFC 9162 section 2.1.4.2)."""
    if old < 0 or old > new:
        return False
    if old in (0, new):
        expected = EMPTY_ROOT if old == 0 else new_root
        return not path and old_root == expected
    if old & (old - 1) == 0:
        path = [old_root, *path]
    if not path:
        return False
    return _consistent(old - 1, new - 1, path) == (old_root, new_root)


def _consistent(first: int, last: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    while first & 1:
        first, last = first >> 1, last >> 1
    old_result = new_result = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if first & 1 or first == last:
            old_result = node_hash(sibling, old_result)
            new_result = node_hash(sibling, new_result)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            new_result = node_hash(new_result, sibling)
        first, last = first >> 1, last >> 1
    return (old_result, new_result) if last == 0 else None


def _split(width: int) -> int:
    """Return the largest power of two smaller than `width`."""
    return 1 << ((width - 1).bit_length() - 1)


@dataclass(frozen=True)
class InclusionProof:
    """That a leaf is in the tree a checkpoint signed: hashes from leaf to root."""

    index: int
    leaf_hash: bytes
    tree_size: int
    root: bytes
    hashes: tuple[bytes, ...]

    def verify(self, entry: bytes | None = None) -> bool:
        """Tell whether the proof holds, and, if given, whether it is about these entry bytes."""
        if entry is not None and leaf_hash(entry) != self.leaf_hash:
            return False
        return verify_inclusion(self.leaf_hash, self.index, self.tree_size, self.hashes, self.root)


@dataclass(frozen=True)
class ConsistencyProof:
    """That a tree was only ever added to between two sizes."""

    old_size: int
    new_size: int
    old_root: bytes
    new_root: bytes
    hashes: tuple[bytes, ...]

    def verify(self) -> bool:
        """Tell whether the proof holds."""
        return verify_consistency(
            self.old_size, self.new_size, self.old_root, self.new_root, self.hashes
        )


def check_range(index: int, size: int) -> None:
    """Raise BadInput unless 0 <= index < size."""
    if not 0 <= index < size:
        raise BadInput(
            f"the log has no entry {index}",
            remedy=f"choose one from 0 to {size - 1}" if size else "the log is empty",
        )
