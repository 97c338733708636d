"""Check every stored byte of an instance, read-only, beside a running one if need be."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import dcmread

from leadapron.app.instance import LEDGER_SEEN, database_url, open_folder, verification_keys
from leadapron.app.settings import InstanceFolder, Settings
from leadapron.archive import Archive
from leadapron.delivery.checking import views_without_entry
from leadapron.ledger import FsckReport, Ledger, verify
from leadapron.model import LeadApronError
from leadapron.seal import verify_sealed
from leadapron.store.blobs import LocalBlobStore
from leadapron.store.database import Database
from leadapron.store.keys import FileKeyStore


def verify_ledger(data: Path | None, keys: Path | None) -> dict[str, Any]:
    """Verify the log with public keys and the memory of the last checkpoint."""
    folder = _folder(data, keys)
    report = _verified(folder)
    return {
        "ok": report.intact,
        "intact": report.intact,
        "size": report.size,
        "root": report.root.hex() if report.root else "",
        "unfinished": report.unfinished,
        "problems": list(report.problems),
    }


def check(data: Path | None, keys: Path | None) -> dict[str, Any]:
    """Check log, databases, objects, views, spool and quarantine."""
    folder = _folder(data, keys)
    keystore = FileKeyStore(folder.keys, data_dir=folder.data)
    log = _verified(folder)
    problems = [f"ledger: {p}" for p in log.problems]
    for name in ("catalog", "vault"):
        problems += _database(folder, name)
    films = _films(folder, problems)
    for name in ("spool", "quarantine", "fingerprints", "relinks"):
        held = open_folder(folder, keystore, name)
        problems += [f"{name}: {item} cannot be opened" for item in held.damaged()]
    problems += _views(folder)
    return {"ok": not problems, "problems": problems, "films": films, "entries": log.size}


def _folder(data: Path | None, keys: Path | None) -> InstanceFolder:
    return InstanceFolder.open(data or Settings().data, keys, create=False)


def _verified(folder: InstanceFolder) -> FsckReport:
    keystore = FileKeyStore(folder.keys, data_dir=folder.data)
    vkeys = verification_keys(keystore)
    return verify(folder.data / "ledger", vkeys, seen=folder.keys / LEDGER_SEEN)


def _database(folder: InstanceFolder, name: str) -> list[str]:
    database = Database(database_url(Settings(), folder, name), create=False)
    try:
        wrong = database.check()
        if not database.is_current(name):
            wrong.append("the schema is not current: start the instance once")
        return [f"{name}: {w}" for w in wrong]
    except LeadApronError as error:
        return [f"{name}: {error.message}"]
    finally:
        database.close()


def _films(folder: InstanceFolder, problems: list[str]) -> int:
    database = Database(f"sqlite:///{folder.data / 'catalog.db'}", create=False)
    archive = Archive(database, LocalBlobStore(folder.data / "objects"))
    try:
        films = archive.search()
    except LeadApronError:
        return 0
    for film in films:
        try:
            verify_sealed(dcmread(BytesIO(archive.read(film))))
        except LeadApronError as error:
            problems.append(f"objects: {film.sop_instance}: {error.message}")
    database.close()
    return len(films)


def _views(folder: InstanceFolder) -> list[str]:
    """Every grant must have its ledger entry: no pixel left before it."""
    database = Database(f"sqlite:///{folder.data / 'catalog.db'}", create=False)
    try:
        reader = Ledger(folder.data / "ledger", None, (), None)
        return views_without_entry(database, reader)
    except LeadApronError as error:
        return [f"views: {error.message}"]
    finally:
        database.close()
