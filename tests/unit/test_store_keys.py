import threading

import pytest

from leadapron.model import BadInput, Conflict, NotFound, StorageFailure
from leadapron.store.keys import FileKeyStore, KeyStore


def test_create_returns_the_same_secret_and_private_files(tmp_path):
    store = FileKeyStore(tmp_path / "keys")
    secret = store.create("vault", 32)
    assert len(secret) == 32
    assert FileKeyStore(tmp_path / "keys").create("vault", 32) == secret == store.get("vault")
    assert store.names() == ["vault"]
    assert isinstance(store, KeyStore)
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "keys" / "vault.key").stat().st_mode & 0o777 == 0o600
    assert [p.name for p in (tmp_path / "keys").iterdir()] == ["vault.key"]


def test_concurrent_creators_agree(tmp_path):
    results = []
    barrier = threading.Barrier(8)

    def create():
        store = FileKeyStore(tmp_path)
        barrier.wait()
        results.append(store.create("one"))

    tmp_path.chmod(0o700)
    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert len(set(results)) == 1


def test_put_replaces(tmp_path):
    store = FileKeyStore(tmp_path / "k")
    store.put("a", b"1")
    store.put("a", b"22")
    assert store.get("a") == b"22"
    with pytest.raises(Conflict):
        store.create("a", 32)


def test_missing_key_names_the_remedy(tmp_path):
    with pytest.raises(NotFound) as caught:
        FileKeyStore(tmp_path / "k").get("absent")
    assert "--keys" in caught.value.remedy


@pytest.mark.parametrize("name", ["../x", "", "A", "a/b", ".hidden", "a" * 65, "a\n"])
def test_bad_names(tmp_path, name):
    with pytest.raises(BadInput):
        FileKeyStore(tmp_path / "k").get(name)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_refuses_a_readable_key(tmp_path, mode):
    store = FileKeyStore(tmp_path / "k")
    store.create("a")
    (tmp_path / "k" / "a.key").chmod(mode)
    with pytest.raises(StorageFailure) as caught:
        store.get("a")
    assert "chmod 600" in caught.value.remedy


def test_refuses_a_readable_folder(tmp_path):
    (tmp_path / "k").mkdir(mode=0o755)
    with pytest.raises(StorageFailure) as caught:
        FileKeyStore(tmp_path / "k")
    assert "chmod 700" in caught.value.remedy


def test_refuses_to_live_below_the_data(tmp_path):
    data = tmp_path / "data"
    (data / "k").mkdir(parents=True)
    (tmp_path / "link").symlink_to(data / "k")
    for place in (data, data / "k", data / "k" / "deeper", tmp_path / "link"):
        with pytest.raises(StorageFailure) as caught:
            FileKeyStore(place, data_dir=data)
        assert caught.value.slug == "keys-below-data"
    assert not FileKeyStore(tmp_path / "keys", data_dir=data).is_below(data)


def test_a_symlinked_key_file_is_refused(tmp_path):
    store = FileKeyStore(tmp_path / "k")
    (tmp_path / "elsewhere").write_bytes(b"x" * 32)
    (tmp_path / "k" / "a.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageFailure):
        store.get("a")
