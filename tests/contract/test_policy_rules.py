"""What every registered policy rule must keep to, built in or a third party's."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from leadapron.model import AccessRequest, Action, Decision, Recipient, Region, Role
from leadapron.policy import Ruling, rules

REQUESTS = [
    AccessRequest(
        recipient=Recipient("wang", Role.RADIOLOGIST),
        action=action,
        at=datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
        available=frozenset({Region.HEART, Region.OUTSIDE}),
        in_domain=in_domain,
        break_glass=break_glass,
        break_glass_reason="a reason long enough",
    )
    for action in Action
    for in_domain in (True, False)
    for break_glass in (True, False)
]
DECISIONS = [Decision(True), Decision(True, frozenset({Region.HEART}))]


@pytest.mark.parametrize("name", list(rules))
def test_a_rule_is_pure_and_tells_its_reasons(name):
    rule = rules.get(name)
    for request in REQUESTS:
        for decision in DECISIONS:
            before = replace(request)
            ruling = rule(request, decision)
            assert ruling == rule(request, decision)
            assert request == before
            assert ruling is None or isinstance(ruling, Ruling)
            if ruling is not None and (ruling.veto or ruling.obligations):
                assert ruling.reasons
                assert all(r.code and r.en and r.zh for r in ruling.reasons)


def test_the_built_in_rules_are_found():
    assert {"break-glass", "out-of-domain"} <= set(rules)
