"""A view's mark survives what people do to a picture, and nobody else is named."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from leadapron.model import BadInput
from leadapron.watermark import embed, trace

KEY = bytes(range(32))
VIEWS = [f"view-{i}" for i in range(200)]


def film(rows: int = 560, columns: int = 512, bits: int = 12, seed: int = 5) -> np.ndarray:
    """Return a synthetic film: smooth anatomy, ribs, structure at every scale, noise."""
    import cv2

    rng = np.random.default_rng(seed)
    total = np.zeros((rows, columns), np.float32)
    for sigma in (2, 4, 8, 16, 32, 64):
        layer = cv2.GaussianBlur(rng.normal(size=total.shape).astype(np.float32), (0, 0), sigma)
        total += layer / layer.std() * np.sqrt(sigma)
    total += rng.normal(size=total.shape).astype(np.float32) * 0.15
    total -= total.min()
    full = 2**bits - 1
    frame = np.clip(total / total.max() * 0.9 * full + 0.05 * full, 0, full)
    return frame.astype(np.uint16 if bits > 8 else np.uint8)


def rendered(frame: np.ndarray, bits: int = 12) -> np.ndarray:
    return np.rint(frame.astype(float) * 255 / (2**bits - 1)).astype(np.uint8)


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer))


@pytest.fixture(scope="module")
def original() -> np.ndarray:
    return film()


@pytest.fixture(scope="module")
def leak(original: np.ndarray) -> np.ndarray:
    return rendered(embed(original, KEY, "view-7", 12))


ATTACKS = {
    "rendered": lambda a: a,
    "jpeg 50": lambda a: jpeg(a, 50),
    "half size": lambda a: a[::2, ::2],
    "crop": lambda a: a[150:400, 120:380],
    "mirror": lambda a: a[:, ::-1],
    "inverted and turned": lambda a: np.rot90(255 - a),
    "windowed RGB": lambda a: np.stack([np.clip(a * 1.6 - 60, 0, 255).astype(np.uint8)] * 3, -1),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_view_is_named_after(attack: str, original: np.ndarray, leak: np.ndarray) -> None:
    ranking = trace(original, ATTACKS[attack](leak), KEY, VIEWS)
    assert (ranking.best, ranking.verdict) == ("view-7", "accuse")
    assert [c.view_id for c in ranking.accused] == ["view-7"]


def test_an_unmarked_copy_names_nobody(original: np.ndarray) -> None:
    ranking = trace(original, rendered(original), KEY, VIEWS)
    assert ranking.verdict == "inconclusive"
    assert not ranking.accused


def test_a_view_that_is_no_candidate_gets_nobody_else_named(original: np.ndarray) -> None:
    other = rendered(embed(original, KEY, "somebody else", 12))
    assert trace(original, other, KEY, VIEWS).verdict == "inconclusive"


def test_another_film_names_nobody(original: np.ndarray) -> None:
    stranger = rendered(embed(film(seed=9), KEY, "view-7", 12))
    ranking = trace(original, stranger, KEY, VIEWS)
    assert ranking.verdict == "inconclusive"
    assert ranking.registration is None


def test_colluders_are_all_named(original: np.ndarray) -> None:
    marked = [embed(original, KEY, f"view-{i}", 12) for i in range(4)]
    average = rendered(np.rint(np.mean(marked, axis=0)))
    named = {c.view_id for c in trace(original, average, KEY, VIEWS).accused}
    assert named == {f"view-{i}" for i in range(4)}


def test_the_same_trace_gives_the_same_ranking(original: np.ndarray, leak: np.ndarray) -> None:
    first, again = (trace(original, jpeg(leak, 70), KEY, VIEWS) for _ in range(2))
    assert first.candidates == again.candidates


def test_the_digest_binds_the_mark(original: np.ndarray) -> None:
    copy = rendered(embed(original, KEY, "view-7", 12, image_digest="sha256:aa"))
    bound = trace(original, copy, KEY, VIEWS, image_digest="sha256:aa")
    assert bound.verdict == "accuse"
    assert trace(original, copy, KEY, VIEWS, image_digest="sha256:bb").verdict == "inconclusive"


@pytest.mark.parametrize("background", ["flat", "mosaic"])
def test_a_partial_view_is_traced_from_its_granted_part(
    original: np.ndarray, background: str
) -> None:
    import cv2

    granted = np.zeros(original.shape, bool)
    granted[100:420, 60:300] = True
    if background == "flat":
        shown = np.where(granted, original, 300).astype(np.uint16)
    else:
        small = cv2.resize(original, (16, 16), interpolation=cv2.INTER_AREA)
        coarse = cv2.resize(small, original.shape[::-1], interpolation=cv2.INTER_NEAREST)
        shown = np.where(granted, original, coarse)
    marked = embed(shown, KEY, "view-7", 12, granted=granted)
    ranking = trace(original, jpeg(rendered(marked), 80), KEY, VIEWS)
    assert (ranking.best, ranking.verdict) == ("view-7", "accuse")


def test_useless_pictures_are_refused(original: np.ndarray) -> None:
    with pytest.raises(BadInput):
        trace(original, np.zeros((4, 4), np.uint8), KEY, VIEWS)
    with pytest.raises(BadInput):
        trace(original, np.zeros((90, 90, 7), np.uint8), KEY, VIEWS)
