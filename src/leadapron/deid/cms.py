"""CMS EnvelopedData (RFC 5652) for the Encrypted Attributes Sequence: RSA recipients, AES-256-CBC.

The standard names CMS (PS3.15 E.1.1); this writes what ``openssl cms -decrypt`` and ``gdcmanon -d``
open. Key transport is RSAES-OAEP; PKCS#1 v1.5, which older readers need, only on request.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from asn1crypto import algos, cms, core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding

from leadapron.model import BadInput, IntegrityFailure

BLOCK = 16
MIN_RSA_BITS = 2048


def envelop(content: bytes, recipients: Sequence[x509.Certificate], *, oaep: bool = True) -> bytes:
    """Return DER EnvelopedData of `content` that each certificate's private key opens."""
    if not recipients:
        raise BadInput("no recipient certificate", remedy="give at least one RSA certificate")
    key, iv = secrets.token_bytes(32), secrets.token_bytes(BLOCK)
    padder = padding.PKCS7(BLOCK * 8).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    cipher_text = encryptor.update(padder.update(content) + padder.finalize())
    cipher_text += encryptor.finalize()
    enveloped = cms.EnvelopedData(
        {
            "version": "v0",
            "recipient_infos": [_recipient(c, key, oaep=oaep) for c in recipients],
            "encrypted_content_info": {
                "content_type": "data",
                "content_encryption_algorithm": {
                    "algorithm": "aes256_cbc",
                    "parameters": core.OctetString(iv),
                },
                "encrypted_content": cipher_text,
            },
        }
    )
    wrapped = cms.ContentInfo({"content_type": "enveloped_data", "content": enveloped})
    return bytes(wrapped.dump())


def _recipient(certificate: x509.Certificate, key: bytes, *, oaep: bool) -> cms.RecipientInfo:
    public = certificate.public_key()
    if not isinstance(public, RSAPublicKey) or public.key_size < MIN_RSA_BITS:
        raise BadInput(
            "a recipient's certificate has no RSA key of 2048 bits or more",
            remedy="issue an RSA certificate for the recipient",
        )
    own = asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
    algorithm: dict[str, Any] = {"algorithm": "rsaes_pkcs1v15"}
    if oaep:
        algorithm = {"algorithm": "rsaes_oaep", "parameters": _oaep_parameters()}
    return cms.RecipientInfo(
        name="ktri",
        value=cms.KeyTransRecipientInfo(
            {
                "version": "v0",
                "rid": cms.RecipientIdentifier(
                    name="issuer_and_serial_number",
                    value=cms.IssuerAndSerialNumber(
                        {"issuer": own.issuer, "serial_number": own.serial_number}
                    ),
                ),
                "key_encryption_algorithm": algorithm,
                "encrypted_key": public.encrypt(key, _padding(oaep=oaep)),
            }
        ),
    )


def _oaep_parameters() -> algos.RSAESOAEPParams:
    sha256 = {"algorithm": "sha256"}
    return algos.RSAESOAEPParams(
        {
            "hash_algorithm": sha256,
            "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": sha256},
        }
    )


def _padding(*, oaep: bool, digest: hashes.HashAlgorithm | None = None) -> Any:
    if not oaep:
        return rsa_padding.PKCS1v15()
    chosen = digest or hashes.SHA256()
    return rsa_padding.OAEP(rsa_padding.MGF1(chosen), chosen, None)


def open_envelope(der: bytes, private_key: RSAPrivateKey) -> bytes:
    """Return the content; IntegrityFailure if this key opens none of the recipients."""
    try:
        content = cms.ContentInfo.load(der)["content"]
        info = content["encrypted_content_info"]
        cipher_text = info["encrypted_content"].native
        algorithm = info["content_encryption_algorithm"]
        recipients = list(content["recipient_infos"])
    except (ValueError, TypeError, KeyError) as error:
        raise BadInput(
            "this is no CMS EnvelopedData", remedy="the encrypted content is damaged"
        ) from error
    for recipient in recipients:
        if recipient.name == "ktri":
            opened = _try(recipient.chosen, algorithm, cipher_text, private_key)
            if opened is not None:
                return opened
    raise IntegrityFailure(
        "this key opens none of the recipients", remedy="use a recipient's own private key"
    )


def _try(
    recipient: cms.KeyTransRecipientInfo,
    algorithm: algos.EncryptionAlgorithm,
    cipher_text: bytes,
    private_key: RSAPrivateKey,
) -> bytes | None:
    method = recipient["key_encryption_algorithm"]
    oaep = method["algorithm"].native == "rsaes_oaep"
    digest: hashes.HashAlgorithm = hashes.SHA256()
    if oaep and method["parameters"].native is not None:
        named = method["parameters"]["hash_algorithm"]["algorithm"].native
        digest = {"sha1": hashes.SHA1(), "sha512": hashes.SHA512()}.get(named, digest)  # noqa: S303
    try:
        key = private_key.decrypt(
            recipient["encrypted_key"].native, _padding(oaep=oaep, digest=digest)
        )
        return _decrypt(algorithm, key, cipher_text)
    except ValueError:
        return None


def _decrypt(algorithm: algos.EncryptionAlgorithm, key: bytes, cipher_text: bytes) -> bytes:
    if algorithm.encryption_mode != "cbc" or algorithm.encryption_cipher != "aes":
        raise BadInput(
            "the content is encrypted with another cipher than AES-CBC",
            remedy="re-encrypt it with AES-CBC, the cipher that PS3.15 names",
        )
    decryptor = Cipher(algorithms.AES(key), modes.CBC(algorithm.encryption_iv)).decryptor()
    unpadder = padding.PKCS7(BLOCK * 8).unpadder()
    padded = decryptor.update(cipher_text) + decryptor.finalize()
    return bytes(unpadder.update(padded) + unpadder.finalize())
