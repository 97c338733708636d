"""The offline archive: what is signed is what gets installed, and nothing else is."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from leadapron.app.bundle import public_pem, signing_key, verify_bundle, write_bundle
from leadapron.app.offline import ed25519, install
from leadapron.app.wheels import checkout, lock_text, repack
from leadapron.model import BadInput, IntegrityFailure, NotFound

# RFC 8032 section 7.1, tests 1 to 3: key, message, signature.
RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
        "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e"
        "458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290"
        "ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


def wheel(folder: Path, name: str = "nothing", version: str = "1.0") -> Path:
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        info = f"{name}-{version}.dist-info"
        archive.writestr(f"{name}.py", "ANSWER = 42\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\n")
    return path


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
def archive(tmp_path: Path, key: Ed25519PrivateKey) -> Path:
    wheels = [wheel(tmp_path), wheel(tmp_path, "other")]
    return write_bundle(wheels, key, tmp_path / "bundle.tar").path


def unpacked(archive: Path, target: Path) -> Path:
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="data")
    return next(target.iterdir())


def rewritten(archive: Path, target: Path, change) -> Path:
    """Copy the archive, passing every (name, bytes) through `change`; None drops the member."""
    with tarfile.open(archive) as old, tarfile.open(target, "w") as new:
        for member in old:
            data = change(member.name.split("/", 1)[1], old.extractfile(member).read())
            if data is not None:
                partial = target.with_suffix(".member")
                partial.write_bytes(data)
                new.add(partial, member.name)
    return target


@pytest.mark.parametrize(("public", "message", "signature"), RFC_8032)
def test_own_verifier_gives_the_rfc_answers(public, message, signature):
    args = bytes.fromhex(public), bytes.fromhex(message)
    assert ed25519.verify(*args, bytes.fromhex(signature))
    assert not ed25519.verify(args[0], args[1] + b"x", bytes.fromhex(signature))
    broken = bytearray.fromhex(signature)
    broken[3] ^= 1
    assert not ed25519.verify(*args, bytes(broken))


def test_own_verifier_agrees_with_the_library_and_refuses_malleable_signatures(key):
    public = key.public_key().public_bytes_raw()
    for message in (b"", b"film", bytes(1000)):
        signature = key.sign(message)
        assert ed25519.verify(public, message, signature)
        scalar = int.from_bytes(signature[32:], "little") + ed25519.ORDER
        assert not ed25519.verify(public, message, signature[:32] + scalar.to_bytes(32, "little"))
    assert not ed25519.verify(public, b"film", b"short")


def test_same_wheels_and_key_give_the_same_bytes(tmp_path, key, archive):
    again = write_bundle(
        [tmp_path / "other-1.0-py3-none-any.whl", tmp_path / "nothing-1.0-py3-none-any.whl"],
        key,
        tmp_path / "again.tar",
    )
    assert again.path.read_bytes() == archive.read_bytes()
    assert again.public_key.read_bytes() == public_pem(key)


def test_a_whole_archive_verifies_both_ways(tmp_path, key, archive):
    manifest = verify_bundle(archive, public_pem(key))
    assert {"wheels/nothing-1.0-py3-none-any.whl", "install.sh"} < set(manifest["files"])
    folder = unpacked(archive, tmp_path / "unpacked")
    assert install.verified(folder, public_pem(key).decode()) == manifest


CHANGES = {
    "a wheel changed": lambda n, d: d + b"x" if n.endswith(".whl") else d,
    "the installer changed": lambda n, d: d + b"#" if n == "install.py" else d,
    "a wheel is missing": lambda n, d: None if n.startswith("wheels/other") else d,
    "the manifest changed": lambda n, d: d.replace(b'"0.', b'"9.') if n == "manifest.json" else d,
    "no signature": lambda n, d: None if n.endswith(".sig") else d,
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_tampered_archive_is_refused(tmp_path, key, archive, what):
    bad = rewritten(archive, tmp_path / "bad.tar", CHANGES[what])
    with pytest.raises(IntegrityFailure):
        verify_bundle(bad, public_pem(key))
    folder = unpacked(bad, tmp_path / "unpacked")
    with pytest.raises((install.InstallError, FileNotFoundError)):
        install.verified(folder, public_pem(key).decode())


def test_an_added_file_is_refused(tmp_path, key, archive):
    stranger = wheel(tmp_path, "stranger")
    with tarfile.open(archive, "a") as tar:
        top = tar.getnames()[0].split("/")[0]
        tar.add(stranger, f"{top}/wheels/{stranger.name}")
    with pytest.raises(IntegrityFailure, match="stranger"):
        verify_bundle(archive, public_pem(key))
    with pytest.raises(install.InstallError, match="stranger"):
        install.verified(unpacked(archive, tmp_path / "u"), public_pem(key).decode())


def test_links_and_truncation_are_refused(tmp_path, key, archive):
    cut = tmp_path / "cut.tar"
    cut.write_bytes(archive.read_bytes()[:-20000])
    with pytest.raises(IntegrityFailure):
        verify_bundle(cut, public_pem(key))
    with tarfile.open(archive, "a") as tar:
        link = tarfile.TarInfo("elsewhere/evil")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(IntegrityFailure, match="no plain file"):
        verify_bundle(archive, public_pem(key))


def test_another_signer_is_refused(tmp_path, archive):
    other = public_pem(Ed25519PrivateKey.generate())
    with pytest.raises(IntegrityFailure, match="not by this public key"):
        verify_bundle(archive, other)
    with pytest.raises(install.InstallError, match="not by this public key"):
        install.verified(unpacked(archive, tmp_path / "u"), other.decode())


def test_keys_and_files_that_are_none(tmp_path, archive):
    with pytest.raises(BadInput):
        verify_bundle(archive, b"no key")
    with pytest.raises(NotFound):
        verify_bundle(tmp_path / "nowhere.tar", b"")
    with pytest.raises(install.InstallError):
        install.public_key("no key")


def test_signing_key_is_made_once_and_private(tmp_path):
    path = tmp_path / "keys" / "bundle.pem"
    made = signing_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert signing_key(path).private_bytes_raw() == made.private_bytes_raw()
    path.write_text("something else")
    with pytest.raises(BadInput):
        signing_key(path)


def test_an_archive_for_another_python_or_machine_is_refused(archive, key):
    manifest = verify_bundle(archive, public_pem(key))
    install.check_host(manifest)
    for change in ({"python": "3.8"}, {"platform": "linux-s390x"}):
        with pytest.raises(install.InstallError):
            install.check_host(manifest | change)


def release(prefix: Path, name: str) -> Path:
    made = prefix / "releases" / name
    made.mkdir(parents=True)
    (made / install.MARKER).touch()
    return made


def test_activation_switches_keeps_one_back_and_rolls_back(tmp_path):
    for name in ("1.0-a", "2.0-b", "3.0-c"):
        install.activate(tmp_path, release(tmp_path, name))
        assert (tmp_path / "current").resolve().name == name
    assert not (tmp_path / "releases" / "1.0-a").exists()
    assert install.rollback(tmp_path) == "2.0-b"
    assert (tmp_path / "previous").resolve().name == "3.0-c"


def test_an_older_release_needs_a_word_and_a_failed_one_changes_nothing(
    tmp_path, archive, key, monkeypatch
):
    folder = unpacked(archive, tmp_path / "u")
    newer = release(tmp_path / "prefix", "99.0-x")
    install.activate(tmp_path / "prefix", newer)
    pem = tmp_path / "bundle.tar.pub"
    with pytest.raises(install.InstallError, match="newer"):
        install.install(folder, tmp_path / "prefix", pem, allow_downgrade=False)
    # The wheels of this archive hold no program, so building the release must fail.
    with pytest.raises((subprocess.CalledProcessError, StopIteration)):
        install.install(folder, tmp_path / "prefix", pem, allow_downgrade=True)
    assert (tmp_path / "prefix" / "current").resolve() == newer


def test_the_installer_asks_whose_signature_counts(tmp_path, archive):
    folder = unpacked(archive, tmp_path / "u")
    done = subprocess.run(
        ["sh", folder / "install.sh", "--prefix", tmp_path / "p"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 65
    assert "--public-key" in done.stderr
    assert not (tmp_path / "p" / "current").exists()


def test_a_repacked_wheel_holds_what_the_record_says(tmp_path):
    path = repack(distribution("typer"), tmp_path)
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        record = next(name for name in names if name.endswith("RECORD"))
        rows = archive.read(record).decode().splitlines()
        assert {row.split(",")[0] for row in rows} == names
        assert archive.testzip() is None
    assert not any("__pycache__" in name or name.endswith("INSTALLER") for name in names)
    first = path.read_bytes()
    assert repack(distribution("typer"), tmp_path).read_bytes() == first


def test_the_lock_is_here_and_names_no_index():
    assert checkout() is not None
    text = lock_text("runtime.txt")
    assert "pydicom==" in text
    assert "://" not in text


def test_command_refuses_unsigned_archives_and_checks_others(tmp_path, archive):
    program = [sys.executable, "-c", "from leadapron.app.cli.main import main; main()", "bundle"]
    unsigned = subprocess.run(
        [*program, tmp_path / "o.tar", "--json"], capture_output=True, check=False
    )
    assert unsigned.returncode == 65
    assert json.loads(unsigned.stdout)["ok"] is False
    checked = subprocess.run(
        [*program, "--verify", archive, "--public-key", f"{archive}.pub", "--json"],
        capture_output=True,
        check=False,
    )
    assert checked.returncode == 0
    assert json.loads(checked.stdout)["files"] == 6
