"""The second person's part over HTTP and on the command line."""

from __future__ import annotations

import json

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from leadapron.app.api.server import create_app
from leadapron.app.cli.main import app as commands
from leadapron.app.instance import Instance
from leadapron.app.settings import Settings
from leadapron.model import Recipient, Role

PASSWORD = "correct horse battery"
PEOPLE = {
    "sun": Role.PRIVACY_OFFICER,
    "qian": Role.PRIVACY_OFFICER,
    "chen": Role.RADIOLOGIST,
    "auditor": Role.AUDITOR,
    "admin": Role.PACS_ADMIN,
}


@pytest.fixture
def here(tmp_path):
    with Instance.open(Settings(data=tmp_path / "data", keys=tmp_path / "keys")) as instance:
        for person, role in PEOPLE.items():
            instance.policy.add_recipient(Recipient(person, role, "", person.title()))
            instance.accounts.issue("reader", person)
        yield instance


@pytest.fixture
def asked(here):
    return here.approvals.request(
        "reidentify",
        "sun",
        purpose="breach_notice",
        reason="泄露事件需要告知两位病人",
        content={"patients": ["LAAAA", "LABBB"]},
    )


def client(here, person: str) -> TestClient:
    token, _ = here.accounts.issue("reader", person)
    return TestClient(create_app(here), headers={"Authorization": f"Bearer {token}"})


def test_the_second_person_sees_who_what_and_why_and_consents(here, asked):
    with client(here, "qian") as http:
        (item,) = http.get("/api/approvals?state=pending").json()
        assert item["requester_display"] == "Sun" and item["may_decide"] and not item["mine"]
        assert item["content"] == {"patients": ["LAAAA", "LABBB"]}
        assert item["purpose"]["zh"].startswith("泄露告知") and item["reason"] == asked.reason
        done = http.post(f"/api/approvals/{asked.id}/approve", json={"note": "已核对"}).json()
        assert (done["state"], done["decided_by"], done["note"]) == ("approved", "qian", "已核对")
        again = http.post(f"/api/approvals/{asked.id}/approve", json={})
        assert again.status_code == 409 and again.json()["code"] == "approval-approved"


def test_nobody_approves_alone(here, asked):
    with client(here, "sun") as http:
        (item,) = http.get("/api/approvals").json()
        assert item["mine"] and not item["may_decide"]
        refused = http.post(f"/api/approvals/{asked.id}/approve", json={})
        assert refused.status_code == 403 and refused.json()["code"] == "own-request"
        gone = http.post(f"/api/approvals/{asked.id}/withdraw").json()
        assert gone["state"] == "withdrawn"


@pytest.mark.parametrize(("person", "sees"), [("chen", 0), ("admin", 0), ("auditor", 1)])
def test_others_see_nothing_but_auditors_look_on(here, asked, person, sees):
    with client(here, person) as http:
        assert len(http.get("/api/approvals").json()) == sees
        assert http.get(f"/api/approvals/{asked.id}").status_code == (200 if sees else 404)
        assert http.post(f"/api/approvals/{asked.id}/approve", json={}).status_code == 403


def test_the_acts_and_purposes_are_a_closed_list(here):
    with client(here, "chen") as http:
        acts = {a["action"]["code"]: a for a in http.get("/api/approvals/actions").json()}
    assert acts["reidentify"]["may_request"] and not acts["reidentify"]["may_approve"]
    assert {"reidentify", "wrong-patient", "accuse"} <= set(acts)


def run(here, *words: str, typed: str = PASSWORD):
    folders = ["--data", str(here.folder.data), "--keys", str(here.folder.keys), "--json"]
    return CliRunner().invoke(commands, ["approval", *words, *folders], input=typed + "\n")


def test_on_the_command_line_a_password_proves_who_decides(tmp_path):
    settings = Settings(data=tmp_path / "data", keys=tmp_path / "keys")
    with Instance.open(settings) as here:
        for person in ("sun", "qian"):
            here.policy.add_recipient(Recipient(person, PEOPLE[person]))
            here.accounts.set_password(person, PASSWORD)
        asked = here.approvals.request(
            "accuse",
            "sun",
            purpose="dispute",
            reason="当事人提出异议，需要复核结论",
            content={"case": "C1"},
        )
    wrong = run(here, "approve", asked.id, "--as", "qian", typed="guess")
    assert wrong.exit_code == 77 and "unauthenticated" in wrong.stdout
    alone = run(here, "approve", asked.id, "--as", "sun")
    assert alone.exit_code == 77 and "own-request" in alone.stdout
    done = run(here, "approve", asked.id, "--as", "qian", "--note", "同意")
    assert json.loads(done.stdout.splitlines()[-1])["approval"]["state"] == "approved"
    (listed,) = json.loads(run(here, "list").stdout)["approvals"]
    assert listed["decided_by"] == "qian" and listed["content"] == {"case": "C1"}
    assert run(here, "refuse", "A-none", "--as", "qian").exit_code == 66
