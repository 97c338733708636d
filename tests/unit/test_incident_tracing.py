"""A leaked copy points to its view; nobody is named or told before two people want it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import trace_films
from trace_films import jpeg

from leadapron.app.api.trace_answers import trace_answer
from leadapron.delivery import Refused, ViewRequest
from leadapron.incident.measuring import Measuring
from leadapron.incident.proof import check_evidence
from leadapron.model import BadInput, Conflict, Denied, Order, Recipient, Role

# Traces take a while on a machine that others use.
pytestmark = pytest.mark.timeout(900)
here, films, shown = trace_films.here, trace_films.films, trace_films.shown


@pytest.fixture
def leaked(shown, films):
    view_id, picture = shown["chen", films[0].sop_instance]
    return view_id, jpeg(picture)


@pytest.fixture
def waiting(here, leaked):
    found = here.tracing.trace(leaked[1], "sun", "找到的副本")
    yield here.naming.ask(found.stored.id, "sun")
    for user in ("chen", "liu"):
        here.policy.set_breaker(user, "closed", "test")
    for revocation in here.policy.revocations():
        here.policy.restore(revocation.kind, revocation.target)


def answer(here, stored, user):
    return trace_answer(here, stored, here.traces.record(stored), user)


def test_before_the_second_person_nothing_names_the_view(here, waiting, leaked):
    view_id, _ = leaked
    told = answer(here, waiting, "sun")
    assert told.verdict == "waiting"
    assert (told.best, told.p_value, told.z) == (None, None, None)
    assert told.case is not None
    assert told.second.state == "pending"
    assert told.sop_instance
    text = told.model_dump_json()
    assert view_id not in text
    assert '"z":null' in text
    for user in ("wu", "chen"):
        assert view_id not in answer(here, waiting, user).model_dump_json()
    case = here.cases.get(waiting.case_id)
    assert (case.view_id, case.recipient) == (None, None)
    assert case.step("locate").done_at is None
    with pytest.raises(Conflict, match="not confirmed"):
        here.reports.pdf(waiting.id, "en", "sun")


def test_the_log_commits_to_the_result_without_telling_it(here, waiting, leaked):
    entry = here.ledger.entry(waiting.ledger_index)
    assert entry["kind"] == "trace"
    assert entry["purpose"] == "找到的副本"
    assert entry["ranking"] == waiting.ranking
    after = list(here.ledger.entries(waiting.ledger_index, here.ledger.size))
    assert leaked[0] not in json.dumps(after)
    asked = next(e for e in after if e["kind"] == "approval.requested")
    assert asked["action"] == "accuse"


def test_the_second_person_sees_everything_and_is_logged(here, waiting, leaked):
    told = answer(here, waiting, "qian")
    assert told.verdict == "traced"
    assert told.best.view_id == leaked[0]
    assert told.best.recipient == "chen"
    assert told.films[0].decoys.count == 200
    assert told.films[0].decoys.max < told.films[0].threshold < told.z
    assert told.second.may_decide
    here.naming.note_look(waiting, "qian")
    here.naming.note_look(waiting, "qian")
    looks = [e for e in here.ledger.entries(waiting.ledger_index) if e["kind"] == "trace.seen"]
    assert [(e["trace"], e["recipient"]) for e in looks] == [(waiting.id, "qian")]


def test_two_people_name_the_view(here, waiting, leaked):
    with pytest.raises(Denied):
        here.naming.confirm(waiting.id, "sun")
    with pytest.raises(Denied):
        here.naming.confirm(waiting.id, "wu")
    done = here.naming.confirm(waiting.id, "qian", "seen")
    assert done.state == "confirmed"
    case = here.cases.get(done.case_id)
    assert (case.view_id, case.recipient) == (leaked[0], "chen")
    assert case.step("locate").done_by == "qian"
    told = answer(here, done, "sun")
    assert (told.verdict, told.best.view_id) == ("traced", leaked[0])
    entry = here.ledger.entry(done.confirmed_index)
    assert (entry["first"], entry["recipient"], entry["views"]) == ("sun", "qian", [leaked[0]])
    with pytest.raises(Conflict):
        here.naming.confirm(waiting.id, "qian")


def test_an_approval_given_elsewhere_takes_effect_at_the_next_look(here, waiting, leaked):
    here.approvals.approve(waiting.approval_id, "qian")
    assert here.traces.get(waiting.id).state == "waiting"
    assert here.naming.settled(waiting.id).state == "confirmed"
    assert here.cases.get(waiting.case_id).view_id == leaked[0]


def test_what_the_second_person_declines_names_nobody(here, waiting, leaked):
    here.containment.contain(waiting.case_id, "sun")
    done = here.naming.refuse(waiting.id, "qian", "the overlay does not fit")
    assert done.state == "refused"
    for user in ("sun", "wu", "qian"):
        assert leaked[0] not in answer(here, done, user).model_dump_json()
    assert not here.policy.is_revoked("view", leaked[0])
    assert here.policy.breaker("chen") == "closed"
    with pytest.raises(Conflict):
        here.reports.pdf(done.id, "en", "sun")


def test_access_is_cut_at_once_and_blindly(here, waiting, leaked, films):
    before = here.ledger.size
    case = here.containment.contain(waiting.case_id, "sun")
    assert case.step("contain").done_by == "sun"
    with pytest.raises(Refused):
        here.delivery.open_view(ViewRequest("chen", films[0].sop_instance))
    here.delivery.open_view(ViewRequest("liu", films[0].sop_instance))
    entry = here.ledger.entry(before)
    assert (entry["kind"], entry["views"]) == ("case.contained", 1)
    assert "chen" not in json.dumps(entry)
    assert leaked[0] not in json.dumps(entry)
    assert leaked[0] not in answer(here, here.traces.get(waiting.id), "sun").model_dump_json()
    with pytest.raises(Conflict):
        here.containment.contain(waiting.case_id, "sun")
    with pytest.raises(Denied):
        here.containment.contain(waiting.case_id, "wu")


def test_a_withdrawn_request_can_be_asked_again(here, waiting):
    with pytest.raises(Conflict, match="waits already"):
        here.naming.ask(waiting.id, "sun")
    here.approvals.withdraw(waiting.approval_id, "sun")
    assert here.naming.settled(waiting.id).approval_id == ""
    assert here.naming.ask(waiting.id, "sun", reason="asked once more").approval_id


def test_a_changed_record_names_nobody(here, waiting):
    record = here.traces.record(waiting)
    forged = record.data.replace(b'"traced"', b'"tracee"', 1)
    here.traces.keep(waiting.id, {"record.json": forged})
    with pytest.raises(Exception, match="not the one that the log knows"):
        here.naming.confirm(waiting.id, "qian")


def test_a_forged_grant_is_held_against_the_log(here, waiting, monkeypatch):
    from dataclasses import replace

    views_of = here.delivery.views_of
    monkeypatch.setattr(
        here.delivery,
        "views_of",
        lambda sop: [replace(g, key_digest="0" * 64) for g in views_of(sop)],
    )
    with pytest.raises(Exception, match="log does not confirm the view"):
        here.naming.confirm(waiting.id, "qian")
    monkeypatch.undo()
    assert here.naming.settled(waiting.id).state == "confirmed"


def test_the_same_copy_gives_the_same_bytes_again(here, waiting, films, monkeypatch):
    measure = Measuring(here.delivery, here.originals).measure
    monkeypatch.setattr(here.tracing._measuring, "measure", measure)
    kept, again = here.tracing.again(waiting.id)
    assert kept.data == again.data
    # A view opened later is not a candidate of an earlier trace.
    here.policy.add_recipient(Recipient("zhou", Role.RADIOLOGIST, "", "zhou"))
    now = datetime.now(UTC)
    order = Order(
        "O-zhou", films[0].patient, films[0].accession, "pneumonia", frozenset({"zhou"}),
        now - timedelta(hours=1), now + timedelta(hours=1),
    )  # fmt: skip
    here.policy.add_order(order)
    here.delivery.open_view(ViewRequest("zhou", films[0].sop_instance))
    kept, again = here.tracing.again(waiting.id)
    assert kept.data == again.data


def test_report_and_evidence_of_a_confirmed_result(here, waiting, leaked):
    done = here.naming.confirm(waiting.id, "qian")
    report = here.reports.pdf(done.id, "zh-CN", "sun")
    assert report.startswith(b"%PDF-1.7")
    assert report == here.reports.pdf(done.id, "zh-CN", "wu")
    assert report != here.reports.pdf(done.id, "en", "sun")
    with pytest.raises(BadInput):
        here.reports.pdf(done.id, "fr", "sun")
    document = here.reports.evidence(done.id, "sun")
    checked = check_evidence(document, here.ledger.vkeys)
    assert checked["ok"], checked["problems"]
    assert (checked["pinned"], checked["views"]) == (True, [leaked[0]])


@pytest.mark.parametrize(
    ("find", "put"),
    [
        ('"pointed":[{"p":', '"pointed":[{"p":1e-9,"q":'),
        ('"films_tried":1', '"films_tried":2'),
        ("trace.confirmed", "trace.refused.."),
        ('"first":"sun"', '"first":"qian"'),
        ('"mark":"', '"marc":"'),
    ],
)
def test_tampered_evidence_is_noticed(here, leaked, waiting, find, put):
    done = here.naming.confirm(waiting.id, "qian")
    document = json.loads(here.reports.evidence(done.id, "sun"))
    text = json.dumps(document, ensure_ascii=False)
    inside = json.dumps(find, ensure_ascii=False)[1:-1]
    assert inside in text
    forged = text.replace(inside, json.dumps(put, ensure_ascii=False)[1:-1])
    assert not check_evidence(forged.encode(), here.ledger.vkeys)["ok"]


def test_keys_of_somebody_else_do_not_verify(here, waiting):
    from leadapron.ledger import Signer

    done = here.naming.confirm(waiting.id, "qian")
    document = here.reports.evidence(done.id, "sun")
    assert not check_evidence(document, Signer.generate("other/log").vkeys)["ok"]


def test_an_innocent_picture_tells_nothing_and_opens_no_case(here, films):
    picture = np.random.default_rng(1).integers(0, 255, (500, 500), np.uint8)
    found = here.tracing.trace(jpeg(picture), "sun", "无关图片")
    assert (found.record.verdict, found.case) == ("inconclusive", None)
    told = trace_answer(here, found.stored, None, "sun")
    assert (told.p_value, told.z, told.best, told.second) == (None, None, None, None)
    assert not here.traces.has(found.stored.id, "copy")


def test_an_inconclusive_picture_of_a_case_is_kept_and_reported(here, waiting, films):
    picture = np.random.default_rng(2).integers(0, 255, (500, 500), np.uint8)
    found = here.tracing.trace(jpeg(picture), "sun", "同案图片", waiting.case_id)
    assert found.stored.case_id == waiting.case_id
    told = answer(here, found.stored, "qian")
    assert (told.verdict, told.z, told.p_value) == ("inconclusive", None, None)
    assert here.reports.pdf(found.stored.id, "zh-CN", "sun").startswith(b"%PDF")
    checked = check_evidence(here.reports.evidence(found.stored.id, "sun"), here.ledger.vkeys)
    assert checked["ok"], checked["problems"]


def test_without_purpose_or_role_nothing_is_traced(here, leaked):
    size = here.ledger.size
    for user, purpose in (("sun", ""), ("chen", "curious"), ("wu", "audit")):
        with pytest.raises(Refused):
            here.tracing.trace(leaked[1], user, purpose)
    refused = list(here.ledger.entries(size, here.ledger.size))
    assert [e["kind"] for e in refused] == ["trace.refused"] * 3


def test_a_closed_or_unknown_case_takes_no_copy(here, leaked):
    with pytest.raises(Exception, match="no case"):
        here.tracing.trace(leaked[1], "sun", "x", "C0")
    case = here.cases.open_case(title_en="t", title_zh="t")
    for step in case.steps:
        here.cases.mark_step(case.id, step.code, by="sun")
    here.cases.close(case.id)
    with pytest.raises(Conflict):
        here.tracing.trace(leaked[1], "sun", "x", case.id)
