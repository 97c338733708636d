"""Killed before any call that changes the disk, a store holds the old or the new, never half."""

import os

import pytest

from leadapron.model import NotFound
from leadapron.store.blobs import LocalBlobStore
from leadapron.store.encrypted_folder import EncryptedFolder
from leadapron.store.keys import FileKeyStore

pytestmark = pytest.mark.fault
KEY = bytes(32)
CHANGING = ("write", "fsync", "replace", "link", "mkdir", "unlink", "open", "utime")


def killed_at(countdown, work):
    """Run `work` in a child that dies before its n-th such call; tell whether it finished."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    left = [countdown]

    def wrap(real):
        def call(*args, **kwargs):
            left[0] -= 1
            if left[0] < 0:
                os._exit(9)
            return real(*args, **kwargs)

        return call

    try:
        for name in CHANGING:
            setattr(os, name, wrap(getattr(os, name)))
        work()
        os._exit(0)
    finally:
        os._exit(1)


def every_crash(tmp_path, prepare, work, check):
    for countdown in range(60):
        root = tmp_path / str(countdown)
        prepare(root)
        finished = killed_at(countdown, lambda root=root: work(root))
        check(root, finished)
        if finished:
            assert countdown >= 4
            return
    pytest.fail("it never finished")


@pytest.mark.parametrize("size", [10, 3 << 20])
def test_encrypted_folder(tmp_path, size):
    old, new = b"o" * size, b"n" * size

    def check(root, finished):
        folder = EncryptedFolder(root, KEY)
        assert folder.read("a") in ((new,) if finished else (old, new))
        assert folder.damaged() == []
        assert len(list(root.iterdir())) == 1
        folder.write("a", b"again")
        assert folder.read("a") == b"again"

    every_crash(
        tmp_path,
        lambda root: EncryptedFolder(root, KEY).write("a", old),
        lambda root: EncryptedFolder(root, KEY).write("a", new),
        check,
    )


def test_key_store_creates_once(tmp_path):
    def check(root, finished):
        try:
            first = FileKeyStore(root).get("a")
        except NotFound:
            assert not finished
            first = FileKeyStore(root).create("a")
        assert len(first) == 32
        assert FileKeyStore(root).create("a") == first
        assert FileKeyStore(root).names() == ["a"]

    every_crash(
        tmp_path,
        FileKeyStore,
        lambda root: FileKeyStore(root).create("a"),
        check,
    )


def test_key_store_replaces_whole(tmp_path):
    every_crash(
        tmp_path,
        lambda root: FileKeyStore(root).put("a", b"old"),
        lambda root: FileKeyStore(root).put("a", b"new"),
        lambda root, finished: _one_of(FileKeyStore(root).get("a"), finished),
    )


def _one_of(secret, finished):
    assert secret == b"new" if finished else secret in (b"old", b"new")


def test_blob_states_that_a_crash_leaves(tmp_path):
    """A digest without object, and an object being replaced: both of its digests stand."""
    store = LocalBlobStore(tmp_path)
    store.put("a", b"old")
    sidecar = tmp_path / ".sha256" / "a.sha256"
    (tmp_path / "a").unlink()
    with pytest.raises(NotFound):
        store.get("a")
    assert list(store.list()) == []
    store.put("a", b"new")
    assert store.get("a") == b"new"
    digest = sidecar.read_text()
    store.put("a", b"third", overwrite=True)
    sidecar.write_text(sidecar.read_text() + digest)
    assert store.get("a") == b"third"
    (tmp_path / "a").write_bytes(b"new")
    assert store.get("a") == b"new"
    assert store.put("a", b"new").sha256 == digest.strip()
    assert sidecar.read_text() == digest
