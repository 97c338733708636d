"""Reports and evidence of traces: what may leave, put together from what was kept."""

from __future__ import annotations

import hashlib

from leadapron.archive import Archive
from leadapron.delivery import Originals
from leadapron.incident.naming import Naming
from leadapron.incident.proof import evidence_document
from leadapron.incident.record import TRACED
from leadapron.incident.report import render
from leadapron.incident.report.content import Facts, content_of, pictures_of
from leadapron.incident.report.rendering import words
from leadapron.incident.store import CaseStore
from leadapron.incident.traces import CONFIRMED, THUMBNAIL, StoredTrace, TraceStore
from leadapron.ledger import Ledger
from leadapron.model import Conflict, NotFound
from leadapron.policy import PolicyStore


class Reports:
    """Makes reports; each is logged. The same trace gives the same bytes every time."""

    def __init__(
        self,
        traces: TraceStore,
        cases: CaseStore,
        naming: Naming,
        archive: Archive,
        originals: Originals,
        policy: PolicyStore,
        ledger: Ledger,
    ) -> None:
        self._traces = traces
        self._cases = cases
        self._naming = naming
        self._archive = archive
        self._originals = originals
        self._policy = policy
        self._ledger = ledger

    def pdf(self, trace_id: str, language: str, by: str) -> bytes:
        """Return the report as PDF/A-2b in ``zh-CN`` or ``en``.

        Raises Conflict while the result waits for a second person, or was declined.
        """
        words(language)
        facts = self._facts(self._ready(trace_id))
        pictures = {"copy": self._traces.file(trace_id, THUMBNAIL)}
        for name, file in pictures_of(facts.record):
            pictures[name] = self._traces.file(trace_id, file)
        made = render(content_of(facts, language), pictures, language)
        self._log("trace.reported", trace_id, by, made)
        return made

    def evidence(self, trace_id: str, by: str) -> bytes:
        """Return record and proofs as one JSON document; raises like `pdf`."""
        trace = self._ready(trace_id)
        packages = self._traces.ledger_evidence(trace.id)
        made = evidence_document(self._traces.record(trace), packages)
        self._log("trace.evidence", trace_id, by, made)
        return made

    def _ready(self, trace_id: str) -> StoredTrace:
        trace = self._naming.settled(trace_id)
        if trace.case_id is None:
            raise NotFound(
                f"trace {trace_id} belongs to no case, so nothing of it was kept",
                remedy="trace the copy again with a case",
            )
        if trace.verdict == TRACED and trace.state != CONFIRMED:
            raise Conflict(
                f"the result of trace {trace_id} is not confirmed by a second person",
                remedy="let one decide first: no report names a view before",
                code="second-person-missing",
            )
        return trace

    def _facts(self, trace: StoredTrace) -> Facts:
        record = self._traces.record(trace)
        films = {
            sop: self._archive.get(sop)
            for sop in dict.fromkeys(r["film"]["sop_instance"] for r in record.results)
        }
        grants = self._naming.grants(record)
        approval = self._naming.approval(trace)
        people = {trace.recipient} | {g.recipient for g in grants.values()}
        if approval is not None:
            people |= {approval.requester, approval.decided_by}
        return Facts(
            trace=trace,
            record=record,
            case=self._cases.get(trace.case_id or ""),
            films=films,
            networks={sop: self._originals.model_version(film) for sop, film in films.items()},
            grants=grants,
            names={person: self._name(person) for person in people if person},
            approval=approval,
            packages=self._traces.ledger_evidence(trace.id),
        )

    def _name(self, person: str) -> str:
        try:
            return self._policy.recipient(person).display or person
        except NotFound:
            return person

    def _log(self, kind: str, trace_id: str, by: str, made: bytes) -> None:
        """Log what was handed out, by its digest: a forged report is not in the log."""
        digest = hashlib.sha256(made).hexdigest()
        self._ledger.append({"kind": kind, "trace": trace_id, "recipient": by, "sha256": digest})
