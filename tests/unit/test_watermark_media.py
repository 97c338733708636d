"""Whatever a leaked file is: read wholly, within bounds, in a process that may die."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file

from leadapron.model import BadInput
from leadapron.watermark import apart
from leadapron.watermark.apart import read_apart
from leadapron.watermark.media import MOST_SHOTS, read_media


def scene(seed: int, shape=(180, 240)) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 9)
    return np.clip(128 + 900 * smooth, 0, 255).astype(np.uint8)


def film_of(scenes: list[np.ndarray], path, fourcc: str, rate: float = 10.0) -> bytes:
    rows, columns = scenes[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*fourcc), rate, (columns, rows))
    assert writer.isOpened(), fourcc
    for one in scenes:
        writer.write(cv2.cvtColor(one, cv2.COLOR_GRAY2BGR))
    writer.release()
    return path.read_bytes()


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    plain = one if one.ndim == 2 else one[..., 1]
    return float(np.corrcoef(plain.ravel(), other.ravel())[0, 1])


@pytest.mark.parametrize(("suffix", "fourcc"), [("mp4", "mp4v"), ("avi", "MJPG"), ("webm", "VP80")])
def test_each_scene_of_a_film_is_read_once(tmp_path, suffix, fourcc):
    scenes = [scene(i // 10) for i in range(40)]
    data = film_of(scenes, tmp_path / f"film.{suffix}", fourcc)
    read = read_apart(data)
    assert (read.kind, len(read.shots)) == ("video", 4)
    for place, shot in enumerate(read.shots):
        assert likeness(shot.pixels, scene(place)) > 0.95
        assert place * 1000 <= shot.at_ms < (place + 1) * 1000


def test_of_a_shaking_run_the_sharpest_frame_is_kept(tmp_path):
    sharp = scene(3)
    run = [cv2.GaussianBlur(sharp, (0, 0), s) for s in (3.0, 2.0)] + [sharp]
    run += [cv2.GaussianBlur(sharp, (0, 0), 2.5)]
    (shot,) = read_media(film_of(run, tmp_path / "film.avi", "MJPG")).shots
    assert shot.number == 3


def test_a_restless_film_is_bounded(tmp_path):
    data = film_of([scene(i) for i in range(300)], tmp_path / "film.avi", "MJPG")
    read = read_media(data)
    assert read.frames == 300
    assert len(read.shots) == MOST_SHOTS
    assert read.shots[-1].number - read.shots[0].number > 150


def test_animations_and_pages_are_read_wholly():
    pictures = [Image.fromarray(scene(i)) for i in range(3)]
    for kind, format_, extra in (
        ("animation", "GIF", {"duration": 500}),
        ("animation", "WEBP", {"duration": 500, "lossless": True}),
        ("animation", "PNG", {"duration": 500}),
        ("pages", "TIFF", {}),
    ):
        buffer = io.BytesIO()
        pictures[0].save(buffer, format_, save_all=True, append_images=pictures[1:], **extra)
        read = read_apart(buffer.getvalue())
        assert (read.kind, read.frames, len(read.shots)) == (kind, 3, 3), format_
        for place, shot in enumerate(read.shots):
            assert likeness(shot.pixels, scene(place)) > 0.9, format_


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF"])
def test_single_pictures_come_through_the_process(format_):
    buffer = io.BytesIO()
    Image.fromarray(scene(1)).save(buffer, format_)
    (shot,) = read_apart(buffer.getvalue()).shots
    assert likeness(shot.pixels, scene(1)) > 0.98


def test_deep_pictures_stay_deep():
    deep = (scene(2).astype(np.uint16) << 8) | 0x5A
    buffer = io.BytesIO()
    Image.fromarray(deep).save(buffer, "PNG")
    (shot,) = read_apart(buffer.getvalue()).shots
    assert shot.pixels.dtype == np.uint16
    assert np.array_equal(shot.pixels, deep)


def test_heic_from_an_outside_encoder(tmp_path):
    tool = shutil.which("heif-enc") or shutil.which("convert")
    if tool is None:
        pytest.skip("no HEIC encoder: apt-get install imagemagick")
    png, heic = tmp_path / "a.png", tmp_path / "a.heic"
    Image.fromarray(scene(4)).save(png)
    arguments = [str(png), "-o", str(heic)] if "heif" in tool else [str(png), str(heic)]
    made = subprocess.run([tool, *arguments], capture_output=True, check=False)
    if made.returncode or not heic.exists():
        pytest.skip("the encoder cannot write HEIC: apt-get install libheif1 with x265")
    read = read_apart(heic.read_bytes())
    assert (read.kind, len(read.shots)) == ("picture", 1)
    assert likeness(read.shots[0].pixels, scene(4)) > 0.95


def test_dicom_with_one_and_with_many_frames(tmp_path):
    single = Path(get_testdata_file("CT_small.dcm", read=False))
    read = read_apart(single.read_bytes())
    assert (read.kind, len(read.shots)) == ("dicom", 1)
    cine = dcmread(single)
    frames = np.stack([scene(i) for i in range(5)])
    cine.Rows, cine.Columns, cine.NumberOfFrames = 180, 240, 5
    cine.BitsAllocated = cine.BitsStored = 8
    cine.HighBit, cine.PixelRepresentation, cine.PixelData = 7, 0, frames.tobytes()
    cine["PixelData"].VR = "OB"
    cine.save_as(tmp_path / "cine.dcm")
    read = read_apart((tmp_path / "cine.dcm").read_bytes())
    assert (read.frames, [s.number for s in read.shots]) == (5, [1, 2, 3, 4, 5])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "unknown-format"),
        (b"hello", "unknown-format"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "unknown-format"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "unknown-format"),
        (b"\0\0\0\x18ftypmp42" + bytes(400), "unknown-format"),
        (b"\x1aE\xdf\xa3" + b"\xff" * 400, "unknown-format"),
        (b"\0\0\0\x18ftypheic" + bytes(400), "truncated"),
        (b"\x89PNG\r\n\x1a\n" + bytes(30), "unknown-format"),
    ],
)
def test_what_is_no_picture_is_told_with_a_remedy(data, code):
    with pytest.raises(BadInput) as caught:
        read_apart(data)
    assert caught.value.slug == code
    assert caught.value.remedy


@pytest.mark.parametrize("fate", ["import os; os.abort()", "while True: pass"])
def test_a_decoder_that_dies_or_hangs_is_only_an_answer(monkeypatch, fate):
    monkeypatch.setattr(apart, "SECONDS", 1)
    monkeypatch.setattr(apart, "COMMAND", (sys.executable, "-c", fate))
    with pytest.raises(BadInput) as caught:
        read_apart(b"x")
    assert caught.value.slug == "undecodable"


def test_a_picture_that_unpacks_too_large_is_not_unpacked():
    bomb = io.BytesIO()
    Image.new("L", (20_000, 20_000)).save(bomb, "PNG")
    with pytest.raises(BadInput) as caught:
        read_apart(bomb.getvalue())
    assert caught.value.slug == "too-large"
