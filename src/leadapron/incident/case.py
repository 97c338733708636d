"""A case (安全事件), its clock and its level."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from leadapron.incident.playbook import playbook


@dataclass(frozen=True)
class Clock:
    """The golden two hours (黄金两小时) and the analysis mark; both count from the opening."""

    opened_at: datetime

    @property
    def due_at(self) -> datetime:
        """When the response must stand: two hours after the opening."""
        return self.opened_at + playbook().clock

    @property
    def analysis_due_at(self) -> datetime:
        """When the preliminary vulnerability analysis must be finished: after 30 minutes."""
        return self.opened_at + playbook().analysis

    def remaining(self, now: datetime) -> timedelta:
        """Return the time left; negative when overdue."""
        return self.due_at - now

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether the two hours are over."""
        return now > self.due_at


@dataclass(frozen=True)
class CaseStep:
    """One step of a case. `done_at` is set by whoever really did it, and by nothing else."""

    code: str
    en: str
    zh: str
    due_at: datetime
    basis: tuple[str, ...] = ()
    done_at: datetime | None = None
    done_by: str = ""
    note: str = ""

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether the step is late: not done by its time, or done after it."""
        return (self.done_at or now) > self.due_at


@dataclass(frozen=True)
class Case:
    """One incident. Counts persons, never names them.

    `level` is the hospital's response level (``I`` is the gravest), `statutory` the national
    one by number of persons alone; `sensitivity` a key of levels.json.
    """

    id: str
    level: str
    statutory: str
    title_en: str
    title_zh: str
    opened_at: datetime
    persons: int
    sensitivity: str
    insider: bool
    closed_at: datetime | None = None
    closing_note: str = ""
    sop_instance: str | None = None
    view_id: str | None = None
    recipient: str | None = None
    steps: tuple[CaseStep, ...] = ()

    @property
    def clock(self) -> Clock:
        """The case's two-hour clock."""
        return Clock(self.opened_at)

    @property
    def due_at(self) -> datetime:
        """Two hours after the opening."""
        return self.clock.due_at

    def step(self, code: str) -> CaseStep | None:
        """Return a step, or None if the playbook has none of that code."""
        return next((step for step in self.steps if step.code == code), None)
