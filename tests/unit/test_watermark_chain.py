"""What the leak chain did is read from the copy, and a trace repeats to the last bit."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from test_watermark_trace import KEY, VIEWS, film, jpeg, rendered

from leadapron.watermark import FilmIndex, embed, fingerprint, trace
from leadapron.watermark.chips import chips
from leadapron.watermark.notching import Notches
from leadapron.watermark.quantisation import detect, table
from leadapron.watermark.registration import uncut
from leadapron.watermark.scoring import z_scores

_AGAIN = """
import sys, hashlib, numpy as np, cv2
cv2.setNumThreads(int(sys.argv[1]))
sys.path.insert(0, sys.argv[2])
from test_watermark_chain import photograph
from test_watermark_trace import KEY, VIEWS, film, jpeg, rendered
from leadapron.watermark import embed, trace
original = film()
copy = rendered(embed(original, KEY, "view-7", 12))
for leak in (jpeg(copy, 30), photograph(copy)):
    found = trace(original, leak, KEY, VIEWS)
    told = repr((found.candidates, found.registration.as_dict(), found.decoys, found.settings))
    print(found.verdict, hashlib.sha256(told.encode()).hexdigest())
"""


def photograph(a: np.ndarray) -> np.ndarray:
    """Return a tilted, unevenly lit picture of a screen with stripes."""
    h, w = a.shape
    source = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    target = (source * 1.4 + [[30, 50], [-20, 10], [15, -25], [60, -60]]).astype(np.float32)
    size = (int(1.4 * w) + 40, int(1.4 * h) + 20)
    seen = cv2.warpPerspective(a, cv2.getPerspectiveTransform(source, target), size)
    y, x = np.mgrid[: size[1], : size[0]]
    lit = seen * (1.05 - 0.5 * np.hypot(x / size[0] - 0.4, y / size[1] - 0.5))
    lit += 5 * np.sin(0.55 * x + 0.2 * y)
    return np.clip(lit, 0, 255).astype(np.uint8)


def own_jpeg(picture: np.ndarray, steps: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    steps_list = [int(v) for v in steps.ravel()]
    Image.fromarray(picture).save(buffer, "JPEG", qtables=[steps_list])
    return np.array(Image.open(buffer))


def test_the_steps_of_a_usual_jpeg_are_read() -> None:
    copy = rendered(film())
    found = detect(own_jpeg(copy, table(40)).astype(np.float32))
    assert found is not None
    assert (found.quality, found.top, found.left) == (40, 0, 0)
    assert np.array_equal(found.table, table(40))


def test_the_steps_of_an_encoder_with_tables_of_its_own_are_read() -> None:
    y, x = np.mgrid[:8, :8]
    steps = 12 + 2 * x + 3 * y
    found = detect(own_jpeg(rendered(film()), steps)[3:, 5:].astype(np.float32))
    assert found is not None
    assert (found.top, found.left) == (5, 3)
    assert np.array_equal(found.table[:2, :2], steps[:2, :2])


def test_a_picture_that_was_never_jpeg_has_no_steps() -> None:
    assert detect(rendered(film()).astype(np.float32)) is None


def test_a_photograph_with_uneven_light_and_stripes_is_traced() -> None:
    original = film()
    copy = rendered(embed(original, KEY, "view-7", 12))
    ranking = trace(original, photograph(copy), KEY, VIEWS)
    assert [c.view_id for c in ranking.accused] == ["view-7"]


def test_the_jpeg_of_a_partial_view_is_read_by_the_blocks_that_show_the_film() -> None:
    original = film()
    granted = np.zeros(original.shape, bool)
    granted[120:390, 90:300] = True
    shown = np.where(granted, original, int(np.median(original))).astype(original.dtype)
    copy = rendered(embed(shown, KEY, "view-7", 12, granted=granted))
    found = trace(original, jpeg(copy, 30), KEY, VIEWS)
    assert [c.view_id for c in found.accused] == ["view-7"]
    z = dict(zip(found.settings["hypotheses"], found.settings["zs"], strict=True))
    assert z["jpeg 30 unfiltered"] > 1.2 * z["local 0.12"]


def test_an_uncut_copy_without_features_is_laid_on_its_film() -> None:
    original = film()
    copy = rendered(original).astype(np.float32)
    noisy = copy + np.random.default_rng(3).normal(0, 40, copy.shape).astype(np.float32)
    found = uncut(original, 255 - noisy[:, ::-1])
    assert found is not None
    assert (found.mirrored, found.inverted) == (True, True)
    corner = found.homography @ [0, 0, 1]
    assert np.allclose(corner, [copy.shape[1] - 1, 0, 1], atol=1e-6)
    assert uncut(film(seed=6), noisy) is None
    assert uncut(original, noisy[:300]) is None


def test_notches_take_out_stripes_and_leave_noise() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(200, 230)).astype(np.float32)
    stripes = 3 * np.sin(0.9 * np.arange(230, dtype=np.float32))[None, :] + 0 * noise
    notches = Notches.of(noise + stripes)
    middle = (slice(40, -40), slice(40, -40))
    assert np.std(notches.apply(stripes)[middle]) < 0.2 * np.std(stripes)
    assert np.std(notches.apply(noise)[middle]) > 0.7 * np.std(noise)


def test_z_does_not_depend_on_the_company() -> None:
    """A view's z is the same alone, in a crowd, and beside other measurements."""
    rng = np.random.default_rng(2)
    measured = rng.normal(size=(5003, 9)).astype(np.float32) ** 3
    crowd = z_scores(KEY, VIEWS, measured)
    for view in (0, 77):
        alone = np.stack([z_scores(KEY, [VIEWS[view]], measured[:, [m]])[0, 0] for m in range(9)])
        assert np.array_equal(alone, crowd[view])
    sign = chips(KEY, VIEWS[77], 5003)
    plain = sign @ measured[:, 0] / np.sqrt(np.sum(measured[:, 0] ** 2))
    assert crowd[77, 0] == pytest.approx(plain, abs=1e-3)


def test_another_process_with_other_threads_gives_the_same_bytes() -> None:
    told = []
    for threads in ("1", "4"):
        env = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        command = [sys.executable, "-c", _AGAIN, threads, str(Path(__file__).parent)]
        ran = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        told.append(ran.stdout)
    assert told[0] == told[1]
    assert told[0].count("accuse") == 2


def test_films_added_one_by_one_are_found_like_films_added_at_once() -> None:
    grown = FilmIndex()
    for seed in range(9):
        grown.add(f"film-{seed}", fingerprint(film(seed=seed, rows=300, columns=280)))
        best = grown.find(film(seed=seed, rows=300, columns=280))[0]
        assert (best.film_id, best.sure) == (f"film-{seed}", True)
