"""Names: one beside the film for its reader; more only with a purpose and two people."""

from __future__ import annotations

import csv
import hashlib
import json
import stat
from datetime import UTC, datetime, timedelta

import pytest
from hospital import hospital
from starlette.testclient import TestClient
from typer.testing import CliRunner

from leadapron.app.api.server import create_app
from leadapron.app.cli.main import app as commands
from leadapron.app.instance import Instance
from leadapron.app.settings import Settings
from leadapron.deid import Link
from leadapron.delivery import Refused, ViewRequest
from leadapron.model import (
    BadInput,
    Conflict,
    Denied,
    NotFound,
    Order,
    Recipient,
    Role,
    StorageFailure,
)

WHY = "泄露事件要告知这些病人本人"
PASSWORD = "correct horse battery"


@pytest.fixture
def house(tmp_path):
    with hospital(tmp_path) as made:
        yield made


def entries(house, kind: str) -> list[dict]:
    return [e for e in house.here.ledger.entries() if e["kind"] == kind]


def test_a_reader_with_an_active_order_is_told_one_name_after_the_log(house):
    film = house.film("4711", "欧阳^晓岚")
    house.order("chen", house.own("4711"))
    known = house.here.identities.beside("chen", film.sop_instance)
    assert (known.name, known.sex, known.birth_date) == ("欧阳^晓岚", "F", "19700102")
    (entry,) = entries(house, "vault.read")
    assert house.here.ledger.entry(known.ledger_index) == entry
    assert (entry["recipient"], entry["purpose"], entry["count"]) == ("chen", "care", 1)
    listed = json.dumps([house.own("4711")]).encode()
    assert entry["pseudonyms"] == hashlib.sha256(listed).hexdigest()
    assert entry["order"].startswith("O-chen") and entry["sop"] == film.sop_instance


def test_the_name_is_in_no_copy_and_no_log(house, tmp_path):
    film = house.film("4711", "欧阳^晓岚")
    house.order("chen", house.own("4711"))
    house.here.identities.beside("chen", film.sop_instance)
    view = house.here.delivery.open_view(ViewRequest("chen", film.sop_instance))
    from leadapron.edge import write_part10

    copies = [write_part10(view.dataset), house.here.archive.read(film)]
    files = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
    for content in copies + files:
        assert "欧阳".encode() not in content and "晓岚".encode() not in content
        assert b"19700102" not in content


@pytest.mark.parametrize("who", ["liu", "sun", "admin", "nobody"])
def test_nobody_else_is_told(house, who):
    film = house.film("4711")
    house.order("chen", house.own("4711"))
    house.order("liu", house.own("other"))
    with pytest.raises(Denied):
        house.here.identities.beside(who, film.sop_instance)
    assert not entries(house, "vault.read") and entries(house, "view.refused")


def test_an_order_that_is_over_or_closed_tells_no_name(house):
    film = house.film("4711")
    now = datetime.now(UTC)
    order = Order(
        "O1", house.own("4711"), "", "pneumonia", frozenset({"chen"}),
        now - timedelta(hours=2), now - timedelta(hours=1),
    )  # fmt: skip
    house.here.policy.add_order(order)
    with pytest.raises(Refused):
        house.here.identities.beside("chen", film.sop_instance)
    house.order("chen", house.own("4711"))
    (active,) = [o for o in house.here.policy.orders_of("chen") if o.id != "O1"]
    house.here.policy.set_order_status(active.id, "completed")
    with pytest.raises(Refused):
        house.here.identities.beside("chen", film.sop_instance)


def test_without_the_log_no_name_is_read(house, monkeypatch):
    film = house.film("4711")
    house.order("chen", house.own("4711"))
    asked = house.here.identities.request("sun", [house.own("4711")], "breach_notice", WHY)
    house.consent(asked)
    read = []
    monkeypatch.setattr(house.here.vault, "originals", lambda *a: read.append(a) or [])

    def full(entry):
        if entry["kind"] == "vault.read":
            raise StorageFailure("the disk is full", remedy="free space")
        return append(entry)

    append = house.here.ledger.append
    monkeypatch.setattr(house.here.ledger, "append", full)
    with pytest.raises(StorageFailure):
        house.here.identities.beside("chen", film.sop_instance)
    with pytest.raises(StorageFailure):
        house.here.identities.open(asked.id, "sun")
    assert not read
    with pytest.raises(Conflict):
        house.here.identities.open(asked.id, "sun")


def test_several_names_take_a_purpose_and_two_people(house):
    one, two = house.film("1", "赵^一"), house.film("2", "钱^二")
    wanted = [house.own("2"), house.own("1"), one.accession, two.study_instance, house.own("1")]
    asked = house.here.identities.request("sun", wanted, "breach_notice", WHY)
    assert asked.content["count"] == 4 and not entries(house, "vault.read")
    with pytest.raises(Conflict):
        house.here.identities.open(asked.id, "sun")
    house.consent(asked)
    with pytest.raises(Denied):
        house.here.identities.open(asked.id, "qian")
    found = {i.pseudonym: i for i in house.here.identities.open(asked.id, "sun")}
    assert found[house.own("1")].name == "赵^一" and found[house.own("2")].original == "2"
    assert found[one.accession].original == "ACC1"
    assert found[two.study_instance].kind == "uid"
    (entry,) = entries(house, "vault.read")
    assert (entry["count"], entry["second"], entry["purpose"]) == (4, "qian", "breach_notice")
    assert entry["approval"] == asked.id
    with pytest.raises(Conflict):
        house.here.identities.open(asked.id, "sun")
    raw = b"".join(house.here.ledger.raw(i) for i in range(house.here.ledger.size))
    assert "赵".encode() not in raw and b"LA" not in raw.replace(b"LEADAPRON", b"")


def test_what_cannot_be_asked_for(house):
    house.film("1")
    ask = house.here.identities.request
    known = house.own("1")
    for pseudonyms, purpose, error in (
        ([], "breach_notice", BadInput),
        (["张三"], "breach_notice", BadInput),
        ([known, house.own("nobody")], "breach_notice", NotFound),
        ([known], "care", BadInput),
        ([known], "curiosity", BadInput),
        ([f"LA{n:012d}".translate(str.maketrans("0189", "ABCD")) for n in range(5001)],
         "breach_notice", BadInput),
    ):  # fmt: skip
        with pytest.raises(error):
            ask("sun", pseudonyms, purpose, WHY)
    with pytest.raises(BadInput):
        ask("sun", [known], "breach_notice", "why")
    with pytest.raises(Denied):
        ask("admin", [known], "breach_notice", WHY)
    assert not entries(house, "vault.read") and not entries(house, "approval.requested")


def test_a_merged_patient_is_told_by_its_surviving_name(house):
    film = house.film("B", "旧^名")
    house.film("A", "新^名")
    from leadapron.delivery.relinking import Origin

    house.here.relinks.relinking.merge("B", "A", Origin("hl7:HIS", {}))
    house.order("chen", house.own("B"))
    assert house.here.identities.beside("chen", film.sop_instance).name == "新^名"


def client(here, person: str) -> TestClient:
    token, _ = here.accounts.issue("reader", person)
    return TestClient(create_app(here), headers={"Authorization": f"Bearer {token}"})


def test_over_http_a_request_waits_for_the_second_person(house):
    house.film("1", "赵^一")
    body = {"pseudonyms": [house.own("1")], "purpose": "patient_request", "reason": WHY}
    with client(house.here, "sun") as sun, client(house.here, "qian") as qian:
        asked = sun.post("/api/reidentifications", json=body).json()
        early = sun.post(f"/api/reidentifications/{asked['id']}")
        assert early.status_code == 409 and early.json()["code"] == "approval-pending"
        assert "赵" not in json.dumps(qian.get("/api/approvals").json(), ensure_ascii=False)
        qian.post(f"/api/approvals/{asked['id']}/approve", json={"note": ""})
        assert qian.post(f"/api/reidentifications/{asked['id']}").status_code == 403
        answer = sun.post(f"/api/reidentifications/{asked['id']}")
        assert answer.json()[0]["name"] == "赵^一" and "no-store" in answer.headers["cache-control"]
        assert sun.post(f"/api/reidentifications/{asked['id']}").status_code == 409
        assert sun.post("/api/reidentifications", json=body | {"purpose": "x"}).status_code == 422


def test_repairs_over_http(house):
    film, _right = house.film("W"), house.film("R")
    with client(house.here, "sun") as sun, client(house.here, "qian") as qian:
        body = {"study": film.study_instance, "patient": house.own("R"), "reason": WHY}
        asked = sun.post("/api/repairs/move", json=body).json()
        qian.post(f"/api/approvals/{asked['id']}/approve", json={})
        done = sun.post(f"/api/repairs/{asked['id']}").json()
        assert done == {"changed": True, "films": [film.sop_instance], "views": 0}
        both = sun.post("/api/repairs/move", json=body | {"identity": {"number": "5"}})
        assert both.status_code == 422
        named = {k: v for k, v in body.items() if k != "patient"}
        named["identity"] = {"number": "5", "name": "孙^五", "birth_date": "19900101", "sex": "M"}
        assert sun.post("/api/repairs/move", json=named).json()["state"] == "pending"
        merge = {"old": house.own("W"), "onto": house.own("R"), "reason": WHY}
        asked = sun.post("/api/repairs/merge", json=merge).json()
        qian.post(f"/api/approvals/{asked['id']}/approve", json={})
        assert sun.post(f"/api/repairs/{asked['id']}").json()["changed"]
        (merged,) = sun.get("/api/merges").json()
        assert (merged["old"], merged["onto"]) == (house.own("W"), house.own("R"))
        undo = sun.post("/api/repairs/unmerge", json={"old": merged["old"], "reason": WHY}).json()
        qian.post(f"/api/approvals/{undo['id']}/approve", json={})
        assert sun.post(f"/api/repairs/{undo['id']}").json()["changed"]
        assert sun.get("/api/merges").json() == []
    with client(house.here, "liu") as liu:
        assert liu.get("/api/merges").status_code == 403


@pytest.fixture
def folders(tmp_path):
    with Instance.open(Settings(data=tmp_path / "data", keys=tmp_path / "keys")) as here:
        for person in ("sun", "qian"):
            here.policy.add_recipient(Recipient(person, Role.PRIVACY_OFFICER))
            here.accounts.set_password(person, PASSWORD)
        patient = here.vault.pseudonym("patient", "1")
        details = json.dumps({"name": "=cmd^赵", "sex": "F", "birth_date": "19700102"})
        here.vault.remember([Link("patient", "1", patient, details)])
    return tmp_path, patient


def run(folder, *words: str):
    where = ["--data", str(folder / "data"), "--keys", str(folder / "keys"), "--json"]
    done = CliRunner().invoke(commands, [*words, *where], input=PASSWORD + "\n")
    return done, json.loads(done.stdout.splitlines()[-1])


def test_on_the_command_line_names_go_into_a_file_of_ones_own(folders):
    folder, patient = folders
    listed = folder / "list.txt"
    listed.write_text(f"\ufeff{patient}\n\n")
    done, asked = run(
        folder, "reidentify", "request", "--as", "sun", "--purpose", "breach_notice",
        "--reason", WHY, "--from", str(listed),
    )  # fmt: skip
    assert done.exit_code == 0 and asked["state"] == "pending"
    target = folder / "names.csv"
    opening = ("reidentify", "open", asked["approval"], str(target), "--as", "sun")
    assert run(folder, *opening)[0].exit_code == 73 and not target.exists()
    run(folder, "approval", "approve", asked["approval"], "--as", "qian")
    wrong = run(folder, *opening[:3], str(folder / "x.txt"), *opening[4:])[0]
    assert wrong.exit_code == 65, "a target that cannot be written spends no consent"
    done, told = run(folder, *opening)
    assert done.exit_code == 0 and told["count"] == 1
    assert "赵" not in done.output and stat.S_IMODE(target.stat().st_mode) == 0o600
    (row,) = csv.DictReader(target.read_text("utf-8-sig").splitlines())
    assert row["name"] == "'=cmd^赵", "no spreadsheet runs a name"
    assert run(folder, *opening)[0].exit_code == 73, "it is there, and the consent is spent"


def test_the_vaults_key_rotates_while_nothing_runs(folders):
    folder, patient = folders
    settings = Settings(data=folder / "data", keys=folder / "keys")
    with Instance.open(settings) as here:
        old = here.keystore.get("vault")
    done, told = run(folder, "vault", "rotate")
    assert done.exit_code == 0 and told["rows"] == 1
    with Instance.open(settings) as here:
        assert here.keystore.get("vault") != old and "vault-previous" not in here.keystore.names()
        assert here.vault.original("patient", patient).original == "1"
        assert [e["kind"] for e in here.ledger.entries()][-2:] == [
            "vault.rotating", "vault.rotated",
        ]  # fmt: skip


def test_a_rotation_that_was_cut_short_stops_the_instance_until_it_is_finished(
    folders, monkeypatch
):
    folder, patient = folders
    settings = Settings(data=folder / "data", keys=folder / "keys")
    from leadapron.store.vault import SqlVault

    def killed(*_a):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SqlVault, "_rekey_batch", killed)
        assert run_raw(folder, "vault", "rotate").exit_code != 0
    with pytest.raises(Conflict) as unfinished, Instance.open(settings):
        pass
    assert unfinished.value.slug == "rotation-unfinished"
    assert run(folder, "vault", "rotate")[1]["rows"] == 1
    with Instance.open(settings) as here:
        assert here.vault.original("patient", patient).original == "1"


def run_raw(folder, *words: str):
    where = ["--data", str(folder / "data"), "--keys", str(folder / "keys"), "--json"]
    return CliRunner().invoke(commands, [*words, *where])


def test_the_vault_may_be_a_database_elsewhere(tmp_path):
    url = f"sqlite:///{tmp_path / 'elsewhere' / 'identities.db'}"
    with hospital(tmp_path, vault_url=url) as made:
        made.film("1")
    assert (tmp_path / "elsewhere" / "identities.db").exists()
    assert not (tmp_path / "data" / "vault.db").exists()
