"""Commands about whose pseudonym is whose: reidentify, patient, vault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leadapron.app.cli.output import emit, reporting

if TYPE_CHECKING:
    from leadapron.app.instance import Instance
    from leadapron.policy import Approval

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the instance.")]
Keys = Annotated[Path | None, typer.Option("--keys", help="Keys folder; never below --data.")]
As = Annotated[
    str, typer.Option("--as", help="Your account; its password is asked for, or piped in.")
]
Reason = Annotated[str, typer.Option(help="Why, in 10 characters or more, without a name.")]

reidentify_app = typer.Typer(no_args_is_help=True, help="Back to names, with two people.")
patient_app = typer.Typer(no_args_is_help=True, help="Whose film is whose: merges and repairs.")
vault_app = typer.Typer(no_args_is_help=True, help="The vault of identities.")


@reidentify_app.command("request")
def request(
    user: As,
    purpose: Annotated[str, typer.Option(help="One of the closed list in docs/policy.md.")],
    reason: Reason,
    pseudonyms: Annotated[list[str] | None, typer.Argument(metavar="[PSEUDONYM]...")] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="File with one pseudonym a line.")
    ] = None,
    data: Data = None,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Ask for the identities behind pseudonyms; a second person has to consent."""
    from leadapron.app.cli.reidentifying import pseudonyms_of

    with reporting(as_json):
        wanted = pseudonyms_of(pseudonyms or [], source)
    _ask(
        lambda here, p: here.identities.request(p, wanted, purpose, reason),
        user,
        data,
        keys,
        as_json,
    )


@reidentify_app.command("open")
def open_identities(
    approval: str,
    target: Annotated[
        Path, typer.Argument(metavar="OUT", help="New file for the names, .csv or .json, 0600.")
    ],
    user: As,
    data: Data = None,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Read the identities that two people agreed on, once, into a file that only you can read."""
    from leadapron.app.cli.online import opened
    from leadapron.app.cli.person import signed_in
    from leadapron.app.cli.reidentifying import check_target, write_identities

    with reporting(as_json):
        check_target(target)
        with opened(data, keys) as here:
            found = here.identities.open(approval, signed_in(here, user))
        write_identities(target, found)
    text = f"{len(found)} identities in {target}; delete it when it has served"
    emit({"ok": True, "output": str(target), "count": len(found)}, as_json, text)


@patient_app.command("move")
def move(
    study: Annotated[str, typer.Argument(help="Study Instance UID, as the archive has it.")],
    user: As,
    reason: Reason,
    to: Annotated[
        str,
        typer.Option(
            help="The patient whose study it is: a pseudonym, or a .json file with number, name, "
            "birth_date and sex."
        ),
    ],
    order: Annotated[str, typer.Option(help="The order that the study belongs to.")] = "",
    data: Data = None,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Ask that a study filed under the wrong patient be given to the right one."""
    from leadapron.app.cli.reidentifying import person_of

    def ask(here: Instance, person: str) -> Approval:
        patient = to
        if to.endswith(".json"):
            here.approvals.require_requester(person, "wrong-patient")
            patient = here.repairs.register(person_of(Path(to)), person)
        return here.repairs.ask_move(person, study, patient, reason, order)

    _ask(ask, user, data, keys, as_json)


@patient_app.command("merge")
def merge(
    old: str,
    onto: str,
    user: As,
    reason: Reason,
    data: Data = None,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Ask that the patient OLD be merged into ONTO (pseudonyms)."""
    _ask(lambda here, p: here.repairs.ask_merge(p, old, onto, reason), user, data, keys, as_json)


@patient_app.command("unmerge")
def unmerge(
    old: str,
    user: As,
    reason: Reason,
    data: Data = None,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Ask that the merge of OLD be undone."""
    _ask(lambda here, p: here.repairs.ask_unmerge(p, old, reason), user, data, keys, as_json)


@patient_app.command("apply")
def apply(
    approval: str, user: As, data: Data = None, keys: Keys = None, as_json: AsJson = False
) -> None:
    """Make the repair that a second person consented to."""
    from leadapron.app.cli.online import opened
    from leadapron.app.cli.person import signed_in

    with reporting(as_json), opened(data, keys) as here:
        done = here.repairs.apply(approval, signed_in(here, user))
    films = list(done.relinked.films)
    result = {"ok": True, "changed": done.relinked.changed, "films": films, "views": done.views}
    text = f"{len(films)} films relabelled; {done.views} views of them had been given before"
    emit(result, as_json, text)


@patient_app.command("merges")
def list_merges(data: Data = None, keys: Keys = None, as_json: AsJson = False) -> None:
    """List the merges in force, by pseudonym."""
    from leadapron.app.cli.online import opened
    from leadapron.policy import Aliases

    with reporting(as_json), opened(data, keys) as here:
        rows = [vars(alias) for alias in Aliases(here.catalog).list()]
    told = [{k: v for k, v in row.items() if k != "days"} for row in rows]
    text = "\n".join(f"{r['old']} → {r['onto']}  entry {r['ledger_index']}" for r in told)
    emit({"ok": True, "merges": told}, as_json, text or "nobody was merged")


@vault_app.command("rotate")
def rotate(data: Data = None, keys: Keys = None, as_json: AsJson = False) -> None:
    """Give the vault a new key; the instance must be stopped. Safe to repeat after a crash."""
    from leadapron.app.rotation import rotate_vault_key

    with reporting(as_json):
        rows = rotate_vault_key(data, keys)
    emit({"ok": True, "rows": rows}, as_json, f"{rows} rows are under the new key")


def _ask(
    ask: Callable[[Instance, str], Approval],
    user: str,
    data: Path | None,
    keys: Path | None,
    as_json: bool,
) -> None:
    from leadapron.app.cli.online import opened
    from leadapron.app.cli.person import signed_in

    with reporting(as_json), opened(data, keys) as here:
        result, text = _waiting(ask(here, signed_in(here, user)))
    emit(result, as_json, text)


def _waiting(asked: Approval) -> tuple[dict[str, Any], str]:
    result = {"ok": True, "approval": asked.id, "state": asked.state, "digest": asked.digest}
    return result, f"{asked.id} waits for a second person (leadapron approval approve {asked.id})"
