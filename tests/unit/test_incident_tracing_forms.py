"""What leaks are made of: screenshots of several films, collages, short films."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import trace_films

# Traces take a while on a machine that others use.
pytestmark = pytest.mark.timeout(900)
here, films, shown = trace_films.here, trace_films.films, trace_films.shown


def test_several_films_in_one_screenshot_are_each_found(here, shown, films):
    screen = np.full((1100, 1900), 40, np.uint8)
    wanted = set()
    for place, (user, film) in enumerate((("chen", films[0]), ("liu", films[1]))):
        view_id, picture = shown[user, film.sop_instance]
        wanted.add(view_id)
        left = 60 + 920 * place
        screen[100:950, left : left + 850] = cv2.resize(
            picture, (850, 850), interpolation=cv2.INTER_AREA
        )
    cv2.putText(screen, "PACS viewer 2 x 1", (60, 60), 0, 1.2, 220, 2)
    found = here.tracing.trace(cv2.imencode(".png", screen)[1].tobytes(), "sun", "截图")
    assert {p["view"] for p in found.record.pointed} == wanted
    boxes = [r["picture"]["box"] for r in found.record.results if r["pointed"]]
    assert sorted(b[1] < 900 for b in boxes) == [False, True]
    assert here.cases.get(found.stored.case_id).persons == 2


def test_two_readers_copies_of_one_film_side_by_side(here, shown, films):
    pictures = [shown[user, films[0].sop_instance] for user in ("chen", "liu")]
    screen = np.full((1000, 1900), 235, np.uint8)
    for place, (_, picture) in enumerate(pictures):
        left = 40 + 940 * place
        screen[60:940, left : left + 880] = cv2.resize(
            picture, (880, 880), interpolation=cv2.INTER_AREA
        )
    found = here.tracing.trace(cv2.imencode(".png", screen)[1].tobytes(), "sun", "拼图")
    assert {p["view"] for p in found.record.pointed} == {view for view, _ in pictures}


def test_a_short_film_is_traced_by_its_frames(here, shown, films, tmp_path):
    view_id, picture = shown["liu", films[1].sop_instance]
    size = (900, 900)
    writer = cv2.VideoWriter(
        str(tmp_path / "a.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, size, False
    )
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(0).integers(0, 255, size, np.uint8)
    for index in range(30):
        writer.write(small if 10 <= index < 20 else noise)
    writer.release()
    found = here.tracing.trace((tmp_path / "a.avi").read_bytes(), "sun", "视频")
    (pointed,) = found.record.pointed
    assert pointed["view"] == view_id
    (result,) = (r for r in found.record.results if r["pointed"])
    assert 1000 <= result["picture"]["at_ms"] < 2000
    assert found.record.content["copy"]["kind"] == "video"
