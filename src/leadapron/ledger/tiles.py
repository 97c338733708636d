"""The folder layout of C2SP tlog-tiles: hash tiles and entry bundles, 256 to a file.

A *row* is either a tile level (0, 1, …) or ``ENTRIES``. The newest file of a row is partial until
it holds 256 items; its name says how many it holds.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from leadapron.ledger.tree import HASH_SIZE, Subtree, complete_root
from leadapron.model import IntegrityFailure

WIDTH = 256
HEIGHT = 8
ENTRIES = -1
CHECKPOINT = "checkpoint"
LARGEST_ENTRY = 0xFFFF

_LENGTH = struct.Struct(">H")
_TILE = re.compile(
    r"tile/(?P<row>entries|0|[1-9]\d?)/(?P<index>(?:x\d{3}/)*\d{3})"
    r"(?:\.p/(?P<width>[1-9]\d{0,2}))?"
)


def tile_path(row: int, index: int, width: int = WIDTH) -> str:
    """Return the path of a file below the log's folder, partial if `width` is below 256."""
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    folder = "entries" if row == ENTRIES else str(row)
    suffix = f".p/{width}" if width < WIDTH else ""
    return f"tile/{folder}/{name}{suffix}"


def parse_path(path: str) -> tuple[int, int, int] | None:
    """Return (row, index, width) of a tile's path, or None if it is not the path of one."""
    match = _TILE.fullmatch(path)
    if match is None:
        return None
    row = ENTRIES if match["row"] == "entries" else int(match["row"])
    index = int(match["index"].replace("/", "").replace("x", ""))
    width = int(match["width"] or WIDTH)
    return (row, index, width) if tile_path(row, index, width) == path else None


def rows(size: int) -> list[int]:
    """Return the rows that a log of `size` entries has files for."""
    result = [ENTRIES]
    level = 0
    while size >> (HEIGHT * level):
        result.append(level)
        level += 1
    return result if size else []


def items_in(row: int, size: int) -> int:
    """Return how many items a row holds in all in a log of `size` entries."""
    return size >> (HEIGHT * max(row, 0))


def expected_files(size: int) -> Iterator[tuple[str, int, int, int]]:
    """Yield (path, row, index, width) of every file that a log of `size` entries consists of."""
    for row in rows(size):
        full, width = divmod(items_in(row, size), WIDTH)
        for index in range(full):
            yield tile_path(row, index), row, index, WIDTH
        if width:
            yield tile_path(row, full, width), row, full, width


def expected_folders(files: Iterable[str]) -> set[str]:
    """Return the folders that hold these files, as paths below the log's folder."""
    folders = {"tile"}
    for file in files:
        for parent in PurePosixPath(file).parents:
            if str(parent) in folders:
                break
            folders.add(str(parent))
    return folders - {"."}


def encode_entry(entry: bytes) -> bytes:
    """Return an entry as a bundle holds it: big-endian uint16 length, then the bytes."""
    return _LENGTH.pack(len(entry)) + entry


def decode_bundle(bundle: bytes, limit: int = WIDTH) -> tuple[list[bytes], int]:
    """Return at most `limit` entries and how many bytes they took; a cut tail is left over."""
    entries: list[bytes] = []
    offset = 0
    while len(entries) < limit and offset + _LENGTH.size <= len(bundle):
        (length,) = _LENGTH.unpack_from(bundle, offset)
        end = offset + _LENGTH.size + length
        if end > len(bundle):
            break
        entries.append(bundle[offset + _LENGTH.size : end])
        offset = end
    return entries, offset


def split_hashes(tile: bytes) -> list[bytes]:
    """Return the hashes of a tile; a cut tail is left out."""
    stop = len(tile) - len(tile) % HASH_SIZE
    return [tile[i : i + HASH_SIZE] for i in range(0, stop, HASH_SIZE)]


class TileReader:
    """Reads the files of a log of one `size`; keeps those it read."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.size = size
        self._files: dict[str, bytes] = {}

    def read(self, row: int, index: int) -> bytes:
        """Return one file's bytes; IntegrityFailure if it is not there."""
        width = min(WIDTH, items_in(row, self.size) - index * WIDTH)
        path = tile_path(row, index, width)
        if path not in self._files:
            try:
                self._files[path] = (self.folder / path).read_bytes()
            except OSError:
                raise _damaged(path) from None
        return self._files[path]

    def hashes(self, level: int, index: int) -> list[bytes]:
        """Return the hashes of one tile; IntegrityFailure if there are too few or too many."""
        data = self.read(level, index)
        expected = min(WIDTH, items_in(level, self.size) - index * WIDTH)
        if len(data) != expected * HASH_SIZE:
            raise _damaged(tile_path(level, index, expected))
        return split_hashes(data)

    def entries(self, index: int) -> list[bytes]:
        """Return the entries of one bundle; IntegrityFailure if its form is broken."""
        data = self.read(ENTRIES, index)
        found, used = decode_bundle(data)
        expected = min(WIDTH, self.size - index * WIDTH)
        if used != len(data) or len(found) != expected:
            raise _damaged(tile_path(ENTRIES, index, expected))
        return found

    @property
    def subtree(self) -> Subtree:
        """Return the roots of complete subtrees, computed from the tiles."""
        return self._subtree

    def _subtree(self, height: int, index: int) -> bytes:
        level, below = divmod(height, HEIGHT)
        count = 1 << below
        tile, offset = divmod(index * count, WIDTH)
        return complete_root(self.hashes(level, tile)[offset : offset + count])


def _damaged(path: str) -> IntegrityFailure:
    return IntegrityFailure(
        f"the log's file {path} is missing or damaged",
        remedy="run `leadapron ledger verify`; restore the log from a copy, keep this one",
    )
