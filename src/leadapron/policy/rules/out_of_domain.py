"""A film that is shown whole tells the most, so it carries the strongest mark."""

from __future__ import annotations

from leadapron.model import AccessRequest, Decision, Obligations
from leadapron.policy.reasons import reason
from leadapron.policy.rules import Ruling, rules

STRONGEST_MARK_DB = 50.0


def out_of_domain(request: AccessRequest, decision: Decision) -> Ruling | None:
    """Oblige the strongest mark on a film of which nothing is known."""
    if request.in_domain or not decision.regions:
        return None
    return Ruling(
        obligations=Obligations(psnr_db=STRONGEST_MARK_DB), reasons=(reason("whole-film"),)
    )


rules.add("out-of-domain", out_of_domain)
