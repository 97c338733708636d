"""From a leaked copy to the views it came from (泄露溯源)."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from leadapron.archive import Archive
from leadapron.delivery import Delivery, Originals, Refused
from leadapron.delivery.display import encoded, fitted
from leadapron.incident.case import Case
from leadapron.incident.limits import Allowance
from leadapron.incident.locating import Locator, Sight
from leadapron.incident.measuring import Measured, Measuring
from leadapron.incident.record import TRACED, Record, make_record
from leadapron.incident.store import CaseStore
from leadapron.incident.traces import (
    COPY,
    HEATMAP,
    LEDGER,
    OVERLAY,
    RECORD,
    THUMBNAIL,
    WAITING,
    StoredTrace,
    TraceStore,
    picture_name,
)
from leadapron.ledger import Ledger, evidence
from leadapron.model import AccessRequest, Action
from leadapron.policy import PolicyStore, decide
from leadapron.watermark.apart import read_apart
from leadapron.watermark.media import Media
from leadapron.watermark.overlay import grey
from leadapron.watermark.viewports import Box

THUMBNAIL_SIDE = 640


@dataclass(frozen=True)
class Trace:
    """What a trace gave. Whoever shows it decides what may be seen of it yet."""

    stored: StoredTrace
    record: Record
    case: Case | None


class Tracing:
    """Finds films, then views. Each trace is decided, counted, logged; a hit opens a case."""

    def __init__(
        self,
        archive: Archive,
        delivery: Delivery,
        originals: Originals,
        policy: PolicyStore,
        ledger: Ledger,
        cases: CaseStore,
        traces: TraceStore,
        allowance: Allowance,
    ) -> None:
        self._archive = archive
        self._locator = Locator(archive, delivery, originals)
        self._measuring = Measuring(delivery, originals)
        self._policy = policy
        self._ledger = ledger
        self._cases = cases
        self._traces = traces
        self._allowance = allowance

    def trace(self, leaked: bytes, by: str, purpose: str, case_id: str | None = None) -> Trace:
        """Trace one file for the recipient `by`; with `case_id` as part of that case.

        Raises Refused when policy does not let `by` trace, TooMany beyond the hour's pictures,
        BadInput when the file is no picture, Conflict when the case is closed.
        """
        start = time.perf_counter()
        self._check(by, purpose)
        if case_id is not None:
            self._cases.require_open(case_id)
        self._allowance.spend(by)
        media = read_apart(leaked)
        if len(media.shots) > 1:
            self._allowance.spend(by, len(media.shots) - 1)
        sights = self._locator.sights(media.shots)
        measured = self._measured(media, sights)
        record = make_record(leaked, media, measured, len(sights))
        trace_id = f"T{secrets.token_hex(6)}"
        receipt = self._ledger.append(
            {
                "kind": "trace",
                "trace": trace_id,
                "recipient": by,
                "purpose": purpose,
                "picture": hashlib.sha256(leaked).hexdigest(),
                "sop": measured[0].sight.film.sop_instance if measured else "",
                "verdict": record.verdict,
                "ranking": record.digest,
                "case": case_id or "",
            }
        )
        case = self._case(case_id, measured)
        if case is not None:
            proof = {"trace": evidence(self._ledger, receipt.index)}
            self._keep(trace_id, leaked, media, measured, record, proof)
        stored = self._traces.add(
            id=trace_id,
            case_id=case.id if case else None,
            recipient=by,
            purpose=purpose,
            at_ms=receipt.at_ms,
            copy_sha256=hashlib.sha256(leaked).hexdigest(),
            copy_size=len(leaked),
            kind=media.kind,
            verdict=record.verdict,
            state=WAITING if record.verdict == TRACED else "",
            ranking=record.digest,
            ledger_index=receipt.index,
            elapsed_ms=round((time.perf_counter() - start) * 1000),
        )
        return Trace(stored, record, case)

    def again(self, trace_id: str) -> tuple[Record, Record]:
        """Return (the record kept with a trace, the same measurement made anew from its copy).

        The candidates are those of that time: views opened since are not compared.
        """
        stored = self._traces.get(trace_id)
        kept = self._traces.record(stored)
        leaked = self._traces.file(trace_id, COPY)
        media = read_apart(leaked)
        numbers = [shot.number for shot in media.shots]
        tried = int(kept.content["films_tried"])
        measured = []
        for result in kept.results:
            shot = numbers.index(result["picture"]["number"])
            seen = result["film"]
            sight = Sight(
                shot,
                Box(*result["picture"]["box"]),
                self._archive.get(seen["sop_instance"]),
                seen["frame"],
                seen["matching_features"],
                seen["found_for_sure"],
            )
            pixels = media.shots[shot].pixels
            measured.append(self._measuring.measure(sight, pixels, tried, result["candidates"]))
        return kept, make_record(leaked, media, measured, tried)

    def _check(self, by: str, purpose: str) -> None:
        """Ask policy; the breaker is left out: an incident that opened it must be traceable."""
        decision = decide(
            AccessRequest(
                recipient=self._policy.recipient(by),
                action=Action.TRACE,
                at=datetime.now(UTC),
                purpose=purpose,
            )
        )
        if not decision.allow:
            self._ledger.append(
                {
                    "kind": "trace.refused",
                    "recipient": by,
                    "reasons": [r.code for r in decision.reasons],
                }
            )
            raise Refused(decision.reasons)

    def _measured(self, media: Media, sights: Sequence[Sight]) -> list[Measured]:
        """Trace each film where it is seen; in a film's other pictures only until one points."""
        measured: list[Measured] = []
        for sight in sights:
            known = (
                m.pointed
                and m.sight.film.sop_instance == sight.film.sop_instance
                and m.sight.shot != sight.shot
                for m in measured
            )
            if not any(known):
                pixels = media.shots[sight.shot].pixels
                measured.append(self._measuring.measure(sight, pixels, len(sights)))
        return measured

    def _case(self, case_id: str | None, measured: Sequence[Measured]) -> Case | None:
        if case_id is not None:
            return self._cases.get(case_id)
        hit = [m for m in measured if m.pointed]
        if not hit:
            return None
        return self._cases.open_case(
            title_en="A marked copy was found outside the hospital",
            title_zh="在院外发现带标记的调阅副本",
            sop_instance=hit[0].sight.film.sop_instance,
            persons=len({m.sight.film.patient for m in hit}),
        )

    def _keep(
        self,
        trace_id: str,
        leaked: bytes,
        media: Media,
        measured: Sequence[Measured],
        record: Record,
        proof: Mapping[str, Any],
    ) -> None:
        files = {COPY: leaked, RECORD: record.data, LEDGER: json.dumps(proof).encode()}
        first = measured[0].sight.shot if measured else 0
        files[THUMBNAIL] = _thumbnail(media, first)
        for number, made in enumerate(measured):
            if made.pointed:
                files[picture_name(number, OVERLAY)] = made.overlay
                files[picture_name(number, HEATMAP)] = made.heatmap
        self._traces.keep(trace_id, files)


def _thumbnail(media: Media, shot: int) -> bytes:
    """Return the picture that was traced, small, as JPEG."""
    pixels = media.shots[shot].pixels
    if pixels.dtype != "uint8":
        plain = grey(pixels)
        pixels = (plain * (255 / max(float(plain.max()), 1.0))).astype("uint8")
    return encoded(
        fitted(pixels[..., :3] if pixels.ndim == 3 else pixels, THUMBNAIL_SIDE, THUMBNAIL_SIDE),
        "jpeg",
        85,
    )
