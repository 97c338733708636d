"""Burned-in text is found, filled and, for recipients, restored."""

from __future__ import annotations

import dataclasses
import datetime
import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from leadapron.deid import MemoryVault, Profile, deidentify
from leadapron.deid.graphics import clear_unused_bits
from leadapron.deid.pixels import clean_pixels
from leadapron.deid.reversible import reidentify_object
from leadapron.model import IntegrityFailure, NotFound

SIDE = 224


def picture(text: str, where: tuple[int, int] = (12, 60)) -> np.ndarray:
    """Return a smooth uint8 picture with white text on it."""
    y, x = np.mgrid[:SIDE, :SIDE]
    gray = (60 + 50 * np.sin(x / 60) + 40 * np.cos(y / 70)).astype(np.uint8)
    if text:
        cv2.putText(gray, text, where, cv2.FONT_HERSHEY_SIMPLEX, 0.55, 255, 1, cv2.LINE_AA)
    return gray


def capture(samples: np.ndarray, photometric: str = "MONOCHROME2") -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3.4"
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.PatientName, ds.PatientID = "Kaufman^Scott", "6774825273"
    colour = photometric == "RGB"
    ds.Rows, ds.Columns = samples.shape[-3:-1] if colour else samples.shape[-2:]
    if samples.ndim == (4 if colour else 3):
        ds.NumberOfFrames = samples.shape[0]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 3 if colour else 1, photometric
    if colour:
        ds.PlanarConfiguration = 0
    bits = samples.dtype.itemsize * 8
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits, bits - 1, 0
    ds.PixelData = samples.tobytes()
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return pydicom.dcmread(BytesIO(buffer.getvalue()))


def hidden(before: np.ndarray, after: np.ndarray) -> bool:
    """Tell whether the text's strip became constant."""
    strip = after[44:64, 14:150]
    return bool((strip == strip[0, 0]).all() and (before != after).any())


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_text_on_gray_pictures_of_any_depth_is_filled(photometric: str) -> None:
    gray = picture("KAUFMAN 6774825273").astype(np.uint16) * 16
    ds = capture(gray if photometric == "MONOCHROME2" else 4080 - gray, photometric)
    before = ds.pixel_array.copy()
    done = clean_pixels(ds)
    assert done.examined
    assert done.boxes
    assert not done.left
    assert hidden(before, ds.pixel_array)
    assert (before[150:] == ds.pixel_array[150:]).all()


def test_every_frame_and_colour() -> None:
    frames = np.stack([picture(""), picture("KAUFMAN 6774825273")])
    ds = capture(np.repeat(frames[..., None], 3, axis=-1), "RGB")
    before = ds.pixel_array.copy()
    done = clean_pixels(ds)
    assert {box.frame for box in done.boxes} == {1}
    assert (before[0] == ds.pixel_array[0]).all()
    assert hidden(before[1], ds.pixel_array[1])


def test_laterality_marks_stay_and_nothing_is_rewritten() -> None:
    gray = picture("")
    cv2.putText(gray, "L", (180, 40), cv2.FONT_HERSHEY_SIMPLEX, 1.1, 255, 3, cv2.LINE_AA)
    ds = capture(gray)
    before = bytes(ds.PixelData)
    assert clean_pixels(ds).boxes == []
    assert ds.PixelData == before


def test_overlay_bits_hidden_in_the_samples_are_cleared() -> None:
    ds = capture(picture("").astype(np.uint16))
    ds.BitsStored, ds.HighBit = 12, 11
    ds.PixelData = (picture("").astype(np.uint16) | 0x8000).tobytes()
    clear_unused_bits(ds, 1 << 20)
    assert (np.frombuffer(ds.PixelData, np.uint16) == picture("").ravel()).all()


def recipient() -> tuple[rsa.RSAPrivateKey, bytes]:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "privacy officer")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(77)
        .not_valid_before(datetime.datetime(2024, 1, 1))
        .not_valid_after(datetime.datetime(2044, 1, 1))
        .sign(key, hashes.SHA256())
    )
    return key, certificate.public_bytes(ser.Encoding.PEM)


def test_recipients_get_everything_back(tmp_path: Path) -> None:
    (first, one), (second, two) = recipient(), recipient()
    stranger, _ = recipient()
    ds = capture(picture("KAUFMAN 6774825273"))
    profile = dataclasses.replace(Profile.gateway(), recipients=(one, two))
    clean = deidentify(ds, profile, MemoryVault()).require()
    assert clean.PixelData != ds.PixelData
    for key in (first, second):
        back = reidentify_object(clean, key)
        assert (back.PatientName, back.PatientID) == ("Kaufman^Scott", "6774825273")
        assert back.PixelData == ds.PixelData
        assert back.SOPInstanceUID == ds.SOPInstanceUID
    with pytest.raises(IntegrityFailure):
        reidentify_object(clean, stranger)
    with pytest.raises(NotFound):
        reidentify_object(ds, first)
    openssl_opens(clean, first, tmp_path)


def openssl_opens(clean: Dataset, key: rsa.RSAPrivateKey, folder: Path) -> None:
    tool = shutil.which("openssl")
    if tool is None:
        return
    pem = key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption())
    (folder / "key.pem").write_bytes(pem)
    (folder / "in.der").write_bytes(clean.EncryptedAttributesSequence[0].EncryptedContent)
    done = subprocess.run(
        [tool, "cms", "-decrypt", "-inform", "DER", "-binary", "-in", folder / "in.der",
         "-inkey", folder / "key.pem", "-out", folder / "out"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"Kaufman" in (folder / "out").read_bytes()
