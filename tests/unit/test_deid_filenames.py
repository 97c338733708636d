"""`leadapron deidentify`: no identity in the names of what it writes; maps only when asked for."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path

import pydicom
import pytest
from deid_objects import CHINESE, GIVEN, NAME, NUMBER, sample
from typer.testing import CliRunner

from leadapron.app.cli.main import app


def run(*arguments: object) -> tuple[int, dict]:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    return result.exit_code, json.loads(result.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "in"
    names = [
        f"{NAME}_{GIVEN}/CT/image 1.dcm",
        f"ward 7/{CHINESE}_胸片.dcm",
        f"ward 7/Zhang-Sanfeng-{NUMBER}.DCM",
        "ward 7/1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322",
        "ward 7/20130911_CT.dcm",
        "ward 7/CT000001.dcm",
    ]
    for number, name in enumerate(names):
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        ds = sample("CT_small.dcm")
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.5.6.{number}"
        ds.save_as(path, enforce_file_format=True)
    return source


def test_names_that_identify_are_replaced_and_others_stay(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, answer = run(
        "deidentify", folder, out, "--keys", tmp_path / "k", "--profile", "basic", "--json"
    )
    assert code == 0
    written = [str(p.relative_to(out)) for p in out.rglob("*")]
    everything = "\n".join(written)
    for secret in (NAME, GIVEN, CHINESE, "Sanfeng", NUMBER, "20130911", "1.3.6.1"):
        assert secret.lower() not in everything.lower()
    assert "ward 7/CT000001.dcm" in written
    for file in answer["files"]:
        made = Path(file["output"])
        assert pydicom.dcmread(made).SOPInstanceUID == file["sop_instance"]
        renamed = [f for f in file["deid"]["findings"] if f["path"] == "file name"]
        assert bool(renamed) == (made.relative_to(out) != Path(file["input"]).relative_to(folder))


def test_the_same_folder_name_becomes_the_same(folder: Path, tmp_path: Path) -> None:
    names = []
    for out in (tmp_path / "one", tmp_path / "two"):
        run("deidentify", folder, out, "--keys", tmp_path / "k", "--profile", "basic", "--json")
        names.append(sorted(str(p.relative_to(out)) for p in out.rglob("*")))
    assert names[0] == names[1]


def test_one_file_into_a_folder_is_renamed_but_not_a_name_of_ones_own(
    folder: Path, tmp_path: Path
) -> None:
    source = folder / "ward 7" / f"{CHINESE}_胸片.dcm"
    _, answer = run(
        "deidentify", source, tmp_path / "out", "--keys", tmp_path / "k", "--profile", "basic",
        "--json",
    )  # fmt: skip
    assert CHINESE not in answer["files"][0]["output"].rsplit("/", 1)[-1]
    mine = tmp_path / "mine" / "film.dcm"
    _, answer = run(
        "deidentify", source, mine, "--keys", tmp_path / "k", "--profile", "basic", "--json"
    )
    assert answer["files"][0]["output"] == str(mine)
    assert mine.exists()


def test_maps_are_written_when_asked_and_only_for_the_owner(folder: Path, tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    code, answer = run(
        "deidentify", folder, tmp_path / "out", "--keys", tmp_path / "k", "--profile", "basic",
        "--maps", maps, "--json",
    )  # fmt: skip
    assert code == 0
    assert sorted(p.name for p in maps.iterdir()) == ["patid_mapping.csv", "uid_mapping.csv"]
    for path in maps.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with (maps / "patid_mapping.csv").open(encoding="utf-8", newline="") as file:
        (patient,) = csv.DictReader(file)
    out = pydicom.dcmread(answer["files"][0]["output"])
    assert patient == {"id_old": NUMBER, "id_new": out.PatientID}
    with (maps / "uid_mapping.csv").open(encoding="utf-8", newline="") as file:
        uids = {row["id_old"]: row["id_new"] for row in csv.DictReader(file)}
    for number, file in enumerate(sorted(answer["files"], key=lambda f: f["input"])):
        before = pydicom.dcmread(file["input"])
        assert uids[before.SOPInstanceUID] == file["sop_instance"], number
        assert uids[before.StudyInstanceUID] == pydicom.dcmread(file["output"]).StudyInstanceUID
    assert NUMBER not in json.dumps([f["deid"] for f in answer["files"]])


def test_maps_may_not_lie_in_the_output(folder: Path, tmp_path: Path) -> None:
    code, answer = run(
        "deidentify", folder, tmp_path / "out", "--maps", tmp_path / "out" / "maps", "--json"
    )
    assert code != 0
    assert answer["error"]["code"] == "maps-in-output"


def test_no_maps_without_being_asked(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("deidentify", folder, out, "--keys", tmp_path / "k", "--profile", "basic", "--json")
    assert not list(tmp_path.rglob("*mapping.csv"))
