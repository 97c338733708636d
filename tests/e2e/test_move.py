"""dcmtk's movescu judges C-MOVE: where it sends, what, to whom, and what the log says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from leadapron.model import Recipient, Role

pytestmark = pytest.mark.e2e


@pytest.fixture
def here(running_instance):
    policy = running_instance.running.instance.policy
    for user, role, title in (
        ("chen", Role.RADIOLOGIST, "READ_1"),
        ("liu", Role.CLINICIAN, "READ_2"),
        ("zhao", Role.CLINICIAN, "READ_3"),
    ):
        display = policy.recipient(user).display
        policy.add_recipient(Recipient(user, role, "", display), title)
    return running_instance


def move(here, target: Path, *, calling: str, to: str, listen: str = "") -> tuple[str, list[Path]]:
    """Let movescu ask, and receive on the port of the workstation `listen`."""
    tool = shutil.which("movescu") or pytest.skip("movescu is not installed: apt-get install dcmtk")
    settings = here.running.instance.settings
    _, port = settings.destinations()[listen or to]
    done = subprocess.run(
        [
            tool, "-v", "-S", "-aet", calling, "-aec", settings.ae_title, "-aem", to,
            "--port", str(port), "-od", str(target),
            "-k", "QueryRetrieveLevel=STUDY",
            "-k", f"StudyInstanceUID={here.film_of_demo.study_instance}",
            "127.0.0.1", str(here.running.dimse.port),
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr, sorted(target.iterdir())


def entries_since(here, size: int) -> list[dict]:
    ledger = here.running.instance.ledger
    return list(ledger.entries(size, ledger.size))


def test_a_workstation_gets_its_own_marked_view(here, tmp_path):
    size = here.running.instance.ledger.size
    said, got = move(here, tmp_path, calling="READ_1", to="READ_1")
    assert len(got) == 1, said
    wanted = here.demo.story.views["chen"].pixel_array
    assert np.array_equal(dcmread(got[0]).pixel_array, wanted)
    (view,) = (e for e in entries_since(here, size) if e["kind"] == "view")
    assert (view["recipient"], view["channel"], view["destination"]) == ("chen", "c-move", "READ_1")


def test_what_is_sent_to_a_colleague_carries_the_colleagues_mark(here, tmp_path):
    said, got = move(here, tmp_path, calling="READ_1", to="READ_2")
    assert len(got) == 1, said
    sent = dcmread(got[0]).pixel_array
    assert np.array_equal(sent, here.demo.story.views["liu"].pixel_array)


def test_a_colleague_without_an_order_gets_nothing(here, tmp_path):
    size = here.running.instance.ledger.size
    said, got = move(here, tmp_path, calling="READ_1", to="READ_3")
    assert not got
    assert "0x124" in said
    (refused,) = (e for e in entries_since(here, size) if e["kind"] == "view.refused")
    assert (refused["recipient"], refused["destination"]) == ("zhao", "READ_3")


def test_a_title_without_a_recipient_gets_the_callers_view(here, tmp_path):
    _, got = move(here, tmp_path, calling="READ_1", to="SPARE")
    sent = dcmread(got[0]).pixel_array
    assert np.array_equal(sent, here.demo.story.views["chen"].pixel_array)


def test_an_unknown_destination_is_refused_and_in_the_log(here, tmp_path):
    size = here.running.instance.ledger.size
    said, got = move(here, tmp_path, calling="READ_1", to="ROGUE", listen="SPARE")
    assert not got
    assert "a801" in said.lower() or "MoveDestinationUnknown" in said
    (refused,) = (e for e in entries_since(here, size) if e["kind"] == "move.refused")
    assert (refused["recipient"], refused["destination"]) == ("chen", "ROGUE")


def test_a_stranger_moves_nothing_and_no_destination_is_called(here, tmp_path):
    said, got = move(here, tmp_path, calling="NOBODY", to="READ_1")
    assert not got
    assert "Association Received" not in said, "the destination was called before the refusal"
    assert "0x124" in said
