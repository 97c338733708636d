"""What a report says: the record of a trace, its case and the log's entries, in words."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from leadapron.archive import Film
from leadapron.delivery import ViewGrant
from leadapron.incident.case import Case
from leadapron.incident.record import TRACED, Record
from leadapron.incident.report.rendering import printable, words
from leadapron.incident.traces import HEATMAP, OVERLAY, StoredTrace, picture_name
from leadapron.ledger import verify_evidence
from leadapron.model import Region
from leadapron.policy import Approval

# One zone for all of China; elsewhere the one that needs no explanation.
ZONES = {"zh-CN": timezone(timedelta(hours=8)), "en": UTC}
_BINS, _LOW, _WIDTH = 52, -5.0, 0.25
_LINE = 96
_SMALLEST = 1e-300


@dataclass(frozen=True)
class Facts:
    """Everything a report is made of.

    Attributes:
        films: by SOP Instance UID, of the record's results.
        networks: the anatomy network of each film.
        grants: of the views that the record points to; empty when it is inconclusive.
        names: how people read the accounts named.
        packages: evidence packages of the ledger: trace, confirmed, views.
    """

    trace: StoredTrace
    record: Record
    case: Case
    films: Mapping[str, Film]
    networks: Mapping[str, str]
    grants: Mapping[str, ViewGrant]
    names: Mapping[str, str]
    approval: Approval | None
    packages: Mapping[str, Any]


def content_of(facts: Facts, language: str) -> dict[str, Any]:
    """Return what report.typ reads, in one language."""
    told = words(language)
    results = sorted(
        enumerate(facts.record.results), key=lambda item: (item[1]["verdict"] != TRACED, item[0])
    )
    first = results[0][1] if results else None
    sop = first["film"]["sop_instance"] if first else ""
    software = facts.record.content["software"]
    at = facts.trace.at.astimezone(ZONES[language])
    return {
        "verdict": facts.record.verdict,
        "date": {
            "year": at.year, "month": at.month, "day": at.day,
            "hour": at.hour, "minute": at.minute, "second": at.second,
        },
        "case": {"id": facts.case.id},
        "trace": {
            "id": facts.trace.id,
            "at": _time(facts.trace.at, language),
            "by": printable(facts.names.get(facts.trace.recipient, facts.trace.recipient)),
            "purpose": printable(facts.trace.purpose),
        },
        "ranking": facts.trace.ranking,
        "copy": _copy(facts.record, told),
        "films_tried": facts.record.content["films_tried"],
        "results": [_result(facts, number, result, told) for number, result in results],
        "chains": _chains(facts.record),
        "views": [_view(facts, pointed, language, told) for pointed in facts.record.pointed],
        "ledger": _ledger(facts, language, told),
        "checkpoint": _checkpoint(facts),
        "commands": [
            f"leadapron case again {facts.trace.id}",
            f"leadapron case evidence {facts.trace.id} evidence.json",
            "leadapron case check evidence.json --vkeys published-keys.txt",
        ],
        "software": f"{software['name']} {software['version']}",
        "method": " · ".join(_formats(facts.record)),
        "network": facts.networks.get(sop, "") or told["unknown"],
        "object_sha256": first["film"]["object_sha256"] if first else told["unknown"],
        "first": _person(facts, "first", language),
        "second": _person(facts, "second", language),
    }  # fmt: skip


def pictures_of(record: Record) -> list[tuple[str, str]]:
    """Return (name in the report, file of the trace) of every picture of a record's results."""
    return [
        (f"{what.partition('.')[0]}-{number}", picture_name(number, what))
        for number, result in enumerate(record.results)
        if result["verdict"] == TRACED
        for what in (OVERLAY, HEATMAP)
    ]


def _copy(record: Record, told: Mapping[str, Any]) -> dict[str, str]:
    copy = record.content["copy"]
    kind = told["kinds"].get(copy["kind"], copy["kind"])
    if copy["frames"] > 1:
        kind = told["kind_frames"].format(kind=kind, count=copy["frames"])
    size = f"{copy['size']:,} B ({copy['size'] / 1000:,.1f} kB)"
    return {"sha256": copy["sha256"], "size": size, "kind": kind}


def _result(
    facts: Facts, number: int, result: Mapping[str, Any], told: Mapping[str, Any]
) -> dict[str, Any]:
    film = facts.films[result["film"]["sop_instance"]]
    best = result["pointed"][0] if result["pointed"] else None
    made: dict[str, Any] = {
        "verdict": result["verdict"],
        "where": _where(result["picture"], facts.record.content["copy"]["kind"], told),
        "film": {
            **result["film"],
            "patient": film.patient,
            "study_date": film.study_date or told["unknown"],
            "modality": film.modality,
        },
        "candidates": len(result["candidates"]),
        "chains": result["hypotheses"] // max(1, facts.record.content["films_tried"]),
        "tried": f"{result['tried']:,}",
        "threshold": f"{result['threshold']:.2f}",
        "registration": _registration(result["registration"]),
    }
    if best is not None:
        made |= {
            "z": f"{best['z']:.2f}",
            "p": _exponential(best["p"]),
            "decoys": _decoys(result["decoys"]["z"]),
            "overlay": f"overlay-{number}",
            "heatmap": f"heatmap-{number}",
        }
    return made


def _where(picture: Mapping[str, Any], kind: str, told: Mapping[str, Any]) -> str:
    top, left, bottom, right = picture["box"]
    whole = [top, left, bottom, right] == [0, 0, picture["rows"], picture["columns"]]
    place = told["whole"]
    if not whole:
        place = told["part"].format(left=left, top=top, width=right - left, height=bottom - top)
    if kind in ("video", "animation"):
        seconds = f"{picture['at_ms'] / 1000:.1f}"
        return f"{told['in_frame'].format(number=picture['number'], seconds=seconds)}, {place}"
    if kind in ("pages", "dicom") and picture["number"] > 1:
        return f"{told['in_page'].format(number=picture['number'])}, {place}"
    return str(place)


def _registration(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    rows = ["  ".join(f"{v:.5g}" for v in row) for row in found["homography"]]
    return {
        "inliers": found["inliers"],
        "coverage": f"{100 * found['coverage']:.1f} %",
        "residual": f"{found['residual']:.3f}",
        "mirrored": found["mirrored"],
        "inverted": found["inverted"],
        "bent": found["bent"],
        "homography": " | ".join(rows).replace("-", "−"),
    }


def _decoys(z: Sequence[float]) -> dict[str, Any]:
    bars = [0] * _BINS
    for value in z:
        place = int((value - _LOW) // _WIDTH)
        if 0 <= place < _BINS:
            bars[place] += 1
    count = max(len(z), 1)
    mean = sum(z) / count
    spread = (sum((v - mean) ** 2 for v in z) / count) ** 0.5
    return {
        "count": len(z),
        "mean": f"{mean:.2f}".replace("-", "−"),
        "sd": f"{spread:.2f}",
        "max": f"{max(z, default=0.0):.2f}",
        "bars": bars,
    }


def _chains(record: Record) -> str:
    names: dict[str, None] = {}
    for result in record.results:
        names |= dict.fromkeys(str(n) for n in result["settings"].get("hypotheses", ()))
    return ", ".join(names)


def _view(
    facts: Facts, pointed: Mapping[str, Any], language: str, told: Mapping[str, Any]
) -> dict[str, Any]:
    grant = facts.grants[pointed["view"]]
    chinese = language == "zh-CN"
    regions = [r for r in Region if r in grant.regions]
    shown = [r.coded.zh if chinese else r.coded.meaning for r in regions]
    return {
        "id": grant.view_id,
        "recipient": printable(facts.names.get(grant.recipient, grant.recipient)),
        "recipient_id": printable(grant.recipient),
        "at": _time(datetime.fromtimestamp(grant.first_ms / 1000, UTC), language),
        "channel": told["channels"].get(grant.channel, grant.channel),
        "order": printable(grant.order_id) or told["unknown"],
        "regions": ("、" if chinese else ", ").join(shown),
        "z": f"{pointed['z']:.2f}",
        "p": _exponential(pointed["p"]),
        "ledger_index": grant.first_ledger_index,
    }


def _ledger(facts: Facts, language: str, told: Mapping[str, Any]) -> list[dict[str, Any]]:
    entries = [_entry(package, "view", language, told) for package in _in_order(facts.packages)]
    entries.append(_entry(facts.packages["trace"], "trace", language, told))
    if "confirmed" in facts.packages:
        entries.append(_entry(facts.packages["confirmed"], "confirmed", language, told))
    return entries


def _in_order(packages: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return sorted(packages.get("views", {}).values(), key=lambda p: int(p["index"]))


def _entry(
    package: Mapping[str, Any], what: str, language: str, told: Mapping[str, Any]
) -> dict[str, Any]:
    report = verify_evidence(package)
    entry = report.entry or {}
    people = f"{entry.get('first', '')}, {entry.get('recipient', '')}"
    lines = {
        "view": [("line_view", entry.get("view")), ("line_recipient", entry.get("recipient")),
                 ("mark", entry.get("mark"))],
        "trace": [("line_picture", entry.get("picture")), ("line_ranking", entry.get("ranking"))],
        "confirmed": [("line_ranking", entry.get("ranking")), ("line_people", people)],
    }[what]  # fmt: skip
    return {
        "what": told[f"entry_{what}"],
        "index": package["index"],
        "at": _time(datetime.fromtimestamp(report.at_ms / 1000, UTC), language),
        "lines": [{"label": told[k], "value": printable(str(v or ""))} for k, v in lines],
        "leaf": _leaf(package),
        "proof": list(package["proof"]),
        "size": report.tree_size,
    }


def _leaf(package: Mapping[str, Any]) -> str:
    from leadapron.ledger.tree import leaf_hash

    return leaf_hash(str(package["entry"]).encode()).hex()


def _checkpoint(facts: Facts) -> dict[str, Any]:
    """Return the signed head, its signatures shortened: they are thousands of characters long."""
    newest = facts.packages.get("confirmed") or facts.packages["trace"]
    whole = str(newest["checkpoint"])
    lines = [printable(line) for line in whole.splitlines() if line]
    shown = [line if len(line) <= _LINE else f"{line[:_LINE]} …" for line in lines]
    return {"lines": shown, "sha256": hashlib.sha256(whole.encode()).hexdigest()}


def _formats(record: Record) -> list[str]:
    methods: dict[str, None] = {}
    for result in record.results:
        methods |= {str(result["settings"].get("method", "")): None}
    return [*(m for m in methods if m), str(record.content["format"]), "LEADAPRON SEAL 1.0"]


def _person(facts: Facts, which: str, language: str) -> dict[str, str]:
    approval = facts.approval
    if approval is None or facts.record.verdict != TRACED:
        return {"name": "", "at": ""}
    account = approval.requester if which == "first" else approval.decided_by
    at = approval.requested_at if which == "first" else approval.decided_at
    name = printable(facts.names.get(account, account))
    return {"name": name, "at": _time(at, language) if at else ""}


def _exponential(value: float) -> dict[str, Any]:
    if value >= 0.01:
        return {"mantissa": f"{value:.2g}", "exponent": None}
    if value < _SMALLEST:
        return {"mantissa": "1", "exponent": -300, "below": True}
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return {"mantissa": mantissa, "exponent": int(exponent), "below": False}


def _time(moment: datetime, language: str) -> str:
    local = moment.astimezone(ZONES[language])
    zone = "UTC" if language == "en" else "+08:00"
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d} {zone}"
