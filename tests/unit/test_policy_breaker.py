"""The volume breaker, minute by minute."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadapron.policy import Limits, VolumeBreaker, worst

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
LIMITS = Limits(patients=3, window=timedelta(minutes=10), cool_down=timedelta(minutes=30), probes=1)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


@pytest.fixture
def tripped():
    breaker = VolumeBreaker(LIMITS)
    states = [breaker.note("wang", f"P{n}", at(0)) for n in range(4)]
    assert states == ["closed", "closed", "closed", "open"]
    return breaker


def test_the_same_patients_again_count_once():
    breaker = VolumeBreaker(LIMITS)
    for round_ in range(20):
        assert breaker.note("wang", f"P{round_ % 3}", at(0.1 * round_)) == "closed"


def test_a_slow_reader_never_trips():
    breaker = VolumeBreaker(LIMITS)
    assert {breaker.note("wang", f"P{n}", at(4 * n)) for n in range(50)} == {"closed"}


def test_each_recipient_has_a_gauge_of_their_own(tripped):
    assert tripped.note("li", "P0", at(0)) == "closed"
    assert tripped.state("wang", at(29)) == "open"


def test_it_cools_down_lets_a_probe_through_and_closes(tripped):
    assert tripped.state("wang", at(30)) == "half-open"
    assert tripped.note("wang", "P1", at(31)) == "half-open"
    assert tripped.note("wang", "P1", at(32)) == "half-open"
    assert tripped.state("wang", at(40)) == "closed"


def test_a_rush_while_half_open_opens_it_again(tripped):
    assert tripped.note("wang", "P1", at(30)) == "half-open"
    assert tripped.note("wang", "P2", at(30)) == "open"
    assert tripped.state("wang", at(59)) == "open"
    assert tripped.state("wang", at(60)) == "half-open"


def test_a_person_may_open_and_close_it(tripped):
    tripped.reset("wang")
    assert tripped.note("wang", "P9", at(1)) == "closed"
    tripped.trip("wang", at(2))
    assert tripped.note("wang", "P9", at(3)) == "open"


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.floats(0, 6, allow_nan=False)), min_size=1, max_size=60
    )
)
def test_it_opens_exactly_when_a_window_holds_too_many_patients(openings):
    breaker, now, seen = VolumeBreaker(LIMITS), 0.0, []
    for patient, pause in openings:
        now += pause
        seen.append((at(now), patient))
        recent = {p for t, p in seen if at(now) - t < LIMITS.window}
        state = breaker.note("wang", f"P{patient}", at(now))
        assert (state == "open") is (len(recent) > LIMITS.patients)
        if state == "open":
            return


def test_the_worst_of_several_states_holds():
    assert worst() == "closed"
    assert worst("closed", "half-open") == "half-open"
    assert worst("half-open", "open", "closed") == "open"
    assert worst("closed", "ajar") == "open"
