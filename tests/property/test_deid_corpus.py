"""The kept corpus of hostile objects: a reason or a clean copy, in bounded memory, no crash."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from deid_corpus import FOLDER, corpus

WORKER = """
import json, resource, sys, zlib, dataclasses
from pathlib import Path
resource.setrlimit(resource.RLIMIT_CPU, (100, 100))
from leadapron.deid import MemoryVault, Profile, deidentify
from leadapron.deid.files import _encoded as to_bytes, parse
from leadapron.model import LeadApronError
import pydicom, numpy, cv2
base = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() \
    if Path("/proc/self/statm").exists() else 0
resource.setrlimit(resource.RLIMIT_AS, (base + (2 << 30),) * 2)
vault = MemoryVault(b"v" * 32)
profile = dataclasses.replace(Profile.gateway(), clean_pixels=False)
for line in sys.stdin:
    path = Path(line.strip())
    data = path.read_bytes()
    data = zlib.decompress(data) if path.suffix == ".z" else data
    answer = {"file": path.name}
    ways = {"headers": profile, "basic": Profile.basic(), "pixels": Profile.gateway()}
    for name, how in ways.items():
        try:
            result = deidentify(parse(data), how, vault)
            answer[name] = result.quarantine[0].code if result.quarantine else "clean"
            if result.dataset is not None:
                written = to_bytes(result.dataset)
                answer["leaks"] = [s for s in ("Kaufman", "6774825273") if s.encode() in written]
                parse(written)
        except LeadApronError as error:
            answer[name] = error.slug
    print(json.dumps(answer), flush=True)
"""
FILES = sorted(p for p in FOLDER.iterdir() if p.suffix in (".dcm", ".z"))
MUST_FAIL = ("truncated-in-sequence", "truncated-in-value", "truncated-item", "truncated-length",
             "nesting-", "bomb-deflated", "bomb-jpeg", "deflated-damaged", "empty-",
             "fragments-cut", "endless-")  # fmt: skip
MUST_PASS = ("deflated-good", "bigendian-good", "implicit-good", "polyglot-", "duplicate-",
             "private-", "odd-length-text", "bomb-items", "comment-jpeg", "surplus-",
             "meta-in-data-set")  # fmt: skip


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """What became of each file, worked out in one process with 2 GiB more than it started with."""
    worker = tmp_path_factory.mktemp("corpus") / "worker.py"
    worker.write_text(WORKER)
    done = subprocess.run(
        [sys.executable, str(worker)], input="\n".join(map(str, FILES)),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = map(json.loads, done.stdout.splitlines())
    return {answer["file"]: answer for answer in found}


def test_the_corpus_is_what_its_script_makes() -> None:
    made = dict(corpus())
    kept = {p.name.removesuffix(".dcm"): p.read_bytes() for p in FILES}
    assert kept.keys() == made.keys()
    for name, data in made.items():
        same = zlib.decompress(kept[name]) == zlib.decompress(data) if name.endswith(".z") else (
            kept[name] == data or name.startswith("deflated"))  # fmt: skip
        assert same, name


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_each_ends_with_a_reason_or_a_clean_copy(path: Path, answers: dict[str, dict]) -> None:
    answer = answers[path.name]
    assert not answer.get("leaks"), answer
    for name in ("headers", "basic", "pixels"):
        assert answer[name], answer
    assert answer["headers"] != "unreadable", "a named reason is better than a caught surprise"
    if path.stem.startswith(MUST_FAIL):
        assert answer["headers"] != "clean", answer
    if path.stem in ("bomb-dimensions", "bomb-frames", "truncated-pixels"):
        assert answer["pixels"] in ("dimensions", "truncated"), answer
    if path.stem.startswith(MUST_PASS) and path.stem != "polyglot-after-the-end":
        assert answer["headers"] == "clean", answer


def test_mutations_of_the_corpus_never_crash(tmp_path: Path) -> None:
    """A fixed thousandfold fuzz: bytes flipped, cut, doubled and exchanged between files."""
    from leadapron.deid import MemoryVault, Profile, deidentify
    from leadapron.deid.files import _encoded, parse
    from leadapron.model import LeadApronError

    dice, vault, profile = random.Random(20261126), MemoryVault(b"m" * 32), Profile.basic()
    seeds = [p.read_bytes() for p in FILES if p.suffix == ".dcm" and p.stat().st_size < 8192]
    for _ in range(1000):
        data = bytearray(dice.choice(seeds))
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(132, max(133, len(data)))
            other = dice.choice(seeds)
            start = dice.randrange(0, max(1, len(other)))
            piece = other[start : start + dice.randint(1, 40)]
            data[at : at + dice.choice([0, len(piece)])] = piece
        try:
            result = deidentify(parse(bytes(data)), profile, vault)
        except LeadApronError:
            continue
        assert (result.dataset is None) == bool(result.quarantine)
        if result.dataset is not None:
            with contextlib.suppress(LeadApronError):  # unwritable: a reason too
                _encoded(result.dataset)
