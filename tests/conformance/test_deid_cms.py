"""Identity inside the object, judged from outside: openssl opens ours, gdcmanon both ways."""

from __future__ import annotations

import dataclasses
import datetime
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM1024PrivateKey
from cryptography.x509.oid import NameOID

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from deid_objects import GIVEN, NAME, NUMBER, reread, sample

from leadapron.deid import MemoryVault, Profile, cms, deidentify
from leadapron.deid.recipients import SharedKey
from leadapron.deid.reversible import reidentify_object
from leadapron.model import BadInput, IntegrityFailure

pytestmark = pytest.mark.conformance
HEADERS = dataclasses.replace(Profile.gateway(), clean_pixels=False)
SHARED = SharedKey(b"ward-7", bytes(range(32)))
SIGNER = ec.generate_private_key(ec.SECP256R1())
MAKERS: dict[str, Callable[[], Any]] = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ml-kem-768": MLKEM768PrivateKey.generate,
    "ml-kem-1024": MLKEM1024PrivateKey.generate,
}


def openssl(at_least: tuple[int, int]) -> str:
    for tool in (os.environ.get("LEADAPRON_OPENSSL"), shutil.which("openssl")):
        if tool is None:
            continue
        said = subprocess.run([tool, "version"], capture_output=True, text=True, check=False)
        found = re.match(r"OpenSSL (\d+)\.(\d+)", said.stdout)
        if found and (int(found[1]), int(found[2])) >= at_least:
            return tool
    pytest.skip(f"no openssl {at_least[0]}.{at_least[1]} or later: see scripts/newer_openssl.sh")


def certificate(private: Any, serial: int = 77) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"privacy officer {serial}")])
    signs = private if isinstance(private, rsa.RSAPrivateKey) else SIGNER
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(serial)
        .not_valid_before(datetime.datetime(2024, 1, 1))
        .not_valid_after(datetime.datetime(2044, 1, 1))
        .sign(signs, hashes.SHA256())
    )


def pem(private: Any) -> bytes:
    return private.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption())


def decrypt(tool: str, der: bytes, folder: Path, *key: str) -> bytes:
    (folder / "in.der").write_bytes(der)
    command = [tool, "cms", "-decrypt", "-inform", "DER", "-binary", "-in", folder / "in.der"]
    done = subprocess.run(
        [*command, *key, "-out", folder / "out"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return (folder / "out").read_bytes()


@pytest.mark.parametrize("kind", list(MAKERS))
def test_openssl_opens_each_kind_of_recipient(kind: str, tmp_path: Path) -> None:
    tool = openssl((3, 6) if kind.startswith("ml") else (3, 0))
    private, stranger = MAKERS[kind](), MAKERS[kind]()
    der = cms.envelop(b"name and number", [certificate(private)])
    (tmp_path / "key.pem").write_bytes(pem(private))
    (tmp_path / "cert.pem").write_bytes(certificate(private).public_bytes(ser.Encoding.PEM))
    keys = ("-inkey", str(tmp_path / "key.pem"), "-recip", str(tmp_path / "cert.pem"))
    assert decrypt(tool, der, tmp_path, *keys) == b"name and number"
    assert cms.open_envelope(der, private) == b"name and number"
    with pytest.raises(IntegrityFailure):
        cms.open_envelope(der, stranger)


@pytest.mark.parametrize("kind", list(MAKERS))
def test_we_open_what_openssl_writes(kind: str, tmp_path: Path) -> None:
    tool = openssl((3, 6) if kind.startswith("ml") else (3, 0))
    private = MAKERS[kind]()
    (tmp_path / "cert.pem").write_bytes(certificate(private).public_bytes(ser.Encoding.PEM))
    (tmp_path / "in").write_bytes(b"name and number")
    subprocess.run(
        [tool, "cms", "-encrypt", "-binary", "-aes-256-cbc", "-outform", "DER",
         "-in", tmp_path / "in", "-out", tmp_path / "out.der", tmp_path / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    assert cms.open_envelope((tmp_path / "out.der").read_bytes(), private) == b"name and number"


@pytest.mark.parametrize("size", [16, 24, 32])
def test_openssl_opens_with_a_key_that_both_hold(size: int, tmp_path: Path) -> None:
    shared = SharedKey(b"\x01\x02ward", bytes(range(size)))
    der = cms.envelop(b"name and number", [shared])
    keys = ("-secretkey", shared.key.hex(), "-secretkeyid", shared.key_id.hex())
    assert decrypt(openssl((3, 0)), der, tmp_path, *keys) == b"name and number"
    assert cms.open_envelope(der, shared) == b"name and number"
    with pytest.raises(IntegrityFailure):
        cms.open_envelope(der, SharedKey(b"\x01\x02ward", bytes(size)))


def test_several_recipients_of_all_kinds_open_one_object(tmp_path: Path) -> None:
    private = {kind: make() for kind, make in MAKERS.items()}
    certificates = [
        certificate(key, serial).public_bytes(ser.Encoding.PEM)
        for serial, key in enumerate(private.values(), 100)
    ]
    profile = dataclasses.replace(HEADERS, recipients=(*certificates, SHARED))
    ds = reread(sample("CT_small.dcm"))
    clean = reread(deidentify(ds, profile, MemoryVault(b"k" * 32)).require())
    for key in (*private.values(), SHARED):
        back = reidentify_object(clean, key)
        assert (back.PatientID, str(back.PatientName).split("=")[0]) == (NUMBER, f"{NAME}^{GIVEN}")
        assert back.SOPInstanceUID == ds.SOPInstanceUID
    content = clean.EncryptedAttributesSequence[0].EncryptedContent
    for number, (kind, key) in enumerate(private.items()):
        if kind.startswith("ml"):
            continue
        (tmp_path / "key.pem").write_bytes(pem(key))
        (tmp_path / "cert.pem").write_bytes(certificates[number])
        keys = ("-inkey", str(tmp_path / "key.pem"), "-recip", str(tmp_path / "cert.pem"))
        assert NAME.encode() in decrypt(openssl((3, 0)), content, tmp_path, *keys)


def test_a_key_that_cms_cannot_use_is_refused() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    with pytest.raises(BadInput):
        cms.envelop(b"x", [certificate(weak)])
    with pytest.raises(BadInput):
        SharedKey(b"name", b"short")
    with pytest.raises(BadInput):
        cms.envelop(b"x", [])


def gdcmanon() -> str:
    tool = shutil.which("gdcmanon")
    if tool is None:
        pytest.skip("gdcmanon (libgdcm-tools) is not installed")
    return tool


def test_gdcmanon_opens_ours(tmp_path: Path) -> None:
    private = MAKERS["rsa"]()
    one = certificate(private).public_bytes(ser.Encoding.PEM)
    two = certificate(MAKERS["rsa"](), 78).public_bytes(ser.Encoding.PEM)
    ds = reread(sample("CT_small.dcm"))
    profile = dataclasses.replace(HEADERS, recipients=(two, one))
    clean = deidentify(ds, profile, MemoryVault(b"k" * 32)).require()
    clean.save_as(tmp_path / "in.dcm", enforce_file_format=True)
    traditional = private.private_bytes(
        ser.Encoding.PEM, ser.PrivateFormat.TraditionalOpenSSL, ser.NoEncryption()
    )
    (tmp_path / "key.pem").write_bytes(traditional)
    (tmp_path / "cert.pem").write_bytes(one)
    done = subprocess.run(
        [gdcmanon(), "-d", "-k", tmp_path / "key.pem", "-c", tmp_path / "cert.pem",
         "-i", tmp_path / "in.dcm", "-o", tmp_path / "out.dcm"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    back = pydicom.dcmread(tmp_path / "out.dcm")
    assert back.PatientID == NUMBER
    assert str(back.PatientName).startswith(f"{NAME}^{GIVEN}")
    assert back.StudyDate == ds.StudyDate
    assert back.SOPInstanceUID == ds.SOPInstanceUID


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        (["deidentify", "--recipient", "cert.pem"], {}),
        (
            ["protect", "--transfer-syntax", "1.2.840.10008.1.2.1"],
            {"LEADAPRON_IDENTITY_RECIPIENTS": '["cert.pem"]'},
        ),
    ],
    ids=["deidentify", "gateway"],
)
def test_gdcmanon_opens_what_the_commands_write(
    words: list[str],
    variables: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from typer.testing import CliRunner

    from leadapron.app.cli.main import app

    monkeypatch.chdir(tmp_path)
    private = MAKERS["rsa"]()
    Path("cert.pem").write_bytes(certificate(private).public_bytes(ser.Encoding.PEM))
    Path("key.pem").write_bytes(pem(private))
    sample("RG1_UNCI.dcm").save_as("in.dcm", enforce_file_format=True)
    done = CliRunner().invoke(app, [*words, "in.dcm", "out.dcm", "--keys", "k"], env=variables)
    assert done.exit_code == 0, done.output
    assert NUMBER.encode() not in Path("out.dcm").read_bytes()
    judged = subprocess.run(
        [gdcmanon(), "-d", "-k", "key.pem", "-c", "cert.pem", "-i", "out.dcm", "-o", "back.dcm"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert pydicom.dcmread("back.dcm").PatientID == NUMBER


def test_we_open_gdcmanons(tmp_path: Path) -> None:
    private = MAKERS["rsa"]()
    (tmp_path / "cert.pem").write_bytes(certificate(private).public_bytes(ser.Encoding.PEM))
    ds = sample("CT_small.dcm")
    ds.save_as(tmp_path / "in.dcm", enforce_file_format=True)
    done = subprocess.run(
        [gdcmanon(), "-e", "-c", tmp_path / "cert.pem",
         "-i", tmp_path / "in.dcm", "-o", tmp_path / "out.dcm"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    hidden = pydicom.dcmread(tmp_path / "out.dcm")
    assert hidden.PatientID != NUMBER
    back = reidentify_object(hidden, private)
    assert back.PatientID == NUMBER
    assert back.SOPInstanceUID == ds.SOPInstanceUID


def test_the_centres_own_key_is_quantum_safe(tmp_path: Path) -> None:
    from leadapron.app.identity_key import PRIVATE, identity_certificate
    from leadapron.store.keys import FileKeyStore

    store = FileKeyStore(tmp_path / "keys")
    own = identity_certificate(store)
    assert identity_certificate(store) == own
    private = ser.load_pem_private_key(store.get(PRIVATE), None)
    assert isinstance(private, MLKEM768PrivateKey)
    profile = dataclasses.replace(HEADERS, recipients=(own,))
    clean = deidentify(reread(sample("CT_small.dcm")), profile, MemoryVault(b"k" * 32)).require()
    assert reidentify_object(reread(clean), private).PatientID == NUMBER
