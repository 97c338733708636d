"""Searches are decided and ledgered like views; a reader finds only what orders name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from leadapron.archive import QUERY_KEYS, Archive, Film
from leadapron.ledger import Ledger
from leadapron.model import AccessRequest, Action, BadInput, Decision, Denied, Order
from leadapron.policy import PolicyStore, carrying, decide


class Searching:
    """QIDO-RS and C-FIND both end here."""

    def __init__(self, archive: Archive, policy: PolicyStore, ledger: Ledger) -> None:
        self._archive = archive
        self._policy = policy
        self._ledger = ledger

    def search(self, recipient_id: str, match: Mapping[str, str], channel: str) -> list[Film]:
        """Return the recipient's films that match; Denied if searching is not allowed.

        `match` maps keywords of QUERY_KEYS to values with DICOM wildcards (PS3.4 C.2.2.2).
        """
        unknown = sorted(set(match) - set(QUERY_KEYS))
        if unknown:
            raise BadInput(
                f"cannot search by {', '.join(unknown)}",
                remedy=f"search by: {', '.join(QUERY_KEYS)}",
                code="unsupported-key",
            )
        recipient = self._policy.recipient(recipient_id)
        orders = tuple(self._policy.orders_of(recipient_id))
        request = AccessRequest(
            recipient=recipient,
            action=Action.SEARCH,
            at=datetime.now(UTC),
            orders=orders,
            channel=channel,
            breaker=self._policy.breaker(recipient_id),
        )
        decision = decide(request)
        films = self._scoped(match, carrying(request)) if decision.allow else []
        self._record(recipient_id, match, channel, decision, len(films))
        if not decision.allow:
            raise Denied(
                "; ".join(r.en for r in decision.reasons) or "searching is not allowed",
                remedy="ask the privacy officer which orders name you",
                code=decision.reasons[0].code if decision.reasons else None,
            )
        return films

    def _scoped(self, match: Mapping[str, str], orders: tuple[Order, ...]) -> list[Film]:
        films = self._archive.search(match, frozenset(o.patient for o in orders))
        named = {(o.patient, o.study) for o in orders}
        return [f for f in films if named & {(f.patient, ""), (f.patient, f.study_instance)}]

    def _record(
        self,
        recipient: str,
        match: Mapping[str, str],
        channel: str,
        decision: Decision,
        found: int,
    ) -> None:
        self._ledger.append(
            {
                "kind": "search" if decision.allow else "search.refused",
                "recipient": recipient,
                "channel": channel,
                "keys": sorted(match),
                "found": found,
                "policy": decision.policy_version,
                "reasons": [r.code for r in decision.reasons],
            }
        )
