"""Merges and repairs: whose film it is now, what readers get, and the way back."""

from __future__ import annotations

from datetime import date

import pytest
from hospital import hospital

from leadapron.delivery import Refused, ViewRequest
from leadapron.delivery.relinking import Origin
from leadapron.edge.adt import Merge, Person
from leadapron.model import Conflict, Denied, NotFound

ORIGIN = Origin("hl7:HIS|H", {"message": "1"})
WHY = "技师选错了检查申请单"


@pytest.fixture
def house(tmp_path):
    with hospital(tmp_path) as made:
        yield made


def merge(house, old: str, onto: str):
    return house.here.relinks.relinking.merge(old, onto, ORIGIN)


def found(house, patient: str) -> set[str]:
    return {film.sop_instance for film in house.here.archive.search({"PatientID": patient})}


def test_a_merged_patients_films_are_found_under_either_pseudonym(house):
    old, kept = house.film("B"), house.film("A")
    both = {old.sop_instance, kept.sop_instance}
    assert found(house, house.own("B")) == {old.sop_instance}
    assert merge(house, "B", "A").films == (old.sop_instance,)
    assert found(house, house.own("A")) == found(house, house.own("B")) == both
    assert house.current(old).patient == house.own("A")
    late = house.film("B")
    assert late.patient == house.own("A")


def test_a_copy_names_the_surviving_patient_and_keeps_intervals(house):
    old = house.film("B", day=date(2026, 2, 20))
    kept = house.film("A", day=date(2026, 3, 2))
    merge(house, "B", "A")
    house.order("chen", house.own("A"))
    views = [
        house.here.delivery.open_view(ViewRequest("chen", film.sop_instance)).dataset
        for film in (old, kept)
    ]
    assert {ds.PatientID for ds in views} == {str(ds.PatientName) for ds in views}
    assert {ds.PatientID for ds in views} == {house.own("A")}
    first, second = (date.fromisoformat(str(ds.StudyDate)) for ds in views)
    assert (second - first).days == 10
    for ds, film in zip(views, (old, kept), strict=True):
        assert ds.StudyDate == house.current(film).study_date == house.shifted(film, "A")
        assert ds.AcquisitionDateTime.startswith(ds.StudyDate)
        assert ds.AcquisitionDateTime.endswith("101112.5")


def test_the_stored_object_is_not_rewritten(house):
    film = house.film("B")
    before = house.here.archive.read(film)
    merge(house, "B", "A")
    assert house.here.archive.read(house.current(film)) == before


def test_opening_twice_moves_the_dates_once(house):
    film = house.film("B")
    merge(house, "B", "A")
    house.order("chen", house.own("A"))
    house.here.delivery.open_view(ViewRequest("chen", film.sop_instance))
    house.here.delivery._cache.clear()
    again = house.here.delivery.open_view(ViewRequest("chen", film.sop_instance))
    assert again.dataset.StudyDate == house.shifted(film, "A")


def test_orders_of_both_numbers_carry_over(house):
    old, kept = house.film("B"), house.film("A")
    house.order("chen", house.own("B"))
    with pytest.raises(Refused):
        house.here.delivery.open_view(ViewRequest("chen", kept.sop_instance))
    merge(house, "B", "A")
    for film in (old, kept):
        house.here.delivery.open_view(ViewRequest("chen", film.sop_instance))
    assert len(house.here.searching.search("chen", {}, "test")) == 2
    assert len(house.here.searching.search("chen", {"PatientID": house.own("B")}, "test")) == 2


def test_a_gateway_that_does_not_know_the_merge_changes_nothing(house):
    """Another gateway shares the pseudonym key but has a vault of its own."""
    from leadapron.deid import MemoryVault

    merge(house, "B", "A")
    centre = house.here.vault
    house.here.vault = MemoryVault(house.here.keystore.get("pseudonym"))
    film = house.film("B", day=date(2026, 1, 5))
    house.here.vault = centre
    assert (film.sent_as, film.patient) == (house.own("B"), house.own("A"))
    assert film.study_date == house.shifted(film, "A")


def test_chains_follow_to_the_end_and_repeat_without_effect(house):
    film = house.film("A")
    merge(house, "A", "B")
    merge(house, "B", "C")
    assert house.current(film).patient == house.own("C")
    assert house.current(film).study_date == house.shifted(film, "C")
    size = house.here.ledger.size
    assert not merge(house, "A", "B").changed and not merge(house, "B", "C").changed
    assert house.here.ledger.size == size
    for old, onto in (("C", "A"), ("A", "D")):
        with pytest.raises(Conflict):
            merge(house, old, onto)
    assert house.here.ledger.size == size, "what is refused is not logged as done"


def test_undoing_gives_each_film_back_to_the_number_it_was_sent_under(house):
    before, kept = house.film("B"), house.film("A")
    merge(house, "B", "A")
    during = house.film("B", day=date(2026, 3, 9))
    assert during.sent_as == house.own("A"), "the gateway knew of the merge"
    house.here.relinks.relinking.unmerge(house.own("B"), house.own("A"), ORIGIN)
    house.here.relinks.relinking.unmerge(house.own("B"), house.own("A"), ORIGIN)
    for film, number in ((before, "B"), (during, "B"), (kept, "A")):
        now = house.current(film)
        assert now.patient == house.own(number)
        assert now.study_date == house.shifted(film, number)
    house.order("chen", house.own("B"))
    copy = house.here.delivery.open_view(ViewRequest("chen", during.sop_instance)).dataset
    assert (copy.PatientID, copy.StudyDate) == (house.own("B"), house.shifted(during, "B"))
    assert house.film("B").patient == house.own("B")


def test_undoing_the_later_merge_keeps_the_earlier(house):
    film = house.film("A")
    merge(house, "A", "B")
    merge(house, "B", "C")
    house.here.relinks.relinking.unmerge(house.own("B"), house.own("C"), ORIGIN)
    assert house.current(film).patient == house.own("B")
    with pytest.raises(Conflict):
        house.here.relinks.relinking.unmerge(house.own("A"), house.own("C"), ORIGIN)


def test_a_study_of_the_wrong_patient_goes_to_the_right_one(house):
    study = "1.2.3.4.5.6"
    film = house.film("W", "王^五", study=study, encrypted=True)
    other = house.film("W", "王^五")
    right = house.film("R", "李^四", day=date(2026, 2, 20))
    house.order("chen", house.own("W"))
    house.order("liu", house.own("R"))
    wrong = house.here.delivery.open_view(ViewRequest("chen", film.sop_instance)).dataset
    assert "EncryptedAttributesSequence" in wrong
    repairs = house.here.repairs
    asked = repairs.ask_move("sun", film.study_instance, house.own("R"), WHY)
    assert asked.content["films"] == 1 and asked.content["was"] == house.own("W")
    with pytest.raises(Conflict):
        repairs.apply(asked.id, "sun")
    done = repairs.apply(house.consent(asked), "sun")
    assert done.relinked.films == (film.sop_instance,) and done.views == 1
    moved = house.current(film)
    assert (moved.patient, moved.study_date) == (house.own("R"), house.shifted(film, "R"))
    assert house.current(other).patient == house.own("W")
    with pytest.raises(Refused):
        house.here.delivery.open_view(ViewRequest("chen", film.sop_instance))
    copy = house.here.delivery.open_view(ViewRequest("liu", film.sop_instance)).dataset
    assert copy.PatientID == house.own("R") and "EncryptedAttributesSequence" not in copy
    days = (date.fromisoformat(copy.StudyDate) - date.fromisoformat(right.study_date)).days
    assert days == 10
    assert house.here.identities.beside("liu", film.sop_instance).name == "李^四"
    late = house.film("W", "王^五", study=study)
    assert (late.patient, late.study_date) == (house.own("R"), house.shifted(late, "R"))
    back = repairs.ask_move("sun", film.study_instance, house.own("W"), WHY)
    assert set(repairs.apply(house.consent(back), "sun").relinked.films) == {
        film.sop_instance, late.sop_instance,
    }  # fmt: skip
    assert house.current(film).study_date == house.shifted(film, "W")


def test_a_patient_unknown_so_far_is_registered_and_named(house):
    film = house.film("W", "王^五")
    patient = house.here.repairs.register(Person("N-1", "赵^六", "19800203", "M"), "sun")
    assert patient == house.own("N-1")
    asked = house.here.repairs.ask_move("sun", film.study_instance, patient, WHY)
    house.here.repairs.apply(house.consent(asked), "sun")
    house.order("chen", patient)
    known = house.here.identities.beside("chen", film.sop_instance)
    assert (known.name, known.birth_date, known.sex) == ("赵^六", "19800203", "M")
    raw = b"".join(house.here.ledger.raw(i) for i in range(house.here.ledger.size))
    assert "赵".encode() not in raw and b"N-1" not in raw


def test_repairs_that_cannot_be_asked_for(house):
    film = house.film("W")
    repairs = house.here.repairs
    for act, error in (
        (lambda: repairs.ask_move("sun", "2.25.1", house.own("W"), WHY), NotFound),
        (lambda: repairs.ask_move("sun", film.study_instance, house.own("X"), WHY), NotFound),
        (lambda: repairs.ask_move("sun", film.study_instance, house.own("W"), WHY), Conflict),
        (lambda: repairs.ask_unmerge("sun", house.own("W"), WHY), NotFound),
        (lambda: repairs.ask_merge("sun", house.own("W"), house.own("W"), WHY), Conflict),
        (lambda: repairs.ask_merge("chen", house.own("W"), house.own("W2"), WHY), NotFound),
    ):
        with pytest.raises(error):
            act()
    house.film("W2")
    with pytest.raises(Denied):
        repairs.ask_merge("chen", house.own("W"), house.own("W2"), WHY)


def test_people_merge_and_undo_with_consent(house):
    film = house.film("B")
    house.film("A")
    repairs = house.here.repairs
    asked = repairs.ask_merge("admin", house.own("B"), house.own("A"), WHY)
    repairs.apply(house.consent(asked), "admin")
    assert house.current(film).patient == house.own("A")
    undo = repairs.ask_unmerge("admin", house.own("B"), WHY)
    repairs.apply(house.consent(undo), "admin")
    assert house.current(film).patient == house.own("B")
    entries = [e for e in house.here.ledger.entries() if str(e["kind"]).startswith("vault.")]
    assert [e["kind"] for e in entries] == ["vault.merge", "vault.unmerge"]
    assert all(e["recipient"] == "admin" and e["second"] == "qian" for e in entries)


def test_corrections_reach_the_reader_and_keep_what_was(house):
    film = house.film("P1", "张^叁")
    house.order("chen", house.own("P1"))
    correct = house.here.relinks.relinking.correct
    assert correct(Person("P1", "张^三", "19700103", None), ORIGIN).changed
    assert not correct(Person("P1", "张^三", None, None), ORIGIN).changed
    assert not correct(Person("nobody here", "某^人", None, None), ORIGIN).changed
    known = house.here.identities.beside("chen", film.sop_instance)
    assert (known.name, known.birth_date, known.sex) == ("张^三", "19700103", "F")
    details = house.here.vault.original("patient", house.own("P1")).details
    assert "张^叁" in details and "某" not in details
    entry = next(e for e in house.here.ledger.entries() if e["kind"] == "vault.correct")
    assert entry["fields"] == ["birth_date", "name"]
    later = house.film("P1", "张^叁")
    assert house.here.identities.beside("chen", later.sop_instance).name == "张^三"


def test_a_message_with_an_impossible_step_changes_nothing(house):
    film = house.film("B")
    relinking = house.here.relinks.relinking
    steps = [Merge("B", Person("A")), Merge("A", Person("B"))]
    with pytest.raises(Conflict):
        relinking.check(steps)
    relinking.check(steps[:1])
    assert house.current(film).patient == house.own("B")
