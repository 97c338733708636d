"""The catalogue's tables; only this package imports them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The archive's own metadata."""

    metadata = MetaData()


class FilmRow(Base):
    """One sealed SOP Instance. Every identifier here is a pseudonym."""

    __tablename__ = "films"
    __table_args__ = (
        Index("ix_films_study", "study_instance"),
        Index("ix_films_patient", "patient"),
        Index("ix_films_accession", "accession"),
    )

    sop_instance: Mapped[str] = mapped_column(primary_key=True)
    sop_class: Mapped[str]
    study_instance: Mapped[str]
    series_instance: Mapped[str]
    patient: Mapped[str]
    accession: Mapped[str]
    modality: Mapped[str]
    study_date: Mapped[str]
    study_description: Mapped[str]
    rows: Mapped[int]
    columns: Mapped[int]
    frames: Mapped[int]
    transfer_syntax: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[str]
    source_digest: Mapped[str]
    blob: Mapped[str]
    tier: Mapped[str]
    received_ms: Mapped[int] = mapped_column(BigInteger)
    sent_as: Mapped[str] = mapped_column(default="", server_default="")
    sent_days: Mapped[int] = mapped_column(default=0, server_default="0")
    shift_days: Mapped[int] = mapped_column(default=0, server_default="0")


class StudyMoveRow(Base):
    """A study that was filed under the wrong patient, and whose it is; later films follow it.

    `days` moves dates from those of `was` to those of `patient`.
    """

    __tablename__ = "study_moves"

    study_instance: Mapped[str] = mapped_column(primary_key=True)
    was: Mapped[str]
    patient: Mapped[str]
    days: Mapped[int]
    at_ms: Mapped[int] = mapped_column(BigInteger)
    ledger_index: Mapped[int] = mapped_column(BigInteger)
