"""The ways in which one recipient gets the content key of a CMS EnvelopedData (RFC 5652 6.2).

RSA certificate: KeyTransRecipientInfo, RSAES-OAEP (RFC 3560), PKCS #1 v1.5 on request.
EC certificate: KeyAgreeRecipientInfo, ephemeral-static ECDH, X9.63 KDF, AES wrap (RFC 5753).
Shared key: KEKRecipientInfo, AES key wrap (RFC 3565) under a key that a key store holds.
ML-KEM certificate: KEMRecipientInfo, ML-KEM-768 or -1024, HKDF, AES wrap (RFC 9629, RFC 9936).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from asn1crypto import algos, cms, core, keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric.mlkem import (
    MLKEM768PrivateKey,
    MLKEM768PublicKey,
    MLKEM1024PrivateKey,
    MLKEM1024PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from leadapron.model import BadInput

MIN_RSA_BITS, MIN_EC_BITS = 2048, 256
WRAP_BYTES = 32
AES_WRAP = {16: "2.16.840.1.101.3.4.1.5", 24: "2.16.840.1.101.3.4.1.25"}
AES256_WRAP = "2.16.840.1.101.3.4.1.45"
ORI_KEM = "1.2.840.113549.1.9.16.13.3"
HKDF_SHA256 = "1.2.840.113549.1.9.16.3.28"
ML_KEM = {
    MLKEM768PublicKey: "2.16.840.1.101.3.4.4.2",
    MLKEM1024PublicKey: "2.16.840.1.101.3.4.4.3",
}
ECDH: dict[str, tuple[type[hashes.HashAlgorithm], int]] = {
    "1.3.132.1.11.1": (hashes.SHA256, 256),
    "1.3.132.1.11.2": (hashes.SHA384, 384),
    "1.3.132.1.11.3": (hashes.SHA512, 521),
}
"""dhSinglePass-stdDH with the X9.63 KDF over each hash, for curves up to so many bits."""

_KDF_HASHES: dict[str, hashes.HashAlgorithm] = {
    "1.3.133.16.840.63.0.2": hashes.SHA1(),  # noqa: S303 - only to read what others wrote
    "1.3.132.1.11.0": hashes.SHA224(),
    **{oid: digest() for oid, (digest, _) in ECDH.items()},
}

KemPrivateKey = MLKEM768PrivateKey | MLKEM1024PrivateKey


@dataclass(frozen=True)
class SharedKey:
    """An AES key (16, 24 or 32 bytes) that a key store holds under a name both sides know."""

    key_id: bytes
    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse keys that AES cannot use."""
        if len(self.key) not in (16, 24, 32) or not self.key_id:
            raise BadInput(
                f"a shared key has {len(self.key)} bytes or no name",
                remedy="give an AES key of 16, 24 or 32 bytes and its name in the key store",
            )


Recipient = x509.Certificate | SharedKey
OpeningKey = RSAPrivateKey | ec.EllipticCurvePrivateKey | KemPrivateKey | SharedKey


class Algorithm(core.Sequence):
    """AlgorithmIdentifier whose parameters stay absent unless given (RFC 5280 4.1.1.2)."""

    _fields = [("algorithm", core.ObjectIdentifier), ("parameters", core.Any, {"optional": True})]  # noqa: RUF012


class EccSharedInfo(core.Sequence):
    """ECC-CMS-SharedInfo (RFC 5753 7.2)."""

    _fields = [  # noqa: RUF012
        ("key_info", Algorithm),
        ("entity_u_info", core.OctetString, {"explicit": 0, "optional": True}),
        ("supp_pub_info", core.OctetString, {"explicit": 2}),
    ]


class KemRecipientInfo(core.Sequence):
    """KEMRecipientInfo (RFC 9629 3)."""

    _fields = [  # noqa: RUF012
        ("version", core.Integer),
        ("rid", cms.RecipientIdentifier),
        ("kem", Algorithm),
        ("kemct", core.OctetString),
        ("kdf", Algorithm),
        ("kek_length", core.Integer),
        ("ukm", core.OctetString, {"explicit": 0, "optional": True}),
        ("wrap", Algorithm),
        ("encrypted_key", core.OctetString),
    ]


class KemOtherInfo(core.Sequence):
    """CMSORIforKEMOtherInfo (RFC 9629 5)."""

    _fields = [  # noqa: RUF012
        ("wrap", Algorithm),
        ("kek_length", core.Integer),
        ("ukm", core.OctetString, {"explicit": 0, "optional": True}),
    ]


def recipient_info(recipient: Recipient, key: bytes, *, oaep: bool = True) -> cms.RecipientInfo:
    """Return the RecipientInfo that gives `key` to one recipient; BadInput if none fits."""
    if isinstance(recipient, SharedKey):
        return _shared(recipient, key)
    public = recipient.public_key()
    if isinstance(public, RSAPublicKey) and public.key_size >= MIN_RSA_BITS:
        return _transport(recipient, public, key, oaep=oaep)
    if isinstance(public, ec.EllipticCurvePublicKey) and public.key_size >= MIN_EC_BITS:
        return _agreement(recipient, public, key)
    if isinstance(public, MLKEM768PublicKey | MLKEM1024PublicKey):
        return _encapsulation(recipient, public, key)
    raise BadInput(
        "a recipient's certificate has a key that CMS cannot encrypt to",
        remedy="issue a certificate with an RSA (2048 bits or more), EC (P-256 or more) or"
        " ML-KEM key",
    )


def content_key(info: cms.RecipientInfo, key: OpeningKey) -> bytes | None:
    """Return the content key if `key` opens this RecipientInfo, else None."""
    try:
        if info.name == "ktri" and isinstance(key, RSAPrivateKey):
            return _open_transport(info.chosen, key)
        if info.name == "kari" and isinstance(key, ec.EllipticCurvePrivateKey):
            return _open_agreement(info.chosen, key)
        if info.name == "kekri" and isinstance(key, SharedKey):
            return aes_key_unwrap(key.key, info.chosen["encrypted_key"].native)
        if info.name == "ori" and isinstance(key, MLKEM768PrivateKey | MLKEM1024PrivateKey):
            return _open_encapsulation(info.chosen, key)
    except (ValueError, TypeError, KeyError, InvalidUnwrap, InvalidKey):
        return None
    return None


def _issuer(certificate: x509.Certificate) -> cms.IssuerAndSerialNumber:
    own = asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
    return cms.IssuerAndSerialNumber({"issuer": own.issuer, "serial_number": own.serial_number})


def _rid(certificate: x509.Certificate) -> cms.RecipientIdentifier:
    return cms.RecipientIdentifier("issuer_and_serial_number", _issuer(certificate))


# RSA


def _transport(
    certificate: x509.Certificate, public: RSAPublicKey, key: bytes, *, oaep: bool
) -> cms.RecipientInfo:
    algorithm: dict[str, Any] = {"algorithm": "rsaes_pkcs1v15"}
    if oaep:
        algorithm = {"algorithm": "rsaes_oaep", "parameters": _oaep_parameters()}
    info = cms.KeyTransRecipientInfo(
        {
            "version": "v0",
            "rid": _rid(certificate),
            "key_encryption_algorithm": algorithm,
            "encrypted_key": public.encrypt(key, _padding(oaep=oaep)),
        }
    )
    return cms.RecipientInfo("ktri", info)


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


def _open_transport(info: cms.KeyTransRecipientInfo, private: RSAPrivateKey) -> bytes:
    method = info["key_encryption_algorithm"]
    oaep = method["algorithm"].native == "rsaes_oaep"
    digest: hashes.HashAlgorithm = hashes.SHA256()
    if oaep and method["parameters"].native is not None:
        named = method["parameters"]["hash_algorithm"]["algorithm"].native
        digest = {"sha1": hashes.SHA1(), "sha512": hashes.SHA512()}.get(named, digest)  # noqa: S303
    return private.decrypt(info["encrypted_key"].native, _padding(oaep=oaep, digest=digest))


# EC


def _agreement(
    certificate: x509.Certificate, public: ec.EllipticCurvePublicKey, key: bytes
) -> cms.RecipientInfo:
    ephemeral = ec.generate_private_key(public.curve)
    scheme = next(oid for oid, (_, bits) in ECDH.items() if public.key_size <= bits)
    secret = ephemeral.exchange(ec.ECDH(), public)
    wrapped = aes_key_wrap(_x963(secret, scheme, AES256_WRAP, None), key)
    info = cms.KeyAgreeRecipientInfo(
        {
            "version": "v3",
            "originator": cms.OriginatorIdentifierOrKey("originator_key", _point(ephemeral)),
            "key_encryption_algorithm": {
                "algorithm": scheme,
                "parameters": Algorithm({"algorithm": AES256_WRAP}),
            },
            "recipient_encrypted_keys": [
                {
                    "rid": cms.KeyAgreementRecipientIdentifier(
                        "issuer_and_serial_number", _issuer(certificate)
                    ),
                    "encrypted_key": wrapped,
                }
            ],
        }
    )
    return cms.RecipientInfo("kari", info)


def _point(private: ec.EllipticCurvePrivateKey) -> keys.PublicKeyInfo:
    der = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return keys.PublicKeyInfo.load(der)


def _x963(secret: bytes, scheme: str, wrap: str, ukm: bytes | None) -> bytes:
    size = next((n for n, oid in AES_WRAP.items() if oid == wrap), WRAP_BYTES)
    shared: dict[str, Any] = {
        "key_info": {"algorithm": wrap},
        "supp_pub_info": (size * 8).to_bytes(4, "big"),
    }
    if ukm is not None:
        shared["entity_u_info"] = ukm
    return X963KDF(_KDF_HASHES[scheme], size, EccSharedInfo(shared).dump()).derive(secret)


def _open_agreement(
    info: cms.KeyAgreeRecipientInfo, private: ec.EllipticCurvePrivateKey
) -> bytes | None:
    method = info["key_encryption_algorithm"]
    scheme = method["algorithm"].dotted
    wrap = Algorithm.load(method["parameters"].dump())["algorithm"].dotted
    point = info["originator"].chosen["public_key"]
    raw = bytes(point.contents[1:])  # the first octet of a BIT STRING counts its unused bits
    public = ec.EllipticCurvePublicKey.from_encoded_point(private.curve, raw)
    ukm = info["ukm"].native
    key = _x963(private.exchange(ec.ECDH(), public), scheme, wrap, ukm)
    for entry in info["recipient_encrypted_keys"]:
        try:
            return aes_key_unwrap(key, entry["encrypted_key"].native)
        except InvalidUnwrap:
            continue
    return None


# a key that both sides hold


def _shared(recipient: SharedKey, key: bytes) -> cms.RecipientInfo:
    info = cms.KEKRecipientInfo(
        {
            "version": "v4",
            "kekid": {"key_identifier": recipient.key_id},
            "key_encryption_algorithm": {
                "algorithm": AES_WRAP.get(len(recipient.key), AES256_WRAP)
            },
            "encrypted_key": aes_key_wrap(recipient.key, key),
        }
    )
    return cms.RecipientInfo("kekri", info)


# ML-KEM


def _encapsulation(
    certificate: x509.Certificate, public: MLKEM768PublicKey | MLKEM1024PublicKey, key: bytes
) -> cms.RecipientInfo:
    secret, cipher_text = public.encapsulate()
    info = KemRecipientInfo(
        {
            "version": 0,
            "rid": _rid(certificate),
            "kem": {"algorithm": next(o for c, o in ML_KEM.items() if isinstance(public, c))},
            "kemct": cipher_text,
            "kdf": {"algorithm": HKDF_SHA256},
            "kek_length": WRAP_BYTES,
            "wrap": {"algorithm": AES256_WRAP},
            "encrypted_key": aes_key_wrap(_hkdf(secret, AES256_WRAP, WRAP_BYTES, None), key),
        }
    )
    other = cms.OtherRecipientInfo({"ori_type": ORI_KEM, "ori_value": core.Any(info)})
    return cms.RecipientInfo("ori", other)


def _hkdf(secret: bytes, wrap: str, size: int, ukm: bytes | None) -> bytes:
    facts: dict[str, Any] = {"wrap": {"algorithm": wrap}, "kek_length": size}
    if ukm is not None:
        facts["ukm"] = ukm
    return HKDF(hashes.SHA256(), size, None, KemOtherInfo(facts).dump()).derive(secret)


def _open_encapsulation(info: cms.OtherRecipientInfo, private: KemPrivateKey) -> bytes | None:
    if info["ori_type"].dotted != ORI_KEM:
        return None
    kem = KemRecipientInfo.load(info["ori_value"].dump())
    size = int(kem["kek_length"].native)
    if kem["kdf"]["algorithm"].dotted != HKDF_SHA256 or size not in (16, 24, WRAP_BYTES):
        return None
    secret = private.decapsulate(kem["kemct"].native)
    kek = _hkdf(secret, kem["wrap"]["algorithm"].dotted, size, kem["ukm"].native)
    return aes_key_unwrap(kek, kem["encrypted_key"].native)
