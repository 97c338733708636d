"""The RSA key pair that opens the identity inside an object (Encrypted Attributes Sequence).

CMS names no hybrid key transport that other tools open today, so this one is RSA: whoever keeps
stolen objects until RSA falls would learn identities, not pixels (those are under ML-KEM too).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from leadapron.store.keys import FileKeyStore

PRIVATE, CERTIFICATE = "identity-private", "identity-certificate"
RSA_BITS = 3072
VALIDITY = timedelta(days=3650)


def identity_certificate(keystore: FileKeyStore) -> bytes:
    """Return the centre's certificate (PEM) for identities, made on first use."""
    if CERTIFICATE not in keystore.names():
        private, certificate = _generate()
        keystore.put(PRIVATE, private)
        keystore.put(CERTIFICATE, certificate)
    return keystore.get(CERTIFICATE)


def _generate() -> tuple[bytes, bytes]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "LeadApron identities")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + VALIDITY)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, certificate.public_bytes(Encoding.PEM)
