"""Outside judges speak DICOM to a running instance: dcmtk and dicomweb-client."""

from __future__ import annotations

import io
import shutil
import subprocess
import time

import httpx2
import numpy as np
import pytest
from pydicom import dcmread

from leadapron.app.demo.film import Patient, identified_film
from leadapron.model import Recipient, Role

pytestmark = pytest.mark.e2e


def need(tool: str) -> str:
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"{tool} is not installed: apt-get install dcmtk")
    return path


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def address(running_instance):
    here = running_instance
    return here.running.instance.settings.ae_title, "127.0.0.1", str(here.running.dimse.port)


def test_the_demo_came_out_right(running_instance):
    failed = [s for s in running_instance.summary["steps"] if not s["ok"]]
    assert running_instance.summary["ok"], failed


def test_echoscu(address):
    ae, host, port = address
    run(need("echoscu"), "-aec", ae, host, port)


def test_storescu_sends_a_film_that_arrives_sealed(running_instance, address, tmp_path):
    ae, host, port = address
    tool = need("storescu")
    film = identified_film(Patient(family="司马", given="青", latin="Sima^Qing", patient_id="T77"))
    path = tmp_path / "film.dcm"
    film.save_as(path, enforce_file_format=True)
    archive = running_instance.running.instance.archive
    before = {f.sop_instance for f in archive.search()}
    run(tool, "-aec", ae, host, port, str(path))
    for _ in range(600):
        new = [f for f in archive.search() if f.sop_instance not in before]
        if new:
            break
        time.sleep(0.1)
    assert len(new) == 1
    run(tool, "-aec", ae, host, port, str(path))
    gateway = running_instance.running.gateway
    for _ in range(600):
        if not len(gateway.spool):
            break
        time.sleep(0.1)
    assert len(archive.search()) == len(before) + 1, "a film sent twice is stored once"


def test_findscu_shows_a_workstation_its_own_orders_and_a_stranger_nothing(
    running_instance, address
):
    ae, host, port = address
    tool = need("findscu")
    policy = running_instance.running.instance.policy
    policy.add_recipient(
        Recipient("chen", Role.RADIOLOGIST, "放射科", "陈医生（放射科）"), "READ_1"
    )
    query = ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID", "-k", "PatientName")
    mine = run(tool, "-v", "-aet", "READ_1", "-aec", ae, *query, host, port)
    assert running_instance.film_of_demo.study_instance in mine
    stranger = subprocess.run(
        [tool, "-v", "-aet", "NOBODY", "-aec", ae, *query, host, port],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert running_instance.film_of_demo.study_instance not in stranger.stdout + stranger.stderr


def test_getscu_gets_the_marked_view(running_instance, address, tmp_path):
    ae, host, port = address
    tool = need("getscu")
    policy = running_instance.running.instance.policy
    policy.add_recipient(
        Recipient("chen", Role.RADIOLOGIST, "放射科", "陈医生（放射科）"), "READ_1"
    )
    film = running_instance.film_of_demo
    run(
        tool, "-S", "-aet", "READ_1", "-aec", ae, "-od", str(tmp_path),
        "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={film.study_instance}",
        host, port,
    )  # fmt: skip
    (got,) = tmp_path.iterdir()
    assert np.array_equal(
        dcmread(got).pixel_array, running_instance.demo.story.views["chen"].pixel_array
    )


@pytest.fixture
def client(running_instance):
    requests = pytest.importorskip("requests")
    web = pytest.importorskip("dicomweb_client.api")
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {running_instance.token('chen')}"
    return web.DICOMwebClient(f"{running_instance.base_url}/dicom-web", session=session)


def test_dicomweb_client_searches_and_retrieves(running_instance, client):
    film = running_instance.film_of_demo
    studies = client.search_for_studies()
    assert [s["0020000D"]["Value"][0] for s in studies] == [film.study_instance]
    uids = (film.study_instance, film.series_instance, film.sop_instance)
    assert client.search_for_instances(film.study_instance)
    metadata = client.retrieve_instance_metadata(*uids)
    assert metadata["00280004"]["Value"] == ["MONOCHROME2"]
    whole = client.retrieve_instance(*uids)
    (frame,) = client.retrieve_instance_frames(*uids, frame_numbers=[1])
    assert frame == whole.PixelData
    rendered = client.retrieve_instance_rendered(*uids)
    assert rendered[:2] == b"\xff\xd8"


def test_htj2k_frames_equal_the_native_ones(running_instance):
    import imagecodecs

    from leadapron.app.api.multipart import parts_of

    film = running_instance.film_of_demo
    answer = httpx2.get(
        f"{running_instance.base_url}/dicom-web/studies/{film.study_instance}/series/"
        f"{film.series_instance}/instances/{film.sop_instance}/frames/1",
        headers={
            "Authorization": f"Bearer {running_instance.token('chen')}",
            "Accept": 'multipart/related; type="application/octet-stream"; transfer-syntax=*',
        },
        trust_env=False,
    )
    frame = imagecodecs.htj2k_decode(parts_of(answer.content, answer.headers["Content-Type"])[0])
    assert np.array_equal(frame, running_instance.demo.story.views["chen"].pixel_array)


def test_stow_takes_raw_films_with_a_gateway_token_only(running_instance, tmp_path):
    requests = pytest.importorskip("requests")
    web = pytest.importorskip("dicomweb_client.api")
    film = identified_film(Patient(family="司徒", given="云", latin="Situ^Yun", patient_id="T78"))
    session = requests.Session()
    client = web.DICOMwebClient(f"{running_instance.base_url}/dicom-web", session=session)
    session.headers["Authorization"] = f"Bearer {running_instance.token('chen')}"
    with pytest.raises(requests.HTTPError):
        client.store_instances([film])
    session.headers["Authorization"] = f"Bearer {running_instance.token('edge', 'gateway')}"
    stored = client.store_instances([film])
    assert stored.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == film.SOPInstanceUID


def test_without_a_token_nothing_is_told(running_instance):
    film = running_instance.film_of_demo
    for path in (
        "/dicom-web/studies",
        f"/dicom-web/studies/{film.study_instance}",
        "/api/overview",
        "/api/worklist",
        "/api/ledger",
        f"/api/trace/{'0' * 12}/overlay.png",
    ):
        answer = httpx2.get(running_instance.base_url + path, trust_env=False)
        assert answer.status_code == 401, path
        assert film.sop_instance not in answer.text


def test_administrators_see_no_pixels(running_instance):
    film = running_instance.film_of_demo
    answer = httpx2.get(
        f"{running_instance.base_url}/dicom-web/studies/{film.study_instance}/series/"
        f"{film.series_instance}/instances/{film.sop_instance}",
        headers={"Authorization": f"Bearer {running_instance.token('admin')}"},
        trust_env=False,
    )
    assert answer.status_code == 403
    assert answer.json()["reasons"]


def test_every_answer_forbids_caching_and_framing(running_instance):
    answer = httpx2.get(running_instance.base_url + "/healthz", trust_env=False)
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_a_view_reopened_is_the_same_bytes(running_instance):
    film = running_instance.film_of_demo
    url = (
        f"{running_instance.base_url}/dicom-web/studies/{film.study_instance}/series/"
        f"{film.series_instance}/instances/{film.sop_instance}"
    )
    headers = {"Authorization": f"Bearer {running_instance.token('liu')}"}
    from leadapron.app.api.multipart import parts_of

    answer = httpx2.get(url, headers=headers, trust_env=False)
    part = parts_of(answer.content, answer.headers["Content-Type"])[0]
    again = dcmread(io.BytesIO(part)).pixel_array
    assert np.array_equal(again, running_instance.demo.story.views["liu"].pixel_array)
