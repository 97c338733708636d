"""Films are found again, pictures are read within bounds, and marks are committed to."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from leadapron.model import BadInput
from leadapron.watermark import (
    FilmIndex,
    Fingerprint,
    fingerprint,
    key_digest,
    load_picture,
    registration_overlay,
    residual_heatmap,
    trace,
)
from leadapron.watermark.fingerprint import perceptual_hash, turned_hashes
from leadapron.watermark.pictures import MOST_PIXELS


def film(seed: int, shape: tuple[int, int] = (480, 440)) -> np.ndarray:
    import cv2

    rng = np.random.default_rng(seed)
    total = np.zeros(shape, np.float32)
    for sigma in (2, 4, 8, 16, 32):
        layer = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), sigma)
        total += layer / layer.std() * np.sqrt(sigma)
    total -= total.min()
    return (total / total.max() * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def index() -> FilmIndex:
    built = FilmIndex()
    for seed in range(8):
        kept = fingerprint(film(seed)).to_bytes()
        built.add(f"film-{seed}", Fingerprint.from_bytes(kept))
    return built


VARIANTS = {
    "whole": lambda a: a,
    "crop": lambda a: a[100:400, 90:380],
    "mirrored": lambda a: a[:, ::-1],
    "inverted": lambda a: 255 - a,
    "turned, mirrored, inverted": lambda a: np.rot90(255 - a[:, ::-1]),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_film_is_found(variant: str, index: FilmIndex) -> None:
    best = index.find(VARIANTS[variant](film(3)))[0]
    assert best.film_id == "film-3"
    assert best.sure


def test_a_stranger_is_not_sure(index: FilmIndex) -> None:
    assert not any(match.sure for match in index.find(film(77)))


def test_two_films_in_a_screenshot_are_both_found(index: FilmIndex) -> None:
    screen = np.full((600, 1000, 3), 50, np.uint8)
    screen[60:540, 20:460] = film(1)[..., None]
    screen[60:540, 520:960] = film(6)[..., None]
    assert {m.film_id for m in index.find(screen) if m.sure} == {"film-1", "film-6"}


def test_adding_again_replaces(index: FilmIndex) -> None:
    small = FilmIndex()
    small.add("a", fingerprint(film(1)))
    small.add("a", fingerprint(film(2)))
    assert len(small) == 1
    assert not any(match.sure for match in small.find(film(1)))
    assert small.find(film(2))[0].sure


def test_an_empty_index_finds_nothing() -> None:
    assert FilmIndex().find(film(1)) == []


def test_fingerprints_travel_as_bytes() -> None:
    made = fingerprint(film(4))
    data = made.to_bytes()
    again = Fingerprint.from_bytes(data)
    assert len(data) < 200_000
    assert (again.shape, again.hash) == (made.shape, made.hash)
    assert np.abs(again.points - made.points).max() < 0.02
    assert np.array_equal(again.codes, made.codes)
    for broken in (data[:-1], b"XXXX" + data[4:], b""):
        with pytest.raises(BadInput):
            Fingerprint.from_bytes(broken)


def test_hash_bits_are_balanced_and_variants_are_the_turned_pictures() -> None:
    picture = film(5, (512, 512))
    bits = np.unpackbits(np.frombuffer(perceptual_hash(picture), np.uint8))
    assert bits.sum() == 128
    turned = {bytes(row) for row in turned_hashes(picture)}
    assert len(turned) == 16
    stored = np.frombuffer(b"".join(turned), np.uint8).reshape(16, 32)
    for other in (picture[::-1], np.rot90(picture), picture.T, 255 - picture):
        asked = np.frombuffer(perceptual_hash(np.ascontiguousarray(other)), np.uint8)
        assert np.unpackbits(stored ^ asked, axis=1).sum(axis=1).min() <= 16


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_pictures_are_read(kind: str) -> None:
    buffer = io.BytesIO()
    Image.fromarray(film(1)).save(buffer, kind)
    picture = load_picture(buffer.getvalue())
    luma = picture if picture.ndim == 2 else picture[..., 0]
    assert picture.dtype == np.uint8
    assert np.abs(luma.astype(int) - film(1)).mean() < 6


def test_deep_png_stays_deep() -> None:
    deep = film(1).astype(np.uint16) * 250
    buffer = io.BytesIO()
    Image.fromarray(deep).save(buffer, "PNG")
    assert np.array_equal(load_picture(buffer.getvalue()), deep)


def test_dicom_is_read() -> None:
    from pathlib import Path

    path = Path(get_testdata_file("CT_small.dcm", download=False))
    frame = pydicom.dcmread(path).pixel_array
    assert load_picture(path.read_bytes()).shape == frame.shape


def _bomb() -> bytes:
    """Return a PNG header that claims more pixels than are read."""
    import struct
    import zlib

    side = int(MOST_PIXELS**0.5) + 1
    body = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    empty = b"IDAT"
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk
        + struct.pack(">I", 0)
        + empty
        + struct.pack(">I", zlib.crc32(empty))
    )


@pytest.mark.parametrize(
    "data",
    [b"", b"not a picture", _bomb(), b"\0\0\0\x18ftypheic" + bytes(40), bytes(128) + b"DICM"],
    ids=["empty", "text", "bomb", "broken heic", "broken dicom"],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput) as raised:
        load_picture(data)
    assert raised.value.remedy


def test_a_commitment_depends_on_everything_and_shows_nothing() -> None:
    base = key_digest(b"k" * 32, "v", "d")
    others = [
        (b"j" * 32, "v", "d"),
        (b"k" * 32, "w", "d"),
        (b"k" * 32, "v", "e"),
        (b"k" * 32, "vd", ""),
    ]
    assert len(base) == 64
    assert len({base, *(key_digest(*other) for other in others)}) == 5
    assert base == key_digest(b"k" * 32, "v", "d")


def test_report_pictures_are_reproducible() -> None:
    original = film(2)
    copy = np.stack([255 - original[60:420, 40:400]] * 3, axis=-1)
    ranking = trace(original, copy, b"k" * 32, ["a"])
    assert ranking.registration is not None
    for draw in (registration_overlay, residual_heatmap):
        first, again = (draw(original, copy, ranking.registration) for _ in range(2))
        assert first.dtype == np.uint8
        assert first.shape[2] == 3
        assert np.array_equal(first, again)
    assert residual_heatmap(original, copy, ranking.registration).mean() < 12
