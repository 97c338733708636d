"""Who opens the identity inside an object: the kind of our own key and further certificates."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pydicom
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from deid_objects import NUMBER, reread, sample
from typer.testing import CliRunner

from leadapron.app.cli.main import app
from leadapron.app.identity_key import KINDS, PRIVATE, identity_certificate
from leadapron.app.settings import Settings
from leadapron.deid import MemoryVault, deidentify
from leadapron.deid.reversible import ENCRYPTED_ATTRIBUTES, reidentify_object
from leadapron.model import BadInput
from leadapron.store.keys import FileKeyStore


def officer(folder: Path, bits: int = 2048) -> tuple[rsa.RSAPrivateKey, Path]:
    """Write a certificate of somebody who may open identities; return key and path."""
    private = rsa.generate_private_key(65537, bits)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "privacy officer")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2024, 1, 1))
        .not_valid_after(datetime(2044, 1, 1))
        .sign(private, hashes.SHA256())
    )
    path = folder / f"officer-{bits}.pem"
    path.write_bytes(made.public_bytes(ser.Encoding.PEM))
    return private, path


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a folder of its own; return its settings file."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "leadapron.toml"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_own_key_opens_what_the_gateway_writes(kind: str, settings: Path) -> None:
    private, certificate = officer(settings.parent)
    settings.write_text(f'identity_key = "{kind}"\nidentity_recipients = ["{certificate}"]\n')
    store = FileKeyStore(settings.parent / "keys")
    profile = Settings.of().gateway_profile(store)
    clean = deidentify(reread(sample("CT_small.dcm")), profile, MemoryVault(b"k" * 32)).require()
    own = ser.load_pem_private_key(store.get(PRIVATE), None)
    for key in (own, private):
        assert reidentify_object(reread(clean), key).PatientID == NUMBER  # type: ignore[arg-type]


def test_the_default_is_quantum_safe_and_a_key_once_made_stays(settings: Path) -> None:
    store = FileKeyStore(settings.parent / "keys")
    own = identity_certificate(store)
    assert identity_certificate(store, "ml-kem-768") == own
    settings.write_text('identity_key = "rsa-3072"\n')
    with pytest.raises(BadInput, match="ml-kem-768") as refused:
        Settings.of().gateway_profile(store)
    assert "identity_recipients" in refused.value.remedy
    assert identity_certificate(store) == own


def test_certificates_that_cannot_be_used_are_refused_by_name(settings: Path) -> None:
    _, weak = officer(settings.parent, 1024)
    (settings.parent / "noise.pem").write_text("no certificate")
    for path in (weak, settings.parent / "noise.pem", settings.parent / "absent.pem"):
        settings.write_text(f'identity_recipients = ["{path}"]\n')
        with pytest.raises(BadInput, match="identity_recipients"):
            Settings.of()
    settings.write_text('identity_key = "rsa-1024"\n')
    with pytest.raises(BadInput, match="identity_key"):
        Settings.of()


def test_deidentify_carries_the_identity_only_for_whom_the_command_names(settings: Path) -> None:
    private, certificate = officer(settings.parent)
    settings.write_text(f'identity_recipients = ["{certificate}"]\n')
    sample("CT_small.dcm").save_as("in.dcm", enforce_file_format=True)
    words = ["deidentify", "in.dcm", "out.dcm", "--keys", "keys"]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert ENCRYPTED_ATTRIBUTES not in pydicom.dcmread("out.dcm")
    done = CliRunner().invoke(app, [*words, "--recipient", str(certificate)])
    assert done.exit_code == 0, done.output
    assert reidentify_object(pydicom.dcmread("out.dcm"), private).PatientID == NUMBER
    assert CliRunner().invoke(app, [*words, "--recipient", "absent.pem"]).exit_code != 0
