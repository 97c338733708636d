"""The console in a real Chromium: what a person sees, checked against what was served."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import HTTP
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=30_000)

ROOT = Path(__file__).parents[2]
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
ARGUMENTS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FIRST_FILM_MS = 60_000
pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = os.environ.get("LEADAPRON_CHROMIUM") or shutil.which("chromium")
    if not chromium:
        pytest.skip("no Chromium: install it or set LEADAPRON_CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield launched
        launched.close()


@dataclass
class Console:
    """One signed-in page and everything that it complained about."""

    page: Any
    base_url: str
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        host = urlsplit(self.base_url).netloc
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("console", self._console)
        self.page.on(
            "request",
            lambda request: (
                None
                if urlsplit(request.url).netloc in {host, ""}
                else self.complaints.append(f"request to {request.url}")
            ),
        )

    def _console(self, message: Any) -> None:
        if "Content Security Policy" in message.text:
            self.complaints.append(message.text)

    def show(self, route: str) -> None:
        self.page.goto(f"{self.base_url}/#/{route}")

    def open_film(self) -> None:
        self.show("worklist")
        self.page.locator("tbody a.button").first.click()
        self.page.locator(".film[data-ready=true]").wait_for(timeout=FIRST_FILM_MS)

    def affine(self) -> np.ndarray:
        """The 2 × 3 map from pixel centres to canvas coordinates that the overlay uses."""
        text = self.page.locator(".outlines g").get_attribute("transform")
        a, b, c, d, e, f = (float(number) for number in re.findall(r"-?[\d.]+(?:e-?\d+)?", text))
        return np.array([[a, c, e], [b, d, f]])

    def canvas(self) -> np.ndarray:
        png = self.page.locator(".film-canvas").screenshot()
        return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)


@pytest.fixture
def open_console(browser: Any, running_instance: Any) -> Iterator[Any]:
    opened: list[Console] = []

    def sign_in(role: str | None, language: str = "zh-CN") -> Console:
        context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="de-DE")
        if language != "zh-CN":
            context.add_init_script(
                f"localStorage.getItem('leadapron.language') ??"
                f" localStorage.setItem('leadapron.language', '{language}')"
            )
        console = Console(context.new_page(), running_instance.base_url)
        console.watch()
        opened.append(console)
        if role:
            console.page.goto(running_instance.links[role])
            console.page.locator("#content h1").first.wait_for()
        else:
            console.page.goto(console.base_url)
        return console

    yield sign_in
    for console in opened:
        assert console.complaints == []
        console.page.context.close()


def serious(page: Any) -> list[Any]:
    """What axe finds serious or critical on the page as it is now."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: run `npm ci` in web/")
    page.evaluate(AXE.read_text("utf-8"))
    report = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        (v["id"], [node["target"] for node in v["nodes"]][:3])
        for v in report["violations"]
        if v["impact"] in {"serious", "critical"}
    ]


def film_of(console: Console) -> str:
    """The SOP Instance UID of the film that is open."""
    return console.page.evaluate("location.hash").rsplit("/", 1)[-1]


def orders(console: Console) -> list[dict[str, Any]]:
    """The worklist of the signed-in reader."""
    return console.page.context.request.get(f"{console.base_url}/api/worklist").json()


def served(console: Console) -> tuple[np.ndarray, float, float]:
    """Frame (rows, columns), window centre and width of the open film, as DICOMweb has them."""
    requests = console.page.context.request
    order = next(item for item in orders(console) if item["sop_instance"] == film_of(console))
    instance = (
        f"{console.base_url}/dicom-web/studies/{order['study_instance']}"
        f"/series/{order['series_instance']}/instances/{order['sop_instance']}"
    )
    metadata = requests.get(f"{instance}/metadata").json()[0]
    answer = requests.get(
        f"{instance}/frames/1",
        headers={
            "Accept": 'multipart/related; type="application/octet-stream"; '
            "transfer-syntax=1.2.840.10008.1.2.1"
        },
    )
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    part = next(message_from_bytes(head + answer.body(), policy=HTTP).iter_parts())
    frame = decoded(part, metadata)
    assert metadata["00280004"]["Value"] == ["MONOCHROME2"]
    center, width = (float(metadata[tag]["Value"][0]) for tag in ("00281050", "00281051"))
    return frame, center, width


def decoded(part: Any, metadata: dict[str, Any]) -> np.ndarray:
    rows, columns = (metadata[tag]["Value"][0] for tag in ("00280010", "00280011"))
    data = part.get_payload(decode=True)
    if "1.2.840.10008.1.2.4.20" in part["Content-Type"]:
        imagecodecs = pytest.importorskip("imagecodecs")
        return imagecodecs.htj2k_decode(data)
    return np.frombuffer(data[: rows * columns * 2], "<u2").reshape(rows, columns)


def windowed(frame: np.ndarray, center: float, width: float) -> np.ndarray:
    """PS3.3 C.11.2.1.2.1, 0..255."""
    linear = (frame.astype(np.float64) - (center - 0.5)) / (width - 1) + 0.5
    return (linear.clip(0, 1) * 255).astype(np.float32)


def difference(console: Console, affine: np.ndarray, picture: np.ndarray) -> float:
    """Mean absolute grey difference between the canvas and the picture, where both are."""
    shown = console.canvas().astype(np.float32)
    # The screenshot counts from pixel corners, warpAffine from pixel centres.
    map_ = affine - np.array([[0, 0, 0.5], [0, 0, 0.5]])
    size = (shown.shape[1], shown.shape[0])
    expected = cv2.warpAffine(picture, map_, size, flags=cv2.INTER_LINEAR, borderValue=0)
    inside = cv2.warpAffine(np.ones_like(picture), map_, size, flags=cv2.INTER_LINEAR) > 0.999
    assert inside.mean() > 0.2
    return float(np.abs(shown - expected)[inside].mean())


def test_one_time_link_signs_in_once(open_console, browser, running_instance):
    link = running_instance.links["radiologist"]
    page = browser.new_context().new_page()
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("阅片列表")
    assert "link=" not in page.url
    page.context.close()

    again = open_console(None)
    # From another page: a change of the fragment alone would not load the console anew.
    again.page.goto("about:blank")
    again.page.goto(link)
    expect(again.page.get_by_role("alert")).to_be_visible()
    expect(again.page.get_by_label("用户名")).to_be_visible()


def test_wrong_password_is_told_with_a_remedy(open_console):
    page = open_console(None, "en").page
    page.get_by_label("User name").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("try again")


def test_the_film_on_the_screen_is_the_film_that_was_served(open_console):
    console = open_console("radiologist")
    console.open_film()
    affine = console.affine()
    frame, center, width = served(console)
    picture = windowed(frame, center, width)
    assert picture.std() > 10

    console.page.keyboard.press("v")
    assert difference(console, affine, picture) < 3
    console.page.keyboard.press("i")
    console.page.wait_for_timeout(300)
    assert difference(console, affine, 255 - picture) < 3
    console.page.keyboard.press("r")
    console.page.wait_for_timeout(300)
    assert difference(console, affine, picture) < 3


def test_outlines_follow_zoom_and_pan_and_can_be_hidden(open_console):
    console = open_console("radiologist")
    console.open_film()
    page = console.page
    before = console.affine()
    assert page.locator(".outlines path").count() >= 1
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(300)
    after = console.affine()
    assert after[0, 0] > before[0, 0] * 1.1
    frame, center, width = served(console)
    page.keyboard.press("v")
    expect(page.locator(".outlines")).to_have_count(0)
    assert difference(console, after, windowed(frame, center, width)) < 3
    page.keyboard.press("v")
    page.keyboard.press("r")
    page.wait_for_timeout(300)
    assert np.allclose(console.affine(), before, atol=0.01)


def test_dragging_windows_and_wheel_zooms(open_console):
    console = open_console("radiologist")
    console.open_film()
    page = console.page
    values = page.locator("[data-display]")
    start = values.inner_text()
    box = page.locator(".film-canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 80, y + 40, steps=6)
    page.mouse.up()
    expect(values).not_to_have_text(start)
    before = console.affine()[0, 0]
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(400)
    assert console.affine()[0, 0] != before
    page.keyboard.press("r")
    expect(values).to_have_text(start)


def test_the_panel_says_what_this_view_is(open_console):
    console = open_console("clinician", "en")
    console.open_film()
    panel = console.page.get_by_role("complementary", name="About this view")
    expect(panel).to_contain_text("written before a pixel left")
    expect(panel).to_contain_text(re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}"))
    expect(panel).to_contain_text(re.compile(r"\d\d dB PSNR"))
    expect(panel.locator(".chips-outlined")).to_contain_text("Right lung")
    expect(console.page.locator("path[data-region=right_lung]")).to_have_attribute(
        "data-dashed", "true"
    )
    image, beside = (
        console.page.locator(selector).bounding_box() for selector in (".film-canvas", ".panel")
    )
    assert image["x"] + image["width"] <= beside["x"] + 1
    panel.get_by_role("button", name="Show identity").click()
    expect(panel).to_contain_text("In the ledger: no.")


def test_a_view_without_an_order_is_refused_with_reasons_in_both_languages(open_console):
    reader = open_console("radiologist")
    (order, *_) = orders(reader)
    stranger = open_console("pacs_admin", "en")
    stranger.show(f"view/{order['sop_instance']}")
    refusal = stranger.page.locator("[data-refused]")
    expect(refusal).to_contain_text("This view was refused")
    expect(refusal.locator("[lang=en]").first).not_to_be_empty()
    expect(refusal.locator("[lang=zh-CN]").first).not_to_be_empty()
    assert stranger.page.locator("canvas").count() == 0


def test_a_page_of_another_role_explains_itself(open_console):
    console = open_console("radiologist")
    console.show("cases")
    expect(console.page.get_by_role("alert")).to_contain_text("无权")
    expect(console.page.get_by_role("link", name="安全事件")).to_have_count(0)


def test_a_file_that_is_no_picture_is_refused_before_it_is_sent(open_console, tmp_path):
    console = open_console("privacy_officer")
    console.show("trace")
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.7")
    console.page.locator("input[type=file]").set_input_files(tmp_path / "letter.pdf")
    expect(console.page.get_by_role("alert")).to_have_text("这不是图片文件。")
    expect(console.page.get_by_role("button", name="开始溯源")).to_be_disabled()


def test_the_ledger_verifies_in_the_console(open_console):
    console = open_console("privacy_officer")
    console.show("ledger")
    console.page.get_by_role("button", name="验证全部记录").click()
    expect(console.page.locator("[data-intact=true]")).to_contain_text("日志完整", timeout=60_000)
    assert console.page.locator("tbody tr").count() > 3


def test_the_language_changes_without_a_reload_and_stays(open_console):
    console = open_console("privacy_officer")
    page = console.page
    page.evaluate("window.sameDocument = true")
    expect(page.get_by_role("heading", level=1)).to_have_text("总览")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    assert page.evaluate("[document.documentElement.lang, window.sameDocument]") == ["en", True]
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


def test_everything_is_reached_with_the_keyboard(open_console):
    console = open_console("radiologist")
    page = console.page
    page.locator("tbody a.button").first.focus()
    page.keyboard.press("Enter")
    page.locator(".film[data-ready=true]").wait_for(timeout=FIRST_FILM_MS)
    reached = []
    for _ in range(14):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.className"))
    assert {"tool", "film-canvas", "panel"} <= set(reached)
    assert reached.count("film-canvas") == 1, "the film keeps the focus"


PAGES = {
    "privacy_officer": ("overview", "trace", "cases", "access", "ledger", "approvals"),
    "pacs_admin": ("overview", "quarantine", "approvals"),
    "radiologist": ("worklist", "film"),
}


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("role", PAGES)
def test_axe_finds_nothing_serious(open_console, role, language):
    console = open_console(role, language)
    found = {}
    for name in PAGES[role]:
        if name == "film":
            console.open_film()
        else:
            console.show(name)
            console.page.wait_for_timeout(700)
        found[name] = serious(console.page)
    assert not {name: bad for name, bad in found.items() if bad}
