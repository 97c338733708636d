"""Who is calling: passwords (Argon2id), sessions, one-time links, bearer tokens."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import delete, select

from leadapron.app.tables import TokenRow, UserRow
from leadapron.model import LeadApronError
from leadapron.store.database import Database

SESSION_MS = 10 * 3600 * 1000
LINK_MS = 12 * 3600 * 1000
TOKEN_MS = 90 * 24 * 3600 * 1000
ATTEMPTS, ATTEMPT_WINDOW_S = 8, 300.0
_PERSONAL = ("session", "link", "reader")


class Unauthenticated(LeadApronError):
    """Nobody proved who they are."""

    code = "unauthenticated"
    http = 401
    dimse = 0x0124
    exit_code = 77


@dataclass(frozen=True)
class Principal:
    """A proven caller; `csrf` is set for cookie sessions."""

    user: str
    kind: str
    csrf: str = ""


class Accounts:
    """Accounts and tokens of one instance."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._hasher = PasswordHasher()
        self._failures: dict[str, list[float]] = {}
        self._lock = threading.Lock()

    def set_password(self, user: str, password: str) -> None:
        """Create the account or change its password."""
        hashed = self._hasher.hash(password)
        with self._database.session() as session:
            session.merge(UserRow(user=user, password_hash=hashed, active=True))

    def can_sign_in(self, user: str) -> bool:
        """Tell whether a person has an active account, or without one a link or token in force."""
        held = select(TokenRow.digest).where(
            TokenRow.user == user, TokenRow.kind.in_(_PERSONAL), TokenRow.expires_ms > _now()
        )
        with self._database.session(read_only=True) as session:
            row = session.get(UserRow, user)
            return row.active if row else session.scalar(held.limit(1)) is not None

    def sign_in(self, user: str, password: str) -> tuple[str, Principal]:
        """Return (session secret, principal); Unauthenticated without saying what was wrong."""
        self.verify(user, password)
        return self.issue("session", user, SESSION_MS)

    def verify(self, user: str, password: str) -> None:
        """Return if the password is the account's; else Unauthenticated, as in `sign_in`."""
        self._slow_down(user)
        with self._database.session() as session:
            row = session.get(UserRow, user)
            hashed = row.password_hash if row and row.active else ""
        try:
            self._hasher.verify(hashed or _DUMMY_HASH, password)
            matches = bool(hashed)
        except (VerifyMismatchError, InvalidHashError):
            matches = False
        if not matches:
            self._failed(user)
            raise Unauthenticated(
                "name or password is wrong", remedy="try again or ask the PACS administrator"
            )

    def issue(self, kind: str, user: str, lifetime_ms: int = TOKEN_MS) -> tuple[str, Principal]:
        """Make a new secret of a kind for a user; only its digest is stored."""
        secret, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
        row = TokenRow(
            digest=_digest(secret),
            kind=kind,
            user=user,
            csrf=csrf,
            expires_ms=_now() + lifetime_ms,
        )
        with self._database.session() as session:
            session.execute(delete(TokenRow).where(TokenRow.expires_ms < _now()))
            session.add(row)
        return secret, Principal(user, kind, csrf)

    def redeem_link(self, secret: str) -> tuple[str, Principal]:
        """Exchange a one-time link for a session; the link is spent."""
        with self._database.session() as session:
            row = session.get(TokenRow, _digest(secret))
            if row is None or row.kind != "link" or row.expires_ms < _now():
                raise Unauthenticated(
                    "this sign-in link is used up or expired",
                    remedy="sign in with a password, or start the demo again for a new link",
                )
            user = row.user
            session.delete(row)
        return self.issue("session", user, SESSION_MS)

    def who(self, secret: str, *kinds: str) -> Principal:
        """Return the bearer of a secret of one of `kinds`; Unauthenticated otherwise."""
        with self._database.session() as session:
            row = session.get(TokenRow, _digest(secret)) if secret else None
            if row is None or row.kind not in kinds or row.expires_ms < _now():
                raise Unauthenticated(
                    "sign in first",
                    remedy="open the console and sign in, or send a valid bearer token",
                )
            return Principal(row.user, row.kind, row.csrf)

    def sign_out(self, secret: str) -> None:
        """Forget a secret."""
        with self._database.session() as session:
            session.execute(delete(TokenRow).where(TokenRow.digest == _digest(secret)))

    def _slow_down(self, user: str) -> None:
        oldest = time.monotonic() - ATTEMPT_WINDOW_S
        with self._lock:
            recent = [t for t in self._failures.get(user, []) if t > oldest]
            self._failures[user] = recent
        if len(recent) >= ATTEMPTS:
            raise Unauthenticated(
                "too many failed attempts for this account",
                remedy=f"wait {int(ATTEMPT_WINDOW_S / 60)} minutes",
                code="too-many-attempts",
            )

    def _failed(self, user: str) -> None:
        with self._lock:
            self._failures.setdefault(user, []).append(time.monotonic())


_DUMMY_HASH = PasswordHasher().hash(secrets.token_hex(16))
"""Verified when the account does not exist, so that both answers take the same time."""


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _now() -> int:
    return time.time_ns() // 1_000_000
