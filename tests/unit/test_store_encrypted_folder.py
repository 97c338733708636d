import io
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadapron.model import BadInput, Conflict, IntegrityFailure, NotFound, StorageFailure
from leadapron.store.encrypted_folder import EncryptedFolder

KEY = bytes(range(32))
MIB = 1 << 20


def one_file(folder):
    (path,) = folder.path.iterdir()
    return path


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, 2 * MIB + 7])
def test_round_trip(tmp_path, size):
    folder = EncryptedFolder(tmp_path / "spool", KEY)
    data = bytes(i * 7 % 251 for i in range(1021)) * (size // 1021 + 1)
    data = data[:size]
    item = folder.write("1.2.3", data, {"aet": "CR1", "n": 1})
    assert (item.name, item.size, item.meta) == ("1.2.3", size, {"aet": "CR1", "n": 1})
    again = EncryptedFolder(tmp_path / "spool", KEY)
    assert again.read("1.2.3") == data
    assert again.list() == [item]
    assert "1.2.3" in again
    assert len(again) == 1
    assert again.damaged() == []


def test_streams_in_and_out(tmp_path):
    folder = EncryptedFolder(tmp_path, KEY)
    data = bytes(3 * MIB + 5)
    folder.write("file", io.BytesIO(data))
    folder.write("parts", (data[i : i + 1000] for i in range(0, len(data), 1000)))
    assert folder.read("file") == folder.read("parts") == data
    assert max(len(part) for part in folder.stream("file")) <= MIB


def test_a_stolen_folder_tells_nothing(tmp_path):
    folder = EncryptedFolder(tmp_path, KEY)
    folder.write("ZHANG^SAN", b"PatientName ZHANG^SAN" * 50, {"reason": "burned-in"})
    path = one_file(folder)
    blob = path.name.encode() + path.read_bytes()
    for secret in (b"ZHANG", b"reason", b"burned", b"PatientName"):
        assert secret not in blob
    assert path.stat().st_mtime == 0
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(NotFound):
        EncryptedFolder(tmp_path, bytes(32)).read("ZHANG^SAN")
    assert EncryptedFolder(tmp_path, bytes(32)).list() == []


def test_every_flipped_byte_and_every_cut_shows(tmp_path):
    folder = EncryptedFolder(tmp_path, KEY)
    folder.write("a", b"hello", {"m": 1})
    path = one_file(folder)
    good = path.read_bytes()
    for index in range(len(good)):
        bad = bytearray(good)
        bad[index] ^= 1
        path.write_bytes(bad)
        with pytest.raises(IntegrityFailure):
            folder.read("a")
        path.write_bytes(good[:index])
        with pytest.raises(IntegrityFailure):
            folder.read("a")
    path.write_bytes(good + b"x")
    assert folder.damaged() == [path.name]
    path.write_bytes(good)
    assert folder.read("a") == b"hello"


def test_a_cut_between_chunks_shows(tmp_path):
    folder = EncryptedFolder(tmp_path, KEY)
    folder.write("a", bytes(2 * MIB))
    path = one_file(folder)
    path.write_bytes(path.read_bytes()[: -(MIB + 16)])
    with pytest.raises(IntegrityFailure):
        folder.read("a")


def test_files_cannot_swap_names(tmp_path):
    folder = EncryptedFolder(tmp_path, KEY)
    folder.write("a", b"A")
    path = one_file(folder)
    folder.write("b", b"B")
    (other,) = set(tmp_path.iterdir()) - {path}
    other.write_bytes(path.read_bytes())
    with pytest.raises(IntegrityFailure):
        folder.read("b")
    assert [item.name for item in folder.list()] == ["a"]
    assert folder.damaged() == [other.name]


def test_replace_delete_and_conflict(tmp_path):
    folder = EncryptedFolder(tmp_path, KEY)
    folder.write("a", b"1")
    with pytest.raises(Conflict):
        folder.write("a", b"2", overwrite=False)
    folder.write("a", b"3")
    assert folder.read("a") == b"3"
    folder.delete("a")
    with pytest.raises(NotFound):
        folder.delete("a")
    with pytest.raises(NotFound):
        folder.read("a")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_source_leaves_the_old_item(tmp_path):
    folder = EncryptedFolder(tmp_path, KEY)
    folder.write("a", b"old")

    def source():
        yield b"new"
        raise RuntimeError("sender hung up")

    with pytest.raises(RuntimeError):
        folder.write("a", source())
    assert folder.read("a") == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_leftovers_go_but_a_living_writer_stays(tmp_path):
    folder = EncryptedFolder(tmp_path, KEY)
    (tmp_path / "dead.0.tmp").write_bytes(b"half")
    started, go = threading.Event(), threading.Event()

    def slow():
        yield b"first"
        started.set()
        assert go.wait(30)
        yield b"second"

    writer = threading.Thread(target=folder.write, args=("a", slow()))
    writer.start()
    assert started.wait(30)
    other = EncryptedFolder(tmp_path, KEY)
    assert not (tmp_path / "dead.0.tmp").exists()
    assert other.list() == []
    go.set()
    writer.join()
    assert other.read("a") == b"firstsecond"


def test_bad_arguments(tmp_path):
    with pytest.raises(BadInput):
        EncryptedFolder(tmp_path, b"short")
    folder = EncryptedFolder(tmp_path, KEY)
    with pytest.raises(BadInput):
        folder.write("", b"")
    with pytest.raises(BadInput):
        folder.write("a", b"", {"x": object()})


@pytest.mark.fault
def test_a_full_disk_changes_nothing(tmp_path):
    EncryptedFolder(tmp_path, KEY).write("a", b"old")
    code = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
from leadapron.model import StorageFailure
from leadapron.store.encrypted_folder import EncryptedFolder
folder = EncryptedFolder({str(tmp_path)!r}, bytes(range(32)))
try:
    folder.write("a", bytes(100_000))
except StorageFailure as error:
    print(error.diagnostics())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "ulimit" in run.stdout
    folder = EncryptedFolder(tmp_path, KEY)
    assert folder.read("a") == b"old"
    assert len(list(tmp_path.iterdir())) == 1


@settings(max_examples=30, deadline=None)
@given(
    items=st.dictionaries(st.text(min_size=1, max_size=20), st.binary(max_size=200), max_size=5),
)
def test_any_names_and_bytes(tmp_path_factory, items):
    folder = EncryptedFolder(tmp_path_factory.mktemp("any"), KEY)
    for name, data in items.items():
        folder.write(name, data)
    assert {item.name: folder.read(item.name) for item in folder.list()} == items


def test_an_unwritable_folder_is_a_storage_failure(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageFailure):
        EncryptedFolder(tmp_path / "file" / "spool", KEY)
