"""An instance with two films, their readers, and what each reader's screen shows."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from leadapron.app.instance import CENTRE_PUBLIC, Instance
from leadapron.app.settings import Settings
from leadapron.delivery import ViewRequest
from leadapron.delivery.display import display_of
from leadapron.edge import write_part10
from leadapron.model import Order, Recipient, Region, RegionMap, Role
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
