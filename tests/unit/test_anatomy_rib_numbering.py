"""Ribs told apart without their numbers, then numbered by votes and spacing."""

import numpy as np
import pytest

from leadapron.anatomy.centreline import band
from leadapron.anatomy.rib_courses import Course, courses
from leadapron.anatomy.rib_numbering import Side, Spacing, agreed, chain
from leadapron.anatomy.rib_tracing import trace
from leadapron.anatomy.rib_view import COUNT, SIZE

COLUMNS = np.arange(110, 175)
MEAN = np.array([0.4, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2])
SPACING = Spacing(
    MEAN, np.eye(9) * 0.01, np.array([-0.6, -0.2, 0.6, 1.5]), np.array([0.3, 0.3, 0.35, 0.4])
)
GAP, TOP = 14.0, 20.0
LUNG = np.zeros((SIZE, SIZE), np.bool_)
LUNG[20:180, 105:180] = True


def level(number: int) -> float:
    """A rib's row: spaced as the projections' ribs are."""
    return TOP + GAP * (-0.2 + float(MEAN[1 : number - 1].sum()))


def line(number: int) -> np.ndarray:
    return np.rint(level(number) + 0.08 * (COLUMNS - 110)).astype(np.int64)


def votes(*shares: tuple[int, float]) -> np.ndarray:
    out = np.zeros(COUNT)
    for number, share in shares:
        out[number - 1] = 50 * share
    return out


def side(*found: tuple[int, np.ndarray]) -> Side:
    return Side([Course(COLUMNS, line(n), v) for n, v in found], 125.0, TOP)


def maps(shares: dict[int, tuple[tuple[int, float], ...]]) -> np.ndarray:
    """Bone along each rib's line, its probability shared out between numbers."""
    out = np.zeros((COUNT, SIZE, SIZE), np.float32)
    for number, parts in shares.items():
        points = np.column_stack([COLUMNS, line(number)]).astype(np.float64)
        mask = band(points, np.full(len(COLUMNS), 5.0), (SIZE, SIZE))
        for named, share in parts:
            out[named - 1][mask] = 0.95 * share
    return out


def test_courses_follow_bone_whatever_number_it_has() -> None:
    chance = maps({3: ((3, 1.0),), 4: ((4, 0.5), (5, 0.5)), 5: ((5, 0.4), (6, 0.6))})
    found = sorted(courses(chance, LUNG, 1), key=lambda c: c.rows.mean())
    assert len(found) == 3
    for number, course in zip((3, 4, 5), found, strict=True):
        _, ours, theirs = np.intersect1d(course.columns, COLUMNS, return_indices=True)
        assert np.abs(course.rows[ours] - line(number)[theirs]).max() <= 2
        assert len(course.columns) > 50


def test_a_course_never_leaps_to_the_next_rib() -> None:
    chance = maps({4: ((4, 1.0),), 5: ((5, 1.0),)})
    chance[3, :, 140:] = 0
    found = courses(chance, LUNG, 1)
    assert sorted(len(c.columns) > 50 for c in found) == [False, True]
    assert all(np.abs(np.diff(c.rows)).max() <= 4 for c in found)


def test_pieces_of_one_rib_are_joined() -> None:
    chance = maps({4: ((4, 1.0),)})
    chance[:, :, 138:143] = 0
    (course,) = courses(chance, LUNG, 1)
    assert len(course.columns) > 55


def test_courses_run_from_the_spine_outwards_on_either_side() -> None:
    chance = np.ascontiguousarray(maps({4: ((4, 1.0),)})[:, :, ::-1])
    (course,) = courses(chance, np.ascontiguousarray(LUNG[:, ::-1]), -1)
    assert (np.diff(course.columns) < 0).all()


def test_beyond_its_ends_a_course_goes_on_along_its_slope() -> None:
    course = Course(np.arange(10, 40), 50 + 0.5 * np.arange(30), votes((3, 1.0)))
    assert course.row_at(20.0) == pytest.approx(55.0)
    assert course.row_at(50.0) == pytest.approx(70.0, abs=0.6)
    assert np.isnan(course.row_at(150.0))


def numbers(found: Side) -> list[int]:
    return [number for _, number in chain(found, SPACING)]


def test_clear_votes_give_the_numbers() -> None:
    assert numbers(side(*((n, votes((n, 1.0))) for n in range(2, 9)))) == list(range(2, 9))
    assert numbers(side()) == []


def test_ribs_that_two_numbers_claim_are_numbered_in_a_row() -> None:
    wavering = [(n, votes((n, 0.5), (n + 1, 0.5))) for n in range(4, 9)]
    found = side((2, votes((2, 1.0))), (3, votes((3, 0.9), (4, 0.1))), *wavering)
    assert numbers(found) == list(range(2, 9))


def test_a_wide_gap_leaves_a_number_out() -> None:
    unsure = [(n, votes((n, 0.5), (n - 1, 0.5))) for n in (4, 5, 6, 7)]
    found = side((2, votes((2, 1.0))), *unsure)
    assert numbers(found) == [2, 4, 5, 6, 7]


def test_a_course_that_fits_nowhere_is_left_out() -> None:
    found = side(*((n, votes((n, 1.0))) for n in range(2, 8)))
    stray = Course(COLUMNS[:16], line(5)[:16] + 3, votes((2, 0.4), (9, 0.6)))
    assert numbers(Side([*found.courses, stray], 125.0, TOP)) == list(range(2, 8))


def test_clear_sides_keep_their_numbers_and_are_sure() -> None:
    found = side(*((n, votes((n, 1.0))) for n in range(2, 9)))
    right, left = agreed((found, list(range(2, 9))), (found, list(range(2, 9))), SPACING)
    assert [n for n, _ in right] == [n for n, _ in left] == list(range(2, 9))
    assert all(0.9 < sure <= 1 for _, sure in (*right, *left))


def test_a_wavering_side_follows_the_clear_one() -> None:
    clear = side(*((n, votes((n, 1.0))) for n in range(2, 9)))
    wavering = side(*((n, votes((n, 0.48), (n - 1, 0.52))) for n in range(3, 9)))
    _, left = agreed((clear, list(range(2, 9))), (wavering, list(range(2, 8))), SPACING)
    assert [n for n, _ in left] == list(range(3, 9))
    assert all(0 < sure < 1 for _, sure in left)


def test_a_side_without_ribs_has_no_numbers() -> None:
    found = side(*((n, votes((n, 1.0))) for n in range(2, 9)))
    right, left = agreed((found, list(range(2, 9))), (side(), []), SPACING)
    assert [n for n, _ in right] == list(range(2, 9))
    assert left == []


def test_a_numbered_course_owns_the_bone_along_it() -> None:
    chance = maps({4: ((4, 0.3), (5, 0.7)), 6: ((6, 1.0),)})
    found = sorted(courses(chance, LUNG, 1), key=lambda c: c.rows.mean())
    arcs = trace(chance, LUNG, 1, numbered=[(found[0], 4), (found[1], 6)])
    assert [arc.number for arc in arcs] == [4, 6]
    assert arcs[0].share > 0.8
