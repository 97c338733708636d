"""Trace and second person in a real Chromium: who sees what, and when."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
import test_console
from PIL import Image
from test_console import expect, serious

browser, open_console = test_console.browser, test_console.open_console
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

TRACE_MS = 240_000
# Where to leave pictures of what a person sees, for a person to look at.
SHOTS = os.environ.get("LEADAPRON_SCREENSHOTS")


def shot(page, name: str) -> None:
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)


@pytest.fixture
def lifted(running_instance):
    """Give back what a test contained: other tests share the instance."""
    yield
    policy = running_instance.running.instance.policy
    for revocation in policy.revocations():
        policy.restore(revocation.kind, revocation.target)
    for breaker in policy.breakers():
        policy.set_breaker(breaker.scope, "closed", "test")


@pytest.fixture(scope="module")
def innocent(tmp_path_factory):
    path = tmp_path_factory.mktemp("innocent") / "noise.png"
    noise = np.random.default_rng(3).integers(0, 255, (300, 300), np.uint8)
    Image.fromarray(noise).save(path)
    return path


def start(page, files, purpose="端到端测试", language="zh-CN"):
    words = {
        "zh-CN": ("溯源用途", "溯源"),
        "en": ("Purpose of the trace", "trace"),
    }[language]
    page.locator("input[type=file]").set_input_files(files)
    page.get_by_label(words[0], exact=True).fill(purpose)
    page.locator("form.trace-form button[type=submit]").click()


def test_a_dropped_copy_waits_for_a_second_person_who_confirms(
    open_console,
    running_instance,
    lifted,
):
    console = open_console("privacy_officer")
    page = console.page
    console.show("trace")
    shot(page, "trace-empty-zh")
    start(page, running_instance.leaked_jpeg)
    verdict = page.locator(".verdict")
    verdict.wait_for(timeout=TRACE_MS)
    expect(verdict).to_have_attribute("data-verdict", "waiting")
    expect(verdict).to_contain_text("有结果，待第二人确认")
    for secret in ("刘医生", "× 10", "已指向调阅"):
        expect(verdict).not_to_contain_text(secret)
    overlay = verdict.get_by_alt_text("配准结果")
    expect(overlay).to_be_visible()
    assert overlay.evaluate("image => image.naturalWidth") > 100
    assert verdict.get_by_alt_text("残差图").count() == 0
    shot(page, "trace-waiting-zh")
    assert serious(page) == []

    verdict.get_by_role("button", name="立即控制").click()
    expect(verdict.locator("[data-contained]")).to_contain_text("孙主任")
    here = running_instance.running.instance
    assert here.policy.breaker("liu") == "open"

    verdict.get_by_role("link", name=re.compile("打开安全事件")).click()
    expect(page.get_by_role("timer")).to_have_text(re.compile(r"1:\d\d:\d\d.*剩余"))
    expect(page.locator(".step[data-state=done]")).to_have_count(1)
    expect(page.locator("#content")).not_to_contain_text("刘医生")
    case = page.evaluate("location.hash").rsplit("/", 1)[-1]

    second = open_console("security")
    second.show(f"cases/{case}")
    panel = second.page.locator(".verdict")
    expect(panel).to_have_attribute("data-verdict", "traced")
    expect(panel).to_contain_text("请您作为第二人核对")
    expect(panel).to_contain_text("刘医生")
    expect(panel.get_by_role("img", name=re.compile("虚构调阅"))).to_be_visible()
    expect(panel.get_by_alt_text("残差图")).to_be_visible()
    shot(second.page, "second-person-zh")
    assert serious(second.page) == []
    panel.get_by_label("意见（可不填）").fill("配准无误")
    panel.get_by_role("button", name="确认：指向该次调阅").click()
    expect(panel).to_contain_text("已指向调阅")

    page.reload()
    panel = page.locator(".verdict")
    expect(panel).to_contain_text("已指向调阅")
    expect(panel).to_contain_text("刘医生")
    expect(panel).to_contain_text("配准无误")
    expect(page.locator(".case-side")).to_contain_text("刘医生")
    shot(page, "case-confirmed-zh")
    assert serious(page) == []
    for name in ("报告（中文）", "报告（英文）"):
        with page.expect_download() as download:
            panel.get_by_role("link", name=name).click()
        assert Path(download.value.path()).read_bytes().startswith(b"%PDF-1.7")
    console.show("overview")
    expect(page.locator(".case-banner").first).to_be_visible()


def test_several_files_are_traced_one_after_the_other(
    open_console,
    running_instance,
    innocent,
    lifted,
):
    console = open_console("privacy_officer", "en")
    page = console.page
    console.show("trace")
    start(page, [running_instance.leaked_jpeg, innocent], language="en")
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.locator(".verdict")).to_have_count(2, timeout=TRACE_MS)
    states = page.locator(".verdict").evaluate_all("all => all.map(one => one.dataset.verdict)")
    assert states == ["waiting", "inconclusive"]
    links = page.get_by_role("link", name=re.compile("Open case"))
    cases = {link.get_attribute("href") for link in links.all()}
    assert len(cases) == 1, "what is given together belongs to one case"
    shot(page, "trace-several-en")
    assert serious(page) == []


def test_a_picture_is_pasted_from_the_clipboard(open_console, innocent):
    console = open_console("privacy_officer")
    page = console.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    console.show("trace")
    expect(page.get_by_text("粘贴（Ctrl+V）")).to_be_visible()
    page.evaluate(
        """async bytes => {
            const blob = new Blob([new Uint8Array(bytes)], {type: 'image/png'});
            await navigator.clipboard.write([new ClipboardItem({'image/png': blob})]);
        }""",
        list(innocent.read_bytes()),
    )
    page.locator("h1").click()
    page.keyboard.press("Control+V")
    expect(page.locator(".copy")).to_have_count(1)
    page.get_by_label("溯源用途").fill("剪贴板")
    page.get_by_role("button", name="开始溯源").click()
    verdict = page.locator(".verdict")
    verdict.wait_for(timeout=TRACE_MS)
    expect(verdict).to_have_attribute("data-verdict", "inconclusive")
    expect(verdict).to_contain_text("证据不足")
    shot(page, "trace-inconclusive-zh")


def test_a_dropped_file_is_taken_and_can_be_removed(open_console, innocent):
    console = open_console("privacy_officer")
    page = console.page
    console.show("trace")
    page.locator(".drop").wait_for()
    page.evaluate(
        """bytes => {
            const files = new DataTransfer();
            files.items.add(new File([new Uint8Array(bytes)], 'seen.png', {type: 'image/png'}));
            files.items.add(new File(['x'], 'IMG_0001.HEIC', {type: ''}));
            document.querySelector('.drop').dispatchEvent(
                new DragEvent('drop', {dataTransfer: files, bubbles: true, cancelable: true}));
        }""",
        list(innocent.read_bytes()),
    )
    expect(page.locator(".copy")).to_have_count(2)
    shot(page, "trace-queue-zh")
    page.get_by_role("button", name="移除 seen.png").click()
    expect(page.locator(".copy-name")).to_have_text("IMG_0001.HEIC")
    page.get_by_label("溯源用途").fill("坏文件")
    page.get_by_role("button", name="开始溯源").click()
    expect(page.get_by_role("alert")).to_contain_text("不是可识别的图片", timeout=TRACE_MS)
