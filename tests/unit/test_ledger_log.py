import errno
import json
import re
import shutil
import threading
from pathlib import Path

import pymerkle
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from leadapron.ledger import Ledger, Signer, evidence, leaf_hash, verify, verify_evidence
from leadapron.ledger import log as log_module
from leadapron.ledger import writer as writer_module
from leadapron.model import BadInput, Conflict, IntegrityFailure, StorageFailure, Unavailable

SIGNER = Signer.generate("pacs.example/log")


@pytest.fixture
def place(tmp_path):
    return tmp_path / "data" / "ledger", tmp_path / "keys" / "seen"


def opened(place, **options):
    return Ledger.open(place[0], SIGNER, seen=place[1], **options)


def check(place):
    return verify(place[0], SIGNER.vkeys, place[1])


def test_append_read_prove(place):
    ledger = opened(place)
    receipt = ledger.append({"who": "recipient-7", "n": 1})
    assert (receipt.index, receipt.tree_size) == (0, 1)
    assert receipt.root == receipt.leaf_hash == leaf_hash(ledger.raw(0))
    assert ledger.entry(0) == {"who": "recipient-7", "n": 1, "at": receipt.at_ms}
    more = ledger.append_many({"i": i} for i in range(600))
    assert [r.index for r in more] == list(range(1, 601))
    assert ledger.size == len(ledger) == 601
    assert [e["i"] for e in ledger.entries(1)] == list(range(600))
    assert [e["i"] for e in ledger.entries(255, 258)] == [254, 255, 256]
    for index in (0, 1, 255, 256, 511, 512, 600):
        proof = ledger.prove(index)
        assert proof.verify(ledger.raw(index))
        assert not proof.verify(b"something else")
        assert proof.root == more[-1].root
    for old in (0, 1, 2, 256, 300, 512, 600, 601):
        assert ledger.prove_consistency(old).verify()
    assert ledger.prove_consistency(3, 300).new_size == 300
    report = ledger.fsck()
    assert report.intact
    assert (report.size, report.root) == (601, more[-1].root)
    json.dumps([report.as_dict(), receipt.as_dict()])


def test_roots_equal_pymerkle(place):
    ledger = opened(place)
    judge = pymerkle.InmemoryTree(algorithm="sha256")
    for step in (1, 1, 5, 249, 1, 255, 3, 600):
        receipts = ledger.append_many({"i": i} for i in range(step))
        for receipt in receipts:
            judge.append_entry(ledger.raw(receipt.index))
        assert receipts[-1].root == judge.get_root()
        assert bytes.fromhex(ledger.fsck().as_dict()["root"]) == judge.get_root()


def test_bad_indices(place):
    ledger = opened(place)
    for call in (ledger.entry, ledger.prove, ledger.raw, ledger.prove_consistency):
        with pytest.raises(BadInput):
            call(1)
        with pytest.raises(BadInput):
            call(-1)
    assert list(ledger.entries()) == []
    assert ledger.append_many([]) == []
    assert ledger.fsck().intact


def test_all_or_none(place):
    ledger = opened(place)
    with pytest.raises(BadInput):
        ledger.append_many([{"a": 1}, {"a": 1.5}])
    assert ledger.size == 0


def test_reopen_continues(place):
    roots = []
    for size in (1, 255, 256, 257, 512, 770):
        with opened(place) as ledger:
            ledger.append_many({"n": size} for _ in range(size - ledger.size))
            roots.append((ledger.size, ledger.checkpoint().splitlines()[2]))
    with opened(place) as ledger:
        assert ledger.size == 770
        assert check(place).intact
        for size, _ in roots:
            assert ledger.prove_consistency(size).verify()


def test_time_never_runs_backwards(place, monkeypatch):
    now = 1_900_000_000_000
    monkeypatch.setattr(log_module.time, "time_ns", lambda: now * 1_000_000)
    with opened(place) as ledger:
        assert ledger.append({}).at_ms == now
        now -= 5000
        assert ledger.append({}).at_ms == now + 5000
    with opened(place) as ledger:
        assert ledger.append({}).at_ms == now + 5000
        now += 9000
        assert ledger.append({}).at_ms == now


def test_one_writer_any_readers(place):
    ledger = opened(place)
    ledger.append({"a": 1})
    with pytest.raises(Unavailable):
        opened(place)
    reader = Ledger.open(place[0], vkeys=SIGNER.vkey, seen=place[1])
    assert reader.entry(0)["a"] == 1
    assert reader.fsck().intact
    with pytest.raises(Unavailable):
        reader.append({"a": 2})
    ledger.append({"a": 3})
    assert reader.size == 2
    ledger.close()
    with pytest.raises(Unavailable):
        ledger.append({"a": 4})
    opened(place).close()


def test_another_key_or_origin_is_refused(place):
    opened(place).close()
    with pytest.raises(IntegrityFailure):
        Ledger.open(place[0], Signer.generate("pacs.example/log"), seen=place[1])
    with pytest.raises(Conflict):
        Ledger.open(place[0], SIGNER, origin="other", seen=place[1])
    assert not verify(place[0], Signer.generate("pacs.example/log").vkeys, place[1]).intact
    with pytest.raises(BadInput):
        verify(place[0], [], place[1])


def test_the_memory_must_lie_outside(place):
    with pytest.raises(Conflict):
        Ledger.open(place[0], SIGNER, seen=place[0] / "seen")


def test_rollback_shows_everywhere(place, tmp_path):
    with opened(place) as ledger:
        ledger.append({"i": 1})
        old = tmp_path / "old"
        shutil.copytree(place[0], old)
        ledger.append({"i": 2})
    shutil.rmtree(place[0])
    shutil.copytree(old, place[0])
    report = check(place)
    assert not report.intact
    assert "rolled back" in report.problems[0]
    assert verify(place[0], SIGNER.vkeys).intact, "without a memory an older copy looks intact"
    with pytest.raises(IntegrityFailure):
        opened(place)
    shutil.rmtree(place[0])
    assert not check(place).intact
    with pytest.raises(IntegrityFailure):
        opened(place)


def test_a_rewritten_history_shows_even_if_it_is_longer(place, tmp_path):
    with opened(place) as ledger:
        ledger.append_many({"i": i} for i in range(300))
    shutil.rmtree(place[0])
    with Ledger.open(place[0], SIGNER) as forged:
        forged.append_many({"i": i, "forged": True} for i in range(400))
    assert verify(place[0], SIGNER.vkeys).intact
    assert not check(place).intact
    with pytest.raises(IntegrityFailure):
        opened(place)


def test_a_lost_memory_is_not_forgiven(place):
    with opened(place) as ledger:
        ledger.append({"i": 1})
    place[1].unlink()
    assert not check(place).intact
    with pytest.raises(IntegrityFailure):
        opened(place)
    place[1].write_bytes(b"damaged")
    assert not check(place).intact
    with pytest.raises(IntegrityFailure):
        opened(place)


def test_threads_share_commits_and_lose_nothing(place):
    ledger = opened(place)
    receipts = {}

    def work(name):
        for i in range(30):
            receipts[name, i] = ledger.append({"t": name, "i": i}).index

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert check(place).intact
        if ledger.size:
            assert ledger.prove(ledger.size - 1).verify()
    for thread in threads:
        thread.join()
    assert sorted(receipts.values()) == list(range(240))
    for (name, i), index in receipts.items():
        assert (ledger.entry(index)["t"], ledger.entry(index)["i"]) == (name, i)
    assert ledger.fsck().intact


def test_a_broken_disk_fails_everybody_and_heals(place, monkeypatch):
    ledger = opened(place)
    ledger.append({"i": 0})
    broken = True
    real = writer_module.durable.replace_file

    def replace_file(*args, **kwargs):
        if broken:
            raise OSError(errno.EIO, "broken")
        return real(*args, **kwargs)

    monkeypatch.setattr(writer_module.durable, "replace_file", replace_file)
    errors = []

    def work():
        try:
            ledger.append({"i": 1})
        except StorageFailure as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(errors) == 6
    assert ledger.size == 1
    broken = False
    assert ledger.append({"i": 2}).index == 1
    assert ledger.fsck().intact


def test_an_interrupt_is_no_receipt(place, monkeypatch):
    ledger = opened(place)

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writer_module.Writer, "commit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ledger.append({"i": 0})
    assert ledger.append({"i": 1}).index == 0
    assert ledger.fsck().intact


def test_an_unsigned_log_is_possible_but_never_verifies_with_keys(tmp_path):
    with Ledger.open(tmp_path / "log") as ledger:
        ledger.append({"a": 1})
        assert ledger.fsck().intact
    with Ledger.open(tmp_path / "log") as ledger:
        ledger.append({"a": 2})
        assert ledger.fsck().size == 2
    assert not verify(tmp_path / "log", SIGNER.vkeys).intact
    with pytest.raises(IntegrityFailure):
        Ledger.open(tmp_path / "log", SIGNER, origin=SIGNER.name)


def test_evidence_stands_alone(place):
    ledger = opened(place)
    ledger.append_many({"view": f"v{i}", "名": "张"} for i in range(300))
    package = json.loads(json.dumps(evidence(ledger, 123)))
    ledger.append({"later": True})
    report = verify_evidence(package, SIGNER.vkeys)
    assert report.valid
    assert report.pinned
    assert report.entry["view"] == "v123"
    json.dumps(report.as_dict())
    assert report.tree_size == 300
    assert verify_evidence(json.dumps(package)).valid
    assert not verify_evidence(package).pinned
    foreign = Signer.generate("pacs.example/log")
    assert not verify_evidence(package, foreign.vkeys).valid
    for key, value in {
        "index": 124, "entry": package["entry"].replace("v123", "v124"), "log": "x",
        "proof": package["proof"][1:], "checkpoint": package["checkpoint"].replace("300", "301"),
        "format": "other", "vkeys": [], "vkeys ": None,
    }.items():  # fmt: skip
        bad = {**package, key: value}
        if key.endswith(" "):
            del bad[key.strip()]
        assert not verify_evidence(bad).valid, key
    assert not verify_evidence("no json").valid
    assert not verify_evidence("[]").valid


def test_a_c2sp_cosignature_by_a_witness_does_not_spoil_evidence(place):
    ledger = opened(place)
    ledger.append({"a": 1})
    package = evidence(ledger, 0)
    line = package["checkpoint"].splitlines()[-1].replace("pacs.example/log", "witness.example")
    package["checkpoint"] += line + "\n"
    assert verify_evidence(package, SIGNER.vkeys).valid


def test_the_example_of_the_documentation_runs(tmp_path, monkeypatch):
    page = Path(__file__).parents[2] / "docs" / "ledger.md"
    (example,) = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(example, {})


class LedgerMachine(RuleBasedStateMachine):
    """Appends, reopens and reads against a plain list."""

    @initialize(tmp=st.just(None))
    def start(self, tmp):
        self.root = __import__("pathlib").Path(__import__("tempfile").mkdtemp())
        self.place = (self.root / "ledger", self.root / "seen")
        self.model = []
        self.ledger = opened(self.place)

    @rule(count=st.sampled_from([1, 2, 3, 100, 254, 255, 256, 257, 515]))
    def append(self, count):
        receipts = self.ledger.append_many({"n": len(self.model) + i} for i in range(count))
        self.model += [r.leaf_hash for r in receipts]
        assert receipts[-1].tree_size == len(self.model)

    @rule()
    def reopen(self):
        self.ledger.close()
        self.ledger = opened(self.place)

    @rule(data=st.data())
    def prove(self, data):
        if self.model:
            index = data.draw(st.integers(0, len(self.model) - 1))
            proof = self.ledger.prove(index)
            assert proof.verify()
            assert proof.leaf_hash == self.model[index]
            assert self.ledger.entry(index)["n"] == index
            assert self.ledger.prove_consistency(index).verify()

    @invariant()
    def verifies(self):
        if hasattr(self, "ledger"):
            report = check(self.place)
            assert report.intact, report
            assert report.size == len(self.model)

    def teardown(self):
        if hasattr(self, "ledger"):
            self.ledger.close()
            shutil.rmtree(self.root)


LedgerMachine.TestCase.settings = settings(
    max_examples=12, stateful_step_count=10, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
TestLedgerStateful = LedgerMachine.TestCase
