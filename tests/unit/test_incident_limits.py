"""So many pictures an hour, by one person and by all; a restart forgets nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leadapron.incident.limits import Allowance, Limits, TooMany
from leadapron.incident.tables import Base
from leadapron.store.database import Database


class Time:
    now = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Log(list):
    def append(self, entry):
        super().append(entry)


@pytest.fixture
def parts(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'catalog.db'}")
    Base.metadata.create_all(database.engine)
    yield database, Log(), Time()
    database.close()


def allowance(parts, person=12, instance=20) -> Allowance:
    database, log, time = parts
    return Allowance(database, log, Limits(person, instance), clock=time)


def test_one_person_is_stopped_and_told_when_to_go_on(parts):
    _, log, time = parts
    limit = allowance(parts)
    limit.spend("sun", 8)
    time.now += timedelta(minutes=10)
    limit.spend("sun", 4)
    with pytest.raises(TooMany) as caught:
        limit.spend("sun")
    error = caught.value
    assert (error.http, error.exit_code, error.slug) == (429, 75, "too-many-traces")
    assert error.retry_after_s == 50 * 60
    assert "trace_per_hour" in error.remedy
    assert log == [
        {"kind": "trace.limited", "recipient": "sun", "scope": "person", "limit": 12, "pictures": 1}
    ]
    limit.spend("li", 8)
    with pytest.raises(TooMany) as caught:
        limit.spend("li", 2)
    assert log[-1]["scope"] == "instance"


def test_what_was_refused_is_not_counted_and_an_hour_frees_it(parts):
    _, _, time = parts
    limit = allowance(parts)
    limit.spend("sun", 11)
    for _ in range(3):
        with pytest.raises(TooMany):
            limit.spend("sun", 2)
    limit.spend("sun", 1)
    time.now += timedelta(minutes=61)
    limit.spend("sun", 12)


def test_a_restart_forgets_nothing(parts):
    allowance(parts).spend("sun", 12)
    with pytest.raises(TooMany):
        allowance(parts).spend("sun")
