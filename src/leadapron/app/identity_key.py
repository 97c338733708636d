"""Who opens the identity inside an object (Encrypted Attributes Sequence): our key, and others.

Ours is ML-KEM-768 (RFC 9936) unless set otherwise: whoever keeps stolen objects until RSA and
elliptic curves fall learns no identities from them. A key once made stays, whatever kind it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from leadapron.deid.recipients import recipient_info
from leadapron.model import BadInput
from leadapron.store.keys import FileKeyStore

PRIVATE, CERTIFICATE = "identity-private", "identity-certificate"
VALIDITY = timedelta(days=3650)
KINDS = ("ml-kem-768", "rsa-3072", "ec-p256")


def identity_recipients(
    keystore: FileKeyStore, kind: str | None, further: Sequence[Path]
) -> tuple[bytes, ...]:
    """Return the certificates (PEM) of everybody who opens identities: ours first."""
    return (identity_certificate(keystore, kind), *(certificate_in(path) for path in further))


def identity_certificate(keystore: FileKeyStore, kind: str | None = None) -> bytes:
    """Return our own certificate (PEM) for identities, made on first use.

    `kind` is one of KINDS, None for the one that is there or else the first. BadInput if another
    kind is there: the key that opens earlier objects is never replaced.
    """
    if CERTIFICATE not in keystore.names():
        private, certificate = _generate(kind or KINDS[0])
        keystore.put(PRIVATE, private)
        keystore.put(CERTIFICATE, certificate)
    own = keystore.get(CERTIFICATE)
    if kind is not None and (there := _kind(own)) != kind:
        raise BadInput(
            f"the identity key of this instance is {there}, the setting identity_key says {kind}",
            remedy="leave identity_key out; give the other key's certificate in"
            " identity_recipients",
            code="identity-key",
        )
    return own


def certificate_in(path: Path) -> bytes:
    """Return the first certificate of a PEM file; BadInput unless CMS can encrypt to its key."""
    try:
        content = path.expanduser().read_bytes()
        certificate = x509.load_pem_x509_certificate(content)
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{path} holds no certificate that can be read",
            remedy="give a certificate (PEM) that the user of this process may read",
            code="bad-certificate",
        ) from error
    recipient_info(certificate, bytes(32))
    return certificate.public_bytes(Encoding.PEM)


def _kind(certificate: bytes) -> str:
    key: Any = x509.load_pem_x509_certificate(certificate).public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"rsa-{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ec-p{key.key_size}"
    return KINDS[0]


def _generate(kind: str) -> tuple[bytes, bytes]:
    """Return private key and certificate; a KEM key cannot sign, so a key signs that then goes."""
    key: Any
    signer: Any
    if kind == "rsa-3072":
        key = signer = rsa.generate_private_key(65537, 3072)
    elif kind == "ec-p256":
        key = signer = ec.generate_private_key(ec.SECP256R1())
    else:
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
        .add_extension(_usage(kind), critical=True)
        .sign(signer, None if signer is not key else hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, certificate.public_bytes(Encoding.PEM)


def _usage(kind: str) -> x509.KeyUsage:
    """Return the only use of such a key (RFC 9935 5, RFC 3279 2.3.1, RFC 5480 3)."""
    agrees = kind == "ec-p256"
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=not agrees,
        data_encipherment=False,
        key_agreement=agrees,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
