"""Incident's tables; only this package imports them."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Incident's own metadata."""

    metadata = MetaData()


class CaseRow(Base):
    """A case (安全事件). `closed_ms` null: open. Persons are counted, never named here."""

    __tablename__ = "cases"
    __table_args__ = (Index("ix_cases_opened", "opened_ms"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[str]
    title_en: Mapped[str]
    title_zh: Mapped[str]
    opened_ms: Mapped[int] = mapped_column(BigInteger)
    closed_ms: Mapped[int | None] = mapped_column(BigInteger)
    closing_note: Mapped[str]
    persons: Mapped[int] = mapped_column(BigInteger)
    sensitivity: Mapped[str]
    insider: Mapped[bool]
    sop_instance: Mapped[str | None]
    view_id: Mapped[str | None]
    recipient: Mapped[str | None]


class CaseStepRow(Base):
    """One step of a case's playbook, worded as it was when the case was opened."""

    __tablename__ = "case_steps"

    case_id: Mapped[str] = mapped_column(
        ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True
    )
    code: Mapped[str] = mapped_column(primary_key=True)
    en: Mapped[str]
    zh: Mapped[str]
    basis: Mapped[str]
    due_ms: Mapped[int] = mapped_column(BigInteger)
    done_ms: Mapped[int | None] = mapped_column(BigInteger)
    done_by: Mapped[str]
    note: Mapped[str]


class TraceRow(Base):
    """One trace (泄露溯源): who traced what, and how far its result has come.

    What it found lies in the evidence folder; `ranking` is the SHA-256 of that record. `state` is
    empty for an inconclusive trace, else ``waiting``, ``confirmed`` or ``refused``.
    """

    __tablename__ = "traces"
    __table_args__ = (Index("ix_traces_case", "case_id"), Index("ix_traces_at", "at_ms"))

    id: Mapped[str] = mapped_column(primary_key=True)
    case_id: Mapped[str | None] = mapped_column(ForeignKey("cases.id"))
    recipient: Mapped[str]
    purpose: Mapped[str]
    at_ms: Mapped[int] = mapped_column(BigInteger)
    copy_sha256: Mapped[str]
    copy_size: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str]
    verdict: Mapped[str]
    state: Mapped[str]
    ranking: Mapped[str]
    ledger_index: Mapped[int] = mapped_column(BigInteger)
    elapsed_ms: Mapped[int] = mapped_column(BigInteger)
    approval_id: Mapped[str]
    confirmed_index: Mapped[int | None] = mapped_column(BigInteger)
    contained_ms: Mapped[int | None] = mapped_column(BigInteger)
    contained_by: Mapped[str]


class TraceSpendingRow(Base):
    """Pictures that a person had traced at a time: what the rate limit counts."""

    __tablename__ = "trace_spending"
    __table_args__ = (Index("ix_trace_spending_at", "at_ms"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    recipient: Mapped[str]
    at_ms: Mapped[int] = mapped_column(BigInteger)
    pictures: Mapped[int]
