"""The key pair that opens the identity inside an object (Encrypted Attributes Sequence).

ML-KEM-768 (RFC 9936): whoever keeps stolen objects until RSA and elliptic curves fall learns no
identities from them. An instance that has an RSA key from earlier goes on with it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from leadapron.store.keys import FileKeyStore

PRIVATE, CERTIFICATE = "identity-private", "identity-certificate"
VALIDITY = timedelta(days=3650)


def identity_certificate(keystore: FileKeyStore) -> bytes:
    """Return the centre's certificate (PEM) for identities, made on first use."""
    if CERTIFICATE not in keystore.names():
        private, certificate = _generate()
        keystore.put(PRIVATE, private)
        keystore.put(CERTIFICATE, certificate)
    return keystore.get(CERTIFICATE)


def _generate() -> tuple[bytes, bytes]:
    """Return private key and certificate; a KEM key cannot sign, so a key signs that then goes."""
    key, signer = MLKEM768PrivateKey.generate(), MLDSA65PrivateKey.generate()
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
        .add_extension(_ENCIPHERS, critical=True)
        .sign(signer, None)
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, certificate.public_bytes(Encoding.PEM)


_ENCIPHERS = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=True,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
"""The only use that RFC 9935 allows for an ML-KEM key."""
