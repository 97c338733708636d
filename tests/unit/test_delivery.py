"""No pixel leaves before the ledger has it; a view shows what was granted and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from leadapron.app.instance import CENTRE_PUBLIC, Instance
from leadapron.app.settings import Settings
from leadapron.delivery import Refused, ViewRequest, open_view
from leadapron.edge import write_part10
from leadapron.model import (
    Denied,
    LeadApronError,
    Order,
    Recipient,
    Region,
    RegionMap,
    Role,
    StorageFailure,
)
from leadapron.seal import CentrePublicKey, SealPolicy, seal


def masks(shape):
    heart = np.zeros(shape, bool)
    heart[700:1300, 800:1300] = True
    right, left = np.zeros(shape, bool), np.zeros(shape, bool)
    right[200:1400, 200:800] = True
    left[200:1400, 1100:1650] = True
    return {Region.HEART: heart, Region.RIGHT_LUNG: right, Region.LEFT_LUNG: left}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    base = tmp_path_factory.mktemp("delivery")
    film = dcmread(get_testdata_file("RG1_UNCI.dcm") or pytest.skip("pydicom-data is missing"))
    film.PatientIdentityRemoved = "YES"
    shape = (film.Rows, film.Columns)
    with Instance.open(Settings(data=base / "data", keys=base / "keys")) as instance:
        key = CentrePublicKey.from_bytes(instance.keystore.get(CENTRE_PUBLIC))
        sealed = seal(film, RegionMap(shape, masks(shape), {}), SealPolicy(), key)
        made = instance.archive.ingest(write_part10(sealed)).film
        now = datetime.now(UTC)
        for user, need in (("a", "pneumonia"), ("b", "heart_size"), ("c", None)):
            instance.policy.add_recipient(Recipient(user, Role.RADIOLOGIST, "", user))
            if need:
                instance.policy.add_order(
                    Order(
                        f"O-{user}", made.patient, made.accession, need, frozenset({user}),
                        now - timedelta(hours=1), now + timedelta(hours=1),
                    )
                )  # fmt: skip
        yield instance


def sop(here) -> str:
    return here.archive.search()[0].sop_instance


def test_flat_background_shows_granted_pixels_only(here):
    view = here.delivery.open_view(ViewRequest("a", sop(here)))
    granted = view.opened.granted
    assert view.event.regions == {Region.RIGHT_LUNG, Region.LEFT_LUNG, Region.HEART}
    assert view.frame[~granted].max() == 0
    clear, bits = here.originals.frame(here.archive.get(sop(here))), 15
    difference = np.abs(view.frame.astype(int) - clear.astype(int))[granted]
    assert 0 < difference.max() <= 25 / 4095 * (1 << bits)


def test_mosaic_background_says_nothing_finer_than_its_blocks(here):
    view = here.delivery.open_view(ViewRequest("b", sop(here)))
    assert view.decision.obligations.background == "mosaic"
    hidden = view.frame[:81, :76]
    assert int(np.ptp(hidden)) == 0


def test_outlines_come_without_their_pixels(here):
    view = here.delivery.open_view(ViewRequest("b", sop(here)))
    assert Region.RIGHT_LUNG in view.opened.region_masks
    assert not (view.opened.granted & masks(view.frame.shape)[Region.RIGHT_LUNG]).any()


def test_reopening_gives_the_same_view_and_a_new_entry(here):
    first = here.delivery.open_view(ViewRequest("a", sop(here)))
    here.delivery._cache.clear()
    second = here.delivery.open_view(ViewRequest("a", sop(here)))
    assert first.event.view_id == second.event.view_id
    assert np.array_equal(first.frame, second.frame)
    assert second.event.ledger_index > first.event.ledger_index


def test_the_grant_points_to_its_ledger_entry_and_commits_to_the_mark(here):
    view = here.delivery.open_view(ViewRequest("a", sop(here)))
    grant = next(g for g in here.delivery.views_of(sop(here)) if g.view_id == view.event.view_id)
    entry = here.ledger.entry(grant.first_ledger_index)
    assert (entry["kind"], entry["view"], entry["mark"]) == (
        "view", view.event.view_id, grant.key_digest,
    )  # fmt: skip


def test_without_an_order_there_is_a_reason_and_an_entry(here):
    before = here.ledger.size
    with pytest.raises(Refused) as caught:
        here.delivery.open_view(ViewRequest("c", sop(here)))
    assert caught.value.reasons[0].zh
    assert here.ledger.entry(before)["kind"] == "view.refused"


def test_an_unknown_account_is_refused_and_logged(here):
    before = here.ledger.size
    with pytest.raises(Denied):
        here.delivery.open_view(ViewRequest("nobody", sop(here)))
    assert here.ledger.entry(before)["reasons"] == ["unknown-recipient"]


def test_a_ledger_that_cannot_write_stops_delivery(here, monkeypatch):
    opened = []
    monkeypatch.setattr(here.originals, "open", lambda *a: opened.append(a))
    here.delivery._cache.clear()

    def full(_entry):
        raise StorageFailure("the disk is full", remedy="free space")

    monkeypatch.setattr(here.ledger, "append", full)
    with pytest.raises(StorageFailure):
        here.delivery.open_view(ViewRequest("a", sop(here)))
    assert not opened


def test_volume_opens_the_breaker_and_says_so_in_the_log(here, monkeypatch):
    from leadapron.policy import Limits, VolumeBreaker

    monkeypatch.setattr(here.delivery, "_volume", VolumeBreaker(Limits(patients=0)))
    before = here.ledger.size
    with pytest.raises(Refused) as caught:
        here.delivery.open_view(ViewRequest("a", sop(here)))
    assert "breaker-open" in {r.code for r in caught.value.reasons}
    assert here.ledger.entry(before)["kind"] == "breaker.open"


def test_a_search_shows_only_films_of_own_orders(here):
    assert here.searching.search("a", {}, "test")
    with pytest.raises(LeadApronError):
        here.searching.search("nobody", {}, "test")
    assert not _found(here, "c")


def _found(here, user) -> list[object]:
    try:
        return list(here.searching.search(user, {}, "test"))
    except Denied:
        return []


def test_the_public_function_speaks_to_the_open_instance(here):
    assert open_view(ViewRequest("a", sop(here))).event.recipient == "a"


def test_the_archive_takes_sealed_deidentified_objects_only(here):
    film = dcmread(get_testdata_file("CT_small.dcm"))
    with pytest.raises(LeadApronError, match="sealed"):
        here.archive.ingest(write_part10(film))


def test_a_uid_reused_for_another_film_is_a_conflict(here):
    data = here.archive.read(here.archive.search()[0])
    assert here.archive.ingest(data).created is False
    with pytest.raises(LeadApronError, match="other content"):
        here.archive.ingest(data, "another source digest")


def test_a_revoked_view_opens_no_more(here):
    view = here.delivery.open_view(ViewRequest("a", sop(here)))
    here.policy.revoke("view", view.event.view_id, "leaked")
    with pytest.raises(Refused):
        here.delivery.open_view(ViewRequest("a", sop(here)))
    here.policy.restore("view", view.event.view_id)
    assert here.delivery.open_view(ViewRequest("a", sop(here))).event.view_id == view.event.view_id
