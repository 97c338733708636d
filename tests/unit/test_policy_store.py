"""Recipients, orders, revocations and breakers survive the database unchanged."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from test_policy_decide import AT, ORDER, REQUEST

from leadapron.model import BadInput, Conflict, NotFound, Recipient, Role
from leadapron.policy import PolicyStore, decide
from leadapron.policy.tables import Base
from leadapron.store.database import Database

WANG = Recipient("wang", Role.RADIOLOGIST, "放射科", "王医生")
LI = Recipient("li", Role.CLINICIAN, "胸外科", "李医生")


@pytest.fixture
def store(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'catalog.db'}")
    Base.metadata.create_all(database.engine)
    yield PolicyStore(database, clock=lambda: AT)
    database.close()


def test_recipients_come_back_as_they_went_in(store):
    store.add_recipient(WANG, ae_title=" WS_WANG ")
    store.add_recipient(LI)
    assert store.recipient("wang") == WANG
    assert store.recipient_by_ae("WS_WANG") == WANG
    assert store.recipients() == [LI, WANG]
    store.add_recipient(replace(WANG, department="急诊科"), ae_title="WS_WANG")
    assert store.recipient("wang").department == "急诊科"


@pytest.mark.parametrize("ae_title", ["", "   ", "NOBODY"])
def test_an_unknown_workstation_is_nobody(store, ae_title):
    store.add_recipient(LI)
    with pytest.raises(NotFound):
        store.recipient_by_ae(ae_title)


def test_one_workstation_has_one_recipient(store):
    store.add_recipient(WANG, ae_title="WS1")
    with pytest.raises(Conflict):
        store.add_recipient(LI, ae_title="WS1")
    with pytest.raises(NotFound):
        store.recipient("li")


@pytest.mark.parametrize("ae_title", ["A" * 17, "A\\B", "A\nB", "王"])
def test_an_impossible_ae_title_is_refused(store, ae_title):
    with pytest.raises(BadInput):
        store.add_recipient(WANG, ae_title=ae_title)


def test_orders_are_found_by_recipient_patient_and_study(store):
    shared = replace(ORDER, id="O2", recipients=frozenset({"wang", "li"}), patient="P2", study="")
    store.add_order(ORDER)
    store.add_order(shared)
    assert store.order("O1") == ORDER
    assert store.orders_for("wang", "P1") == [ORDER]
    assert store.orders_for("wang", study="1.2.3") == [ORDER]
    assert store.orders_for("li", "P1") == []
    assert store.orders_for("wang") == []
    assert store.orders_of("li") == [shared]
    assert {o.id for o in store.orders_of("wang")} == {"O1", "O2"}
    assert {o.id for o in store.orders_by_accession("A1")} == {"O1", "O2"}


def test_an_update_replaces_whom_the_order_names(store):
    store.add_order(ORDER)
    store.add_order(replace(ORDER, recipients=frozenset({"li"})))
    assert store.orders_of("wang") == []
    assert [o.id for o in store.orders_of("li")] == ["O1"]


def test_times_keep_the_moment_whatever_their_zone(store):
    shanghai = timezone(timedelta(hours=8))
    store.add_order(replace(ORDER, valid_from=ORDER.valid_from.astimezone(shanghai)))
    assert store.order("O1").valid_from == ORDER.valid_from
    assert store.order("O1").valid_from.tzinfo is UTC


@pytest.mark.parametrize(
    "changes",
    [
        {"need": "curiosity"},
        {"id": ""},
        {"valid_until": ORDER.valid_from},
        {"valid_from": datetime(2026, 3, 2, 8, 30)},
    ],
    ids=str,
)
def test_an_order_that_could_never_carry_is_refused(store, changes):
    with pytest.raises(BadInput):
        store.add_order(replace(ORDER, **changes))


def test_an_order_carries_once_it_is_bound(store):
    store.add_order(replace(ORDER, patient="", study=""))
    unbound = replace(REQUEST, orders=tuple(store.orders_of("wang")))
    assert not decide(unbound).allow
    store.bind_order("O1", "P1", "1.2.3")
    assert decide(replace(REQUEST, orders=tuple(store.orders_for("wang", "P1")))).allow
    with pytest.raises(NotFound):
        store.bind_order("O9", "P1", "1.2.3")
    with pytest.raises(BadInput):
        store.bind_order("O1", "", "1.2.3")


def test_a_completed_order_no_longer_carries(store):
    store.add_order(ORDER)
    store.set_order_status("O1", "completed")
    assert not decide(replace(REQUEST, orders=tuple(store.orders_of("wang")))).allow


def test_a_revoked_recipient_stays_revoked_when_the_his_sends_it_again(store):
    store.add_recipient(WANG)
    store.revoke("recipient", "wang", "copy leaked", case="C1")
    store.revoke("recipient", "wang", "again")
    store.add_recipient(WANG)
    assert not store.recipient("wang").active
    assert [(r.target, r.reason, r.case, r.at) for r in store.revocations()] == [
        ("wang", "copy leaked", "C1", AT)
    ]
    assert not decide(replace(REQUEST, recipient=store.recipient("wang"))).allow
    store.restore("recipient", "wang")
    assert store.recipient("wang").active


def test_a_view_can_be_revoked_alone(store):
    store.add_recipient(WANG)
    store.revoke("view", "Vabc", "leaked")
    assert store.is_revoked("view", "Vabc")
    assert not store.is_revoked("recipient", "Vabc")
    assert store.recipient("wang").active
    with pytest.raises(BadInput):
        store.revoke("hospital", "x", "y")


def test_the_stricter_breaker_holds(store):
    assert store.breaker("wang") == "closed"
    store.set_breaker("wang", "half-open", "cool-down over")
    assert store.breaker("wang") == "half-open"
    store.set_breaker("*", "open", "case C1")
    assert (store.breaker("wang"), store.breaker("li"), store.breaker()) == ("open",) * 3
    store.set_breaker("*", "closed", "contained")
    assert (store.breaker("wang"), store.breaker("li")) == ("half-open", "closed")
    assert [(b.scope, b.state) for b in store.breakers()] == [("wang", "half-open")]
    with pytest.raises(BadInput):
        store.set_breaker("wang", "ajar", "?")
