"""Every break-glass view is reviewed by a person and carries the strongest mark."""

from __future__ import annotations

from leadapron.model import AccessRequest, Action, Decision, Obligations
from leadapron.policy.reasons import reason
from leadapron.policy.rules import Ruling, rules

STRONGEST_MARK_DB = 50.0


def break_glass(request: AccessRequest, decision: Decision) -> Ruling | None:
    """Oblige a review of a view that no order carries."""
    if not (request.break_glass and request.action is Action.VIEW and decision.regions):
        return None
    return Ruling(
        obligations=Obligations(psnr_db=STRONGEST_MARK_DB, review=True),
        reasons=(reason("break-glass"),),
    )


rules.add("break-glass", break_glass)
