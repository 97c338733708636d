"""What a trace answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, log, sqrt
from typing import Any, Literal

from leadapron.watermark.registration import Registration

Verdict = Literal["accuse", "inconclusive"]

FALSE_NAMING = 1e-6
"""Largest accepted bound on naming any innocent view in one trace."""


@dataclass(frozen=True)
class Candidate:
    """One view's evidence.

    Attributes:
        view_id: the view event; not a person.
        z: the best standardised correlation over the hypotheses.
        p: bound on the chance that any innocent view reaches this z: min(1, N·exp(−z²/2)).
        accused: p ≤ 1e-6.
    """

    view_id: str
    z: float
    p: float
    accused: bool


@dataclass(frozen=True)
class Ranking:
    """The answer of a trace.

    Attributes:
        best: the view id with the highest z, or "" without candidates.
        p_value: its bound on a false naming.
        z: its z.
        candidates: all views, strongest first; several may be accused (colluders).
        registration: how the copy lies on the film, or None if it could not be laid on it.
        verdict: ``accuse`` or ``inconclusive``.
        hypotheses: how many measurements each view was tried against.
        decoys: z statistics of invented views that passed the same steps.
        settings: everything needed to run the trace again.
    """

    best: str
    p_value: float
    z: float
    candidates: tuple[Candidate, ...]
    registration: Registration | None
    verdict: Verdict
    hypotheses: int = 1
    decoys: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def accused(self) -> tuple[Candidate, ...]:
        """The views that are named, strongest first."""
        return tuple(c for c in self.candidates if c.accused)


def bound(z: float, tried: int) -> float:
    """Return N·exp(−z²/2), at most 1, for `tried` = N and a one-sided z."""
    if z <= 0:
        return 1.0
    exponent = log(max(tried, 1)) - z * z / 2
    return min(1.0, exp(max(exponent, -700.0)))


def threshold(tried: int) -> float:
    """Return the z from which a view is named among `tried` = candidates × hypotheses."""
    return sqrt(2 * log(max(tried, 1) / FALSE_NAMING))
