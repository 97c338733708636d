"""Commands of the PACS administrator and the auditor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from leadapron.app.cli.output import emit, reporting

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the instance.")]
Keys = Annotated[Path | None, typer.Option("--keys", help="Keys folder; never below --data.")]

ledger_app = typer.Typer(no_args_is_help=True, help="The tamper-evident log.")
user_app = typer.Typer(no_args_is_help=True, help="Recipients, their accounts and tokens.")
order_app = typer.Typer(no_args_is_help=True, help="Imaging orders.")
quarantine_app = typer.Typer(no_args_is_help=True, help="What waits for a person.")


@ledger_app.command()
def verify(data: Data = None, keys: Keys = None, as_json: AsJson = False) -> None:
    """Recompute every byte of the log; exit 0 only when it is intact."""
    from leadapron.app.fsck import verify_ledger

    with reporting(as_json):
        result = verify_ledger(data, keys)
    lines = [f"✗ {p}" for p in result["problems"]] or [f"intact: {result['size']} entries"]
    emit(result, as_json, "\n".join(lines))
    raise typer.Exit(0 if result["intact"] else 76)


@user_app.command("add")
def add_user(
    user: str,
    role: Annotated[str, typer.Option(help="radiologist, clinician, privacy_officer, …")],
    display: Annotated[str, typer.Option(help="Name as people read it.")] = "",
    department: Annotated[str, typer.Option()] = "",
    ae: Annotated[str, typer.Option(help="AE title of the person's workstation.")] = "",
    data: Data = None,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Register a recipient; the password is asked for, or read from a piped line."""
    from leadapron.app.cli.online import opened
    from leadapron.app.cli.person import typed_secret
    from leadapron.model import BadInput, Recipient, Role

    with reporting(as_json):
        try:
            chosen = Role(role)
        except ValueError:
            raise BadInput(
                f"no role is called '{role}'", remedy=f"there are: {', '.join(Role)}"
            ) from None
        password = typed_secret("password: ")
        if len(password) < 10:
            raise BadInput("the password is too short", remedy="use 10 characters or more")
        with opened(data, keys) as here:
            here.policy.add_recipient(Recipient(user, chosen, department, display), ae)
            here.accounts.set_password(user, password)
            here.ledger.append({"kind": "user.added", "recipient": user, "role": role})
    emit({"ok": True, "user": user}, as_json, f"{user} is registered as {role}")


@user_app.command("token")
def token(
    user: str,
    target: Annotated[Path, typer.Argument(metavar="OUT", help="File for the secret, 0600.")],
    gateway: Annotated[bool, typer.Option(help="For a gateway or modality: STOW-RS.")] = False,
    days: Annotated[int, typer.Option(min=1, max=366)] = 90,
    data: Data = None,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Write a bearer token for DICOMweb clients into a file."""
    from leadapron.app.cli.files import write_atomically
    from leadapron.app.cli.online import opened

    kind = "gateway" if gateway else "reader"
    with reporting(as_json), opened(data, keys) as here:
        secret, _ = here.accounts.issue(kind, user, days * 86_400_000)
        here.ledger.append({"kind": "token.issued", "recipient": user, "for": kind})
        write_atomically(target, secret.encode() + b"\n")
    emit({"ok": True, "user": user, "file": str(target)}, as_json, f"token written to {target}")


@order_app.command("add")
def add_order(
    order: str,
    accession: Annotated[str, typer.Option(help="The archive's pseudonymous accession.")],
    need: Annotated[str, typer.Option(help="Key of the diagnostic-need model.")],
    to: Annotated[list[str], typer.Option("--for", help="Recipients; repeat the option.")],
    hours: Annotated[int, typer.Option(min=1, help="How long it is valid.")] = 48,
    data: Data = None,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Register an imaging order for an archived study."""
    from leadapron.app.cli.online import opened
    from leadapron.model import NotFound, Order

    with reporting(as_json), opened(data, keys) as here:
        films = here.archive.search({"AccessionNumber": accession})
        if not films:
            raise NotFound(f"no film has the accession {accession}", remedy="wait until it arrived")
        now = datetime.now(UTC)
        made = Order(
            id=order,
            patient=films[0].patient,
            accession=accession,
            need=need,
            recipients=frozenset(to),
            valid_from=now - timedelta(minutes=5),
            valid_until=now + timedelta(hours=hours),
            study=films[0].study_instance,
        )
        here.policy.add_order(made)
        here.ledger.append({"kind": "order.added", "order": order, "need": need, "for": list(to)})
    emit({"ok": True, "order": order}, as_json, f"order {order} is registered")


@order_app.command("films")
def list_films(data: Data = None, keys: Keys = None, as_json: AsJson = False) -> None:
    """List archived films by their pseudonyms, newest first: what an order can name."""
    from leadapron.app.cli.online import OPERATOR, opened

    with reporting(as_json), opened(data, keys) as here:
        films = here.archive.search()
        here.ledger.append({"kind": "search", "recipient": OPERATOR.id, "found": len(films)})
    rows = [
        {
            "accession": film.accession,
            "patient": film.patient,
            "modality": film.modality,
            "study_date": film.study_date,
            "study_description": film.study_description,
            "study_instance": film.study_instance,
            "sop_instance": film.sop_instance,
        }
        for film in films
    ]
    text = "\n".join(
        f"{r['accession']}  {r['study_date']}  {r['modality']}  {r['study_description']}\n"
        f"  SOP Instance {r['sop_instance']}"
        for r in rows
    )
    emit({"ok": True, "films": rows}, as_json, text or "no film has arrived yet")


@quarantine_app.command("list")
def list_quarantine(data: Data = None, keys: Keys = None, as_json: AsJson = False) -> None:
    """List what waits, why, and what to do."""
    from leadapron.app.cli.online import opened

    with reporting(as_json), opened(data, keys) as here:
        items = [
            {"id": i.name, "at_ms": i.at_ms, "size": i.size, **dict(i.meta)}
            for i in here.quarantine.list()
        ]
    text = "\n".join(f"{i['id']}  {i['code']}\n  {i['message']}\n  → {i['remedy']}" for i in items)
    emit({"ok": True, "items": items}, as_json, text or "quarantine is empty")


@quarantine_app.command("release")
def release(item: str, data: Data = None, keys: Keys = None, as_json: AsJson = False) -> None:
    """Put an object or message back in line; the running instance tries it again."""
    from leadapron.app.cli.online import opened

    with reporting(as_json), opened(data, keys) as here:
        held = here.quarantine.item(item)
        here.ledger.append({"kind": "quarantine.released", "item": item})
        if "kind" in held.meta:
            here.relinks.release(item)
            here.relinks.drain()
        else:
            calling = {"calling_ae": held.meta["calling_ae"]}
            here.spool.write(item, here.quarantine.read(item), calling)
            here.quarantine.delete(item)
    emit({"ok": True, "item": item}, as_json, f"{item} is back in line")
