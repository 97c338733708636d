"""A leaked copy points to its view; nobody is named or told before two people want it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from leadapron.app.api.trace_answers import trace_answer
from leadapron.app.instance import CENTRE_PUBLIC, Instance
from leadapron.app.settings import Settings
from leadapron.delivery import Refused, ViewRequest
from leadapron.delivery.display import display_of
from leadapron.edge import write_part10
from leadapron.incident.measuring import Measuring
from leadapron.incident.proof import check_evidence
from leadapron.model import BadInput, Conflict, Denied, Order, Recipient, Region, RegionMap, Role
from leadapron.seal import CentrePublicKey, SealPolicy, seal

PEOPLE = {
    "chen": Role.RADIOLOGIST,
    "liu": Role.RADIOLOGIST,
    "sun": Role.PRIVACY_OFFICER,
    "qian": Role.SECURITY,
    "wu": Role.AUDITOR,
}


def masks(shape, frame):
    heart, right, left = (np.zeros(shape, bool) for _ in range(3))
    rows, columns = shape
    heart[rows // 3 : 2 * rows // 3, columns // 2 : 3 * columns // 4] = True
    right[rows // 9 : 7 * rows // 9, columns // 9 : 4 * columns // 9] = True
    left[rows // 9 : 7 * rows // 9, 5 * columns // 9 : 8 * columns // 9] = True
    return {Region.HEART: heart, Region.RIGHT_LUNG: right, Region.LEFT_LUNG: left}


def add_film(here, pixels):
    dataset = dcmread(get_testdata_file("RG1_UNCI.dcm") or pytest.skip("pydicom-data is missing"))
    dataset.PatientIdentityRemoved = "YES"
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(dataset, keyword, generate_uid())
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PatientID = f"P{dataset.SOPInstanceUID[-6:]}"
    dataset.PixelData = np.ascontiguousarray(pixels).tobytes()
    key = CentrePublicKey.from_bytes(here.keystore.get(CENTRE_PUBLIC))
    region_map = RegionMap(pixels.shape, masks(pixels.shape, pixels), {}, model_version="net-1")
    made = here.archive.ingest(write_part10(seal(dataset, region_map, SealPolicy(), key))).film
    now = datetime.now(UTC)
    for user, need in (("chen", "pneumonia"), ("liu", "pneumothorax")):
        here.policy.add_order(
            Order(
                f"O-{user}-{made.sop_instance[-6:]}", made.patient, made.accession, need,
                frozenset({user}), now - timedelta(hours=1), now + timedelta(hours=9),
            )
        )  # fmt: skip
    return made


def remember_measurements(here) -> None:
    """Measure a copy once for all tests that ask for the same: it is deterministic, and slow."""
    parts = here.tracing._locator, here.tracing._measuring
    known = {}

    def remembered(function, key_of):
        def call(*arguments, **named):
            key = function.__name__, key_of(*arguments, **named)
            if key not in known:
                known[key] = function(*arguments, **named)
            return known[key]

        return call

    def shots(found):
        return tuple(hashlib.sha256(shot.pixels.tobytes()).hexdigest() for shot in found)

    def measured(sight, picture, films_tried, candidates=None):
        views = candidates or [g.view_id for g in here.delivery.views_of(sight.film.sop_instance)]
        return sight, hashlib.sha256(picture.tobytes()).hexdigest(), films_tried, tuple(views)

    parts[0].sights = remembered(parts[0].sights, shots)
    parts[1].measure = remembered(parts[1].measure, measured)


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    base = tmp_path_factory.mktemp("tracing")
    settings = Settings(data=base / "data", keys=base / "keys")
    with Instance.open(settings) as instance:
        for user, role in PEOPLE.items():
            instance.policy.add_recipient(Recipient(user, role, "", f"{user} 医生"))
            instance.accounts.set_password(user, "long enough")
        remember_measurements(instance)
        yield instance


@pytest.fixture(scope="module")
def films(here):
    whole = dcmread(get_testdata_file("RG1_UNCI.dcm") or pytest.skip("no film")).pixel_array
    # Two films that share no anatomy: the upper and the lower half.
    halves = whole[:980], whole[975:, ::-1]
    sized = [cv2.resize(h, (900, 900), interpolation=cv2.INTER_AREA) for h in halves]
    return [add_film(here, np.clip(s, 0, 2**15 - 1).astype(np.uint16)) for s in sized]


@pytest.fixture(scope="module")
def shown(here, films):
    """What each reader's screen shows of each film."""
    views = {}
    for film in films:
        for user in ("chen", "liu"):
            view = here.delivery.open_view(ViewRequest(user, film.sop_instance))
            views[user, film.sop_instance] = (view.event.view_id, display_of(view.dataset))
    return views


def jpeg(picture, quality=70, scale=0.7) -> bytes:
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


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


def test_several_films_in_one_screenshot_are_each_found(here, shown, films):
    screen = np.full((1100, 1900), 40, np.uint8)
    wanted = set()
    for place, (user, film) in enumerate((("chen", films[0]), ("liu", films[1]))):
        view_id, picture = shown[user, film.sop_instance]
        wanted.add(view_id)
        left = 60 + 920 * place
        screen[100:950, left : left + 850] = cv2.resize(
            picture, (850, 850), interpolation=cv2.INTER_AREA
        )
    cv2.putText(screen, "PACS viewer 2 x 1", (60, 60), 0, 1.2, 220, 2)
    found = here.tracing.trace(cv2.imencode(".png", screen)[1].tobytes(), "sun", "截图")
    assert {p["view"] for p in found.record.pointed} == wanted
    boxes = [r["picture"]["box"] for r in found.record.results if r["pointed"]]
    assert sorted(b[1] < 900 for b in boxes) == [False, True]
    assert here.cases.get(found.stored.case_id).persons == 2


def test_two_readers_copies_of_one_film_side_by_side(here, shown, films):
    pictures = [shown[user, films[0].sop_instance] for user in ("chen", "liu")]
    screen = np.full((1000, 1900), 235, np.uint8)
    for place, (_, picture) in enumerate(pictures):
        left = 40 + 940 * place
        screen[60:940, left : left + 880] = cv2.resize(
            picture, (880, 880), interpolation=cv2.INTER_AREA
        )
    found = here.tracing.trace(cv2.imencode(".png", screen)[1].tobytes(), "sun", "拼图")
    assert {p["view"] for p in found.record.pointed} == {view for view, _ in pictures}


def test_a_short_film_is_traced_by_its_frames(here, shown, films, tmp_path):
    view_id, picture = shown["liu", films[1].sop_instance]
    size = (900, 900)
    writer = cv2.VideoWriter(
        str(tmp_path / "a.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, size, False
    )
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(0).integers(0, 255, size, np.uint8)
    for index in range(30):
        writer.write(small if 10 <= index < 20 else noise)
    writer.release()
    found = here.tracing.trace((tmp_path / "a.avi").read_bytes(), "sun", "视频")
    (pointed,) = found.record.pointed
    assert pointed["view"] == view_id
    (result,) = (r for r in found.record.results if r["pointed"])
    assert 1000 <= result["picture"]["at_ms"] < 2000
    assert found.record.content["copy"]["kind"] == "video"


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
