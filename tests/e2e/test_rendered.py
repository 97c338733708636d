"""Whatever WADO-RS renders is made from the marked view of the one who asks."""

from __future__ import annotations

import io

import httpx2
import numpy as np
import pytest
from PIL import Image

from leadapron.delivery.display import display_of
from leadapron.watermark import trace

pytestmark = pytest.mark.e2e


@pytest.fixture
def get(running_instance):
    film = running_instance.film_of_demo
    study = f"{running_instance.base_url}/dicom-web/studies/{film.study_instance}"
    instance = f"{study}/series/{film.series_instance}/instances/{film.sop_instance}"

    def ask(path: str, user: str = "chen", **headers: str) -> httpx2.Response:
        token = running_instance.token(user)
        return httpx2.get(
            (study if path.startswith("study:") else instance) + path.removeprefix("study:"),
            headers={"Authorization": f"Bearer {token}", **headers},
            trust_env=False,
            timeout=60,
        )

    return ask


def picture(answer: httpx2.Response) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "private, no-store"
    return np.asarray(Image.open(io.BytesIO(answer.content)))


@pytest.mark.parametrize("path", ["/rendered", "/frames/1/rendered"])
def test_a_rendered_picture_is_the_marked_view_to_the_last_grey(running_instance, get, path):
    views = running_instance.demo.story.views
    shown = picture(get(path, Accept="image/png"))
    assert np.array_equal(shown, display_of(views["chen"]))
    assert not np.array_equal(shown, display_of(views["liu"]))


def test_every_rendered_picture_points_to_its_reader(running_instance, get):
    here = running_instance.running.instance
    film = running_instance.film_of_demo
    grants = here.delivery.views_of(film.sop_instance)
    mine = next(g.view_id for g in grants if g.recipient == "chen")
    for path in ("/rendered", "/rendered?quality=60&viewport=900,900", "study:/thumbnail"):
        ranking = trace(
            here.originals.frame(film),
            picture(get(path)),
            here.originals.mark_key,
            [g.view_id for g in grants],
            image_digest=here.originals.binding(film),
        )
        assert ranking.best == mine, path
        if "thumbnail" not in path:  # so small a copy can lie below the threshold
            assert ranking.verdict == "accuse", path


def test_a_thumbnail_fits_and_is_of_the_kind_that_was_asked_for(get):
    for path in ("/thumbnail", "/frames/1/thumbnail", "study:/thumbnail"):
        assert max(picture(get(path)).shape) == 256
    answer = get("/thumbnail?viewport=100,80", Accept="image/png")
    assert answer.headers["Content-Type"] == "image/png"
    assert picture(answer).shape[0] == 80


def test_a_window_is_applied_to_the_marked_view(running_instance, get):
    view = running_instance.demo.story.views["chen"]
    shown = picture(get("/rendered?window=12000,6000,linear", Accept="image/png"))
    assert np.array_equal(shown, display_of(view, window=(12000, 6000)))


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        ("/rendered?viewport=0,9", "image/png", 422),
        ("/rendered?window=1", "image/png", 422),
        ("/rendered?window=1,2,sigmoid", "image/png", 422),
        ("/rendered", "video/mp4", 406),
        ("/frames/2/rendered", "image/png", 404),
        ("/frames/2", "*/*", 404),
    ],
)
def test_what_cannot_be_rendered_is_told(get, path, accept, status):
    answer = get(path, Accept=accept)
    assert answer.status_code == status
    assert answer.json()["remedy"]


def test_without_an_order_nothing_is_rendered(get):
    for path in ("/rendered", "/thumbnail", "/frames/1/rendered"):
        assert get(path, "zhao").status_code == 403
