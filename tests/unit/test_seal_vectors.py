"""Fixed sealed objects open as ever, and a reader written from docs/seal.md alone opens them.

`Reader` imports nothing of LeadApron: it shows that the page is complete.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from cryptography.hazmat.primitives import hashes, hpke, keywrap
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from leadapron.seal import CentreKeyPair, PatientKey, inspect, open_frame, unseal, verify_sealed

VECTORS = Path(__file__).parents[1] / "vectors" / "seal"
EXPECTED = json.loads((VECTORS / "expected.json").read_text())
NAMES = sorted(EXPECTED["objects"])
GROUP, CREATOR = 0x7FE1, "LEADAPRON SEAL 1.0"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Reader:
    """docs/seal.md, section by section."""

    def __init__(self, path: Path) -> None:
        self.ds = pydicom.dcmread(path)
        block = self.ds.private_block(GROUP, CREATOR)
        self.suite, self.profile, self.key_id = (str(block[e].value) for e in (1, 2, 3))
        size = struct.unpack_from("<I", block[4].value)[0]
        self.wrapped = block[4].value[4 : 4 + size]
        self.check, self.manifest = block[5].value, block[6].value
        items = [item.private_block(GROUP, CREATOR) for item in block[7].value]
        self.cells = {(i[8].value, i[9].value): i[0x0A].value for i in items}
        self.counts = (len({f for f, _ in self.cells}), len(self.cells))

    def context(self, role: int, a: int, b: int) -> bytes:
        texts = (self.suite, self.profile, str(self.ds.SOPInstanceUID))
        named = b"".join(struct.pack("<H", len(t)) + t.encode() for t in texts)
        numbers = struct.pack("<4I", a, b, self.ds.Rows, self.ds.Columns)
        return CREATOR.encode() + b"\0" + bytes([role]) + named + numbers

    def derive(self, dek: bytes, info: bytes, size: int) -> bytes:
        kind = hashes.SHA256() if self.suite == "AES256GCM_SHA256" else hashes.SM3()
        return HKDF(kind, size, None, info).derive(dek)

    def decrypt(self, dek: bytes, context: bytes, data: bytes) -> bytes:
        size = 32 if self.suite == "AES256GCM_SHA256" else 16
        made = self.derive(dek, context, size + 12)
        kind = algorithms.AES if size == 32 else algorithms.SM4
        cipher = Cipher(kind(made[:size]), modes.GCM(made[size:], data[-16:])).decryptor()
        cipher.authenticate_additional_data(context)
        return cipher.update(data[:-16]) + cipher.finalize()

    def centre_dek(self, pem: bytes) -> bytes:
        raw = base64.b64decode(b"".join(pem.split(b"\n")[1:-2]))
        ml_kem = mlkem.MLKEM768PrivateKey.from_seed_bytes(raw[:64])
        curve = x25519.X25519PrivateKey.from_private_bytes(raw[64:])
        public = ml_kem.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
        assert self.key_id == "centre-" + sha256(public)[:16]
        assert self.wrapped[0] == 1
        suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
        private = hpke.MLKEM768X25519PrivateKey(ml_kem, curve)
        return suite.decrypt(self.wrapped[1:], private, self.context(3, *self.counts))

    def patient_dek(self, key: bytes) -> bytes:
        assert self.wrapped[0] == 2
        kek = HKDF(hashes.SHA256(), 32, None, self.context(3, *self.counts)).derive(key)
        return keywrap.aes_key_unwrap_with_padding(kek, self.wrapped[1:])

    def open(self, dek: bytes) -> None:
        assert self.derive(dek, self.context(4, *self.counts), 32) == self.check
        plain = self.decrypt(dek, self.context(1, *self.counts), self.manifest)
        size = struct.unpack_from("<I", plain)[0]
        body, parts = zlib.decompress(plain[4 : 4 + size]), []
        while body:
            size = struct.unpack_from("<I", body)[0]
            parts.append(body[4 : 4 + size])
            body = body[4 + size :]
        self.json = json.loads(parts[0])
        self.sets = [pydicom.filereader.read_dataset(io.BytesIO(p), False, True) for p in parts[1:]]
        assert self.json["sop_instance_uid"] == self.ds.SOPInstanceUID
        assert self.json["profile"] == self.profile
        assert {(c[0], c[1]): c[4] for c in self.json["cells"]} == {
            at: sha256(data) for at, data in self.cells.items()
        }
        assert sha256(self.ds.PixelData) == self.json["encoded_sha256"]
        self.plain = {
            at: self.decrypt(dek, self.context(2, *at), d) for at, d in self.cells.items()
        }

    def raster(self, frame: int, regions: set[str] | None = None) -> np.ndarray:
        fmt = self.json["format"]
        word = np.dtype(f"<u{max(fmt['bits_allocated'] // 8, 1)}")
        raster = np.zeros((fmt["rows"] * fmt["samples"], fmt["columns"]), word)
        if self.profile == "REGIONS" and regions is None:
            raster[...] = self.ds.pixel_array.view(word)
        for at, number, names, *_ in self.json["cells"]:
            if at == frame and (regions is None or regions & set(names)):
                self.paste(raster, self.plain[at, number], fmt)
        return raster

    def paste(self, raster: np.ndarray, plain: bytes, fmt: dict) -> None:
        coding, masked, domain, _, top, left, height, width, count, n_mask, n = struct.unpack_from(
            "<4B7I", plain
        )
        mask = np.ones((height, width), bool)
        if masked:
            stride = math.ceil(width / 8)
            rows = np.frombuffer(zlib.decompress(plain[32 : 32 + n_mask]), np.uint8)
            rows = np.bitwise_xor.accumulate(rows.reshape(height, stride), axis=0)
            mask = np.unpackbits(rows, axis=1)[:, :width].astype(bool)
        data = plain[32 + n_mask : 32 + n_mask + n]
        if coding == 3:
            planes = np.frombuffer(zlib.decompress(data), np.uint8).reshape(raster.itemsize, -1)
            words = np.cumsum(planes.T.copy().view(raster.dtype).ravel(), dtype=raster.dtype)
        else:
            decode = {1: imagecodecs.jpegls_decode, 2: imagecodecs.htj2k_decode}[coding]
            words = decode(data)[mask]
        if domain == 0 and fmt["signed"]:
            words = words.astype(raster.dtype) - raster.dtype.type(1 << (fmt["bits_stored"] - 1))
        raster[top : top + height, left : left + width][mask] = words
        assert mask.sum() == count * (fmt["samples"] if not masked else 1)

    def frame_bytes(self, frame: int) -> bytes:
        fmt = self.json["format"]
        raster = self.raster(frame)
        if fmt["samples"] > 1 and not fmt["planar"]:
            raster = raster.reshape(fmt["samples"], fmt["rows"], fmt["columns"]).transpose(1, 2, 0)
        return raster.tobytes()


@pytest.fixture(scope="module")
def pair() -> CentreKeyPair:
    return CentreKeyPair.from_pem((VECTORS / "centre.private").read_bytes())


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_enough_to_open_a_seal(name):
    reader = Reader(VECTORS / f"{name}.dcm")
    reader.open(reader.centre_dek((VECTORS / "centre.private").read_bytes()))
    for number, digest in enumerate(EXPECTED["objects"][name]["frames"], start=1):
        if reader.json["form"] == "codestream":
            plain = reader.plain[number, 1]
            size = struct.unpack_from("<I", plain, 28)[0]
            assert plain[0] == 4
            assert sha256(plain[32 : 32 + size]) == digest
        else:
            assert sha256(reader.frame_bytes(number)) == digest
    assert reader.sets[0].Rows == reader.json["format"]["rows"]


def test_the_page_is_enough_to_open_a_patients_key(pair):
    reader = Reader(VECTORS / "patient.dcm")
    key = bytes.fromhex(EXPECTED["patient"]["key"])
    reader.open(reader.patient_dek(key))
    assert sha256(reader.frame_bytes(1)) == EXPECTED["objects"]["aes"]["frames"][0]
    patient = PatientKey(EXPECTED["patient"]["name"], key)
    ours = unseal(pydicom.dcmread(VECTORS / "patient.dcm"), patient)
    assert ours == unseal(pydicom.dcmread(VECTORS / "aes.dcm"), pair)


@pytest.mark.parametrize("name", NAMES)
def test_old_objects_still_open(name, pair):
    ds = pydicom.dcmread(VECTORS / f"{name}.dcm")
    verify_sealed(ds, profiles=("full", "regions"))
    wanted = EXPECTED["objects"][name]
    assert [f.sha256 for f in inspect(ds, pair).frames] == wanted["frames"]
    unseal(ds, pair)
    for region, digest in wanted["regions_of_frame_1"].items():
        assert sha256(open_frame(ds, pair, [region]).pixels.tobytes()) == digest
