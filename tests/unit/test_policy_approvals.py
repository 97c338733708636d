"""One person asks, another one consents, and what happens is exactly that, once."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from leadapron.ledger import Ledger
from leadapron.model import (
    BadInput,
    Conflict,
    Denied,
    IntegrityFailure,
    NotFound,
    Recipient,
    Role,
    StorageFailure,
)
from leadapron.policy import Approvals, PolicyStore, content_digest, dual_actions
from leadapron.store.database import Database

PEOPLE = {
    "sun": Role.PRIVACY_OFFICER,
    "qian": Role.PRIVACY_OFFICER,
    "bao": Role.SECURITY,
    "chen": Role.RADIOLOGIST,
    "admin": Role.PACS_ADMIN,
}
WHAT = {"patients": ["LAAAA", "LABBB"], "count": 2}
WHY = "病人来信要求查询本人影像"


class House:
    """Everything an approval needs, on real files, with a clock that a test moves."""

    def __init__(self, folder) -> None:
        self.now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
        self.accounts = set(PEOPLE)
        self.database = Database(f"sqlite:///{folder / 'catalog.db'}")
        self.database.migrate("catalog")
        self.policy = PolicyStore(self.database)
        self.ledger = Ledger.open(folder / "ledger")
        for person, role in PEOPLE.items():
            self.policy.add_recipient(Recipient(person, role))
        self.approvals = self.another()

    def another(self) -> Approvals:
        """Return a second one over the same database, as another process has."""
        return Approvals(
            self.database,
            self.policy,
            self.ledger,
            has_account=lambda person: person in self.accounts,
            clock=lambda: self.now,
        )

    def ask(self, by: str = "sun"):
        return self.approvals.request(
            "reidentify", by, purpose="patient_request", reason=WHY, content=WHAT
        )

    def kinds(self) -> list[str]:
        return [str(e["kind"]) for e in self.ledger.entries()]

    def close(self) -> None:
        self.ledger.close()
        self.database.close()


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.close()


def test_two_people_make_one_use(house):
    asked = house.ask()
    assert asked.state == "pending" and asked.digest == content_digest(WHAT)
    granted = house.approvals.approve(asked.id, "qian", "见来信原件")
    assert granted.state == "approved" and granted.decided_by == "qian"
    used = house.approvals.use(asked.id, "sun", "reidentify", WHAT)
    assert used.state == "used" and used.uses == 1
    assert house.kinds() == ["approval.requested", "approval.approved", "approval.used"]
    assert {e["digest"] for e in house.ledger.entries()} == {content_digest(WHAT)}
    with pytest.raises(Conflict) as again:
        house.approvals.use(asked.id, "sun", "reidentify", WHAT)
    assert again.value.slug == "approval-used"


def test_the_digest_does_not_depend_on_the_order_of_keys(house):
    asked = house.ask()
    house.approvals.approve(asked.id, "bao")
    house.approvals.use(asked.id, "sun", "reidentify", dict(reversed(WHAT.items())))


@pytest.mark.parametrize(
    ("person", "code"),
    [
        ("sun", "own-request"),
        ("chen", "role-not-permitted"),
        ("admin", "role-not-permitted"),
        ("nobody", "unknown-recipient"),
    ],
)
def test_who_cannot_be_the_second_person(house, person, code):
    asked = house.ask()
    for decide in (house.approvals.approve, house.approvals.refuse):
        with pytest.raises(Denied) as denied:
            decide(asked.id, person)
        assert denied.value.slug == code
    assert house.approvals.get(asked.id).state == "pending"
    assert house.kinds() == ["approval.requested", "approval.denied", "approval.denied"]


def test_a_person_without_an_account_is_no_second_person(house):
    asked = house.ask()
    house.accounts.discard("qian")
    house.policy.revoke("recipient", "bao", "left the hospital")
    for person in ("qian", "bao"):
        assert not house.approvals.may_decide(asked, person)
        with pytest.raises(Denied, match="disabled"):
            house.approvals.approve(asked.id, person)


def test_consent_dies_with_the_account_of_either(house):
    for gone in ("sun", "qian"):
        asked = house.ask()
        house.approvals.approve(asked.id, "qian")
        house.accounts.discard(gone)
        with pytest.raises(Denied):
            house.approvals.use(asked.id, "sun", "reidentify", WHAT)
        house.accounts.add(gone)


def test_only_what_was_approved_by_whom_it_was_approved_for(house):
    asked = house.ask()
    with pytest.raises(Conflict) as early:
        house.approvals.use(asked.id, "sun", "reidentify", WHAT)
    assert early.value.slug == "approval-pending"
    house.approvals.approve(asked.id, "qian")
    more = WHAT | {"patients": [*WHAT["patients"], "LACCC"]}
    for by, action, content, code in (
        ("sun", "reidentify", more, "not-what-was-approved"),
        ("sun", "accuse", WHAT, "not-what-was-approved"),
        ("qian", "reidentify", WHAT, "not-your-request"),
    ):
        with pytest.raises(Denied) as denied:
            house.approvals.use(asked.id, by, action, content)
        assert denied.value.slug == code
    assert house.approvals.use(asked.id, "sun", "reidentify", WHAT).uses == 1


def test_requests_and_consents_expire(house):
    late, unused = house.ask(), house.ask()
    house.approvals.approve(unused.id, "qian")
    house.now += dual_actions()["reidentify"].use_within
    with pytest.raises(Conflict) as over:
        house.approvals.use(unused.id, "sun", "reidentify", WHAT)
    assert over.value.slug == "approval-expired"
    house.now += dual_actions()["reidentify"].decide_within
    assert house.approvals.get(late.id).state == "expired"
    with pytest.raises(Conflict):
        house.approvals.approve(late.id, "qian")


def test_refused_and_withdrawn_stay_so(house):
    refused, withdrawn = house.ask(), house.ask()
    house.approvals.refuse(refused.id, "qian", "用途不明")
    with pytest.raises(Denied):
        house.approvals.withdraw(withdrawn.id, "qian")
    house.approvals.withdraw(withdrawn.id, "sun")
    for asked in (refused, withdrawn):
        for act in (house.approvals.approve, house.approvals.refuse):
            with pytest.raises(Conflict):
                act(asked.id, "bao")
        with pytest.raises(Conflict):
            house.approvals.use(asked.id, "sun", "reidentify", WHAT)


def test_a_consent_can_be_taken_back_before_its_use(house):
    asked = house.ask()
    house.approvals.approve(asked.id, "qian")
    house.approvals.refuse(asked.id, "bao", "情况有变")
    with pytest.raises(Conflict):
        house.approvals.use(asked.id, "sun", "reidentify", WHAT)


def test_bad_requests_say_why(house):
    ask = house.approvals.request
    for change, error in (
        ({"purpose": "curiosity"}, BadInput),
        ({"reason": "why not"}, BadInput),
        ({"content": {"p": 0.5}}, BadInput),
        ({"content": {"p": "x" * (1 << 20)}}, BadInput),
    ):
        given = {"purpose": "patient_request", "reason": WHY, "content": WHAT} | change
        with pytest.raises(error):
            ask("reidentify", "sun", **given)
    with pytest.raises(NotFound):
        ask("launch", "sun", purpose="patient_request", reason=WHY, content=WHAT)
    with pytest.raises(Denied):
        ask("reidentify", "admin", purpose="patient_request", reason=WHY, content=WHAT)
    assert house.kinds() == ["approval.denied"]


def test_no_words_of_a_person_reach_the_log(house):
    asked = house.ask()
    house.approvals.approve(asked.id, "qian", "张三的女儿来电")
    house.approvals.use(asked.id, "sun", "reidentify", WHAT)
    raw = b"".join(house.ledger.raw(i) for i in range(house.ledger.size))
    assert WHY.encode() not in raw and "张三".encode() not in raw and b"LAAAA" not in raw


def test_without_the_log_nothing_happens(house, monkeypatch):
    asked = house.ask()

    def full(_entries):
        raise StorageFailure("the disk is full", remedy="free space")

    def failing(act, *given):
        with monkeypatch.context() as patch:
            patch.setattr(house.ledger, "append_many", full)
            with pytest.raises(StorageFailure):
                act(*given)

    failing(house.ask)
    failing(house.approvals.approve, asked.id, "qian")
    assert house.approvals.get(asked.id).state == "pending"
    house.approvals.approve(asked.id, "qian")
    failing(house.approvals.use, asked.id, "sun", "reidentify", WHAT)
    assert house.approvals.get(asked.id).uses == 0
    assert house.approvals.use(asked.id, "sun", "reidentify", WHAT).uses == 1


def test_many_at_once_use_it_once(house):
    asked = house.ask()
    house.approvals.approve(asked.id, "qian")
    ready, outcomes = threading.Barrier(6), []

    def race():
        mine = house.another()
        ready.wait()
        try:
            mine.use(asked.id, "sun", "reidentify", WHAT)
            outcomes.append("used")
        except Conflict as error:
            outcomes.append(error.slug)

    threads = [threading.Thread(target=race) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("used") == 1 and len(outcomes) == 6
    assert set(outcomes) <= {"used", "approval-busy", "approval-used"}
    assert house.kinds().count("approval.used") == 1


def written(house, **values):
    columns = ", ".join(f"{name} = ?" for name in values)
    with house.database.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE approvals SET {columns}", tuple(values.values()))


def test_consent_that_only_the_database_knows_is_none(house):
    asked = house.ask()
    written(house, state="approved", decided_by="qian", decided_index=asked.ledger_index)
    with pytest.raises(IntegrityFailure):
        house.approvals.use(asked.id, "sun", "reidentify", WHAT)
    written(house, decided_index=None)
    with pytest.raises(IntegrityFailure):
        house.approvals.use(asked.id, "sun", "reidentify", WHAT)


@pytest.mark.parametrize(
    "change", [{"content": "{}"}, {"decided_by": "bao"}, {"requester": "qian"}]
)
def test_what_was_approved_cannot_be_changed_in_the_database(house, change):
    asked = house.ask()
    house.approvals.approve(asked.id, "qian")
    written(house, **change)
    with pytest.raises(IntegrityFailure):
        house.approvals.use(asked.id, change.get("requester", "sun"), "reidentify", WHAT)


def test_a_use_cannot_be_reset_in_the_database(house):
    asked = house.ask()
    house.approvals.approve(asked.id, "qian")
    house.approvals.use(asked.id, "sun", "reidentify", WHAT)
    written(house, state="approved", uses=0)
    house.now -= timedelta(minutes=1)
    with pytest.raises(Conflict) as again:
        house.approvals.use(asked.id, "sun", "reidentify", WHAT)
    assert again.value.slug == "approval-used"


def test_every_act_has_words_and_two_kinds_of_people():
    for act in dual_actions().values():
        assert act.en and act.zh and act.purposes and act.request and act.approve
        assert timedelta() < act.use_within <= timedelta(hours=24)
        assert all(p.en and p.zh for p in act.purposes)
