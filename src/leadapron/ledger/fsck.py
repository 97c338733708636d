"""Checking a log from its bytes alone: every hash recomputed, every file accounted for.

It needs the public keys and, to notice a rollback, the memory of the last checkpoint; no secret.
It may run at any time, also while the log is being appended to.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leadapron.ledger.checkpoint import Checkpoint
from leadapron.ledger.folder import Snapshot
from leadapron.ledger.memory import Memory, contradiction
from leadapron.ledger.signing import TreeHead, parse_vkeys
from leadapron.ledger.tiles import (
    CHECKPOINT,
    ENTRIES,
    WIDTH,
    decode_bundle,
    expected_files,
    expected_folders,
    items_in,
    parse_path,
    rows,
    tile_path,
)
from leadapron.ledger.tree import Frontier, complete_root, fold, leaf_hash, peaks
from leadapron.model import BadInput, LeadApronError

_TEMPORARY = re.compile(r"checkpoint\.[0-9a-f]{12}\.tmp")
_TILE_FOLDER = re.compile(r"tile(/(entries|\d{1,2})(/x\d{3})*(/\d{3}\.p)?)?")
_MOST_PROBLEMS = 100
_UNFINISHED = (
    "an append was not finished: start the service (or open the ledger) once, then verify again"
)


@dataclass(frozen=True)
class FsckReport:
    """What verification found. `intact` is True only if nothing at all is wrong.

    `size` and `root` are what the checkpoint claims (0 and None if it cannot be read);
    `unfinished` tells that all there is looks like an append that a crash cut short.
    """

    intact: bool
    size: int = 0
    root: bytes | None = None
    problems: tuple[str, ...] = ()
    unfinished: bool = False
    origin: str = ""
    signed_by: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values; the root in hexadecimal."""
        return {
            "intact": self.intact,
            "size": self.size,
            "root": self.root.hex() if self.root else None,
            "origin": self.origin,
            "signed_by": list(self.signed_by),
            "unfinished": self.unfinished,
            "problems": list(self.problems),
        }


def verify(
    path: str | os.PathLike[str],
    vkeys: str | Iterable[str],
    seen: str | os.PathLike[str] | None = None,
) -> FsckReport:
    """Check the log in the folder `path` completely.

    Args:
        path: the log's folder.
        vkeys: verifier keys (text, a key a line); each of them must have signed the checkpoint.
        seen: file with the last checkpoint seen, kept outside `path`. Without it an older copy
            of the whole log cannot be told from a fresh log.

    Returns:
        The report; it never raises for a damaged log.

    Raises:
        BadInput: there is no key, or one cannot be read.
    """
    verifiers = parse_vkeys(vkeys)
    if not verifiers:
        raise BadInput(
            "no verifier key was given", remedy="pass the log's public keys from the keys folder"
        )
    return _verify(Path(path), [v.vkey for v in verifiers], seen)


def verify_unsigned(
    path: str | os.PathLike[str], seen: str | os.PathLike[str] | None = None
) -> FsckReport:
    """Check a log that was never signed (experiments): hashes and files, whoever wrote them."""
    return _verify(Path(path), [], seen)


def _verify(path: Path, vkeys: list[str], seen: str | os.PathLike[str] | None) -> FsckReport:
    try:
        # Remembered first: the log may grow between the two looks, the memory may not.
        remembered = Memory(Path(seen)).load() if seen else None
        snapshot = Snapshot.take(path)
        if CHECKPOINT not in snapshot.files:
            return FsckReport(False, problems=("the checkpoint is missing",))
        checkpoint = Checkpoint.parse(snapshot.read(CHECKPOINT))
    except LeadApronError as error:
        return FsckReport(False, problems=(error.message,))
    check = _Check(snapshot, checkpoint.head, remembered.head if remembered else None)
    check.problems += checkpoint.problems(parse_vkeys(vkeys))
    if seen and remembered is None and checkpoint.head.size:
        check.problems.append("the memory of the last checkpoint is missing")
    check.run()
    unfinished = bool(check.leftovers) and not check.problems
    problems = [_UNFINISHED] * unfinished + check.problems + check.leftovers
    return FsckReport(
        not problems,
        checkpoint.head.size,
        checkpoint.head.root,
        tuple(map(_printable, problems[:_MOST_PROBLEMS])),
        unfinished,
        checkpoint.head.origin,
        tuple(f"{v.name} ({v.algorithm})" for v in parse_vkeys(vkeys)),
    )


def _printable(problem: str) -> str:
    """Return the text with file names that are no UTF-8 or no text made visible."""
    text = problem.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


@dataclass
class _Check:
    """Recomputes the tree row by row and notes what differs.

    `leftovers` are the differences that a killed append explains: at or past the newest files.
    """

    snapshot: Snapshot
    head: TreeHead
    remembered: TreeHead | None
    problems: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    root_then: bytes | None = None

    def run(self) -> None:
        """Fill `problems` and `leftovers`."""
        # A checkpoint with an absurd size must not make us walk it.
        if self.head.size > (len(self.snapshot.files) + 1) * WIDTH:
            self.problems.append("the checkpoint counts more entries than the files can hold")
            return
        self._check_files()
        root = self._check_tree()
        if root != self.head.root:
            self.problems.append("the entries do not hash to the checkpoint's root")
        if self.remembered:
            problem = contradiction(self.remembered, self.head, self.root_then)
            self.problems += [problem] if problem else []

    def _check_files(self) -> None:
        expected = {path for path, *_ in expected_files(self.head.size)} | {CHECKPOINT}
        for name in sorted(expected - self.snapshot.files):
            self._note(f"{name} is missing", self._grown(name) is not None)
        for name in sorted(self.snapshot.files - expected):
            self._note(f"{name} does not belong to the log", self._may_be_left(name))
        self.problems += [f"{name} is no regular file" for name in sorted(self.snapshot.odd)]
        folders = expected_folders(expected)
        for name in sorted(self.snapshot.folders - folders):
            text = f"the folder {name} does not belong to the log"
            self._note(text, _TILE_FOLDER.fullmatch(name) is not None)
        if "tile" not in self.snapshot.folders:
            self.problems.append("the folder tile is missing")

    def _note(self, text: str, explained: bool) -> None:
        (self.leftovers if explained else self.problems).append(text)

    def _may_be_left(self, name: str) -> bool:
        parsed = parse_path(name)
        if parsed is None:
            return bool(_TEMPORARY.fullmatch(name))
        return self._at_edge(parsed[0], parsed[1])

    def _at_edge(self, row: int, index: int) -> bool:
        return index >= items_in(row, self.head.size) // WIDTH

    def _grown(self, name: str) -> str | None:
        """Return the name under which a killed append left the partial file `name`, if it did."""
        parsed = parse_path(name)
        if parsed is None or not self._at_edge(parsed[0], parsed[1]):
            return None
        row, index, width = parsed
        names = (tile_path(row, index, w) for w in range(width + 1, WIDTH + 1))
        return next((grown for grown in names if grown in self.snapshot.files), None)

    def _check_tree(self) -> bytes:
        """Return the root over all entries; compare every tile on the way."""
        complete = Frontier()
        level: list[bytes] = []
        then = divmod(self.remembered.size, WIDTH) if self.remembered else (-1, 0)
        tail: list[bytes] = []
        for index, leaves in self._bundles():
            if index == then[0]:
                self.root_then = fold(complete.roots + peaks(leaves[: then[1]]))
            self._compare(0, index, leaves)
            if len(leaves) == WIDTH:
                level.append(complete_root(leaves))
                complete.push(level[-1])
            else:
                tail = leaves
        if then[0] * WIDTH == self.head.size and not then[1]:
            self.root_then = fold(complete.roots)
        for row in rows(self.head.size)[2:]:
            level = self._check_level(row, level)
        return fold(complete.roots + peaks(tail))

    def _bundles(self) -> Iterator[tuple[int, list[bytes]]]:
        for index in range(-(-self.head.size // WIDTH)):
            width = min(WIDTH, self.head.size - index * WIDTH)
            name = tile_path(ENTRIES, index, width)
            data = self._read(name)
            entries, used = decode_bundle(data, width)
            if used != len(data) or len(entries) != width:
                grown = len(entries) == width and self._at_edge(ENTRIES, index)
                self._note(f"{name} is cut, grown or damaged", grown)
            leaves = [leaf_hash(entry) for entry in entries]
            # A hole keeps its place, so that what follows is still compared at its own index.
            yield index, leaves + [bytes(32)] * (width - len(leaves))

    def _compare(self, row: int, index: int, hashes: list[bytes]) -> None:
        name = tile_path(row, index, len(hashes))
        expected, stored = b"".join(hashes), self._read(name)
        if stored == expected:
            return
        grown = stored.startswith(expected) or expected.startswith(stored)
        if grown and self._at_edge(row, index):
            self._note(f"{name} is cut or grown", True)
            return
        wrong = [i for i, item in enumerate(hashes) if stored[32 * i : 32 * i + 32] != item]
        first = index * WIDTH + wrong[0] if wrong else 0
        if row or not wrong:
            self.problems.append(f"{name} does not follow from the entries")
        elif len(wrong) == 1:
            self.problems.append(f"entry {first} is not what its hash says")
        else:
            self.problems.append(f"{len(wrong)} entries from {first} on are not what {name} says")

    def _check_level(self, row: int, hashes: list[bytes]) -> list[bytes]:
        above = []
        for start in range(0, len(hashes), WIDTH):
            tile = hashes[start : start + WIDTH]
            self._compare(row, start // WIDTH, tile)
            if len(tile) == WIDTH:
                above.append(complete_root(tile))
        return above

    def _read(self, name: str) -> bytes:
        """Return a file's bytes, also under the name a killed append gave it; none if missing."""
        known = name if name in self.snapshot.files else self._grown(name)
        if known is None:
            return b""
        try:
            return self.snapshot.read(known)
        except OSError:
            self.problems.append(f"{known} cannot be read")
            return b""
