"""`leadapron up` and `leadapron demo`."""

from __future__ import annotations

import signal
import sys
import threading
import time
from typing import Any

from leadapron.app.cli.output import emit, progress
from leadapron.app.running import Running, running
from leadapron.app.settings import Settings, demo_data


def serve(options: dict[str, Any], as_json: bool) -> None:
    """Run an instance until SIGINT or SIGTERM."""
    with running(Settings.of(**options)) as run:
        started = {
            "ok": True,
            "url": run.url,
            "dimse_port": run.dimse.port,
            "hl7_port": run.hl7_port,
            "ae_title": run.instance.settings.ae_title,
            "data": str(run.instance.folder.data),
            "keys": str(run.instance.folder.keys),
        }
        text = (
            f"LeadApron is up\n  console  {run.url}\n"
            f"  DIMSE    {started['ae_title']} on port {run.dimse.port}\n"
            f"  data     {started['data']}\n  keys     {started['keys']}"
        )
        emit(started, as_json, text)
        sys.stdout.flush()
        _until_stopped(run)


def play(options: dict[str, Any], check: bool, as_json: bool) -> None:
    """Play the demo; with `check` exit at once, else keep the console up."""
    from leadapron.app.demo.run import STEPS, Demo, write_summary

    chosen = {k: v for k, v in options.items() if v is not None}
    if check:
        chosen = {"http_port": 0, "dimse_port": 0} | chosen
    settings = Settings.of(**{"data": demo_data(fresh=check)} | chosen)
    with running(settings) as run:
        story = Demo(run)
        with progress("demo", len(STEPS)) as advance:
            summary = story.play(lambda _number, title: advance(title))
        write_summary(story, summary)
        if check:
            emit(summary, as_json, _text(summary))
            raise SystemExit(0 if summary["ok"] else 1)
        summary["links"] = _links(run)
        emit(summary, as_json, _text(summary))
        sys.stdout.flush()
        _until_stopped(run)


def _links(run: Running) -> dict[str, str]:
    """Return a one-time sign-in link per person of the demo."""
    from leadapron.app.auth import LINK_MS
    from leadapron.app.demo.run import PEOPLE

    links = {}
    for person in PEOPLE:
        token, _ = run.instance.accounts.issue("link", person.id, LINK_MS)
        links[person.display] = f"{run.url}/#link={token}"
    return links


def _text(summary: dict[str, Any]) -> str:
    lines = []
    for step in summary["steps"]:
        mark = "✓" if step["ok"] else "✗"
        lines.append(f"{mark} {step['step']}  {step['ms']} ms")
        if not step["ok"]:
            lines.append(f"    {step['error']['message']}\n    → {step['error']['remedy']}")
    sheet = next((s["contact_sheet"] for s in summary["steps"] if "contact_sheet" in s), "")
    lines.append(
        f"{'all steps came out right' if summary['ok'] else 'FAILED'} in {summary['seconds']} s"
    )
    lines.append(f"contact sheet  {sheet}")
    lines.append(f"console        {summary['console']}")
    for who, link in summary.get("links", {}).items():
        lines.append(f"  {who}\n    {link}")
    return "\n".join(lines)


def _until_stopped(run: Running) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while not stop.is_set() and not run.server.should_exit:
        time.sleep(0.2)
