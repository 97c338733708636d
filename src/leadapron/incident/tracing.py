"""From a leaked picture to the view it came from (泄露溯源)."""

from __future__ import annotations

import hashlib
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from leadapron.archive import Archive, Film
from leadapron.delivery import Delivery, Originals, Refused, ViewGrant
from leadapron.incident.case import Case
from leadapron.incident.store import CaseStore
from leadapron.ledger import Ledger
from leadapron.model import AccessRequest, Action
from leadapron.policy import PolicyStore, decide
from leadapron.watermark import Ranking, Registration, load_picture, registration_overlay, trace

MAX_FILMS = 3


@dataclass(frozen=True)
class Trace:
    """What a trace found; every grant of the film with its z, best first.

    `verdict` is ``traced`` or ``inconclusive``; `overlay` is uint8 RGB or None.
    """

    id: str
    verdict: str
    grants: tuple[tuple[ViewGrant, float], ...]
    p_value: float | None
    film: Film | None
    inliers: int
    case: Case | None
    overlay: npt.NDArray[np.uint8] | None
    ledger_index: int
    elapsed_ms: int

    @property
    def best(self) -> ViewGrant | None:
        """The view named by the verdict; None when inconclusive."""
        return self.grants[0][0] if self.verdict == "traced" and self.grants else None


class Tracing:
    """Finds the film, then the view; ledgered, and a case is opened when a view is named."""

    def __init__(
        self,
        archive: Archive,
        delivery: Delivery,
        originals: Originals,
        policy: PolicyStore,
        ledger: Ledger,
        cases: CaseStore,
    ) -> None:
        self._archive = archive
        self._delivery = delivery
        self._originals = originals
        self._policy = policy
        self._ledger = ledger
        self._cases = cases

    def trace(self, leaked: bytes, by: str, purpose: str) -> Trace:
        """Trace one picture file for the recipient `by`.

        Raises Refused when policy does not let `by` trace, BadInput when the file is no picture.
        """
        start = time.perf_counter()
        self._check(by, purpose)
        picture = load_picture(leaked)
        film, inliers, ranking = self._best_film(picture)
        traced = ranking is not None and ranking.verdict == "accuse"
        grants = self._grants(film, ranking)
        receipt = self._ledger.append(
            {
                "kind": "trace",
                "recipient": by,
                "purpose": purpose,
                "picture": hashlib.sha256(leaked).hexdigest(),
                "sop": film.sop_instance if film else "",
                "verdict": "traced" if traced else "inconclusive",
                "view": grants[0][0].view_id if traced else "",
                "p_value": f"{ranking.p_value:.3e}" if ranking else "",
            }
        )
        case = self._open_case(film, grants[0][0]) if traced and film else None
        overlay = (
            self._overlay(grants[0][0], picture, ranking.registration)
            if traced and ranking and ranking.registration
            else None
        )
        return Trace(
            id=uuid.uuid4().hex[:12],
            verdict="traced" if traced else "inconclusive",
            grants=grants,
            p_value=float(ranking.p_value) if ranking else None,
            film=film,
            inliers=inliers,
            case=case,
            overlay=overlay,
            ledger_index=receipt.index,
            elapsed_ms=round((time.perf_counter() - start) * 1000),
        )

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

    def _best_film(self, picture: npt.NDArray[np.uint8]) -> tuple[Film | None, int, Ranking | None]:
        results = []
        found = self._originals.find(picture, self._delivery.grants())[:MAX_FILMS]
        for match in found:
            film = self._archive.get(match.sop_instance)
            ranking = trace(
                self._originals.frame(film, match.frame),
                picture,
                self._originals.mark_key,
                [g.view_id for g in self._delivery.views_of(film.sop_instance)],
                image_digest=self._originals.binding(film, match.frame),
                films_tried=len(found),
            )
            if ranking.verdict == "accuse":
                return film, match.inliers, ranking
            results.append((film, match.inliers, ranking))
        return results[0] if results else (None, 0, None)

    def _grants(
        self, film: Film | None, ranking: Ranking | None
    ) -> tuple[tuple[ViewGrant, float], ...]:
        if film is None or ranking is None:
            return ()
        known = {g.view_id: g for g in self._delivery.views_of(film.sop_instance)}
        return tuple((known[c.view_id], float(c.z)) for c in ranking.candidates)

    def _overlay(
        self, grant: ViewGrant, picture: npt.NDArray[np.uint8], registration: Registration
    ) -> npt.NDArray[np.uint8]:
        """Lay the picture over the view that it came from: nothing that did not leak yet shows."""
        frame = self._delivery.copy_of(grant).frame
        return registration_overlay(frame, picture, registration)

    def _open_case(self, film: Film, grant: ViewGrant) -> Case:
        case = self._cases.open_case(
            title_en="A marked copy was found outside the hospital",
            title_zh="在院外发现带标记的调阅副本",
            sop_instance=film.sop_instance,
            view_id=grant.view_id,
            recipient=grant.recipient,
            persons=1,
        )
        return self._cases.mark_step(case.id, "locate")
