"""Names in the console: beside the film for its reader; for others only with a second person."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hl7.client import MLLPClient
from test_console import browser, expect, film_of, open_console  # noqa: F401

from leadapron.model import Recipient, Role

pytestmark = pytest.mark.e2e
WHY = "病人来信要求查询本人影像"


def shot(console, name: str) -> None:
    """Keep a picture of the page where LEADAPRON_SHOTS says, for a person to look at."""
    folder = os.environ.get("LEADAPRON_SHOTS")
    if folder:
        console.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def second_officer(running_instance) -> str:
    here = running_instance.running.instance
    here.policy.add_recipient(Recipient("qian", Role.PRIVACY_OFFICER, "医务处", "钱主任"))
    return running_instance.link("qian")


def test_the_name_stands_beside_the_film_and_never_in_it(open_console, running_instance):  # noqa: F811
    console = open_console("radiologist")
    console.open_film()
    patient = running_instance.demo.story.patient
    before, panel = console.canvas(), console.page.locator(".panel")
    name = patient.name
    expect(panel).not_to_contain_text(name)
    panel.get_by_role("button", name="显示病人身份").click()
    expect(panel.locator(".identity strong")).to_contain_text(name)
    shot(console, "identity")
    after = console.canvas()
    assert np.array_equal(before, after), "the picture did not change"
    sop = film_of(console)
    film = running_instance.running.instance.archive.get(sop)
    path = f"/dicom-web/studies/{film.study_instance}/series/{film.series_instance}/instances/{sop}"
    headers = {"Accept": "multipart/related; type=application/dicom"}
    copy = console.page.context.request.get(console.base_url + path, headers=headers).body()
    for part in (patient.family, patient.given, *patient.latin.split("^"), patient.patient_id):
        for codec in ("utf-8", "gb18030"):
            assert part.encode(codec) not in copy
    panel.get_by_role("button", name="隐藏").click()
    expect(panel).not_to_contain_text(name)


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_one_asks_another_consents_and_names_show_once(
    open_console,  # noqa: F811
    running_instance,
    language,
):
    chinese = language == "zh-CN"
    here = running_instance.running.instance
    pseudonym = running_instance.film_of_demo.patient
    asking = open_console("privacy_officer", language)
    asking.show("approvals")
    asking.page.locator(".approval-ask summary").click()
    asking.page.locator("[name=pseudonyms]").fill(f"{pseudonym}\n")
    asking.page.locator("[name=purpose]").select_option("patient_request")
    asking.page.locator("[name=reason]").fill(WHY)
    asking.page.locator(".approval-ask [type=submit]").click()
    expect(asking.page.locator(".approval-ask .note-ok")).to_be_visible()
    number = here.approvals.list(frozenset({"pending"}))[0].id
    mine = asking.page.locator(f"[data-approval='{number}']")
    expect(mine).to_contain_text(WHY)
    expect(mine.get_by_role("button", name="同意" if chinese else "Consent")).to_have_count(0)
    shot(asking, f"approvals-asked-{language}")

    deciding = open_console(None, language)
    deciding.page.goto(second_officer(running_instance))
    deciding.page.locator("#content h1").first.wait_for()
    deciding.show("approvals")
    waiting = deciding.page.locator(f"[data-approval='{number}']")
    for told in (pseudonym, WHY, "孙主任"):
        expect(waiting).to_contain_text(told)
    shot(deciding, f"approvals-waiting-{language}")
    waiting.get_by_role("button", name="同意" if chinese else "Consent").click()
    expect(waiting).to_have_attribute("data-state", "approved")

    asking.page.reload()
    read = mine.get_by_role("button", name="查看身份" if chinese else "Show identities")
    read.click()
    expect(mine.locator("table")).to_contain_text(running_instance.demo.story.patient.patient_id)
    expect(mine).to_have_attribute("data-state", "used")
    shot(asking, f"approvals-names-{language}")
    asking.page.reload()
    expect(mine).to_be_visible()
    expect(mine.locator("table")).to_have_count(0)
    expect(read).to_have_count(0)


def test_a_running_instance_takes_merges_from_the_his(open_console, running_instance):  # noqa: F811
    message = (
        "MSH|^~\\&|HIS|H|LEADAPRON|H|20260302||ADT^{}|{}|P|2.5||||||UNICODE UTF-8\r"
        "PID|||4711||张^三\rMRG|0815\r"
    )
    answers = []
    for event, control in (("A40", "e2e-1"), ("A40", "e2e-1"), ("A01", "e2e-2")):
        with MLLPClient("127.0.0.1", running_instance.running.hl7_port) as client:
            client.socket.settimeout(60)
            answers.append(client.send_message(message.format(event, control)).split(b"|MSA|")[0])
    assert [a.split(b"MSA|")[1][:2] for a in answers] == [b"AA", b"AA", b"AR"]
    here = running_instance.running.instance
    own = [here.vault.own_pseudonym("patient", number) for number in ("0815", "4711")]
    console = open_console("privacy_officer")
    merges = console.page.context.request.get(f"{console.base_url}/api/merges").json()
    assert [[m["old"], m["onto"]] for m in merges] == [own]
    console.show("ledger")
    expect(console.page.locator("#content")).to_contain_text("病人合并")
    shot(console, "ledger-merge")
