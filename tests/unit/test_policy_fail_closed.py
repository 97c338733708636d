"""Whatever goes wrong inside the engine, the answer is no."""

import os
import subprocess
import sys
from dataclasses import fields, replace
from types import SimpleNamespace

import cedarpy
import pytest
from test_policy_decide import ORDER, PRIVACY, REQUEST

from leadapron.model import Action, BadInput, Decision, Obligations, Recipient
from leadapron.policy import Engine, decide
from leadapron.policy.rules import Ruling

TRACE = replace(REQUEST, recipient=PRIVACY, action=Action.TRACE, purpose="leak", orders=())


@pytest.fixture
def engine():
    return Engine()


def answering(decision, errors=()):
    """A Cedar that always says the same."""
    result = SimpleNamespace(
        decision=decision,
        diagnostics=SimpleNamespace(errors=list(errors), reasons=[], id_annotations_by_reason={}),
    )
    return SimpleNamespace(
        is_authorized_batch=lambda requests, *_, **__: [result] * len(requests),
        Decision=cedarpy.Decision,
    )


@pytest.mark.parametrize("request_", [REQUEST, TRACE], ids=["view", "trace"])
@pytest.mark.parametrize("field", [f.name for f in fields(REQUEST)])
def test_a_missing_attribute_never_allows(request_, field):
    assert decide(request_).allow
    spoiled = decide(replace(request_, **{field: None}))
    read_by_this_action = request_.action is Action.VIEW or field in (
        "recipient",
        "action",
        "at",
        "purpose",
        "case",
        "channel",
        "breaker",
        "break_glass",
        "break_glass_reason",
    )
    if read_by_this_action:
        assert not spoiled.allow
        assert [r.code for r in spoiled.reasons] == ["no-decision"]


@pytest.mark.parametrize("field", [f.name for f in fields(ORDER)])
def test_an_order_with_a_missing_attribute_never_carries(field):
    spoiled = decide(replace(REQUEST, orders=(replace(ORDER, **{field: None}),)))
    # Its accession plays no part in the match.
    assert spoiled.allow is (field == "accession")


@pytest.mark.parametrize("field", ["id", "role", "department", "active"])
def test_a_recipient_with_a_missing_attribute_is_refused(field):
    values = {f.name: getattr(REQUEST.recipient, f.name) for f in fields(REQUEST.recipient)}
    spoiled = replace(REQUEST, recipient=Recipient(**{**values, field: None}))
    assert not decide(spoiled).allow


@pytest.mark.parametrize(
    "changes",
    [
        {"in_domain": "yes"},
        {"in_domain": 1},
        {"break_glass": "no"},
        {"breaker": True},
        {"at": REQUEST.at.replace(tzinfo=None)},
        {"available": frozenset({"brain"})},
        {"regions": frozenset({"ribs", "brain"})},
        {"recipient": replace(REQUEST.recipient, active="true")},
        {"action": "destroy"},
    ],
    ids=str,
)
def test_a_mistyped_attribute_never_allows(changes):
    assert not decide(replace(REQUEST, **changes)).allow


@pytest.mark.parametrize("nonsense", [None, "view", object()])
def test_no_request_at_all_is_refused(nonsense):
    assert decide(nonsense).allow is False


@pytest.mark.parametrize(
    "cedar",
    [
        answering(cedarpy.Decision.NoDecision),
        answering(cedarpy.Decision.Allow, ["error while evaluating policy `policy7`"]),
        answering("Allow"),
        SimpleNamespace(),
    ],
    ids=["no-decision", "allow-with-errors", "not-an-answer", "raises"],
)
def test_only_a_clean_allow_allows(engine, cedar):
    engine._cedar = cedar
    decision = engine.decide(REQUEST)
    assert not decision.allow
    assert [r.code for r in decision.reasons] == ["no-decision"]
    assert engine.carrying(REQUEST) == ()


def test_the_schema_goes_with_every_request(engine):
    seen = []

    def spy(requests, policies, entities, **options):
        seen.append(options["schema"])
        return cedarpy.is_authorized_batch(requests, policies, entities, **options)

    engine._cedar = SimpleNamespace(is_authorized_batch=spy, Decision=cedarpy.Decision)
    for action in Action:
        engine.decide(replace(REQUEST, action=action))
    engine.carrying(REQUEST)
    assert len(seen) == len(Action) + 1
    assert all(isinstance(schema, cedarpy.Schema) for schema in seen)


def test_the_trap_that_the_schema_closes_is_real(engine):
    """Without a schema Cedar skips a forbid that meets a missing attribute, and allows."""
    request = {
        "principal": {"type": "Recipient", "id": "wang"},
        "action": {"type": "Action", "id": "trace"},
        "resource": {"type": "Archive", "id": "archive"},
        "context": {"breaker": "closed"},
    }
    role = {"role": "privacy_officer", "department": "", "active": True}
    entities = [
        {"uid": {"type": "Recipient", "id": "wang"}, "attrs": role, "parents": []},
        {"uid": {"type": "Archive", "id": "archive"}, "attrs": {}, "parents": []},
    ]
    bare = cedarpy.is_authorized(request, engine._policies, entities)
    assert bare.allowed, "Cedar no longer falls into the trap: simplify the guard against it"
    checked = cedarpy.is_authorized(request, engine._policies, entities, schema=engine._schema)
    assert checked.decision is cedarpy.Decision.NoDecision


def test_a_hospital_may_forbid_and_its_reason_is_told(tmp_path):
    (tmp_path / "own.cedar").write_text(
        '@id("radiology-only") forbid (principal, action == Action::"view", resource)'
        ' unless { principal.department == "radiology" };'
    )
    own = Engine(tmp_path)
    assert own.decide(REQUEST).allow
    elsewhere = replace(REQUEST, recipient=replace(REQUEST.recipient, department="surgery"))
    assert decide(elsewhere).allow
    refused = own.decide(elsewhere)
    assert [r.code for r in refused.reasons] == ["policy-forbids"]
    assert "radiology-only" in refused.reasons[0].zh
    assert own.policy_version != Engine().policy_version


def test_a_hospital_permit_cannot_pass_a_guard(tmp_path):
    (tmp_path / "all.cedar").write_text("permit (principal, action, resource);")
    own = Engine(tmp_path)
    for spoiled in (
        replace(REQUEST, orders=()),
        replace(REQUEST, breaker="open"),
        replace(REQUEST, recipient=replace(REQUEST.recipient, active=False)),
        replace(REQUEST, available=frozenset()),
        replace(TRACE, purpose=""),
    ):
        assert not own.decide(spoiled).allow


@pytest.mark.parametrize(
    "text",
    [
        "forbid (principal, action, resource) when { principal.shoe_size > 44 };",
        "forbid (principal, action, resource) when { principal.active > 1 };",
        "forbid (principal, action",
    ],
)
def test_a_policy_that_does_not_fit_the_schema_stops_the_start(tmp_path, text):
    (tmp_path / "bad.cedar").write_text(text)
    with pytest.raises(BadInput):
        Engine(tmp_path)


def test_a_missing_policy_folder_stops_the_start(tmp_path):
    with pytest.raises(BadInput, match="no policy folder"):
        Engine(tmp_path / "gone")


def test_a_rule_may_veto_but_neither_allow_nor_loosen(engine):
    engine._rules = (("veto", lambda request, decision: Ruling(veto=True)),)
    assert not engine.decide(REQUEST).allow
    loose = Obligations(psnr_db=90, background="mosaic", review=False)
    engine._rules = (("loose", lambda request, decision: Ruling(obligations=loose)),)
    assert engine.decide(REQUEST).obligations == decide(REQUEST).obligations
    assert not engine.decide(replace(REQUEST, orders=())).allow


def test_a_rule_that_raises_refuses(engine):
    def broken(request, decision):
        raise RuntimeError

    engine._rules = (("broken", broken),)
    assert engine.decide(REQUEST) == Decision(
        False, reasons=engine.decide(REQUEST).reasons, policy_version=engine.policy_version
    )


def test_the_version_is_the_same_in_every_process():
    script = "from leadapron.policy import default_engine; print(default_engine().policy_version)"
    environment = {**os.environ, "PYTHONHASHSEED": "17"}
    other = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == Engine().policy_version == decide(REQUEST).policy_version
