"""`leadapron case`: cases, their traces, reports, and checks that trust nobody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leadapron.app.cli.output import emit, reporting

if TYPE_CHECKING:
    from leadapron.app.instance import Instance

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the instance.")]
Keys = Annotated[Path | None, typer.Option("--keys", help="Keys folder; never below --data.")]
Out = Annotated[Path, typer.Argument(metavar="OUT")]

case_app = typer.Typer(no_args_is_help=True, help="Cases, and the reports of their traces.")


@case_app.command("list")
def list_cases(data: Data = None, keys: Keys = None, as_json: AsJson = False) -> None:
    """List cases, latest first, with their traces and whether these wait."""
    from leadapron.app.cli.online import opened

    with reporting(as_json), opened(data, keys) as here:
        found = [_case(here, case.id) for case in here.cases.list()]
    text = "\n".join(_case_text(case) for case in found) or "there is no case"
    emit({"ok": True, "cases": found}, as_json, text)


@case_app.command("show")
def show(case: str, data: Data = None, keys: Keys = None, as_json: AsJson = False) -> None:
    """Show one case; an approval that was given takes effect now."""
    from leadapron.app.cli.online import opened

    with reporting(as_json), opened(data, keys) as here:
        found = _case(here, case)
    emit({"ok": True, "case": found}, as_json, _case_text(found))


@case_app.command("report")
def report(
    trace: str,
    target: Out,
    language: Annotated[str, typer.Option(help="zh-CN or en.")] = "zh-CN",
    data: Data = None,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Write the PDF report of a trace: confirmed by two people, or inconclusive in a case."""
    from leadapron.app.cli.files import write_atomically
    from leadapron.app.cli.online import OPERATOR, opened

    with reporting(as_json), opened(data, keys) as here:
        made = here.reports.pdf(trace, language, OPERATOR.id)
        write_atomically(target, made)
    emit({"ok": True, "output": str(target), "size": len(made)}, as_json, str(target))


@case_app.command("evidence")
def evidence(
    trace: str, target: Out, data: Data = None, keys: Keys = None, as_json: AsJson = False
) -> None:
    """Write what an expert needs: the record, and proofs of the log's entries."""
    from leadapron.app.cli.files import write_atomically
    from leadapron.app.cli.online import OPERATOR, opened

    with reporting(as_json), opened(data, keys) as here:
        made = here.reports.evidence(trace, OPERATOR.id)
        write_atomically(target, made)
    emit({"ok": True, "output": str(target), "size": len(made)}, as_json, str(target))


@case_app.command("check")
def check(
    evidence: Annotated[Path, typer.Argument(metavar="EVIDENCE.json")],
    vkeys: Annotated[
        Path | None, typer.Option(help="The log's public keys, one a line, from elsewhere.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check an evidence document offline: no instance, no key, no network."""
    from leadapron.app.cli.files import read_file
    from leadapron.incident.proof import check_evidence

    with reporting(as_json):
        trusted = read_file(vkeys).decode().split() if vkeys else None
        result = check_evidence(read_file(evidence), trusted)
    lines = [f"✗ {p}" for p in result["problems"]] or ["everything agrees"]
    if not result["pinned"]:
        lines.append("the keys came with the document: compare them with the published ones")
    emit(result, as_json, "\n".join(lines))
    raise typer.Exit(0 if result["ok"] else 76)


@case_app.command("again")
def again(trace: str, data: Data = None, keys: Keys = None, as_json: AsJson = False) -> None:
    """Measure a trace anew from its copy; exit 0 only if the record is the same to the byte."""
    from leadapron.app.cli.online import opened

    with reporting(as_json), opened(data, keys) as here:
        kept, made = here.tracing.again(trace)
        here.ledger.append(
            {
                "kind": "trace.again",
                "trace": trace,
                "ranking": made.digest,
                "same": kept.data == made.data,
            }
        )
    same = kept.data == made.data
    differs = _differences(kept.content, made.content)
    result = {"ok": same, "same": same, "ranking": kept.digest, "again": made.digest}
    result |= {"differs": differs}
    text = "the same bytes" if same else "differs in: " + ", ".join(differs)
    emit(result, as_json, f"{trace}: {text}")
    raise typer.Exit(0 if same else 76)


def _case(here: Instance, case_id: str) -> dict[str, Any]:
    case = here.cases.get(case_id)
    traces = [here.naming.settled(t.id) for t in here.traces.of_case(case_id)]
    case = here.cases.get(case_id)
    return {
        "id": case.id,
        "level": case.level,
        "title": case.title_en,
        "opened_at": case.opened_at.isoformat(),
        "due_at": case.due_at.isoformat(),
        "closed_at": case.closed_at.isoformat() if case.closed_at else None,
        "view_id": case.view_id,
        "recipient": case.recipient,
        "traces": [
            {
                "id": t.id,
                "verdict": t.verdict if t.state in {"", "confirmed"} else t.state,
                "approval": t.approval_id,
                "contained": t.contained_at is not None,
            }
            for t in traces
        ],
        "steps": [
            {"code": s.code, "done_at": s.done_at.isoformat() if s.done_at else None}
            for s in case.steps
        ],
    }


def _case_text(case: dict[str, Any]) -> str:
    lines = [f"{case['id']}  level {case['level']}  due {case['due_at']}  {case['title']}"]
    if case["view_id"]:
        lines.append(f"  已指向调阅 {case['view_id']}  {case['recipient']}")
    for trace in case["traces"]:
        held = "  access withdrawn" if trace["contained"] else ""
        asked = f"  {trace['approval']}" if trace["approval"] else ""
        lines.append(f"  {trace['id']}  {trace['verdict']}{asked}{held}")
    return "\n".join(lines)


def _differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Return the places at which two JSON values differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted(set(one) | set(other))
        return [
            place
            for name in names
            for place in _differences(one.get(name), other.get(name), f"{where}.{name}".strip("."))
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            place
            for number, pair in enumerate(zip(one, other, strict=True))
            for place in _differences(*pair, f"{where}[{number}]")
        ]
    return [] if json.dumps(one) == json.dumps(other) else [where]
