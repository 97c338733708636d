"""The command line; imports stay inside commands so that help answers at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leadapron import __version__
from leadapron.app.cli import admin
from leadapron.app.cli.approval import approval_app
from leadapron.app.cli.bundle import bundle_command
from leadapron.app.cli.case import case_app
from leadapron.app.cli.output import configure_logs, emit, progress, reporting
from leadapron.app.cli.people import patient_app, reidentify_app, vault_app
from leadapron.app.cli.tracing import trace_command

if TYPE_CHECKING:
    from leadapron.app.cli.files import Work

app = typer.Typer(
    name="leadapron",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="LeadApron 铅衣: de-identify and seal films, show what an order needs, trace leaks.",
)
app.add_typer(admin.ledger_app, name="ledger")
app.add_typer(admin.user_app, name="user")
app.add_typer(admin.order_app, name="order")
app.add_typer(case_app, name="case")
app.add_typer(admin.quarantine_app, name="quarantine")
app.add_typer(approval_app, name="approval")
app.add_typer(reidentify_app, name="reidentify")
app.add_typer(patient_app, name="patient")
app.add_typer(vault_app, name="vault")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the instance.")]
Keys = Annotated[Path | None, typer.Option("--keys", help="Keys folder; never below --data.")]
Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
HttpPort = Annotated[int | None, typer.Option(help="HTTP port; 0 picks a free one.")]
DimsePort = Annotated[int | None, typer.Option(help="DIMSE port; 0 picks a free one.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[  # noqa: ARG001
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every event.")] = False,
) -> None:
    configure_logs(verbose)


@app.command()
def up(
    data: Data = None,
    keys: Keys = None,
    host: Host = None,
    http_port: HttpPort = None,
    dimse_port: DimsePort = None,
    ae_title: Annotated[str | None, typer.Option(help="Our AE title.")] = None,
    expose_file_keys: Annotated[
        bool, typer.Option(help="Listen beyond loopback although keys are files.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run edge, archive, delivery, ledger, HTTP API and console until stopped."""
    from leadapron.app.cli.serve import serve

    with reporting(as_json):
        serve(
            {
                "data": data,
                "keys": keys,
                "host": host,
                "http_port": http_port,
                "dimse_port": dimse_port,
                "ae_title": ae_title,
                "expose_file_keys": expose_file_keys or None,
            },
            as_json,
        )


@app.command()
def demo(
    check: Annotated[
        bool, typer.Option(help="Exit after the last step; 0 only if all is right.")
    ] = False,
    data: Data = None,
    keys: Keys = None,
    http_port: HttpPort = None,
    dimse_port: DimsePort = None,
    as_json: AsJson = False,
) -> None:
    """Play the whole main job on a real film, then keep the console up."""
    from leadapron.app.cli.serve import play

    with reporting(as_json):
        play(
            {"data": data, "keys": keys, "http_port": http_port, "dimse_port": dimse_port},
            check,
            as_json,
        )


def _files(
    title: str,
    source: Path,
    target: Path,
    make: Callable[[], Work],
    as_json: bool,
    finish: Callable[[], None] | None = None,
) -> None:
    """Work through files with a bar, then `finish`; exit 65 when one of them failed."""
    from leadapron.app.cli.files import pairs, run_all, summary_lines

    with reporting(as_json):
        jobs = pairs(source, target)
        work = make()
        with progress(title, len(jobs)) as advance:
            result = run_all(jobs, work, advance)
        if finish is not None:
            finish()
    emit(result, as_json, "\n".join(summary_lines(result)))
    raise typer.Exit(0 if result["ok"] else 65)


@app.command()
def protect(
    source: Annotated[Path, typer.Argument(metavar="IN")],
    target: Annotated[Path, typer.Argument(metavar="OUT")],
    keys: Keys = None,
    transfer_syntax: Annotated[
        str | None, typer.Option(help="Transfer syntax UID of the stored, flat picture.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """De-identify and seal a file or a folder."""
    from leadapron.app.cli.work import protecting

    _files("protect", source, target, lambda: protecting(keys, target, transfer_syntax), as_json)


@app.command()
def deidentify(
    source: Annotated[Path, typer.Argument(metavar="IN")],
    target: Annotated[Path, typer.Argument(metavar="OUT")],
    keys: Keys = None,
    profile: Annotated[str, typer.Option(help="gateway or basic.")] = "gateway",
    recipient: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="CERT",
            help="Leave the identity inside, encrypted for this certificate (PEM); repeatable.",
        ),
    ] = None,
    maps: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Also write patid_mapping.csv and uid_mapping.csv (id_old,id_new) into DIR, "
            "mode 0600. They name every patient: keep them with the keys.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """De-identify a file or a folder, burned-in text masked, nothing sealed.

    A file or folder name that identifies the patient is replaced; the JSON says what became of it.
    """
    from leadapron.app.cli.maps import Maps
    from leadapron.app.cli.work import deidentifying

    with reporting(as_json):
        kept = Maps(maps, target) if maps else None
    take, finish = (kept.add, kept.write) if kept else (None, None)
    _files(
        "deidentify",
        source,
        target,
        lambda: deidentifying(keys, target, profile, recipient or (), take),
        as_json,
        finish,
    )


@app.command()
def unseal(
    source: Annotated[Path, typer.Argument(metavar="IN")],
    target: Annotated[Path, typer.Argument(metavar="OUT")],
    keys: Keys = None,
    regions: Annotated[
        str | None, typer.Option(help="Regions, by comma; all and bit-exact when left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Open sealed files that `protect` made, wholly or by region."""
    from leadapron.app.cli.work import unsealing

    _files("unseal", source, target, lambda: unsealing(keys, target, regions), as_json)


@app.command()
def view(
    sop_instance: str,
    target: Annotated[Path, typer.Argument(metavar="OUT")],
    recipient: Annotated[str, typer.Option("--as", help="The recipient the view is for.")],
    data: Data = None,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Open a marked view of an archived film into a DICOM, PNG or JPEG file; ledgered."""
    from leadapron.app.cli.online import open_view_to_file

    with reporting(as_json):
        result = open_view_to_file(data, keys, sop_instance, recipient, target)
    emit(result, as_json, f"{result['output']}  view {result['view_id']}")


@app.command()
def fsck(data: Data = None, keys: Keys = None, as_json: AsJson = False) -> None:
    """Check every stored byte: log, catalogue, objects, spool, quarantine. Read-only."""
    from leadapron.app.fsck import check

    with reporting(as_json):
        result = check(data, keys)
    lines = [f"✗ {p}" for p in result["problems"]] or ["everything is intact"]
    emit(result, as_json, "\n".join(lines))
    raise typer.Exit(0 if result["ok"] else 76)


app.command("trace")(trace_command)
app.command("bundle")(bundle_command)


def main() -> None:
    """Entry point."""
    app()
