"""CMS EnvelopedData (RFC 5652) for the Encrypted Attributes Sequence: AES-256-CBC, any recipients.

The standard names CMS (PS3.15 E.1.1); this writes what ``openssl cms -decrypt`` opens, and for RSA
recipients alone what ``gdcmanon -d`` opens.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from asn1crypto import algos, cms, core
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from leadapron.deid.recipients import OpeningKey, Recipient, content_key, recipient_info
from leadapron.model import BadInput, IntegrityFailure

BLOCK = 16
_VERSIONS = {"ori": "v3", "pwri": "v3", "kari": "v2", "kekri": "v2"}


def envelop(content: bytes, recipients: Sequence[Recipient], *, oaep: bool = True) -> bytes:
    """Return DER EnvelopedData of `content` that each recipient's own key opens.

    Anybody who breaks the weakest of them reads the content: a quantum-safe recipient protects
    only where all are quantum-safe (ML-KEM, shared keys).
    """
    if not recipients:
        raise BadInput("no recipient", remedy="give at least one certificate or shared key")
    key, iv = secrets.token_bytes(32), secrets.token_bytes(BLOCK)
    padder = padding.PKCS7(BLOCK * 8).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    cipher_text = encryptor.update(padder.update(content) + padder.finalize())
    cipher_text += encryptor.finalize()
    infos = [recipient_info(r, key, oaep=oaep) for r in recipients]
    enveloped = cms.EnvelopedData(
        {
            "version": max((_VERSIONS.get(i.name, "v0") for i in infos), default="v0"),
            "recipient_infos": infos,
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


def open_envelope(der: bytes, key: OpeningKey) -> bytes:
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
        found = content_key(recipient, key)
        opened = _decrypt(algorithm, found, cipher_text) if found is not None else None
        if opened is not None:
            return opened
    raise IntegrityFailure(
        "this key opens none of the recipients", remedy="use a recipient's own key"
    )


def _decrypt(algorithm: algos.EncryptionAlgorithm, key: bytes, cipher_text: bytes) -> bytes | None:
    if algorithm.encryption_mode != "cbc" or algorithm.encryption_cipher != "aes":
        raise BadInput(
            "the content is encrypted with another cipher than AES-CBC",
            remedy="re-encrypt it with AES-CBC, the cipher that PS3.15 names",
        )
    try:
        decryptor = Cipher(algorithms.AES(key), modes.CBC(algorithm.encryption_iv)).decryptor()
        unpadder = padding.PKCS7(BLOCK * 8).unpadder()
        padded = decryptor.update(cipher_text) + decryptor.finalize()
        return bytes(unpadder.update(padded) + unpadder.finalize())
    except ValueError:
        return None
