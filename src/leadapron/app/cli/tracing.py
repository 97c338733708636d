"""`leadapron trace`: files and folders of leaked copies, one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leadapron.app.cli.output import emit, progress, reporting

if TYPE_CHECKING:
    from leadapron.app.instance import Instance

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the instance.")]
Keys = Annotated[Path | None, typer.Option("--keys", help="Keys folder; never below --data.")]

FAILED, LATER = 65, 75


def trace_command(
    leaked: Annotated[list[Path], typer.Argument(metavar="FILE...")],
    data: Data = None,
    keys: Keys = None,
    purpose: Annotated[str, typer.Option(help="Why; goes into the ledger.")] = "command line",
    case: Annotated[str, typer.Option(help="An open case that the copies belong to.")] = "",
    user: Annotated[
        str,
        typer.Option(
            "--as",
            help="Trace as this account, whose password is asked for; a second "
            "person is then asked for at once.",
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Name the view that leaked pictures came from; folders are traced file by file.

    Reads JPEG, PNG, WebP, HEIC, AVIF, BMP, GIF, TIFF, DICOM, and films in MP4, MOV, WebM, MKV, AVI.
    """
    with reporting(as_json):
        result, code = _run(data, keys, leaked, (user, purpose, case))
    emit(result, as_json, _text(result))
    raise typer.Exit(code)


def _run(
    data: Path | None, keys: Path | None, leaked: list[Path], asked: tuple[str, str, str]
) -> tuple[dict[str, Any], int]:
    from leadapron.app.cli.online import OPERATOR, opened
    from leadapron.app.cli.person import signed_in
    from leadapron.model import LeadApronError

    user, purpose, case = asked
    files = _files(leaked)
    with opened(data, keys) as here:
        here.policy.add_recipient(OPERATOR)
        person = signed_in(here, user) if user else ""
        if len(files) == 1 and leaked[0].is_file():
            return _one(here, files[0], person, purpose, case), 0
        traces: list[dict[str, Any]] = []
        stopped = False
        with progress("trace", len(files)) as advance:
            for path in files:
                try:
                    answer = _one(here, path, person, purpose, case)
                    # What is given together is one leak: later copies belong to its case.
                    case = case or answer["case"] or ""
                except LeadApronError as error:
                    answer = {"file": str(path), "ok": False, "error": error.as_dict()}
                    stopped = error.exit_code == LATER
                traces.append(answer)
                advance(path.name[:40])
                if stopped:
                    break
    failed = sum(not t["ok"] for t in traces)
    left = len(files) - len(traces)
    summary = {"ok": not failed, "done": len(traces) - failed, "failed": failed, "left": left}
    code = LATER if stopped else FAILED if failed else 0
    return {**summary, "traces": traces}, code


def _one(here: Instance, path: Path, person: str, purpose: str, case: str) -> dict[str, Any]:
    from leadapron.app.api.trace_answers import trace_answer
    from leadapron.app.api.tracing import ask_second
    from leadapron.app.cli.files import read_file
    from leadapron.app.cli.online import OPERATOR

    by = person or OPERATOR.id
    found = here.tracing.trace(read_file(path), by, purpose, case or None)
    stored = ask_second(here, found.stored, by) if person else found.stored
    answer = trace_answer(here, stored, found.record, by, key_holder=not person)
    return {"file": str(path), "ok": True, **answer.model_dump(mode="json")}


def _files(leaked: list[Path]) -> list[Path]:
    """Return the files given, and all files below the folders given, hidden ones left out."""
    from leadapron.model import BadInput

    found: list[Path] = []
    for path in leaked:
        if path.is_dir():
            inside = (p for p in sorted(path.rglob("*")) if p.is_file())
            found += [p for p in inside if not any(n.startswith(".") for n in p.parts[-2:])]
        elif path.is_file():
            found.append(path)
        else:
            raise BadInput(f"{path} does not exist", remedy="check the path", code="no-input")
    if not found:
        raise BadInput("there is no file to trace", remedy="check the path", code="no-input")
    return found


def _text(result: dict[str, Any]) -> str:
    lines: list[str] = []
    for answer in result.get("traces", [result]):
        lines += _lines(answer)
    if "done" in result:
        left = f", {result['left']} not tried" if result["left"] else ""
        lines.append(f"{result['done']} traced, {result['failed']} failed{left}")
    return "\n".join(lines)


def _lines(answer: dict[str, Any]) -> list[str]:
    name = answer["file"]
    if not answer["ok"]:
        error = answer["error"]
        return [f"✗ {name}\n  {error['message']}\n  → {error['remedy']}"]
    if answer["verdict"] == "waiting":
        second = answer["second"]
        return [
            f"{name}: a view stands out; case {answer['case']} waits for a second person",
            f"  → leadapron approval approve {second['approval']} --as COLLEAGUE",
        ]
    if not answer["best"]:
        return [f"{name}: 证据不足 · not enough evidence"]
    told = [
        f"{name}: points to view {view['view_id']} of {view['recipient_display']} "
        f"(order {view['order']}, p = {view['p_value']:.1e}, case {answer['case']})"
        for film in answer["films"]
        for view in film["views"]
    ]
    if not answer["confirmed"]:
        told.append("  not confirmed: no case and no report names it before a second person does")
    return told
