"""Killed or cut off at any point, the log keeps what it acknowledged and starts cleanly."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from leadapron.ledger import Ledger, Signer, verify

pytestmark = pytest.mark.fault
SIGNER = Signer.generate("pacs.example/log")
CHANGING = (
    "write",
    "pwrite",
    "fdatasync",
    "fsync",
    "rename",
    "replace",
    "rmdir",
    "mkdir",
    "unlink",
)


def opened(root):
    return Ledger.open(root / "ledger", SIGNER, seen=root / "seen")


def check(root):
    return verify(root / "ledger", SIGNER.vkeys, root / "seen")


def die_at(countdown):
    """From now on the process dies before its n-th call that changes the disk."""
    left = [countdown]

    def wrap(real):
        def call(*args, **kwargs):
            left[0] -= 1
            if left[0] < 0:
                os._exit(9)
            return real(*args, **kwargs)

        return call

    for name in CHANGING:
        setattr(os, name, wrap(getattr(os, name)))


def child(root, countdown, count):
    """Append `count` entries in a child that dies; return whether it finished before."""
    pid = os.fork()
    if pid == 0:
        try:
            ledger = opened(root)
            die_at(countdown)
            ledger.append_many({"i": ledger.size + i} for i in range(count))
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize(("before", "count"), [(0, 1), (3, 2), (255, 1), (256, 1), (100, 600)])
def test_killed_before_every_change_to_the_disk(tmp_path, before, count):
    start = tmp_path / "start"
    with opened(start) as ledger:
        ledger.append_many({"i": i} for i in range(before))
    for countdown in range(0, 200, 1 if count < 100 else 5):
        root = tmp_path / str(countdown)
        shutil.copytree(start, root)
        finished = child(root, countdown, count)
        left = check(root)
        assert left.size in (before, before + count)
        if not left.intact:
            assert left.unfinished, left
        with opened(root) as ledger:
            assert ledger.size in ((before + count,) if finished else (before, before + count))
            assert check(root).intact, check(root)
            assert ledger.append({"i": ledger.size}).tree_size == ledger.size
            assert [e["i"] for e in ledger.entries()] == list(range(ledger.size))
        assert check(root).intact
        shutil.rmtree(root)
        if finished:
            break
    assert finished
    assert countdown >= 6


def test_killed_while_recovering(tmp_path):
    """A crash in the repair of a crash is repaired as well."""
    start = tmp_path / "start"
    with opened(start) as ledger:
        ledger.append_many({"i": i} for i in range(255))
    for first in range(1, 20, 3):
        crashed = tmp_path / f"c{first}"
        shutil.copytree(start, crashed)
        if child(crashed, first, 3):
            break
        for second in range(0, 14, 2):
            root = tmp_path / f"c{first}-{second}"
            shutil.copytree(crashed, root)
            if _recover_and_die(root, second):
                break
            with opened(root) as ledger:
                assert ledger.size in (255, 258)
                assert check(root).intact
            shutil.rmtree(root)


def _recover_and_die(root, countdown):
    pid = os.fork()
    if pid == 0:
        die_at(countdown)
        try:
            opened(root)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_power_cut_that_takes_back_what_was_not_fsynced(tmp_path):
    """Names and partial tiles may be lost, entries and the memory may not: all is found again."""
    for before, count in ((3, 2), (254, 1), (600, 7)):
        root = tmp_path / str(before)
        with opened(root) as ledger:
            ledger.append_many({"i": i} for i in range(before))
            shutil.copytree(root, tmp_path / "old")
            ledger.append_many({"i": before + i} for i in range(count))
        data = root / "ledger"
        shutil.copy(tmp_path / "old/ledger/checkpoint", data / "checkpoint")
        for partial in data.glob("tile/[0-9]/*.p/*"):
            partial.write_bytes(b"")
        for partial in list(data.glob("tile/entries/*.p/*")):
            partial.rename(partial.with_name(str(before % 256)))
        assert not check(root).intact
        with opened(root) as ledger:
            assert ledger.size == before + count
            assert check(root).intact
        (data / "checkpoint").write_bytes(b"")
        with opened(root) as ledger:
            assert ledger.size == before + count
        shutil.rmtree(tmp_path / "old")


LOOP = """
import sys
from leadapron.ledger import Ledger, Signer
root = sys.argv[1]
signer = Signer.from_bytes(bytes.fromhex(sys.argv[2]))
ledger = Ledger.open(root + "/ledger", signer, seen=root + "/seen")
print("ready", flush=True)
while True:
    receipt = ledger.append({"i": ledger.size})
    print(receipt.index, receipt.leaf_hash.hex(), flush=True)
"""


def test_kill_minus_nine_in_a_loop(tmp_path):
    acknowledged = {}
    for turn in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", LOOP, str(tmp_path), SIGNER.to_bytes().hex()],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "ready\n"
        for _ in range(15 + turn):
            index, leaf = process.stdout.readline().split()
            acknowledged[int(index)] = leaf
        os.kill(process.pid, signal.SIGKILL)
        for line in process.stdout:
            if line.endswith("\n"):
                index, leaf = line.split()
                acknowledged[int(index)] = leaf
        process.wait()
        left = check(tmp_path)
        assert left.intact or left.unfinished, left
    with opened(tmp_path) as ledger:
        assert ledger.fsck().intact
        for index, leaf in acknowledged.items():
            assert ledger.prove(index).leaf_hash.hex() == leaf
    assert not list(Path(tmp_path).rglob("*.tmp"))
