"""`leadapron bundle`: write or check the offline archive."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from leadapron.app.cli.output import emit, reporting


def bundle_command(
    target: Annotated[Path | None, typer.Argument(metavar="OUT.tar")] = None,
    sign_key: Annotated[
        Path | None, typer.Option(help="Ed25519 private key (PEM); created if missing.")
    ] = None,
    find_links: Annotated[
        Path | None, typer.Option(help="Take wheels from this folder, not from the index.")
    ] = None,
    verify: Annotated[Path | None, typer.Option(help="Check this archive instead.")] = None,
    public_key: Annotated[Path | None, typer.Option(help="Key to check with (PEM).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write one signed archive for an intranet without a package index, or check one."""
    with reporting(as_json):
        if verify is not None:
            _check(verify, public_key, as_json)
        else:
            _write(target, sign_key, find_links, as_json)


def _check(archive: Path, public_key: Path | None, as_json: bool) -> None:
    from leadapron.app.bundle import verify_bundle
    from leadapron.model import BadInput

    # An installation made by install.sh keeps the key it was first installed with.
    key = public_key or Path(sys.prefix).parents[1] / "trusted-key.pem"
    if not key.is_file():
        raise BadInput("no key to check with", remedy="give --public-key FILE, the signer's key")
    manifest = verify_bundle(archive, key.read_bytes())
    facts = {name: manifest[name] for name in ("version", "platform", "python")}
    count = len(manifest["files"])
    text = f"{archive}: signed and whole, {count} files, version {manifest['version']}"
    emit({"ok": True, "archive": str(archive), "files": count, **facts}, as_json, text)


def _write(
    target: Path | None, sign_key: Path | None, find_links: Path | None, as_json: bool
) -> None:
    from leadapron.app.bundle import build_bundle
    from leadapron.model import BadInput

    if sign_key is None:
        raise BadInput(
            "an offline archive is always signed",
            remedy="give --sign-key FILE; a file that does not exist yet is created (mode 0600)",
        )
    made = build_bundle(
        target, sign_key, find_links, lambda text: print(f"bundle: {text}", file=sys.stderr)
    )
    result = {
        "ok": True,
        "archive": str(made.path),
        "public_key": str(made.public_key),
        "sha256": made.sha256,
        "size": made.size,
        "wheels": made.wheels,
        "version": made.manifest["version"],
        "platform": made.manifest["platform"],
        "python": made.manifest["python"],
    }
    text = (
        f"{made.path}: {made.wheels} wheels, {made.size / 1e6:.0f} MB, sha256 {made.sha256}\n"
        f"check with {made.public_key}; hand that key over by another way than the archive"
    )
    emit(result, as_json, text)
