"""Delivery's tables; only this package imports them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Delivery's own metadata."""

    metadata = MetaData()


class ViewRow(Base):
    """One grant: recipient × film × regions. Reopening finds the same row, hence one mark."""

    __tablename__ = "views"
    __table_args__ = (Index("ix_views_sop", "sop_instance"),)

    view_id: Mapped[str] = mapped_column(primary_key=True)
    recipient: Mapped[str]
    sop_instance: Mapped[str]
    order_id: Mapped[str]
    regions: Mapped[str]
    background: Mapped[str]
    psnr_db: Mapped[float]
    key_digest: Mapped[str]
    channel: Mapped[str]
    first_ms: Mapped[int] = mapped_column(BigInteger)
    first_ledger_index: Mapped[int] = mapped_column(BigInteger)
