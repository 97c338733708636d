"""The volume breaker (权限熔断): too many patients in too little time opens it.

A pure state machine; the caller gives the time. ``closed`` → more than `limit` distinct patients
within `window` → ``open`` → after `cool_down` → ``half-open``: at most `probes` distinct patients
within one more window, else ``open`` again; a whole window without excess → ``closed``.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

CLOSED = "closed"
HALF_OPEN = "half-open"
OPEN = "open"
STATES = (CLOSED, HALF_OPEN, OPEN)
"""From the mildest to the strictest."""


def worst(*states: str) -> str:
    """Return the strictest of several states; an unknown one counts as open."""
    ranks = [STATES.index(state) if state in STATES else len(STATES) - 1 for state in states]
    return STATES[max(ranks, default=0)]


@dataclass(frozen=True)
class Limits:
    """When the breaker opens and how it comes back. Durations are positive."""

    patients: int = 30
    window: timedelta = timedelta(minutes=10)
    cool_down: timedelta = timedelta(minutes=30)
    probes: int = 3


@dataclass(frozen=True)
class Gauge:
    """One recipient's state: since when, and each patient's latest opening in the window."""

    state: str = CLOSED
    since: datetime | None = None
    opened: Mapping[str, datetime] = field(default_factory=dict)


def settle(gauge: Gauge, now: datetime, limits: Limits) -> Gauge:
    """Return the gauge as time alone leaves it."""
    if gauge.state == OPEN and _past(gauge.since, limits.cool_down, now):
        since = (gauge.since or now) + limits.cool_down
        gauge = Gauge(HALF_OPEN, since)
    if gauge.state == HALF_OPEN and _past(gauge.since, limits.window, now):
        gauge = replace(gauge, state=CLOSED, since=(gauge.since or now) + limits.window)
    recent = {p: t for p, t in gauge.opened.items() if now - t < limits.window}
    return replace(gauge, opened=recent)


def note(gauge: Gauge, patient: str, now: datetime, limits: Limits) -> Gauge:
    """Return the gauge after `patient` was asked for at `now`."""
    gauge = settle(gauge, now, limits)
    if gauge.state == OPEN:
        return gauge
    opened = {**gauge.opened, patient: now}
    allowed = limits.probes if gauge.state == HALF_OPEN else limits.patients
    if len(opened) > allowed:
        return Gauge(OPEN, now)
    return replace(gauge, opened=opened)


class VolumeBreaker:
    """The gauges of all recipients. Thread-safe; in memory."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._gauges: dict[str, Gauge] = {}
        self._lock = threading.Lock()

    def note(self, recipient: str, patient: str, now: datetime) -> str:
        """Count an opening and return the state that holds for it: ``open`` refuses it."""
        with self._lock:
            gauge = note(self._gauges.get(recipient, Gauge()), patient, now, self.limits)
            self._gauges[recipient] = gauge
            return gauge.state

    def state(self, recipient: str, now: datetime) -> str:
        """Return the state at `now` without counting anything."""
        with self._lock:
            gauge = settle(self._gauges.get(recipient, Gauge()), now, self.limits)
            self._gauges[recipient] = gauge
            return gauge.state

    def trip(self, recipient: str, now: datetime) -> None:
        """Open it by hand, or restore an opening after a restart."""
        with self._lock:
            self._gauges[recipient] = Gauge(OPEN, now)

    def reset(self, recipient: str) -> None:
        """Close it by hand: a person looked."""
        with self._lock:
            self._gauges.pop(recipient, None)


def _past(since: datetime | None, span: timedelta, now: datetime) -> bool:
    return since is not None and now - since >= span
