"""Files of `leadapron reidentify` and `patient move`: identities never on stdout or in argv."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path

from leadapron.delivery import Identity
from leadapron.edge.adt import Person
from leadapron.model import BadInput, Conflict
from leadapron.store import durable

_FORMULA = ("=", "+", "-", "@", "\t")
_PERSON = ("number", "name", "birth_date", "sex")


def pseudonyms_of(given: list[str], source: Path | None) -> list[str]:
    """Return the pseudonyms of the command line and of a file, one a line."""
    listed = list(given)
    if source is not None:
        if not source.is_file():
            raise BadInput(f"{source} is not a file", remedy="check the path", code="no-input")
        listed += source.read_text("utf-8-sig", errors="replace").split()
    return listed


def check_target(target: Path) -> None:
    """Refuse a file that is there, cannot be made or has another suffix: before a name is read."""
    if target.suffix.lower() not in {".csv", ".json"}:
        raise BadInput(f"cannot write '{target.suffix}' files", remedy="name it .csv or .json")
    if target.exists():
        raise Conflict(f"{target} exists", remedy="choose a new file: none is overwritten")
    if not target.parent.is_dir():
        raise BadInput(f"there is no folder {target.parent}", remedy="make it first")


def write_identities(target: Path, found: Iterable[Identity]) -> None:
    """Write identities durably into a new file that only its owner may read (0600)."""
    rows = [vars(each) for each in found]
    if target.suffix.lower() == ".json":
        made = json.dumps(rows, ensure_ascii=False, indent=1).encode()
    else:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]) if rows else ["pseudonym"])
        writer.writeheader()
        writer.writerows({k: _cell(v) for k, v in row.items()} for row in rows)
        # Spreadsheets take UTF-8 for the local code page without this mark.
        made = b"\xef\xbb\xbf" + text.getvalue().encode()
    with durable.storage_errors(f"cannot write {target}"):
        durable.create_file(target.absolute(), made, mode=0o600)


def person_of(source: Path) -> Person:
    """Read {"number", "name", "birth_date", "sex"} from a JSON file; number is required."""
    try:
        told = json.loads(source.read_text("utf-8"))
        unknown = sorted(set(told) - set(_PERSON))
        person = Person(**{k: str(told[k]) for k in _PERSON if told.get(k)})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BadInput(
            f"{source} does not say who it is ({type(error).__name__})",
            remedy='write {"number": "…", "name": "…", "birth_date": "YYYYMMDD", "sex": "M"}',
        ) from None
    if unknown:
        raise BadInput(f"{source} has the unknown key '{unknown[0]}'", remedy="leave it out")
    return person


def _cell(value: object) -> object:
    """Keep a spreadsheet from running a name as a formula."""
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else value
