"""The main job on a real film, step by step, each outcome checked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import httpx2
import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE

from leadapron.app.api.multipart import parts_of
from leadapron.app.demo.film import Patient, identified_film
from leadapron.app.demo.leak import leaked_jpeg
from leadapron.app.demo.sheet import contact_sheet
from leadapron.app.running import Running
from leadapron.archive import Film
from leadapron.delivery.display import display_of
from leadapron.model import LeadApronError, Order, Recipient, Role

PROTECT_TIMEOUT_S = 120.0
MODALITY_AE = "CR_ROOM_2"

PEOPLE = (
    Recipient("chen", Role.RADIOLOGIST, "放射科", "陈医生（放射科）"),
    Recipient("liu", Role.CLINICIAN, "心内科", "刘医生（心内科）"),
    Recipient("zhao", Role.CLINICIAN, "骨科", "赵医生（骨科）"),
    Recipient("sun", Role.PRIVACY_OFFICER, "信息安全办", "孙主任（个人信息保护负责人）"),
    Recipient("admin", Role.PACS_ADMIN, "信息科", "信息科管理员"),
)
NEEDS = {"chen": "rib_fracture", "liu": "heart_size"}


class CheckFailed(LeadApronError):
    """A step of the demo did not come out as it must."""

    code = "demo-check-failed"
    exit_code = 1


@dataclass
class Story:
    """What one step hands to the next."""

    patient: Patient = field(default_factory=Patient)
    known: set[str] = field(default_factory=set)
    film: Film | None = None
    sealed: Dataset | None = None
    views: dict[str, Dataset] = field(default_factory=dict)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    leaked: bytes = b""
    overlay: bytes = b""


Step = Callable[["Demo", Story], dict[str, Any]]


class Demo:
    """Plays the story against a running instance, from outside wherever a person would be."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.here = running.instance
        self.story = Story()
        self.http = httpx2.Client(base_url=running.url, timeout=300, trust_env=False)

    def play(self, told: Callable[[int, str], None]) -> dict[str, Any]:
        """Run every step; `told(number, title)` hears of each before it starts."""
        steps: list[dict[str, Any]] = []
        started = time.perf_counter()
        for number, (title, step) in enumerate(STEPS):
            told(number, title)
            start = time.perf_counter()
            outcome: dict[str, Any] = {"step": title}
            try:
                outcome |= {"ok": True, **step(self, self.story)}
            except LeadApronError as error:
                outcome |= {"ok": False, "error": error.as_dict()}
            outcome["ms"] = round((time.perf_counter() - start) * 1000)
            steps.append(outcome)
            if not outcome["ok"]:
                break
        ok = len(steps) == len(STEPS) and all(s["ok"] for s in steps)
        return {
            "ok": ok,
            "seconds": round(time.perf_counter() - started, 1),
            "console": self.running.url,
            "data": str(self.here.folder.data),
            "steps": steps,
        }

    def bearer(self, user: str) -> dict[str, str]:
        """Return the header of a fresh reader's token."""
        token, _ = self.here.accounts.issue("reader", user, 600_000)
        return {"Authorization": f"Bearer {token}"}


def expect(condition: bool, what: str) -> None:
    """Raise CheckFailed unless `condition`."""
    if not condition:
        raise CheckFailed(what, remedy="see the step's figures and the log; please report it")


def send(demo: Demo, story: Story) -> dict[str, Any]:
    """C-STORE the identified film to the edge, as a modality does."""
    film = identified_film(story.patient)
    story.known = {f.sop_instance for f in demo.here.archive.search()}
    ae = AE(ae_title=MODALITY_AE)
    ae.add_requested_context(film.SOPClassUID, [film.file_meta.TransferSyntaxUID])
    assoc = ae.associate(
        demo.here.settings.host, demo.running.dimse.port, ae_title=demo.here.settings.ae_title
    )
    expect(assoc.is_established, "the edge refused the association")
    status = assoc.send_c_store(film)
    assoc.release()
    expect(status.get("Status") == 0x0000, "C-STORE did not answer Success")
    return {"rows": film.Rows, "columns": film.Columns, "bits": film.BitsStored}


def protect(demo: Demo, story: Story) -> dict[str, Any]:
    """Wait until the film went through the gateway into the archive."""
    deadline = time.monotonic() + PROTECT_TIMEOUT_S
    before = len(demo.here.quarantine)
    while time.monotonic() < deadline:
        new = [f for f in demo.here.archive.search() if f.sop_instance not in story.known]
        if new and not len(demo.here.spool):
            story.film = new[0]
            break
        expect(len(demo.here.quarantine) == before, "the film went to quarantine")
        time.sleep(0.05)
    expect(story.film is not None, "the film did not reach the archive in time")
    return {"pipeline_ms": demo.running.gateway.counters.p50_ms}


def inspect_stored(demo: Demo, story: Story) -> dict[str, Any]:
    """Look at the stored object as a thief would."""
    film = _film(story)
    stored = demo.here.archive.read(film)
    story.sealed = dcmread(BytesIO(stored))
    found = [secret for secret in story.patient.secrets if _contains(stored, secret)]
    expect(not found, f"the stored object carries {len(found)} identifying values")
    expect(float(np.ptp(story.sealed.pixel_array)) == 0.0, "the stored picture is not flat")
    regions, in_domain = demo.here.originals.regions(film)
    expect({"right_lung", "left_lung", "heart"} <= regions, "the network missed lungs or heart")
    return {
        "sop_instance": film.sop_instance,
        "transfer_syntax": film.transfer_syntax,
        "bytes": film.size,
        "regions": sorted(regions),
        "in_domain": in_domain,
        "identifying_values_found": 0,
    }


def register(demo: Demo, story: Story) -> dict[str, Any]:
    """Register the readers and two orders, as the hospital's systems would."""
    film, now = _film(story), datetime.now(UTC)
    for person in PEOPLE:
        demo.here.policy.add_recipient(person)
    for user, need in NEEDS.items():
        order = Order(
            id=f"ORD-{user}-{film.sop_instance[-8:]}",
            patient=film.patient,
            accession=film.accession,
            need=need,
            recipients=frozenset({user}),
            valid_from=now - timedelta(minutes=5),
            valid_until=now + timedelta(days=2),
            study=film.study_instance,
        )
        demo.here.policy.add_order(order)
    return {"recipients": len(PEOPLE), "orders": len(NEEDS)}


def read(demo: Demo, story: Story) -> dict[str, Any]:
    """Two doctors with two orders retrieve the film over WADO-RS."""
    film = _film(story)
    path = (
        f"/dicom-web/studies/{film.study_instance}/series/{film.series_instance}"
        f"/instances/{film.sop_instance}"
    )
    before = demo.here.ledger.size
    for user in NEEDS:
        answer = demo.http.get(path, headers=demo.bearer(user))
        expect(answer.status_code == 200, f"WADO-RS answered {answer.status_code}")
        part = parts_of(answer.content, answer.headers["Content-Type"])[0]
        story.views[user] = dcmread(BytesIO(part))
    grants = {g.recipient: g for g in demo.here.delivery.views_of(film.sop_instance)}
    expect(set(grants) >= set(NEEDS), "a view is missing in the log of grants")
    first, second = (grants[user].regions for user in NEEDS)
    expect(first != second, "both doctors got the same regions")
    logged = list(demo.here.ledger.entries(before, demo.here.ledger.size))
    views = [e["view"] for e in logged if e["kind"] == "view"]
    expect({grants[u].view_id for u in NEEDS} <= set(views), "a view is missing in the ledger")
    pixels = [story.views[u].pixel_array for u in NEEDS]
    both = (pixels[0] > 0) & (pixels[1] > 0)
    return {
        "views": {u: sorted(grants[u].regions) for u in NEEDS},
        "view_ids": {u: grants[u].view_id for u in NEEDS},
        "share_shown": {
            u: round(float((p > 0).mean()), 3) for u, p in zip(NEEDS, pixels, strict=True)
        },
        "share_shown_to_both": round(float(both.mean()), 3),
    }


def refuse(demo: Demo, story: Story) -> dict[str, Any]:
    """A third doctor without an order is refused, with the reason."""
    film = _film(story)
    before = demo.here.ledger.size
    answer = demo.http.post(f"/api/films/{film.sop_instance}/view", headers=demo.bearer("zhao"))
    problem = answer.json()
    expect(answer.status_code == 403, f"the third doctor got HTTP {answer.status_code}")
    expect(bool(problem["reasons"]), "the refusal names no reason")
    entry = demo.here.ledger.entry(demo.here.ledger.size - 1)
    expect(demo.here.ledger.size > before, "the refusal is not in the ledger")
    expect(entry["kind"] == "view.refused", "the refusal is not in the ledger")
    return {"http": 403, "reasons": problem["reasons"]}


def leak(_demo: Demo, story: Story) -> dict[str, Any]:
    """The second doctor's copy turns up outside: cropped, smaller, re-windowed, JPEG 50."""
    story.leaked = leaked_jpeg(display_of(story.views["liu"]))
    return {"bytes": len(story.leaked), "leaked_from": "liu"}


def trace(demo: Demo, story: Story) -> dict[str, Any]:
    """The privacy officer drops the picture into the trace."""
    officer = demo.bearer("sun")
    answer = demo.http.post(
        "/api/trace",
        headers=officer,
        files={"file": ("copy.jpg", story.leaked, "image/jpeg")},
        data={"purpose": "演示：网上发现的副本"},
    )
    expect(answer.status_code == 200, f"the trace answered {answer.status_code}")
    found = answer.json()
    story.answers["trace"] = found
    expect(found["verdict"] == "traced", "the trace was inconclusive")
    expect(found["best"]["recipient"] == "liu", "the trace named the wrong view")
    story.overlay = demo.http.get(f"/api/{found['overlay']}", headers=officer).content
    keys = ("verdict", "p_value", "z", "candidates", "case", "elapsed_ms")
    return {k: found[k] for k in keys} | {"view": found["best"]["view_id"]}


def verify(demo: Demo, _story: Story) -> dict[str, Any]:
    """Recompute every byte of the log."""
    report = demo.here.ledger.fsck()
    expect(report.intact, f"the log is not intact: {'; '.join(report.problems)}")
    return {"intact": True, "entries": report.size}


def case(demo: Demo, story: Story) -> dict[str, Any]:
    """A case is open and its two-hour clock runs."""
    stored = demo.here.cases.get(story.answers["trace"]["case"])
    left = (stored.due_at - datetime.now(UTC)).total_seconds()
    expect(stored.closed_at is None and 0 < left <= 7200, "the case's clock does not run")
    return {"case": stored.id, "level": stored.level, "seconds_left": round(left)}


def sheet(demo: Demo, story: Story) -> dict[str, Any]:
    """Write the contact sheet."""
    path = demo.here.folder.data / "contact-sheet.png"
    stored = _film_picture(story)
    overlay = np.asarray(Image.open(BytesIO(story.overlay)).convert("RGB"))
    leaked = np.asarray(Image.open(BytesIO(story.leaked)).convert("L"))
    panels = [
        ("入库：加密遮盖", "as stored: sealed, flat fill", stored),
        ("调阅甲：排除肋骨骨折", "view A: rule out rib fracture", display_of(story.views["chen"])),
        ("调阅乙：心影大小", "view B: heart size", display_of(story.views["liu"])),
        ("泄露副本", "leaked copy: cropped, scaled, JPEG 50", leaked),
        ("泄露溯源：已指向调阅乙", "registered: points to view B", overlay),
    ]
    contact_sheet(panels, "LeadApron 铅衣 · 一张真实胸片的全程", path)
    return {"contact_sheet": str(path)}


STEPS: tuple[tuple[str, Step], ...] = (
    ("send the film by C-STORE", send),
    ("de-identify, find the anatomy, seal, archive", protect),
    ("look at the stored object as a thief would", inspect_stored),
    ("register readers and orders", register),
    ("two doctors read over WADO-RS", read),
    ("refuse the doctor without an order", refuse),
    ("leak one copy", leak),
    ("trace the copy to its view", trace),
    ("verify the ledger", verify),
    ("open the case and its two-hour clock", case),
    ("write the contact sheet", sheet),
)


def write_summary(demo: Demo, summary: dict[str, Any]) -> None:
    """Keep the JSON summary beside the contact sheet."""
    path = demo.here.folder.data / "demo.json"
    path.write_text(json.dumps(summary, ensure_ascii=False, indent=2), "utf-8")


def _film(story: Story) -> Film:
    expect(story.film is not None, "no film was archived")
    assert story.film is not None  # noqa: S101 - expect() raised otherwise
    return story.film


def _film_picture(story: Story) -> npt.NDArray[np.uint8]:
    assert story.sealed is not None  # noqa: S101 - set by inspect_stored
    return display_of(story.sealed)


def _contains(data: bytes, secret: str) -> bool:
    return any(
        secret.encode(charset, "ignore") in data and secret.encode(charset, "ignore")
        for charset in ("utf-8", "gb18030", "utf-16-le")
    )
