"""The engine against an independent reading of the rules, in plain Python."""

import json
from datetime import UTC, datetime, timedelta
from importlib.resources import files

from hypothesis import given, settings
from hypothesis import strategies as st

from leadapron.model import AccessRequest, Action, Order, Recipient, Region, Role
from leadapron.policy import decide, default_engine

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
MODEL = json.loads(files("leadapron.policy").joinpath("needs.json").read_text())
READERS = {"radiologist", "clinician"}
PEOPLE = ["wang", "li"]

regions = st.frozensets(st.sampled_from(list(Region)), max_size=11)
moments = st.sampled_from([-2, -1, 0, 1, 2]).map(lambda hours: AT + timedelta(hours=hours))
orders = st.builds(
    Order,
    id=st.sampled_from(["O1", "O2", "O3"]),
    patient=st.sampled_from(["P1", "P1", "P1", "P2", ""]),
    accession=st.just("A1"),
    need=st.sampled_from([*MODEL["needs"], "unknown"]),
    recipients=st.frozensets(st.sampled_from(PEOPLE), max_size=2),
    valid_from=moments,
    valid_until=moments,
    study=st.sampled_from(["", "S1", "S1", "S2"]),
    status=st.sampled_from(["active", "active", "active", "completed", ""]),
)
requests = st.builds(
    AccessRequest,
    recipient=st.builds(
        Recipient,
        id=st.sampled_from(PEOPLE),
        role=st.sampled_from([Role.RADIOLOGIST] * 4 + [Role.CLINICIAN] * 2 + list(Role)),
        active=st.sampled_from([True, True, True, False]),
    ),
    action=st.sampled_from([Action.VIEW] * 5 + list(Action)),
    at=st.just(AT),
    patient=st.sampled_from(["P1", "P1", "P1", ""]),
    study=st.sampled_from(["S1", "S1", ""]),
    sop_instance=st.just("I1"),
    orders=st.lists(orders, max_size=3, unique_by=lambda o: o.id).map(tuple),
    regions=st.one_of(st.just(frozenset()), regions),
    available=regions,
    in_domain=st.sampled_from([True, True, True, False]),
    purpose=st.sampled_from(["", " ", "complaint"]),
    break_glass=st.sampled_from([False, False, True]),
    break_glass_reason=st.sampled_from(["", "short", "a reason long enough"]),
    breaker=st.sampled_from(["closed", "closed", "half-open", "open", "broken"]),
)


def granted(need, film):
    """What a need grants on a film in domain, from the data alone."""
    shown = {r for r in need["required"] + need.get("helpful", []) if r in film}
    for lacking in (r for r in need["required"] if r not in film):
        for group in MODEL["fallbacks"].get(lacking, []):
            if set(group) & film:
                shown |= set(group) & film
                break
    return shown


def carries(request, order):
    return (
        order.status == "active"
        and request.recipient.id in order.recipients
        and order.valid_from <= request.at < order.valid_until
    )


def shown_under(request, order):
    """The regions an order shows on this film; empty: it does not carry the view."""
    if not carries(request, order) or order.need not in MODEL["needs"]:
        return set()
    if not request.patient or order.patient != request.patient:
        return set()
    if order.study and order.study != request.study:
        return set()
    need, film = MODEL["needs"][order.need], {str(r) for r in request.available}
    if request.in_domain:
        grant = granted(need, film)
    else:
        may = need.get("whole_film") and request.recipient.role == "radiologist"
        grant = film if may else set()
    return grant & {str(r) for r in request.regions} if request.regions else grant


def oracle(request):
    """Return (allow, acceptable region sets)."""
    reader = request.recipient.role in READERS
    if not request.recipient.active:
        return False, []
    if request.action == "view" and request.break_glass:
        film, asked = request.available, request.regions
        shown = film & asked if asked else film
        allowed = reader and len(request.break_glass_reason.strip()) >= 10 and bool(shown)
        return allowed, [shown]
    if request.breaker not in ("closed", "half-open"):
        return False, []
    if request.action == "trace":
        allowed = request.recipient.role == "privacy_officer" and bool(request.purpose.strip())
        return allowed, [frozenset()]
    if not reader:
        return False, []
    if request.action == "search":
        return any(carries(request, o) for o in request.orders), [frozenset()]
    if request.action == "reidentify":
        same = [
            o
            for o in request.orders
            if carries(request, o)
            and request.patient == o.patient != ""
            and o.study in ("", request.study)
        ]
        return bool(same), [frozenset()]
    views = [s for s in (shown_under(request, o) for o in request.orders) if s]
    most = max((len(s) for s in views), default=0)
    return bool(views), [s for s in views if len(s) == most]


@settings(max_examples=300, deadline=None)
@given(requests)
def test_the_engine_and_the_oracle_agree(request):
    decision = decide(request)
    allowed, acceptable = oracle(request)
    assert decision.allow is allowed, decision.reasons
    if allowed:
        assert {str(r) for r in decision.regions} in [{str(r) for r in s} for s in acceptable]
    else:
        assert decision.regions == frozenset()
        assert decision.reasons
        assert not decision.order


@settings(max_examples=100, deadline=None)
@given(requests)
def test_what_is_shown_is_on_the_film_asked_for_and_explained(request):
    decision = decide(request)
    assert decision == decide(request)
    assert decision.policy_version == default_engine().policy_version
    assert all(r.code and r.en and r.zh for r in decision.reasons)
    assert decision.regions <= request.available
    if request.regions:
        assert decision.regions <= request.regions
    if decision.order:
        assert decision.order in {o.id for o in default_engine().carrying(request)}


@settings(max_examples=80, deadline=None)
@given(requests, orders)
def test_another_order_never_takes_a_view_away(request, extra):
    known = {o.id for o in request.orders}
    if decide(request).allow and extra.id not in known:
        more = AccessRequest(**{**vars(request), "orders": (*request.orders, extra)})
        assert decide(more).allow
