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
