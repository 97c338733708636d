"""What stands beside the samples in Pixel Data: comments of the codecs, bytes after the end."""

from __future__ import annotations

import pytest
from deid_objects import NAME, NUMBER, sample, secrets_in, written
from pydicom.encaps import encapsulate, generate_frames
from test_deid_objects import clean

COMPRESSED = [
    "JPEG2000.dcm", "693_J2KI.dcm", "color3d_jpeg_baseline.dcm", "MR_small_jpeg_ls_lossless.dcm",
    "emri_small_jpeg_2k_lossless.dcm", "JPEGLSNearLossless_08.dcm", "MR_small_RLE.dcm",
    "emri_small_RLE.dcm", "SC_rgb_small_odd_jpeg.dcm",
]  # fmt: skip


def commented(frame: bytes) -> bytes:
    """Return a codestream that carries the patient's name in a comment and after its end."""
    note = f"taken of {NAME} {NUMBER}".encode()
    if frame.startswith(b"\xff\x4f"):
        size = 2 + int.from_bytes(frame[4:6], "big") + 2
        comment = b"\xff\x64" + (len(note) + 4).to_bytes(2, "big") + b"\0\1" + note
        return frame[:size] + comment + frame[size:] + note
    if frame.startswith(b"\xff\xd8"):
        comment = b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note
        exif = b"\xff\xe1" + (len(note) + 8).to_bytes(2, "big") + b"Exif\0\0" + note
        return frame[:2] + comment + exif + frame[2:] + note
    return frame


@pytest.mark.parametrize("name", COMPRESSED)
def test_comments_in_codestreams_go_and_samples_stay(name: str) -> None:
    ds = sample(name)
    before = ds.pixel_array.copy()
    frames = list(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames", 1))))
    if not frames[0].startswith((b"\xff\xd8", b"\xff\x4f")):
        assert secrets_in(written(clean(ds))) == []
        return
    ds.PixelData = encapsulate([commented(f) for f in frames])
    out = clean(ds)
    assert secrets_in(written(out)) == []
    assert (out.pixel_array == before).all()


def test_bytes_after_the_last_sample_go() -> None:
    ds = sample("CT_small.dcm")
    before = ds.pixel_array.copy()
    ds.PixelData += f"{NAME} {NUMBER}".encode() + b" "
    out = clean(ds)
    assert secrets_in(written(out)) == []
    assert (out.pixel_array == before).all()
