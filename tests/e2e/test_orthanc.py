"""Orthanc as a sender of films and as a DICOMweb reader."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx2
import pytest
from pydicom import dcmread

from leadapron.app.demo.film import Patient, identified_film

pytestmark = pytest.mark.e2e

PLUGINS = Path("/usr/share/orthanc/plugins")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def orthanc(running_instance, tmp_path) -> Iterator[httpx2.Client]:
    tool = shutil.which("Orthanc")
    plugins = list(PLUGINS.glob("libOrthancDicomWeb*.so*"))
    if tool is None or not plugins:
        pytest.skip("Orthanc is not installed: apt-get install orthanc orthanc-dicomweb")
    here = running_instance
    http = free_port()
    config = {
        "StorageDirectory": str(tmp_path / "store"),
        "IndexDirectory": str(tmp_path / "store"),
        "HttpPort": http,
        "DicomPort": free_port(),
        "DicomAet": "ORTHANC",
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [str(plugins[0])],
        "DicomModalities": {
            "leadapron": ["LEADAPRON", "127.0.0.1", here.running.dimse.port],
        },
        "DicomWeb": {
            "Enable": True,
            "Servers": {
                "leadapron": {
                    "Url": f"{here.base_url}/dicom-web/",
                    "HttpHeaders": {"Authorization": f"Bearer {here.token('chen')}"},
                }
            },
        },
    }
    path = tmp_path / "orthanc.json"
    path.write_text(json.dumps(config))
    process = subprocess.Popen(
        [tool, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    client = httpx2.Client(base_url=f"http://127.0.0.1:{http}", trust_env=False, timeout=60)
    try:
        for _ in range(300):
            try:
                client.get("/system").raise_for_status()
                break
            except httpx2.HTTPError:
                time.sleep(0.1)
        yield client
    finally:
        process.terminate()
        process.wait(20)


def test_orthanc_sends_a_film_by_c_store(running_instance, orthanc):
    film = identified_film(Patient(family="令狐", given="冬", latin="Linghu^Dong", patient_id="T9"))
    buffer = BytesIO()
    film.save_as(buffer, enforce_file_format=True)
    archive = running_instance.running.instance.archive
    before = len(archive.search())
    stored = orthanc.post("/instances", content=buffer.getvalue()).json()
    answer = orthanc.post("/modalities/leadapron/store", json=[stored["ID"]])
    assert answer.status_code == 200, answer.text
    for _ in range(600):
        if len(archive.search()) > before:
            break
        time.sleep(0.1)
    assert len(archive.search()) == before + 1


def test_orthanc_finds_and_retrieves_a_view_over_dicomweb(running_instance, orthanc):
    film = running_instance.film_of_demo
    found = orthanc.post("/dicom-web/servers/leadapron/qido", json={"Uri": "/studies"})
    assert found.status_code == 200, found.text
    assert film.study_instance in found.text
    got = orthanc.post(
        "/dicom-web/servers/leadapron/retrieve",
        json={"Resources": [{"Study": film.study_instance}], "Synchronous": True},
    )
    assert got.status_code == 200, got.text
    (instance,) = orthanc.get("/instances").json()
    view = dcmread(BytesIO(orthanc.get(f"/instances/{instance}/file").content))
    delivered = running_instance.demo.story.views["chen"]
    assert view.SOPInstanceUID == delivered.SOPInstanceUID
    assert view.PixelData == delivered.PixelData
