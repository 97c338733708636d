"""A case, its clock, its steps, and the law behind them."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files

import pytest

from leadapron.incident import (
    CaseStore,
    Clock,
    Impact,
    article,
    articles,
    playbook,
    response_level,
    statutory_level,
)
from leadapron.incident.tables import Base
from leadapron.model import BadInput, Conflict, NotFound
from leadapron.store.database import Database

OPENED = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
TITLES = {"title_en": "A copy was found", "title_zh": "发现外流副本"}


class Time:
    now = OPENED

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def store(tmp_path, time):
    database = Database(f"sqlite:///{tmp_path / 'catalog.db'}")
    Base.metadata.create_all(database.engine)
    yield CaseStore(database, clock=time)
    database.close()


def test_the_clock_runs_two_hours_with_a_mark_at_thirty_minutes():
    clock = Clock(OPENED)
    assert clock.due_at == OPENED + timedelta(hours=2)
    assert clock.analysis_due_at == OPENED + timedelta(minutes=30)
    assert clock.remaining(OPENED + timedelta(hours=3)) == timedelta(hours=-1)
    assert not clock.is_overdue(clock.due_at)
    assert clock.is_overdue(clock.due_at + timedelta(milliseconds=1))


@pytest.mark.parametrize(
    ("persons", "sensitivity", "insider", "response", "statutory"),
    [
        (1, "pseudonymous", False, "III", "general"),
        (9, "pseudonymous", True, "III", "general"),
        (10, "pseudonymous", False, "II", "general"),
        (1, "identified", False, "II", "general"),
        (249, "identified", True, "II", "general"),
        (250, "identified", True, "I", "general"),
        (499, "pseudonymous", False, "II", "general"),
        (500, "pseudonymous", False, "I", "general"),
        (500, "sealed", False, "III", "general"),
        (1_000_000, "sealed", False, "I", "significant"),
        (10_000_000, "identified", False, "I", "major"),
        (100_000_000, "identified", False, "I", "extraordinary"),
        (0, "identified", False, "III", "general"),
    ],
)
def test_levels_follow_the_table(persons, sensitivity, insider, response, statutory):
    impact = Impact(persons, sensitivity, insider)
    assert response_level(impact).code == response
    assert statutory_level(impact).code == statutory


@pytest.mark.parametrize("impact", [(-1, "identified"), (1, "secret")])
def test_an_impossible_impact_is_refused(store, impact):
    with pytest.raises(BadInput):
        store.open_case(**TITLES, persons=impact[0], sensitivity=impact[1])
    assert store.list() == []


def test_a_new_case_has_no_step_done(store):
    case = store.open_case(
        **TITLES, sop_instance="1.2.3", view_id="Vabc", recipient="wang", persons=1
    )
    assert case == store.get(case.id) == store.list()[0]
    assert (case.level, case.opened_at, case.due_at) == ("III", OPENED, OPENED + timedelta(hours=2))
    assert (case.sop_instance, case.view_id, case.recipient) == ("1.2.3", "Vabc", "wang")
    assert all(step.done_at is None for step in case.steps)
    assert [s.due_at for s in case.steps] == sorted(s.due_at for s in case.steps)
    assert case.step("analyse").due_at == case.clock.analysis_due_at
    assert case.step("police-clue") is None


def test_a_step_keeps_the_first_time_it_was_done(store, time):
    case = store.open_case(**TITLES)
    time.now = OPENED + timedelta(minutes=3)
    store.mark_step(case.id, "locate", by="zhao", note="by trace")
    time.now = OPENED + timedelta(minutes=50)
    again = store.mark_step(case.id, "locate", by="li", note="too late")
    step = again.step("locate")
    assert (step.done_at, step.done_by, step.note) == (
        OPENED + timedelta(minutes=3),
        "zhao",
        "by trace",
    )
    assert not step.is_overdue(time.now)
    assert again.step("analyse").is_overdue(time.now)
    assert [s.code for s in again.steps if s.done_at] == ["locate"]
    with pytest.raises(NotFound):
        store.mark_step(case.id, "celebrate")
    with pytest.raises(NotFound):
        store.mark_step("C0", "locate")


def test_more_persons_raise_the_level_and_add_steps_but_take_none_away(store):
    case = store.open_case(**TITLES)
    store.mark_step(case.id, "locate")
    grown = store.assess(case.id, persons=300, sensitivity="identified", insider=True)
    assert grown.level == "I"
    assert grown.step("police-clue") is not None
    assert grown.step("locate").done_at == OPENED
    shrunk = store.assess(case.id, persons=1, sensitivity="pseudonymous")
    assert shrunk.level == "III"
    assert shrunk.step("police-clue") is not None


def test_a_case_closes_only_when_the_two_hours_work_is_done(store, time):
    case = store.open_case(**TITLES)
    with pytest.raises(Conflict, match="notify-patients"):
        store.close(case.id, "too early")
    for step in case.steps:
        if step.due_at <= case.due_at:
            store.mark_step(case.id, step.code, by="zhao")
    time.now = OPENED + timedelta(minutes=110)
    closed = store.close(case.id, "contained")
    assert (closed.closed_at, closed.closing_note) == (time.now, "contained")
    assert store.get(case.id) == closed
    for again in (
        lambda: store.close(case.id),
        lambda: store.mark_step(case.id, "summary"),
        lambda: store.assess(case.id, persons=2, sensitivity="identified"),
    ):
        with pytest.raises(Conflict, match="closed"):
            again()


def test_cases_are_listed_latest_first(store, time):
    first = store.open_case(**TITLES)
    time.now = OPENED + timedelta(minutes=1)
    second = store.open_case(**TITLES)
    assert [c.id for c in store.list()] == [second.id, first.id]


def test_the_playbook_covers_the_source_and_cites_only_known_law():
    steps = playbook().steps
    assert {s.source for s in steps} == {f"S{n}" for n in range(1, 8)}
    assert len({s.code for s in steps}) == len(steps)
    for step in steps:
        assert step.en and re.search(r"[\u4e00-\u9fff]", step.zh)
        for key in step.basis:
            assert article(key).key == key
    with pytest.raises(NotFound):
        article("pipl.overseas_representative")


def test_every_article_has_a_source_a_date_and_says_how_sure_it_is():
    for item in articles():
        assert item.source.startswith("https://")
        assert date.fromisoformat(item.effective) <= date(2026, 11, 23)
        assert item.status in ("read", "secondary", "inferred")
        assert item.en and item.zh
        if item.status == "inferred" or not item.article:
            assert item.remark


def test_the_takedown_step_does_not_name_the_article_on_overseas_processors():
    takedown = next(s for s in playbook().steps if s.code == "takedown")
    numbers = {article(key).article for key in takedown.basis}
    assert {"1195", "47"} <= numbers
    assert "53" not in numbers


def test_article_numbers_live_in_the_law_file_only():
    folder = files("leadapron.incident")
    for name in ("playbook.json", "levels.json"):
        text = json.dumps(json.loads(folder.joinpath(name).read_text("utf-8")), ensure_ascii=False)
        assert not re.search(r"第.{1,6}条|[Aa]rt(icle|\.) ?\d|164\.\d", text)
