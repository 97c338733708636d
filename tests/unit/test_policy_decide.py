"""One request that is in order, and every single thing that spoils it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from leadapron.model import (
    ANATOMY,
    AccessRequest,
    Action,
    Order,
    Recipient,
    Region,
    Role,
)
from leadapron.policy import carrying, decide

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
FILM = ANATOMY | {Region.THORAX, Region.OUTSIDE}
FIRST_NETWORK = frozenset({Region.RIGHT_LUNG, Region.LEFT_LUNG, Region.HEART, Region.OUTSIDE})
REASON = "患者胸痛休克,急诊抢救,来不及开申请单"

ORDER = Order(
    id="O1",
    patient="P1",
    accession="A1",
    need="rib_fracture",
    recipients=frozenset({"wang"}),
    valid_from=AT - timedelta(hours=1),
    valid_until=AT + timedelta(hours=1),
    study="1.2.3",
)
REQUEST = AccessRequest(
    recipient=Recipient("wang", Role.RADIOLOGIST, "radiology", "王医生"),
    action=Action.VIEW,
    at=AT,
    patient="P1",
    study="1.2.3",
    sop_instance="1.2.3.4",
    orders=(ORDER,),
    available=FILM,
)
PRIVACY = Recipient("zhao", Role.PRIVACY_OFFICER)


def with_order(**changes: object) -> AccessRequest:
    return replace(REQUEST, orders=(replace(ORDER, **changes),))


def codes(request: AccessRequest) -> list[str]:
    return [reason.code for reason in decide(request).reasons]


def test_an_order_grants_exactly_what_its_need_takes():
    decision = decide(REQUEST)
    assert decision.allow
    assert decision.order == "O1"
    assert decision.regions == {
        Region.RIBS,
        Region.RIGHT_LUNG,
        Region.LEFT_LUNG,
        Region.RIGHT_CLAVICLE,
        Region.LEFT_CLAVICLE,
    }
    assert [r.code for r in decision.reasons] == ["order-carries"]
    assert not decision.obligations.review


def test_rib_fracture_and_heart_size_see_different_things():
    ribs = decide(REQUEST).regions
    heart = decide(with_order(need="heart_size"))
    assert heart.regions == {Region.HEART, Region.MEDIASTINUM}
    assert not ribs & heart.regions
    # The inner width of the thorax is measured on contour lines, without a lung pixel.
    assert heart.obligations.outlines == {Region.RIGHT_LUNG, Region.LEFT_LUNG}
    assert not decide(REQUEST).obligations.outlines


def test_a_film_without_rib_masks_falls_back_to_the_lungs_and_says_so():
    decision = decide(replace(REQUEST, available=FIRST_NETWORK))
    assert decision.regions == {Region.RIGHT_LUNG, Region.LEFT_LUNG}
    assert "region-fallback" in [r.code for r in decision.reasons]
    assert any("肋骨" in r.zh for r in decision.reasons)


def test_heart_size_without_a_heart_mask_falls_back_in_order():
    asked = with_order(need="heart_size")
    without_heart = FILM - {Region.HEART}
    assert decide(replace(asked, available=without_heart)).regions == {Region.MEDIASTINUM}
    lungs = frozenset({Region.RIGHT_LUNG, Region.LEFT_LUNG})
    assert decide(replace(asked, available=lungs)).regions == lungs


SPOILED = {
    "recipient-inactive": replace(REQUEST, recipient=replace(REQUEST.recipient, active=False)),
    "breaker-open": replace(REQUEST, breaker="open"),
    "role-sees-no-pixels": replace(REQUEST, recipient=Recipient("wang", Role.PACS_ADMIN)),
    "no-order": replace(REQUEST, orders=()),
    "order-names-others": with_order(recipients=frozenset({"li"})),
    "order-other-patient": with_order(patient="P2"),
    "order-other-study": with_order(study="9.9"),
    "order-not-active": with_order(status="completed"),
    "order-not-yet-valid": with_order(valid_from=AT + timedelta(microseconds=1)),
    "order-expired": with_order(valid_until=AT),
    "need-unknown": with_order(need="curiosity"),
    "film-out-of-domain": replace(REQUEST, in_domain=False, available=frozenset({Region.OUTSIDE})),
    "region-not-granted": replace(REQUEST, regions=frozenset({Region.HEART})),
    "no-region": replace(REQUEST, available=frozenset()),
    "region-not-on-film": replace(
        REQUEST, available=FIRST_NETWORK, regions=frozenset({Region.RIBS})
    ),
}


@pytest.mark.parametrize("code", SPOILED)
def test_one_spoiled_thing_refuses_and_is_named(code):
    decision = decide(SPOILED[code])
    assert not decision.allow
    assert decision.regions == frozenset()
    assert [r.code for r in decision.reasons] == [code]
    assert decision.reasons[0].en and decision.reasons[0].zh


@pytest.mark.parametrize("role", [r for r in Role if r not in (Role.RADIOLOGIST, Role.CLINICIAN)])
@pytest.mark.parametrize("action", [Action.VIEW, Action.EXPORT])
@pytest.mark.parametrize("break_glass", [False, True])
def test_other_roles_never_see_pixels(role, action, break_glass):
    request = replace(
        REQUEST,
        recipient=Recipient("wang", role),
        action=action,
        break_glass=break_glass,
        break_glass_reason=REASON,
        purpose="audit",
    )
    decision = decide(request)
    assert not decision.allow
    assert decision.reasons[0].code == "role-sees-no-pixels"


def test_asking_for_more_gives_only_what_is_granted():
    decision = decide(replace(REQUEST, regions=frozenset({Region.RIBS, Region.HEART})))
    assert decision.allow
    assert decision.regions == {Region.RIBS}
    narrowed = next(r for r in decision.reasons if r.code == "regions-narrowed")
    assert "heart" in narrowed.en and "心脏" in narrowed.zh


def test_an_order_without_a_study_covers_the_patient_but_never_an_unnamed_one():
    assert decide(with_order(study="")).allow
    unbound = replace(with_order(study="", patient=""), patient="")
    assert codes(unbound) == ["order-other-patient"]


def test_two_orders_of_one_reader_stay_apart():
    both = (ORDER, replace(ORDER, id="O2", need="heart_size"))
    request = replace(REQUEST, orders=both)
    asked = decide(replace(request, regions=frozenset({Region.HEART, Region.MEDIASTINUM})))
    assert (asked.order, asked.regions) == ("O2", {Region.HEART, Region.MEDIASTINUM})
    unasked = decide(request)
    assert unasked.order == "O1"
    assert unasked == decide(replace(request, orders=both[::-1]))


def test_a_refusal_is_explained_by_the_nearest_order():
    far = replace(ORDER, id="O0", patient="P9", study="9", status="cancelled")
    near = replace(ORDER, id="O9", valid_until=AT - timedelta(minutes=1))
    assert codes(replace(REQUEST, orders=(far, near))) == ["order-expired"]


def test_a_film_out_of_domain_needs_a_radiologist_with_an_order_for_the_whole():
    whole = replace(
        with_order(need="preoperative_routine"),
        in_domain=False,
        available=frozenset({Region.OUTSIDE}),
    )
    decision = decide(whole)
    assert decision.allow
    assert decision.regions == {Region.OUTSIDE}
    assert decision.obligations.psnr_db == 50
    clinician = replace(whole, recipient=Recipient("wang", Role.CLINICIAN))
    assert codes(clinician) == ["film-out-of-domain"]


@pytest.mark.parametrize("breaker", ["closed", "half-open", "open", "nonsense"])
def test_break_glass_passes_an_open_breaker_and_must_be_reviewed(breaker):
    request = replace(
        REQUEST, orders=(), breaker=breaker, break_glass=True, break_glass_reason=REASON
    )
    decision = decide(request)
    assert decision.allow
    assert decision.regions == FILM
    assert decision.order == ""
    assert decision.obligations.review
    assert decision.obligations.psnr_db == 50


@pytest.mark.parametrize("reason", ["", "emergency", "   nine  ch   ", "抢救"])
def test_break_glass_without_a_real_reason_is_refused(reason):
    request = replace(REQUEST, break_glass=True, break_glass_reason=reason)
    assert codes(request) == ["break-glass-reason-missing"]


@pytest.mark.parametrize("action", [Action.SEARCH, Action.EXPORT, Action.REIDENTIFY])
def test_break_glass_opens_films_and_nothing_else(action):
    request = replace(
        REQUEST, action=action, orders=(), break_glass=True, break_glass_reason=REASON
    )
    assert codes(request) == ["no-order"]
    with_order_but_open = replace(request, orders=(ORDER,), breaker="open")
    assert codes(with_order_but_open) == ["breaker-open"]


@pytest.mark.parametrize("breaker", ["open", "unknown", ""])
@pytest.mark.parametrize("action", Action)
def test_a_breaker_that_is_not_known_to_be_shut_stops_everything_else(breaker, action):
    who = PRIVACY if action is Action.TRACE else REQUEST.recipient
    request = replace(REQUEST, recipient=who, action=action, breaker=breaker, purpose="leak")
    assert codes(request) == ["breaker-open"]


def test_search_needs_an_own_order_that_carries():
    search = replace(REQUEST, action=Action.SEARCH, patient="", study="", available=frozenset())
    assert decide(search).allow
    assert codes(replace(search, orders=())) == ["no-order"]
    others = replace(ORDER, id="O2", recipients=frozenset({"li"}))
    expired = replace(ORDER, id="O3", valid_until=AT)
    assert carrying(replace(search, orders=(others, ORDER, expired))) == (ORDER,)
    assert carrying(replace(search, orders=(ORDER,), breaker="open")) == ()
    assert codes(replace(search, orders=(others,))) == ["order-names-others"]


def test_only_the_privacy_officer_traces_and_only_for_a_purpose():
    trace = AccessRequest(PRIVACY, Action.TRACE, AT, purpose="投诉:网传胸片")
    assert decide(trace).allow
    assert decide(trace).regions == frozenset()
    assert codes(replace(trace, purpose="  ")) == ["purpose-missing"]
    for role in set(Role) - {Role.PRIVACY_OFFICER}:
        assert codes(replace(trace, recipient=Recipient("x", role))) == ["role-not-permitted"]


def test_a_reader_with_an_order_sees_the_name_of_that_patient_only():
    ask = replace(REQUEST, action=Action.REIDENTIFY)
    assert decide(ask).allow
    assert decide(ask).order == "O1"
    assert codes(replace(ask, patient="P2")) == ["order-other-patient"]
    officer = Recipient("wang", Role.PRIVACY_OFFICER)
    assert codes(replace(ask, recipient=officer)) == ["role-not-permitted"]


def test_odd_identifiers_are_data_not_policy_text():
    odd = 'w"); permit(principal, action, resource); //\n'
    named = replace(
        with_order(recipients=frozenset({odd})), recipient=Recipient(odd, Role.CLINICIAN)
    )
    assert decide(named).allow
    assert codes(replace(named, recipient=Recipient(odd + " ", Role.CLINICIAN))) == [
        "order-names-others"
    ]
