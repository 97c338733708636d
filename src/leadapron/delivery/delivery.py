"""open_view(request) → View: decide, ledger, unseal, mark. In that order, always."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections import OrderedDict
from datetime import UTC, datetime

import structlog
from sqlalchemy import select

from leadapron.archive import Archive, Film
from leadapron.delivery.originals import Originals
from leadapron.delivery.tables import ViewRow
from leadapron.delivery.view import Opened, View, ViewGrant, ViewRequest
from leadapron.ledger import Ledger, Receipt
from leadapron.model import (
    AccessRequest,
    Action,
    Decision,
    Denied,
    NotFound,
    Obligations,
    Reason,
    Recipient,
    Region,
    ViewEvent,
)
from leadapron.policy import PolicyStore, VolumeBreaker, decide, worst
from leadapron.policy.reasons import reason
from leadapron.store.database import Database

log = structlog.get_logger(__name__)

CACHED_VIEWS = 6
CACHED_BYTES = 64 << 20
"""Larger views are made anew each time."""


class Delivery:
    """The only place that unseals. Everything a reader gets comes through open_view."""

    def __init__(
        self,
        archive: Archive,
        policy: PolicyStore,
        ledger: Ledger,
        database: Database,
        originals: Originals,
        view_key: bytes,
    ) -> None:
        """`view_key` (32 bytes) turns recipient × film × grant into a view id."""
        self._archive = archive
        self._policy = policy
        self._ledger = ledger
        self._database = database
        self._originals = originals
        self._view_key = view_key
        self._volume = VolumeBreaker()
        self._cache: OrderedDict[str, Opened] = OrderedDict()
        self._lock = threading.Lock()

    def open_view(self, request: ViewRequest) -> View:
        """Return the marked copy that `request` may see.

        Raises Denied (with the reasons, after ledgering the refusal), NotFound, and
        StorageFailure when the ledger can't write: then no pixel leaves.
        """
        recipient = self._recipient(request)
        film = self._archive.get(request.sop_instance)
        decision = self._decide(request, recipient, film)
        if not decision.allow:
            self._refuse(request, film, decision)
        self._require_markable(request, film)
        view_id = self._view_id(recipient.id, film.sop_instance, decision)
        if self._policy.is_revoked("view", view_id):
            self._refuse(request, film, Decision(False, reasons=(reason("view-revoked"),)))
        digest = self._originals.commitment(film, view_id)
        receipt = self._record(request, film, decision, view_id, digest)
        self._remember(request, film, decision, view_id, digest, receipt)
        event = ViewEvent(
            view_id=view_id,
            recipient=recipient.id,
            sop_instance=film.sop_instance,
            regions=decision.regions,
            order=decision.order,
            at=datetime.fromtimestamp(receipt.at_ms / 1000, UTC),
            ledger_index=receipt.index,
            channel=request.channel,
        )
        return View(event, decision, self._opened(film, decision, view_id))

    def check_identity(self, request: ViewRequest) -> Decision:
        """Return the decision on telling the patient's name; refusals are ledgered and raised."""
        recipient = self._recipient(request)
        film = self._archive.get(request.sop_instance)
        decision = self._decide(request, recipient, film, Action.REIDENTIFY)
        if not decision.allow:
            self._refuse(request, film, decision)
        return decision

    def views_of(self, sop_instance: str) -> list[ViewGrant]:
        """Return every grant ever made of a film, oldest first."""
        query = (
            select(ViewRow).where(ViewRow.sop_instance == sop_instance).order_by(ViewRow.first_ms)
        )
        with self._database.session(read_only=True) as session:
            return [_grant(row) for row in session.scalars(query)]

    def copy_of(self, grant: ViewGrant) -> Opened:
        """Make the marked copy of a grant anew, for a report about that very view.

        It shows what the grant's reader saw, never more; ledger the reason before calling.
        """
        film = self._archive.get(grant.sop_instance)
        obligations = Obligations(psnr_db=grant.psnr_db, background=grant.background)
        decision = Decision(True, grant.regions, obligations, order=grant.order_id)
        return self._originals.open(film, decision, grant.view_id)

    def grants(self) -> list[ViewGrant]:
        """Return every grant ever made, oldest first."""
        with self._database.session(read_only=True) as session:
            return [
                _grant(row) for row in session.scalars(select(ViewRow).order_by(ViewRow.first_ms))
            ]

    def _recipient(self, request: ViewRequest) -> Recipient:
        try:
            return self._policy.recipient(request.recipient)
        except NotFound:
            self._ledger.append(
                {
                    "kind": "view.refused",
                    "recipient": request.recipient,
                    "sop": request.sop_instance,
                    "channel": request.channel,
                    "reasons": ["unknown-recipient"],
                }
            )
            raise Denied(
                "this account is no recipient of films",
                remedy="ask the PACS administrator to register it",
                code="unknown-recipient",
            ) from None

    def _decide(
        self,
        request: ViewRequest,
        recipient: Recipient,
        film: Film,
        action: Action = Action.VIEW,
    ) -> Decision:
        available, in_domain = self._originals.regions(film)
        now = datetime.now(UTC)
        breaker = self._breaker_state(recipient.id, film.patient, now)
        return decide(
            AccessRequest(
                recipient=recipient,
                action=action,
                at=now,
                patient=film.patient,
                study=film.study_instance,
                sop_instance=film.sop_instance,
                orders=tuple(self._policy.orders_for(recipient.id, film.patient)),
                regions=request.regions,
                available=available,
                in_domain=in_domain,
                purpose=request.purpose,
                channel=request.channel,
                break_glass=request.break_glass,
                break_glass_reason=request.break_glass_reason,
                breaker=breaker,
            )
        )

    def _breaker_state(self, recipient: str, patient: str, now: datetime) -> str:
        before = self._volume.state(recipient, now)
        after = self._volume.note(recipient, patient, now)
        if after == "open" and before != "open":
            log.warning("breaker.open", recipient=recipient, cause="volume")
            self._ledger.append({"kind": "breaker.open", "recipient": recipient, "cause": "volume"})
        return worst(self._policy.breaker(recipient), after)

    def _refuse(self, request: ViewRequest, film: Film, decision: Decision) -> None:
        codes = [r.code for r in decision.reasons]
        self._record_refusal(request, film, codes, decision.policy_version)
        raise Refused(decision.reasons)

    def _record_refusal(
        self, request: ViewRequest, film: Film, reasons: list[str], policy: str
    ) -> None:
        to = {"destination": request.destination} if request.destination else {}
        self._ledger.append(
            {
                "kind": "view.refused",
                "recipient": request.recipient,
                "sop": film.sop_instance,
                "channel": request.channel,
                "policy": policy,
                "reasons": reasons,
                **to,
            }
        )

    def _require_markable(self, request: ViewRequest, film: Film) -> None:
        try:
            self._originals.require_film(film)
        except Denied as error:
            self._record_refusal(request, film, [error.slug], "")
            raise

    def _view_id(self, recipient: str, sop_instance: str, decision: Decision) -> str:
        grant = "|".join(
            [
                recipient,
                sop_instance,
                ",".join(sorted(decision.regions)),
                decision.obligations.background,
                f"{decision.obligations.psnr_db:g}",
            ]
        )
        mac = hmac.new(self._view_key, grant.encode(), hashlib.sha256).digest()
        return "V" + base64.b32encode(mac[:15]).decode().lower()

    def _record(
        self, request: ViewRequest, film: Film, decision: Decision, view_id: str, digest: str
    ) -> Receipt:
        to = {"destination": request.destination} if request.destination else {}
        return self._ledger.append(
            {
                "kind": "view",
                "recipient": request.recipient,
                "sop": film.sop_instance,
                "order": decision.order,
                "regions": sorted(decision.regions),
                "background": decision.obligations.background,
                "psnr_db": str(decision.obligations.psnr_db),
                "review": decision.obligations.review,
                "view": view_id,
                "mark": digest,
                "channel": request.channel,
                "policy": decision.policy_version,
                "reasons": [r.code for r in decision.reasons],
                **to,
            }
        )

    def _remember(
        self,
        request: ViewRequest,
        film: Film,
        decision: Decision,
        view_id: str,
        digest: str,
        receipt: Receipt,
    ) -> None:
        row = ViewRow(
            view_id=view_id,
            recipient=request.recipient,
            sop_instance=film.sop_instance,
            order_id=decision.order,
            regions=",".join(sorted(decision.regions)),
            background=decision.obligations.background,
            psnr_db=decision.obligations.psnr_db,
            key_digest=digest,
            channel=request.channel,
            first_ms=receipt.at_ms,
            first_ledger_index=receipt.index,
        )
        with self._lock, self._database.session() as session:
            if session.get(ViewRow, view_id) is None:
                session.add(row)

    def _opened(self, film: Film, decision: Decision, view_id: str) -> Opened:
        # A copy made before a merge or a correction names the patient of that time.
        labelled = f"{view_id} {film.patient} {film.shift_days}"
        with self._lock:
            known = self._cache.get(labelled)
            if known is not None:
                self._cache.move_to_end(labelled)
                return known
        opened = self._originals.open(film, decision, view_id)
        if len(opened.dataset.PixelData) > CACHED_BYTES:
            return opened
        with self._lock:
            self._cache[labelled] = opened
            while len(self._cache) > CACHED_VIEWS:
                self._cache.popitem(last=False)
        return opened


_REMEDIES = {
    "recipient-inactive": "ask the PACS administrator whether the account should be active",
    "role-sees-no-pixels": "ask a colleague who is named in the order",
    "breaker-open": "ask the privacy officer, or use break-glass access if a patient needs it",
    "break-glass-reason-missing": "write at least 10 characters that say why",
    "purpose-missing": "say what the trace is for",
    "view-revoked": "ask the privacy officer about the case",
}


class Refused(Denied):
    """Policy's no, with its reasons in both languages."""

    def __init__(self, reasons: tuple[Reason, ...]) -> None:
        code = reasons[0].code if reasons else ""
        sentence = "; ".join(r.en for r in reasons) or "the policy engine gave no answer"
        super().__init__(
            sentence,
            remedy=_REMEDIES.get(code, "ask the ordering department for an order for this study"),
            code=code or None,
        )
        self.reasons = reasons


def _grant(row: ViewRow) -> ViewGrant:
    return ViewGrant(
        view_id=row.view_id,
        recipient=row.recipient,
        sop_instance=row.sop_instance,
        order_id=row.order_id,
        regions=frozenset(Region(name) for name in row.regions.split(",") if name),
        background=row.background,
        psnr_db=row.psnr_db,
        key_digest=row.key_digest,
        channel=row.channel,
        first_ms=row.first_ms,
        first_ledger_index=row.first_ledger_index,
    )
