"""The demo is the main job: every step's outcome, as the command reports it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.e2e


def leadapron(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command in its own process."""
    return subprocess.run(
        [sys.executable, "-m", "leadapron", *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    base = tmp_path_factory.mktemp("demo")
    state = {"XDG_STATE_HOME": str(base / "state"), "XDG_DATA_HOME": str(base / "home")}
    data = base / "data"
    done = leadapron("demo", "--check", "--json", "--data", str(data), **state)
    return done, data, state


def test_demo_check_exits_zero_and_prints_json_alone(checked):
    done, _, _ = checked
    summary = json.loads(done.stdout)
    failed = [s for s in summary["steps"] if not s["ok"]]
    assert done.returncode == 0, (failed, done.stderr[-2000:])
    assert summary["ok"] is True
    assert len(summary["steps"]) == 11


def test_two_orders_two_different_pictures(checked):
    summary = json.loads(checked[0].stdout)
    (step,) = (s for s in summary["steps"] if "views" in s)
    regions = list(step["views"].values())
    assert regions[0] != regions[1]
    assert len(set(step["view_ids"].values())) == 2


def test_the_trace_names_the_leaked_view_with_a_p_value(checked):
    summary = json.loads(checked[0].stdout)
    (read,) = (s for s in summary["steps"] if "view_ids" in s)
    (found,) = (s for s in summary["steps"] if "p_value" in s)
    assert found["view"] == read["view_ids"]["liu"]
    assert found["p_value"] < 1e-6


def test_the_contact_sheet_is_a_picture(checked):
    from PIL import Image

    with Image.open(checked[1] / "contact-sheet.png") as sheet:
        assert sheet.width > 1500


def test_a_stolen_data_folder_carries_no_identity_and_no_key(checked):
    from leadapron.app.demo.film import Patient

    _, data, _ = checked
    secrets = Patient().secrets
    for path in data.rglob("*"):
        if not path.is_file() or path.name in {"demo.json", "contact-sheet.png"}:
            continue
        content = path.read_bytes()
        for secret in secrets:
            assert secret.encode() not in content, path
            assert secret.encode("gb18030") not in content, path


def test_ledger_and_fsck_say_intact_and_notice_a_flipped_byte(checked):
    _, data, state = checked
    assert leadapron("ledger", "verify", "--data", str(data), "--json", **state).returncode == 0
    done = leadapron("fsck", "--data", str(data), "--json", **state)
    assert done.returncode == 0, done.stdout
    victim = max((data / "ledger").rglob("*"), key=lambda p: p.stat().st_size * p.is_file())
    original = victim.read_bytes()
    changed = bytearray(original)
    changed[len(changed) // 2] ^= 1
    victim.write_bytes(changed)
    broken = leadapron("ledger", "verify", "--data", str(data), "--json", **state)
    victim.write_bytes(original)
    assert broken.returncode != 0
    assert json.loads(broken.stdout)["problems"]


def test_trace_from_the_command_line_names_the_view_again(checked, tmp_path):
    from PIL import Image

    _, data, state = checked
    summary = json.loads((data / "demo.json").read_text("utf-8"))
    (read,) = (s for s in summary["steps"] if "view_ids" in s)
    sop = next(s["sop_instance"] for s in summary["steps"] if "sop_instance" in s)
    copy = tmp_path / "view.png"
    opened = leadapron(
        "view", sop, str(copy), "--as", "chen", "--data", str(data), "--json", **state
    )
    assert opened.returncode == 0, opened.stderr
    leaked = tmp_path / "leaked.jpg"
    with Image.open(copy) as picture:
        picture.convert("L").save(leaked, quality=60)
    done = leadapron("trace", str(leaked), "--data", str(data), "--json", **state)
    answer = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert answer["verdict"] == "traced"
    assert answer["best"]["view_id"] == read["view_ids"]["chen"]


def test_an_innocent_picture_is_inconclusive(checked, tmp_path):
    import numpy as np
    from PIL import Image

    _, data, state = checked
    innocent = tmp_path / "noise.png"
    noise = np.random.default_rng(7).integers(0, 255, (400, 400), np.uint8)
    Image.fromarray(noise).save(innocent)
    done = leadapron("trace", str(innocent), "--data", str(data), "--json", **state)
    answer = json.loads(done.stdout)
    assert answer["verdict"] == "inconclusive"
    assert answer["best"] is None
    assert answer["case"] is None
