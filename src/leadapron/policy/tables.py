"""Policy's tables; only this package imports them."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, MetaData, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Policy's own metadata."""

    metadata = MetaData()


class RecipientRow(Base):
    """Whoever a copy is made for. `ae_title` is null for recipients without a workstation."""

    __tablename__ = "recipients"

    id: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    department: Mapped[str]
    display: Mapped[str]
    ae_title: Mapped[str | None] = mapped_column(unique=True)
    active: Mapped[bool]


class OrderRow(Base):
    """An imaging order (检查申请单); patient, study and accession are pseudonyms."""

    __tablename__ = "orders"
    __table_args__ = (
        Index("ix_orders_patient", "patient"),
        Index("ix_orders_study", "study"),
        Index("ix_orders_accession", "accession"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    patient: Mapped[str]
    accession: Mapped[str]
    study: Mapped[str]
    need: Mapped[str]
    status: Mapped[str]
    valid_from_ms: Mapped[int] = mapped_column(BigInteger)
    valid_until_ms: Mapped[int] = mapped_column(BigInteger)


class OrderRecipientRow(Base):
    """Whom an order names. A recipient may be registered later than the order."""

    __tablename__ = "order_recipients"
    __table_args__ = (Index("ix_order_recipients_recipient", "recipient"),)

    order_id: Mapped[str] = mapped_column(
        ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True
    )
    recipient: Mapped[str] = mapped_column(primary_key=True)


class RevocationRow(Base):
    """A recipient's access or one view withdrawn; kind ``recipient`` or ``view``."""

    __tablename__ = "revocations"
    __table_args__ = (UniqueConstraint("kind", "target", name="uq_revocations_target"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    target: Mapped[str]
    reason: Mapped[str]
    case_id: Mapped[str]
    at_ms: Mapped[int] = mapped_column(BigInteger)


class BreakerRow(Base):
    """The breaker (权限熔断) of one recipient, or of everybody under the scope ``*``."""

    __tablename__ = "breakers"

    scope: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    reason: Mapped[str]
    at_ms: Mapped[int] = mapped_column(BigInteger)


class ApprovalRow(Base):
    """One request for a second person's consent; `content` holds pseudonyms, never identities.

    `claim` is set while one caller takes the row from a state to the next.
    """

    __tablename__ = "approvals"
    __table_args__ = (Index("ix_approvals_state", "state", "requested_ms"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    action: Mapped[str]
    purpose: Mapped[str]
    reason: Mapped[str]
    content: Mapped[str]
    digest: Mapped[str]
    requester: Mapped[str]
    requested_ms: Mapped[int] = mapped_column(BigInteger)
    requested_index: Mapped[int] = mapped_column(BigInteger)
    expires_ms: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str]
    claim: Mapped[str]
    decided_by: Mapped[str]
    decided_ms: Mapped[int | None] = mapped_column(BigInteger)
    decided_index: Mapped[int | None] = mapped_column(BigInteger)
    note: Mapped[str]
    used_ms: Mapped[int | None] = mapped_column(BigInteger)
    uses: Mapped[int] = mapped_column(BigInteger)


class AliasRow(Base):
    """A pseudonym that stands for the patient of another one since a merge.

    `days` is what dates under `old` are moved by to stand among those under `onto`.
    """

    __tablename__ = "patient_aliases"
    __table_args__ = (Index("ix_patient_aliases_onto", "onto"),)

    old: Mapped[str] = mapped_column(primary_key=True)
    onto: Mapped[str]
    days: Mapped[int]
    at_ms: Mapped[int] = mapped_column(BigInteger)
    ledger_index: Mapped[int] = mapped_column(BigInteger)
