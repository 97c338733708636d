"""Objects of several frames or colours: every frame is marked, or nothing is delivered."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.pixels import pixel_array
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from leadapron.app.instance import CENTRE_PUBLIC, Instance
from leadapron.app.settings import Settings
from leadapron.delivery import ViewRequest
from leadapron.delivery.display import display_of
from leadapron.edge import read_part10, write_part10
from leadapron.model import Denied, Order, Recipient, RegionMap, Role
from leadapron.seal import CentrePublicKey, SealPolicy, seal
from leadapron.watermark import key_digest, trace

LUMA = np.array([0.299, 0.587, 0.114])


def film() -> np.ndarray:
    path = get_testdata_file("RG1_UNCI.dcm") or pytest.skip("pydicom-data is missing")
    return dcmread(path).pixel_array


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    base = tmp_path_factory.mktemp("frames")
    with Instance.open(Settings(data=base / "data", keys=base / "keys")) as instance:
        instance.policy.add_recipient(Recipient("a", Role.RADIOLOGIST, "", "a"))
        instance.policy.add_recipient(Recipient("b", Role.RADIOLOGIST, "", "b"))
        yield instance


def ingest(here, dataset):
    dataset.PatientIdentityRemoved = "YES"
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(dataset, keyword, generate_uid())
    key = CentrePublicKey.from_bytes(here.keystore.get(CENTRE_PUBLIC))
    shape = (int(dataset.Rows), int(dataset.Columns))
    sealed = seal(dataset, RegionMap.whole(shape, "multi-frame"), SealPolicy(), key)
    made = here.archive.ingest(write_part10(sealed)).film
    now = datetime.now(UTC)
    here.policy.add_order(
        Order(
            f"O-{made.sop_instance[-12:]}", made.patient, made.accession, "other_projection",
            frozenset({"a", "b"}), now - timedelta(hours=1), now + timedelta(hours=1),
        )
    )  # fmt: skip
    return made


def like_film(pixels, *, bits, photometric, frames=1, sop_class="1.2.840.10008.5.1.4.1.1.7.3"):
    dataset = dcmread(get_testdata_file("CT_small.dcm"))
    for keyword in ("RescaleSlope", "RescaleIntercept", "PixelPaddingValue"):
        if keyword in dataset:
            delattr(dataset, keyword)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
    body = pixels.shape[1:] if frames > 1 else pixels.shape
    dataset.Rows, dataset.Columns = body[:2]
    if frames > 1:
        dataset.NumberOfFrames = frames
    dataset.SamplesPerPixel = 3 if len(body) == 3 else 1
    if len(body) == 3:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated, dataset.BitsStored = pixels.itemsize * 8, bits
    dataset.HighBit, dataset.PixelRepresentation = bits - 1, 0
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW" if pixels.itemsize > 1 else "OB"
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


@pytest.fixture(scope="module")
def cine(here):
    whole = film() >> 3
    frames = np.stack([whole[y : y + 900, y : y + 840] for y in (0, 400, 800)]).astype(np.uint16)
    return ingest(here, like_film(frames, bits=12, photometric="MONOCHROME1", frames=3)), frames


@pytest.fixture(scope="module")
def colour(here):
    grey = (film()[200:1500, 300:1500] >> 7).astype(np.uint8)
    tint = np.stack([grey, np.clip(grey.astype(int) + 9, 0, 255), grey // 2 + 60], axis=-1)
    pixels = np.ascontiguousarray(tint.astype(np.uint8))
    return ingest(here, like_film(pixels, bits=8, photometric="RGB")), pixels


def psnr(change: np.ndarray, bits: int) -> float:
    return float(20 * np.log10((2**bits - 1) / np.sqrt(np.mean(change.astype(float) ** 2))))


def test_every_frame_of_a_cine_carries_its_own_mark(here, cine):
    made, frames = cine
    view = here.delivery.open_view(ViewRequest("a", made.sop_instance))
    assert view.dataset.NumberOfFrames == 3
    delivered = read_part10(write_part10(view.dataset)).pixel_array
    changes = []
    for number, frame in enumerate(delivered):
        changes.append(frame.astype(int) - (4095 - frames[number].astype(int)))
        assert 50 <= psnr(changes[-1], 12) < 51
    # The same chips in all frames could be averaged out of a cine and taken away.
    one, other = (c[:400, :400].ravel().astype(float) for c in changes[:2])
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.05


def test_a_leaked_frame_of_a_cine_points_to_the_view(here, cine):
    made, _ = cine
    here.delivery.open_view(ViewRequest("b", made.sop_instance))
    view = here.delivery.open_view(ViewRequest("a", made.sop_instance))
    picture = display_of(view.dataset, frame=3)
    match = here.originals.find(picture, here.delivery.grants())[0]
    assert (match.sop_instance, match.frame) == (made.sop_instance, 3)
    ranking = trace(
        here.originals.frame(made, 3),
        picture,
        here.originals.mark_key,
        [g.view_id for g in here.delivery.views_of(made.sop_instance)],
        image_digest=here.originals.binding(made, 3),
    )
    assert (ranking.verdict, ranking.best) == ("accuse", view.event.view_id)


def test_colour_is_marked_on_its_luma_and_keeps_its_hue(here, colour):
    made, pixels = colour
    view = here.delivery.open_view(ViewRequest("a", made.sop_instance))
    delivered = read_part10(write_part10(view.dataset))
    assert delivered.PhotometricInterpretation == "RGB"
    change = delivered.pixel_array.astype(int) - pixels.astype(int)
    inside = ((pixels > 8) & (pixels < 247)).all(axis=-1)
    assert (np.ptp(change, axis=-1)[inside] == 0).all(), "all channels move alike"
    assert 50 <= psnr(np.rint(change @ LUMA), 8) < 52
    ranking = trace(
        here.originals.frame(made),
        display_of(view.dataset),
        here.originals.mark_key,
        [view.event.view_id, "Vother"],
        image_digest=here.originals.binding(made),
    )
    assert (ranking.verdict, ranking.best) == ("accuse", view.event.view_id)


def test_a_palette_is_looked_up_before_it_is_marked(here):
    source = dcmread(get_testdata_file("examples_palette.dcm"))
    source.PatientID = "P-palette"
    made = ingest(here, source)
    view = here.delivery.open_view(ViewRequest("a", made.sop_instance))
    delivered = read_part10(write_part10(view.dataset))
    assert delivered.PhotometricInterpretation == "RGB"
    assert "RedPaletteColorLookupTableData" not in delivered
    shown = pixel_array(dcmread(get_testdata_file("examples_palette.dcm")))
    assert delivered.pixel_array.shape[:2] == shown.shape
    assert float(delivered.pixel_array.std()) > 5


def test_the_commitment_in_the_log_is_that_of_the_mark_itself(here, cine, colour):
    for made, _ in (colour, cine):
        view = here.delivery.open_view(ViewRequest("a", made.sop_instance))
        committed = here.ledger.entry(view.event.ledger_index)["mark"]
        digests = [
            key_digest(here.originals.mark_key, view.event.view_id, here.originals.binding(made, n))
            for n in range(1, made.frames + 1)
        ]
        joined = hashlib.sha256(b"".join(map(bytes.fromhex, digests))).hexdigest()
        assert committed == (digests[0] if made.frames == 1 else joined)


@pytest.mark.parametrize(
    ("pixels", "bits", "photometric", "frames", "why"),
    [
        (np.zeros((129, 64, 64), np.uint8), 8, "MONOCHROME2", 129, "129 frames"),
        (np.zeros((40, 200), np.uint8), 8, "MONOCHROME2", 1, "too small"),
        (np.zeros((100, 100), np.uint32), 32, "MONOCHROME2", 1, "32 of 32 bits"),
        (np.zeros((100, 100, 3), np.uint8), 8, "HSV", 1, "HSV"),
    ],
)
def test_what_cannot_be_marked_is_not_delivered(here, pixels, bits, photometric, frames, why):
    made = ingest(here, like_film(pixels, bits=bits, photometric=photometric, frames=frames))
    before = here.ledger.size
    with pytest.raises(Denied, match=why) as caught:
        here.delivery.open_view(ViewRequest("a", made.sop_instance))
    assert caught.value.slug == "not-a-film"
    (entry,) = here.ledger.entries(before, here.ledger.size)
    assert (entry["kind"], entry["reasons"]) == ("view.refused", ["not-a-film"])
