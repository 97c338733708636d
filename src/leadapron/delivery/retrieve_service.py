"""C-GET and C-MOVE for readers' workstations (PS3.4 C, Study Root).

Each sub-operation is a view of its own: decided, in the log, marked. One film that is refused
fails alone; the others are sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import structlog
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from leadapron.archive import Film
from leadapron.delivery.delivery import Delivery
from leadapron.delivery.query_service import PENDING, QueryService, status_of
from leadapron.delivery.view import ViewRequest
from leadapron.ledger import Ledger
from leadapron.model import LeadApronError, NotFound, Recipient
from leadapron.policy import PolicyStore

log = structlog.get_logger(__name__)

SYNTAXES: list[str | UID] = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
DELIVERED_CLASSES = frozenset(
    str(context.abstract_syntax)
    for context in AllStoragePresentationContexts
    if "Image Storage" in UID(str(context.abstract_syntax)).name
)
UNKNOWN: tuple[None, None] = (None, None)
"""pynetdicom answers this destination with 0xA801, Move Destination unknown."""
_NOT_SENT = "leadapron_status"


class Entity(AE):
    """An application entity that can refuse a C-MOVE before it calls the destination.

    pynetdicom opens the association before it asks a handler for the first status; a refused
    move would already have told the destination that there is something to send.
    """

    def associate(self, *args: Any, **kwargs: Any) -> Any:
        """Request an association, unless the handler has refused the move."""
        if kwargs.pop(_NOT_SENT, False):
            return _NoAssociation()
        return super().associate(*args, **kwargs)


class _NoAssociation:
    """Stands for the association of a move that is refused: nothing is ever sent over it."""

    is_established = True

    def release(self) -> None:
        """There is nothing to release."""


class RetrieveService:
    """A calling AE stands for the recipient registered under its title; see QueryService."""

    def __init__(
        self,
        query: QueryService,
        delivery: Delivery,
        policy: PolicyStore,
        ledger: Ledger,
        destinations: Mapping[str, tuple[str, int]],
    ) -> None:
        """`destinations` maps AE titles that C-MOVE may send to onto (host, port)."""
        self._query = query
        self._delivery = delivery
        self._policy = policy
        self._ledger = ledger
        self._destinations = destinations

    def add_contexts(self, ae: AE) -> None:
        """Support Study Root GET and MOVE, and storage as SCU for what GET sends back."""
        ae.add_supported_context(StudyRootQueryRetrieveInformationModelGet, SYNTAXES)
        ae.add_supported_context(StudyRootQueryRetrieveInformationModelMove, SYNTAXES)
        for context in ae.supported_contexts:
            if context.abstract_syntax in DELIVERED_CLASSES:
                context.scu_role, context.scp_role = True, True

    def handlers(self) -> list[tuple[Any, Callable[..., Any]]]:
        """Return the pynetdicom event handlers."""
        return [(evt.EVT_C_GET, self._get), (evt.EVT_C_MOVE, self._move)]

    def _get(self, event: Any) -> Iterator[Any]:
        try:
            recipient = self._query.recipient(event)
            films = self._query.films(event, event.identifier, "c-get")
        except LeadApronError as error:
            yield 1
            yield status_of(error), None
            return
        yield len(films)
        yield from self._views(event, recipient.id, films, "c-get")

    def _move(self, event: Any) -> Iterator[Any]:
        title = str(event.move_destination).strip()
        try:
            caller = self._query.recipient(event)
            if title not in self._destinations:
                self._record_unknown(caller, title)
                yield UNKNOWN
                return
            receiver = self._receiver(caller, title)
            films = self._query.films(event, event.identifier, "c-move")
        except LeadApronError as error:
            yield "", 0, {_NOT_SENT: True}
            yield 1
            yield status_of(error), None
            return
        contexts = [build_context(c, SYNTAXES) for c in sorted({f.sop_class for f in films})]
        host, port = self._destinations[title]
        yield host, port, {"contexts": contexts}
        yield len(films)
        yield from self._views(event, receiver.id, films, "c-move", title)

    def _receiver(self, caller: Recipient, title: str) -> Recipient:
        """Return who will have the copies: the destination's recipient, else the caller."""
        try:
            return self._policy.recipient_by_ae(title)
        except NotFound:
            return caller

    def _views(
        self, event: Any, recipient: str, films: list[Film], channel: str, destination: str = ""
    ) -> Iterator[tuple[int, Dataset | None]]:
        sent = 0
        for place, film in enumerate(films, start=1):
            if event.is_cancelled:
                yield 0xFE00, None
                return
            request = ViewRequest(
                recipient, film.sop_instance, channel=channel, destination=destination
            )
            try:
                view = self._delivery.open_view(request)
            except LeadApronError as error:
                log.warning("retrieve.refused", sop=film.sop_instance, code=error.slug)
                if place == len(films) and not sent:
                    yield status_of(error), None
                    return
                yield PENDING, _failed(film)
            else:
                sent += 1
                yield PENDING, view.dataset

    def _record_unknown(self, caller: Recipient, title: str) -> None:
        self._ledger.append(
            {
                "kind": "move.refused",
                "recipient": caller.id,
                "destination": title[:16],
                "channel": "c-move",
                "reasons": ["destination-unknown"],
            }
        )


def _failed(film: Film) -> Dataset:
    """Return what stands for a film that is not sent: it names it and can't be stored."""
    nothing = Dataset()
    nothing.SOPInstanceUID = film.sop_instance
    return nothing
