"""Names of files and folders: identity in them does not go on to the output."""

from __future__ import annotations

import re
from pathlib import Path

from leadapron.deid.report import Report
from leadapron.deid.vault import Vault

_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")


def clean_path(target: Path, base: Path, report: Report, vault: Vault) -> Path:
    """Return `target` with every part below `base` that identifies the patient renamed.

    A part identifies if the sweep finds a known value or a general pattern of identity in it. The
    file is then called after its new SOP Instance UID, a folder after a keyed hash of its name: the
    same name again gives the same folder. What was renamed is added to the report's findings.
    """
    parts = list(target.relative_to(base).parts)
    for index, part in enumerate(parts):
        kinds = _kinds(part, report)
        if not kinds:
            continue
        report.findings.extend(("file name", kind) for kind in kinds)
        if index < len(parts) - 1:
            parts[index] = (
                f"folder-{vault.fingerprint(part.encode('utf-8', 'surrogateescape'))[:12]}"
            )
        else:
            suffix = Path(part).suffix
            kept = suffix if _SUFFIX.fullmatch(suffix) and not _kinds(suffix, report) else ""
            parts[index] = f"{report.sop_instance}{kept}"
    return base.joinpath(*parts)


def _kinds(part: str, report: Report) -> list[str]:
    if any(kind == "uid" and old and old in part for kind, old, _ in report.maps):
        return ["uid"]
    if report.sweep is None:
        return []
    spaced = re.sub(r"[_+.~]+", " ", part)
    found = [*report.sweep.spans(part), *report.sweep.spans(spaced)]
    return list(dict.fromkeys(kind for _, _, kind in found))
