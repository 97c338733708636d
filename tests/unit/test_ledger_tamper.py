"""Whatever is done to the bytes of a log, verification says no; untouched, it says yes."""

import os
import shutil

import pytest

from leadapron.ledger import Ledger, Signer, verify
from leadapron.ledger.tiles import decode_bundle, encode_entry
from leadapron.model import IntegrityFailure

SIGNER = Signer.generate("pacs.example/log")


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    root = tmp_path_factory.mktemp("good")
    with Ledger.open(root / "ledger", SIGNER, seen=root / "seen") as ledger:
        ledger.append_many({"i": i} for i in range(513))
    return root


@pytest.fixture
def place(good, tmp_path):
    shutil.copytree(good, tmp_path / "x")
    return tmp_path / "x"


def report(place):
    return verify(place / "ledger", SIGNER.vkeys, place / "seen")


def files(place):
    return sorted(path for path in (place / "ledger").rglob("*") if path.is_file())


def test_intact(place):
    assert report(place).intact
    assert [str(p.relative_to(place / "ledger")) for p in files(place)] == [
        "checkpoint", "tile/0/000", "tile/0/001", "tile/0/002.p/1", "tile/1/000.p/2",
        "tile/entries/000", "tile/entries/001", "tile/entries/002.p/1",
    ]  # fmt: skip


def test_every_byte_of_a_small_log(tmp_path):
    with Ledger.open(tmp_path / "ledger", SIGNER, seen=tmp_path / "seen") as ledger:
        ledger.append_many({"i": i} for i in range(3))
    for path in files(tmp_path):
        data = path.read_bytes()
        for index in range(0, len(data), 1 if len(data) < 500 else 7):
            path.write_bytes(
                data[:index] + bytes([data[index] ^ (1 << index % 8)]) + data[index + 1 :]
            )
            assert not report(tmp_path).intact, (path, index)
        path.write_bytes(data)
    assert report(tmp_path).intact


def test_flips_in_every_file(place):
    for path in files(place):
        data = path.read_bytes()
        for index in {0, 1, len(data) // 3, len(data) // 2, len(data) - 1}:
            path.write_bytes(data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :])
            assert not report(place).intact, (path, index)
        path.write_bytes(data)
    assert report(place).intact


def test_every_file_deleted_cut_grown_or_emptied(place):
    for path in files(place):
        data = path.read_bytes()
        for bad in (None, b"", data[:-1], data[: len(data) // 2], data + b"\0", data + data):
            path.unlink()
            if bad is not None:
                path.write_bytes(bad)
            assert not report(place).intact, (path, bad)
            path.write_bytes(data)
    assert report(place).intact


@pytest.mark.parametrize(
    "name",
    [
        "x", "tile/x", "tile/0/003", "tile/0/002.p/2", "tile/entries/003", "checkpoint.bak",
        "tile/entries/002.p/junk", "tile/2/000.p/1", ".hidden", "checkpoint.0123456789ab.tmp",
    ],
)  # fmt: skip
def test_an_added_file(place, name):
    path = place / "ledger" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    assert not report(place).intact


def test_an_added_folder_link_or_pipe(place):
    ledger = place / "ledger"
    (ledger / "empty").mkdir()
    assert not report(place).intact
    (ledger / "empty").rmdir()
    os.mkfifo(ledger / "pipe")
    assert not report(place).intact
    (ledger / "pipe").unlink()
    target = ledger / "tile/0/000"
    target.rename(place / "elsewhere")
    target.symlink_to(place / "elsewhere")
    assert not report(place).intact


def test_a_file_name_that_is_no_text(place):
    (place / "ledger" / os.fsdecode(b"\xff\n")).write_bytes(b"")
    (problem,) = report(place).problems
    assert problem == "\\udcff\\x0a does not belong to the log"


def rewrite(place, change):
    path = place / "ledger/tile/entries/000"
    entries, _ = decode_bundle(path.read_bytes())
    change(entries)
    path.write_bytes(b"".join(map(encode_entry, entries)))


def test_two_entries_swapped(place):
    def swap(entries):
        entries[3], entries[4] = entries[4], entries[3]

    rewrite(place, swap)
    found = report(place)
    assert not found.intact
    assert "2 entries from 3 on" in found.problems[0]


def test_a_changed_entry_is_named(place):
    def change(entries):
        entries[200] = entries[200].replace(b'"i":200', b'"i":201')

    rewrite(place, change)
    assert "entry 200 is not what its hash says" in report(place).problems
    with Ledger.open(place / "ledger", vkeys=SIGNER.vkeys) as reader:
        assert reader.entry(300)["i"] == 300
        with pytest.raises(IntegrityFailure):
            reader.entry(200)
        with pytest.raises(IntegrityFailure):
            list(reader.entries())


def test_files_swapped_with_one_another(place):
    a, b = (place / "ledger/tile/entries" / n for n in ("000", "001"))
    first, second = a.read_bytes(), b.read_bytes()
    a.write_bytes(second)
    b.write_bytes(first)
    assert not report(place).intact
    c, d = (place / "ledger/tile/0" / n for n in ("000", "001"))
    first, second = c.read_bytes(), d.read_bytes()
    c.write_bytes(second)
    d.write_bytes(first)
    assert not report(place).intact, "a consistent reordering still misses the signed root"


def test_a_checkpoint_of_another_log_or_size(place, tmp_path):
    target = place / "ledger/checkpoint"
    text = target.read_text()
    for size in ("512", "514", "99999999999999999999", "0"):
        target.write_text(text.replace("\n513\n", f"\n{size}\n"))
        assert not report(place).intact
    other = Signer.generate("pacs.example/log")
    with Ledger.open(tmp_path / "other", other) as ledger:
        ledger.append_many({"i": i} for i in range(513))
        target.write_text(ledger.checkpoint())
    assert not report(place).intact
    lines = text.splitlines(keepends=True)
    target.write_text("".join(lines[:-1]))
    assert not report(place).intact, "one of the two signatures is missing"
    target.write_text(text + lines[-1])
    assert not report(place).intact


def test_no_log_at_all(tmp_path):
    assert not verify(tmp_path / "absent", SIGNER.vkeys).intact
    (tmp_path / "empty").mkdir()
    assert not verify(tmp_path / "empty", SIGNER.vkeys).intact
    (tmp_path / "file").write_bytes(b"")
    assert not verify(tmp_path / "file", SIGNER.vkeys).intact


def test_damage_at_the_edge_stops_the_writer(place):
    path = place / "ledger/tile/entries/002.p/1"
    damaged = path.read_bytes().replace(b'"i":512', b'"i":513')
    assert damaged != path.read_bytes()
    path.write_bytes(damaged)
    with pytest.raises(IntegrityFailure):
        Ledger.open(place / "ledger", SIGNER, seen=place / "seen")
    assert path.read_bytes() == damaged, "the evidence was left as it was"


def test_a_file_cut_under_the_running_writer_stops_it(place):
    with Ledger.open(place / "ledger", SIGNER, seen=place / "seen") as ledger:
        (place / "ledger/tile/entries/002.p/1").write_bytes(b"")
        for _ in range(2):
            with pytest.raises(IntegrityFailure):
                ledger.append({"i": 1})
    assert not report(place).intact
