"""A full disk refuses an entry, keeps the log intact, and the log goes on when there is room."""

import subprocess
import sys

import pytest

from leadapron.ledger import Signer, verify

SIGNER = Signer.generate("pacs.example/log")


@pytest.fixture
def place(tmp_path):
    return tmp_path / "data" / "ledger", tmp_path / "keys" / "seen"


def check(place):
    return verify(place[0], SIGNER.vkeys, place[1])


@pytest.mark.fault
def test_a_full_disk_refuses_and_then_continues(place):
    """RLIMIT_FSIZE stands for a full disk: the first file to pass it cannot be written."""
    code = f"""
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from leadapron.ledger import Ledger, Signer
from leadapron.model import StorageFailure
signer = Signer.from_bytes(bytes.fromhex({SIGNER.to_bytes().hex()!r}))
ledger = Ledger.open({str(place[0])!r}, signer, seen={str(place[1])!r})
for i in range(3):
    ledger.append({{"i": i}})
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (33_000, hard))
refused = 0
for i in range(3):
    try:
        ledger.append({{"x": "x" * 34_000}})
    except StorageFailure as error:
        refused += 1
        assert error.remedy, error
    assert ledger.fsck().intact, ledger.fsck()
assert ledger.size == 3
ledger.append({{"i": 3}})
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
assert ledger.append({{"i": 4}}).index == 4
print(refused)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout == "3\n", run.stderr
    assert check(place).intact
