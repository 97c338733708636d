"""`leadapron approval`: the second person's part (双人审批)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from leadapron.app.cli.output import emit, reporting

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the instance.")]
Keys = Annotated[Path | None, typer.Option("--keys", help="Keys folder; never below --data.")]
As = Annotated[
    str, typer.Option("--as", help="Your account; its password is asked for, or piped in.")
]
Remark = Annotated[str, typer.Option("--note", help="What you say to it; kept, not logged.")]

approval_app = typer.Typer(no_args_is_help=True, help="Acts that take two people.")


@approval_app.command("list")
def list_approvals(
    state: Annotated[str, typer.Option(help="States by comma; all when left out.")] = "",
    data: Data = None,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """List requests: who wants what, why, and where each stands."""
    from leadapron.app.cli.online import opened

    wanted = frozenset(part for part in state.split(",") if part) or None
    with reporting(as_json), opened(data, keys) as here:
        found = [_plain(a) for a in here.approvals.list(wanted)]
    emit({"ok": True, "approvals": found}, as_json, "\n".join(map(_text, found)) or "none")


@approval_app.command("approve")
def approve(
    approval: str,
    user: As,
    note: Remark = "",
    data: Data = None,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Consent to exactly what is shown, as another person than the one who asked."""
    _decide("approve", approval, user, note, data, keys, as_json)


@approval_app.command("refuse")
def refuse(
    approval: str,
    user: As,
    note: Remark = "",
    data: Data = None,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Decline a request, or take a consent back before it was used."""
    _decide("refuse", approval, user, note, data, keys, as_json)


@approval_app.command("withdraw")
def withdraw(
    approval: str, user: As, data: Data = None, keys: Keys = None, as_json: AsJson = False
) -> None:
    """Take your own request back."""
    _decide("withdraw", approval, user, "", data, keys, as_json)


def _decide(
    how: str,
    approval: str,
    user: str,
    note: str,
    data: Path | None,
    keys: Path | None,
    as_json: bool,
) -> None:
    from leadapron.app.cli.online import opened
    from leadapron.app.cli.person import signed_in

    with reporting(as_json), opened(data, keys) as here:
        here.approvals.get(approval)
        person = signed_in(here, user)
        if how == "withdraw":
            done = here.approvals.withdraw(approval, person)
        else:
            done = getattr(here.approvals, how)(approval, person, note)
        found = _plain(done)
    emit({"ok": True, "approval": found}, as_json, _text(found))


def _plain(approval: Any) -> dict[str, Any]:
    return {k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in vars(approval).items()}


def _text(approval: dict[str, Any]) -> str:
    lines = [
        f"{approval['id']}  {approval['state']}  {approval['action']}",
        f"  {approval['requester']} for {approval['purpose']}: {approval['reason']}",
        f"  {json.dumps(approval['content'], ensure_ascii=False)[:400]}",
        f"  digest {approval['digest']}  until {approval['expires_at']}",
    ]
    if approval["decided_by"]:
        lines.append(f"  decided by {approval['decided_by']}  {approval['note']}".rstrip())
    return "\n".join(lines)
