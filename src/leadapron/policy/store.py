"""Who may be asked about: recipients, orders, revocations and breakers, in the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.orm import Session

from leadapron.model import BadInput, NotFound, Order, Recipient, Role
from leadapron.policy.aliases import family, resolve
from leadapron.policy.breaker import CLOSED, STATES, worst
from leadapron.policy.needs import NeedModel, default_model
from leadapron.policy.tables import (
    BreakerRow,
    OrderRecipientRow,
    OrderRow,
    RecipientRow,
    RevocationRow,
)

if TYPE_CHECKING:
    from leadapron.store.database import Database

EVERYBODY = "*"
"""The breaker scope that stops all recipients."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_KINDS = ("recipient", "view")


@dataclass(frozen=True)
class Revocation:
    """Access withdrawn: `kind` is ``recipient`` or ``view``, `target` its id."""

    kind: str
    target: str
    reason: str
    case: str
    at: datetime


@dataclass(frozen=True)
class Breaker:
    """The stored state of one scope: a recipient's id, or ``*``."""

    scope: str
    state: str
    reason: str
    at: datetime


class PolicyStore:
    """Reads and writes what requests to the engine are made of. Times are whole milliseconds."""

    def __init__(
        self,
        database: Database,
        *,
        needs: NeedModel | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`needs` are the diagnostic needs that orders may name; `clock` stamps changes."""
        self._database = database
        self._needs = needs or default_model()
        self._clock = clock

    def add_recipient(self, recipient: Recipient, ae_title: str = "") -> None:
        """Add or update a recipient. A revocation stays in force.

        Raises:
            BadInput: no id, or an AE title that PS3.5 6.2 does not allow.
            Conflict: the AE title is another recipient's.
        """
        if not recipient.id:
            raise BadInput("a recipient needs an id", remedy="give the staff or station number")
        row = RecipientRow(
            id=recipient.id,
            role=str(Role(recipient.role)),
            department=recipient.department,
            display=recipient.display,
            ae_title=_ae_title(ae_title),
            active=recipient.active,
        )
        with self._database.session() as session:
            session.merge(row)

    def recipient(self, recipient_id: str) -> Recipient:
        """Return a recipient; `active` is False when disabled or revoked.

        Raises:
            NotFound: nobody is registered under this id.
        """
        with self._database.session(read_only=True) as session:
            return _recipient(session, session.get(RecipientRow, recipient_id))

    def recipient_by_ae(self, ae_title: str) -> Recipient:
        """Return the recipient whose workstation has this AE title; NotFound if none has."""
        # An empty title must not match the recipients that have none.
        query = select(RecipientRow).where(
            RecipientRow.ae_title.is_not(None), RecipientRow.ae_title == ae_title.strip()
        )
        with self._database.session(read_only=True) as session:
            return _recipient(session, session.scalar(query))

    def recipients(self) -> list[Recipient]:
        """Return all recipients in id order."""
        query = select(RecipientRow).order_by(RecipientRow.id)
        with self._database.session(read_only=True) as session:
            return [_recipient(session, row) for row in session.scalars(query)]

    def add_order(self, order: Order) -> None:
        """Add or update an order.

        Raises:
            BadInput: an unknown need, a naive time, or a window that ends before it begins.
        """
        _check_order(order, self._needs)
        with self._database.session() as session:
            session.merge(_order_row(order))
            _name_recipients(session, order)

    def order(self, order_id: str) -> Order:
        """Return an order; NotFound if there is none."""
        with self._database.session(read_only=True) as session:
            row = session.get(OrderRow, order_id)
            return _orders(session, [_existing_order(row, order_id)])[0]

    def orders_for(self, recipient_id: str, patient: str = "", study: str = "") -> list[Order]:
        """Return the orders that name the recipient for this patient or this study.

        Expired and closed ones too: the engine says which carry, and why others do not.
        """
        wanted: list[ColumnElement[bool]] = []
        if patient:
            wanted.append(OrderRow.patient.in_(self._family(patient)))
        if study:
            wanted.append(OrderRow.study == study)
        return self._named(recipient_id, or_(*wanted)) if wanted else []

    def orders_of(self, recipient_id: str) -> list[Order]:
        """Return all orders that name the recipient."""
        return self._named(recipient_id)

    def orders_by_accession(self, accession: str) -> list[Order]:
        """Return the orders of one accession (pseudonymous), for binding a film to them."""
        query = select(OrderRow).where(OrderRow.accession == accession).order_by(OrderRow.id)
        with self._database.session(read_only=True) as session:
            return _orders(session, session.scalars(query)) if accession else []

    def bind_order(self, order_id: str, patient: str, study: str) -> None:
        """Tie an order to the pseudonyms of the film that arrived for it.

        Raises:
            NotFound: there is no such order.
            BadInput: no patient: such an order would never carry.
        """
        if not patient:
            raise BadInput("an order is bound to a patient", remedy="give the patient pseudonym")
        with self._database.session() as session:
            row = _existing_order(session.get(OrderRow, order_id), order_id)
            row.patient = patient
            row.study = study

    def set_order_status(self, order_id: str, status: str) -> None:
        """Set ``active``, ``completed``, ``cancelled`` or an HIS word; only active carries."""
        with self._database.session() as session:
            _existing_order(session.get(OrderRow, order_id), order_id).status = status

    def revoke(self, kind: str, target: str, reason: str, case: str = "") -> None:
        """Withdraw a ``recipient``'s access or one ``view``. Repeating it changes nothing."""
        if kind not in _KINDS or not target:
            raise BadInput(
                f"cannot revoke a '{kind}'", remedy=f"revoke one of: {', '.join(_KINDS)}"
            )
        with self._database.session() as session:
            if _revoked(session, kind, target):
                return
            session.add(
                RevocationRow(
                    kind=kind, target=target, reason=reason, case_id=case, at_ms=self._now_ms()
                )
            )

    def restore(self, kind: str, target: str) -> None:
        """Take a revocation back; nothing happens if there is none."""
        query = delete(RevocationRow).where(
            RevocationRow.kind == kind, RevocationRow.target == target
        )
        with self._database.session() as session:
            session.execute(query)

    def is_revoked(self, kind: str, target: str) -> bool:
        """Tell whether a recipient's access or a view was withdrawn."""
        with self._database.session(read_only=True) as session:
            return _revoked(session, kind, target)

    def revocations(self) -> list[Revocation]:
        """Return all revocations, oldest first."""
        query = select(RevocationRow).order_by(RevocationRow.id)
        with self._database.session(read_only=True) as session:
            return [
                Revocation(row.kind, row.target, row.reason, row.case_id, _moment(row.at_ms))
                for row in session.scalars(query)
            ]

    def set_breaker(self, scope: str, state: str, reason: str) -> None:
        """Set the breaker of a recipient's id, or of everybody (``*``)."""
        if state not in STATES or not scope:
            raise BadInput(
                f"a breaker cannot be '{state}'", remedy=f"it is one of: {', '.join(STATES)}"
            )
        row = BreakerRow(scope=scope, state=state, reason=reason, at_ms=self._now_ms())
        with self._database.session() as session:
            session.merge(row)

    def breaker(self, recipient_id: str = EVERYBODY) -> str:
        """Return the state that holds for a recipient: the stricter of theirs and everybody's."""
        query = select(BreakerRow.state).where(BreakerRow.scope.in_({EVERYBODY, recipient_id}))
        with self._database.session(read_only=True) as session:
            return worst(CLOSED, *session.scalars(query))

    def breakers(self) -> list[Breaker]:
        """Return every scope that is not closed, latest first."""
        query = (
            select(BreakerRow).where(BreakerRow.state != CLOSED).order_by(BreakerRow.at_ms.desc())
        )
        with self._database.session(read_only=True) as session:
            return [
                Breaker(row.scope, row.state, row.reason, _moment(row.at_ms))
                for row in session.scalars(query)
            ]

    def _named(self, recipient_id: str, *conditions: object) -> list[Order]:
        query = (
            select(OrderRow)
            .join(OrderRecipientRow, OrderRecipientRow.order_id == OrderRow.id)
            .where(OrderRecipientRow.recipient == recipient_id, *conditions)  # type: ignore[arg-type]
            .order_by(OrderRow.valid_from_ms.desc(), OrderRow.id)
        )
        with self._database.session(read_only=True) as session:
            return _orders(session, session.scalars(query))

    def _family(self, patient: str) -> frozenset[str]:
        with self._database.session(read_only=True) as session:
            return family(session, patient)

    def _now_ms(self) -> int:
        return _milliseconds(self._clock())


def _ae_title(text: str) -> str | None:
    title = text.strip()
    if len(title) > 16 or "\\" in title or any(not 0x20 <= ord(c) < 0x7F for c in title):
        raise BadInput(
            "an AE title has at most 16 characters, without backslash or control characters",
            remedy="give the AE title as configured at the workstation (PS3.5 6.2, VR AE)",
        )
    return title or None


def _check_order(order: Order, needs: NeedModel) -> None:
    if order.need not in needs.needs:
        raise BadInput(
            f"order {order.id} names the unknown diagnostic need '{order.need}'",
            remedy=f"use one of: {', '.join(sorted(needs.needs))}",
        )
    if order.valid_from.tzinfo is None or order.valid_until.tzinfo is None:
        raise BadInput(
            f"the times of order {order.id} have no time zone", remedy="give aware datetimes"
        )
    if not order.id or order.valid_until <= order.valid_from:
        raise BadInput(
            f"order '{order.id}' is never valid", remedy="give an id and a window that lasts"
        )


def _order_row(order: Order) -> OrderRow:
    return OrderRow(
        id=order.id,
        patient=order.patient,
        accession=order.accession,
        study=order.study,
        need=order.need,
        status=order.status,
        valid_from_ms=_milliseconds(order.valid_from),
        valid_until_ms=_milliseconds(order.valid_until),
    )


def _name_recipients(session: Session, order: Order) -> None:
    session.flush()
    session.execute(delete(OrderRecipientRow).where(OrderRecipientRow.order_id == order.id))
    session.add_all(
        OrderRecipientRow(order_id=order.id, recipient=name) for name in sorted(order.recipients)
    )


def _existing_order(row: OrderRow | None, order_id: str) -> OrderRow:
    if row is None:
        raise NotFound(f"no order {order_id}", remedy="check the order number")
    return row


def _orders(session: Session, found: Iterable[OrderRow]) -> list[Order]:
    rows = list(found)
    named: dict[str, set[str]] = {row.id: set() for row in rows}
    query = select(OrderRecipientRow).where(OrderRecipientRow.order_id.in_(named))
    for link in session.scalars(query):
        named[link.order_id].add(link.recipient)
    return [
        Order(
            id=row.id,
            patient=resolve(session, row.patient).patient,
            accession=row.accession,
            need=row.need,
            recipients=frozenset(named[row.id]),
            valid_from=_moment(row.valid_from_ms),
            valid_until=_moment(row.valid_until_ms),
            study=row.study,
            status=row.status,
        )
        for row in rows
    ]


def _recipient(session: Session, row: RecipientRow | None) -> Recipient:
    if row is None:
        raise NotFound("no such recipient", remedy="register the recipient first")
    return Recipient(
        id=row.id,
        role=Role(row.role),
        department=row.department,
        display=row.display,
        active=row.active and not _revoked(session, "recipient", row.id),
    )


def _revoked(session: Session, kind: str, target: str) -> bool:
    query = select(RevocationRow.id).where(
        RevocationRow.kind == kind, RevocationRow.target == target
    )
    return session.scalar(query) is not None


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND


def _moment(milliseconds: int) -> datetime:
    return _EPOCH + milliseconds * _MILLISECOND
