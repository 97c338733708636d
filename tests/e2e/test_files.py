"""The file commands: protect, deidentify, unseal, with their JSON and exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

from leadapron.app.cli.main import app
from leadapron.app.demo.film import Patient, identified_film

pytestmark = pytest.mark.e2e


def leadapron(*arguments: object):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    try:
        answer = json.loads(result.stdout)
    except json.JSONDecodeError:
        answer = None
    return result.exit_code, answer


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    source = tmp_path_factory.mktemp("in")
    identified_film(Patient()).save_as(source / "胸片 1.dcm", enforce_file_format=True)
    (source / "sub").mkdir()
    shutil.copy(get_testdata_file("CT_small.dcm"), source / "sub" / "ct.dcm")
    (source / "notes.txt").write_text("not DICOM")
    return source


@pytest.fixture(scope="module")
def protected(folder, tmp_path_factory):
    base = tmp_path_factory.mktemp("out")
    code, answer = leadapron("protect", folder, base / "out", "--keys", base / "keys", "--json")
    return base, code, answer


def test_protect_keeps_names_and_reports_each_file(protected, folder):
    base, code, answer = protected
    assert code == 65, "one file is no DICOM, so the command says so"
    assert (answer["done"], answer["failed"]) == (2, 1)
    assert (base / "out" / "胸片 1.dcm").exists()
    assert (base / "out" / "sub" / "ct.dcm").exists()
    (bad,) = (f for f in answer["files"] if not f["ok"])
    assert bad["error"]["code"] == "not-dicom"
    assert bad["error"]["remedy"]
    assert not (base / "out" / "notes.txt").exists()


def test_a_ct_is_sealed_whole(protected):
    _, _, answer = protected
    (ct,) = (f for f in answer["files"] if f["input"].endswith("ct.dcm"))
    assert ct["in_domain"] is False


def test_what_is_protected_shows_nothing(protected):
    base, _, _ = protected
    film = dcmread(base / "out" / "胸片 1.dcm")
    assert int(np.ptp(film.pixel_array)) == 0
    data = (base / "out" / "胸片 1.dcm").read_bytes()
    for secret in Patient().secrets:
        assert secret.encode() not in data
        assert secret.encode("gb18030") not in data


def test_unsealing_everything_gives_what_deidentify_gives(protected, folder, tmp_path):
    base, _, _ = protected
    keys = ("--keys", base / "keys", "--json")
    code, _ = leadapron("unseal", base / "out" / "胸片 1.dcm", tmp_path / "open.dcm", *keys)
    assert code == 0
    code, _ = leadapron("deidentify", folder / "胸片 1.dcm", tmp_path / "clean", *keys)
    assert code == 0
    opened, clean = dcmread(tmp_path / "open.dcm"), dcmread(tmp_path / "clean" / "胸片 1.dcm")
    assert np.array_equal(opened.pixel_array, clean.pixel_array)
    assert opened.SOPInstanceUID == clean.SOPInstanceUID
    assert opened.PatientID == clean.PatientID != Patient().patient_id


def test_unsealing_one_region_shows_that_region(protected, tmp_path):
    base, _, _ = protected
    source = base / "out" / "胸片 1.dcm"
    keys = ("--keys", base / "keys", "--json")
    for name in ("heart", "left_lung"):
        code, answer = leadapron(
            "unseal", source, tmp_path / f"{name}.dcm", "--regions", name, *keys
        )
        assert code == 0, answer
    whole = tmp_path / "whole.dcm"
    leadapron("unseal", source, whole, *keys)
    original = dcmread(whole).pixel_array
    heart = dcmread(tmp_path / "heart.dcm").pixel_array
    lung = dcmread(tmp_path / "left_lung.dcm").pixel_array
    shown = heart == original
    assert 0.02 < shown.mean() < 0.4
    assert not np.array_equal(heart, lung)


def test_another_key_opens_nothing(protected, tmp_path):
    base, _, _ = protected
    leadapron("protect", base / "out" / "sub", tmp_path / "x", "--keys", tmp_path / "k2", "--json")
    source = base / "out" / "胸片 1.dcm"
    code, answer = leadapron(
        "unseal", source, tmp_path / "no.dcm", "--keys", tmp_path / "k2", "--json"
    )
    assert code != 0
    assert answer["files"][0]["error"]["remedy"]
    assert not (tmp_path / "no.dcm").exists()


def test_a_truncated_file_is_reported_and_leaves_nothing(folder, tmp_path):
    whole = (folder / "胸片 1.dcm").read_bytes()
    (tmp_path / "cut.dcm").write_bytes(whole[: len(whole) // 3])
    code, answer = leadapron(
        "protect", tmp_path / "cut.dcm", tmp_path / "out.dcm", "--keys", tmp_path / "k", "--json"
    )
    assert code == 65
    assert answer["files"][0]["error"]["code"]
    assert not (tmp_path / "out.dcm").exists()


def test_absurd_dimensions_are_refused_without_the_memory(folder, tmp_path):
    film = dcmread(folder / "胸片 1.dcm")
    film.Rows, film.Columns, film.NumberOfFrames = 65535, 65535, 2
    film.save_as(tmp_path / "huge.dcm", enforce_file_format=True)
    code, answer = leadapron(
        "protect", tmp_path / "huge.dcm", tmp_path / "out.dcm", "--keys", tmp_path / "k", "--json"
    )
    assert code == 65
    assert answer["files"][0]["error"]["remedy"]


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.202"])
def test_the_stored_transfer_syntax_can_be_chosen(folder, tmp_path, syntax):
    keys = ("--keys", tmp_path / "k", "--json")
    code, _ = leadapron(
        "protect", folder / "胸片 1.dcm", tmp_path / "p.dcm", "--transfer-syntax", syntax, *keys
    )
    assert code == 0
    assert dcmread(tmp_path / "p.dcm").file_meta.TransferSyntaxUID == syntax
    code, _ = leadapron("unseal", tmp_path / "p.dcm", tmp_path / "u.dcm", *keys)
    assert code == 0


def test_an_unknown_transfer_syntax_is_named(folder, tmp_path):
    code, answer = leadapron(
        "protect", folder, tmp_path / "o", "--transfer-syntax", "1.2.3", "--keys",
        tmp_path / "k", "--json",
    )  # fmt: skip
    assert code == 65
    assert "1.2.3" in answer["error"]["message"]


def test_output_below_input_is_refused(folder):
    code, answer = leadapron("protect", folder, folder / "out", "--json")
    assert code == 65
    assert answer["error"]["remedy"]


def test_keys_below_the_output_are_refused(folder, tmp_path):
    code, _ = leadapron(
        "protect", folder, tmp_path / "o", "--keys", tmp_path / "o" / "keys", "--json"
    )
    assert code != 0
