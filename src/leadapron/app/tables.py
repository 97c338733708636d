"""Accounts, sessions and device tokens; secrets are stored as hashes only."""

from __future__ import annotations

from sqlalchemy import BigInteger, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The application's own metadata."""

    metadata = MetaData()


class UserRow(Base):
    """A person who signs in; `user` is the recipient's id in policy."""

    __tablename__ = "users"

    user: Mapped[str] = mapped_column(primary_key=True)
    password_hash: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True)


class TokenRow(Base):
    """A bearer secret, by SHA-256: kind ``session``, ``link``, ``reader`` or ``gateway``."""

    __tablename__ = "tokens"

    digest: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    user: Mapped[str]
    csrf: Mapped[str]
    expires_ms: Mapped[int] = mapped_column(BigInteger)
