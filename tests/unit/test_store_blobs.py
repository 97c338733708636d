import hashlib
import threading

import pytest

from leadapron.model import BadInput, Conflict, IntegrityFailure, NotFound, StorageFailure
from leadapron.store.blobs import BlobStore, LocalBlobStore


@pytest.fixture
def store(tmp_path):
    return LocalBlobStore(tmp_path / "objects")


def test_put_get_head_list_delete(store):
    info = store.put("st/1.2.3/1.2.4.dcm", b"film")
    assert isinstance(store, BlobStore)
    assert info.key == "st/1.2.3/1.2.4.dcm"
    assert (info.size, info.sha256) == (4, hashlib.sha256(b"film").hexdigest())
    store.put("st/9/a", b"")
    assert store.get("st/1.2.3/1.2.4.dcm") == b"film"
    assert store.head("st/1.2.3/1.2.4.dcm") == info
    assert sorted(i.key for i in store.list()) == ["st/1.2.3/1.2.4.dcm", "st/9/a"]
    assert [i.key for i in store.list("st/9")] == ["st/9/a"]
    store.delete("st/9/a")
    for call in (store.get, store.head, store.delete):
        with pytest.raises(NotFound):
            call("st/9/a")
    assert [i.key for i in store.list()] == ["st/1.2.3/1.2.4.dcm"]


def test_put_is_idempotent_and_never_overwrites(store):
    store.put("a", b"1")
    assert store.put("a", b"1").size == 1
    with pytest.raises(Conflict):
        store.put("a", b"2")
    assert store.get("a") == b"1"
    store.put("a", b"22", overwrite=True)
    assert store.get("a") == b"22"
    assert store.damaged() == []


def test_a_changed_object_is_not_returned_and_can_be_put_again(store):
    store.put("x/a", b"film")
    (store.path / "x/a").write_bytes(b"f1lm")
    with pytest.raises(IntegrityFailure):
        store.get("x/a")
    assert store.damaged() == ["x/a"]
    store.put("x/a", b"film")
    assert store.get("x/a") == b"film"


def test_an_object_without_digest_is_not_trusted(store):
    (store.path / "foreign").write_bytes(b"x")
    with pytest.raises(IntegrityFailure):
        store.get("foreign")
    assert store.damaged() == ["foreign"]


@pytest.mark.parametrize(
    "key", ["", "../a", "a/../b", "/a", "a//b", "a/", ".sha256/a", "a.sha256", "é", "a b", "a\x00"]
)
def test_keys_cannot_leave_the_folder(store, key):
    for call in (store.get, store.head, store.delete, lambda k: store.put(k, b"")):
        with pytest.raises(BadInput):
            call(key)


def test_unfinished_uploads_vanish_at_open(store):
    (store.path / ".staging" / "x.tmp").write_bytes(b"half")
    again = LocalBlobStore(store.path)
    assert list((store.path / ".staging").iterdir()) == []
    assert list(again.list()) == []


def test_one_of_many_writers_wins(store):
    outcomes = []

    def put(data):
        try:
            store.put("k", data)
            outcomes.append(data)
        except Conflict:
            outcomes.append(None)

    threads = [threading.Thread(target=put, args=(bytes([i]) * 1000,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [data for data in outcomes if data is not None]
    assert store.get("k") == winner


def test_a_key_below_an_object_is_refused(store):
    store.put("a", b"1")
    with pytest.raises((StorageFailure, Conflict)):
        store.put("a/b", b"2")
    assert store.get("a") == b"1"
    assert list((store.path / ".staging").iterdir()) == []
