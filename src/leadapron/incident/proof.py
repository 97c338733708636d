"""The evidence of a trace as one document, and its check on any machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from math import exp, isclose
from typing import Any

from leadapron.incident.record import TRACED, Record
from leadapron.ledger import EvidenceReport, verify_evidence
from leadapron.model import BadInput
from leadapron.watermark.ranking import FALSE_NAMING

FORMAT = "leadapron-trace-evidence/1"


def evidence_document(record: Record, packages: Mapping[str, Any]) -> bytes:
    """Return the document: the record as it is, and the proofs of the log's entries."""
    document = {
        "format": FORMAT,
        "ranking": record.digest,
        "record": record.data.decode(),
        "ledger": packages,
        "how_to_check": (
            "SHA-256 of `record` (UTF-8) is `ranking`; every package of `ledger` says itself how "
            "it is checked; the entries must name this `ranking`, and each view's entry must come "
            "before the trace's; in `record`, p = tried · exp(−z²/2)"
        ),
    }
    return json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1).encode()


def check_evidence(document: bytes, vkeys: Iterable[str] | None = None) -> dict[str, Any]:
    """Check a document offline; with `vkeys` trust only these keys.

    Returns ok, pinned, verdict, ranking, views and problems. BadInput for another format.
    """
    trusted = None if vkeys is None else tuple(vkeys)
    try:
        told = json.loads(document)
        if told["format"] != FORMAT:
            raise BadInput("the document has another format", remedy="use the version it names")
        record = Record.read(told["record"].encode())
        problems = _problems(record, told, trusted)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(
            "this is no evidence of a trace", remedy="give what `leadapron case evidence` wrote"
        ) from error
    return {
        "ok": not problems,
        "pinned": trusted is not None,
        "verdict": record.verdict,
        "ranking": record.digest,
        "views": [p["view"] for p in record.pointed],
        "problems": problems,
    }


def _problems(record: Record, told: Mapping[str, Any], vkeys: tuple[str, ...] | None) -> list[str]:
    packages = told["ledger"]
    problems = _arithmetic(record)
    if hashlib.sha256(told["record"].encode()).hexdigest() != told["ranking"]:
        problems.append("the record is not the one whose digest is given")
    trace = _checked(packages["trace"], "the trace's entry", vkeys, problems)
    entry = trace.entry or {}
    if (entry.get("kind"), entry.get("ranking")) != ("trace", record.digest):
        problems.append("the log's entry of the trace names another record")
    if entry.get("picture") != record.content["copy"]["sha256"]:
        problems.append("the log's entry of the trace names another copy")
    if record.verdict == TRACED:
        problems += _confirmation(record, packages, entry, vkeys)
        problems += _views(record, packages, trace.index, vkeys)
    return problems


def _checked(
    package: Any, what: str, vkeys: tuple[str, ...] | None, problems: list[str]
) -> EvidenceReport:
    report = verify_evidence(package, vkeys)
    problems += [f"{what}: {p}" for p in report.problems]
    return report


def _confirmation(
    record: Record,
    packages: Mapping[str, Any],
    trace: Mapping[str, Any],
    vkeys: tuple[str, ...] | None,
) -> list[str]:
    problems: list[str] = []
    if "confirmed" not in packages:
        return ["no second person's confirmation is in the document"]
    entry = _checked(packages["confirmed"], "the confirmation", vkeys, problems).entry or {}
    if (entry.get("kind"), entry.get("ranking")) != ("trace.confirmed", record.digest):
        problems.append("what was confirmed is another record")
    if entry.get("trace") != trace.get("trace"):
        problems.append("what was confirmed is another trace")
    if not entry.get("first") or entry.get("first") == entry.get("recipient"):
        problems.append("the confirmation does not name two people")
    return problems


def _views(
    record: Record, packages: Mapping[str, Any], before: int, vkeys: tuple[str, ...] | None
) -> list[str]:
    problems: list[str] = []
    for pointed in record.pointed:
        view = pointed["view"]
        if view not in packages.get("views", {}):
            problems.append(f"the log's entry of view {view} is missing")
            continue
        report = _checked(packages["views"][view], f"view {view}", vkeys, problems)
        entry = report.entry or {}
        if (entry.get("kind"), entry.get("view")) != ("view", view) or not entry.get("mark"):
            problems.append(f"the log's entry of view {view} is another one, or commits to nothing")
        if not 0 <= report.index < before:
            problems.append(f"view {view} was committed after the trace")
    return problems


def _arithmetic(record: Record) -> list[str]:
    """Compute what anybody can: N, p, and whether p allows the verdict."""
    problems = []
    for result in record.results:
        tried = max(1, len(result["candidates"])) * result["hypotheses"]
        if tried != result["tried"]:
            problems.append("N is not candidates × hypotheses")
        for pointed in result["pointed"]:
            p = tried * exp(-(pointed["z"] ** 2) / 2)
            same = isclose(p, pointed["p"], rel_tol=1e-3) or (p < 1e-300 and pointed["p"] < 1e-300)
            if not same or p > FALSE_NAMING or pointed["view"] not in result["candidates"]:
                problems.append(f"the figures of view {pointed['view']} do not carry it")
    return problems
