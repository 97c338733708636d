"""`leadapron trace` and `leadapron case` as a person runs them, beside a running instance."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

# A machine that others use needs more than the usual time: each command opens the instance anew.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]
PASSWORD = "long enough"


@pytest.fixture(scope="module")
def command(running_instance):
    here = running_instance.running.instance
    for user in ("sun", "qian"):
        here.accounts.set_password(user, PASSWORD)

    def run(*arguments: str, typed: str = "") -> tuple[int, dict, str]:
        done = subprocess.run(
            [
                sys.executable, "-m", "leadapron", *arguments, "--json",
                *(() if arguments[:2] == ("case", "check") else
                  ("--data", str(here.folder.data), "--keys", str(here.folder.keys))),
            ],
            input=typed, capture_output=True, text=True, timeout=900,
            env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False,
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout), done.stderr

    return run


@pytest.fixture(scope="module")
def folder(running_instance, tmp_path_factory):
    """A folder as it is found: a hit, a picture of nothing, a text, a hidden file."""
    base = tmp_path_factory.mktemp("found")
    (base / "a-copy.jpg").write_bytes(running_instance.demo.story.leaked)
    inner = base / "inner"
    inner.mkdir()
    noise = np.random.default_rng(5).integers(0, 255, (300, 300), np.uint8)
    Image.fromarray(noise).save(inner / "noise.png")
    (inner / "readme.txt").write_text("found on a forum")
    (base / ".thumbs").write_bytes(b"x")
    return base


def test_a_folder_is_traced_file_by_file_into_one_case(command, folder, running_instance):
    code, told, progress = command("trace", str(folder), "--purpose", "found on a forum")
    assert code == 65, "one file is no picture"
    assert (told["done"], told["failed"], told["left"]) == (2, 1, 0)
    hit, noise, text = told["traces"]
    assert (hit["verdict"], hit["confirmed"]) == ("traced", False)
    assert hit["best"]["recipient"] == "liu"
    assert hit["p_value"] < 1e-6
    assert (noise["verdict"], noise["best"], noise["p_value"]) == ("inconclusive", None, None)
    assert noise["case"] == hit["case"]
    assert text["error"]["code"] == "unknown-format"
    assert "3/3" in progress
    case = running_instance.running.instance.cases.get(hit["case"])
    assert case.view_id is None, "no case names a view before a second person confirmed"


def test_two_people_name_a_view_from_the_command_line(command, folder, tmp_path):
    copy = str(folder / "a-copy.jpg")
    code, refused, _ = command("trace", copy, "--as", "sun", typed="wrong\n")
    assert (code, refused["ok"]) == (77, False)
    code, told, _ = command("trace", copy, "--as", "sun", typed=f"{PASSWORD}\n")
    assert (code, told["verdict"], told["best"], told["z"]) == (0, "waiting", None, None)
    trace, approval = told["id"], told["second"]["approval"]

    report = tmp_path / "report.pdf"
    code, early, _ = command("case", "report", trace, str(report))
    assert code != 0
    assert early["error"]["code"] == "second-person-missing"
    assert not report.exists()
    code, _, _ = command("approval", "approve", approval, "--as", "sun", typed=f"{PASSWORD}\n")
    assert code == 77
    code, _, _ = command("approval", "approve", approval, "--as", "qian", typed=f"{PASSWORD}\n")
    assert code == 0
    code, shown, _ = command("case", "show", told["case"])
    assert shown["case"]["recipient"] == "liu"
    assert shown["case"]["traces"][0]["verdict"] == "traced"

    for language in ("zh-CN", "en"):
        code, _, _ = command("case", "report", trace, str(report), "--language", language)
        assert code == 0
        assert report.read_bytes().startswith(b"%PDF-1.7")
    evidence = tmp_path / "evidence.json"
    assert command("case", "evidence", trace, str(evidence))[0] == 0
    code, checked, _ = command("case", "check", str(evidence))
    assert (code, checked["ok"], checked["pinned"]) == (0, True, False)
    forged = tmp_path / "forged.json"
    forged.write_text(evidence.read_text().replace("liu", "zhao"))
    assert command("case", "check", str(forged))[0] == 76
    code, again, _ = command("case", "again", trace)
    assert (code, again["same"], again["differs"]) == (0, True, [])


def test_what_is_not_there_is_told(command, tmp_path):
    code, told, _ = command("trace", str(tmp_path / "absent.jpg"))
    assert (code, told["error"]["code"]) == (65, "no-input")
    (tmp_path / "empty").mkdir()
    assert command("trace", str(tmp_path / "empty"))[0] == 65
    (tmp_path / "x.png").write_bytes(b"no picture")
    code, told, _ = command("trace", str(tmp_path / "x.png"))
    assert (code, told["error"]["code"]) == (65, "unknown-format")


def test_the_hours_pictures_run_out(command, folder, running_instance):
    here = running_instance.running.instance
    from leadapron.incident.limits import Allowance, Limits

    Allowance(here.catalog, here.ledger, Limits(10_000, 10_000)).spend("filler", 360)
    size = here.ledger.size
    try:
        code, told, _ = command("trace", str(folder))
        assert (code, told["left"]) == (75, 2)
        assert told["traces"][0]["error"]["code"] == "too-many-traces"
        assert "go on after" in told["traces"][0]["error"]["remedy"]
        entries = list(here.ledger.entries(size, here.ledger.size))
        limited = [e for e in entries if e["kind"] == "trace.limited"]
        assert limited[0]["scope"] == "instance"
        import httpx2

        answer = httpx2.post(
            f"{running_instance.base_url}/api/trace",
            headers={"Authorization": f"Bearer {running_instance.token('sun')}"},
            files={"file": ("a.jpg", running_instance.demo.story.leaked, "image/jpeg")},
            data={"purpose": "one too many"},
            trust_env=False,
        )
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.json()["remedy"]
    finally:
        from leadapron.incident.tables import TraceSpendingRow

        with here.catalog.session() as session:
            session.query(TraceSpendingRow).filter_by(recipient="filler").delete()
