"""Which acts take two people, for which purposes and who they may be (approvals.json)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from leadapron.ledger import JSON
from leadapron.ledger.canonical import dump
from leadapron.model import BadInput, NotFound, Role
from leadapron.policy import resources

PENDING, APPROVED, REFUSED, WITHDRAWN, USED = "pending", "approved", "refused", "withdrawn", "used"
EXPIRED = "expired"
LARGEST_CONTENT = 1 << 20


@dataclass(frozen=True)
class Purpose:
    """Why: one of a closed list."""

    code: str
    en: str
    zh: str


@dataclass(frozen=True)
class DualAction:
    """One act under two-person approval (双人审批).

    Attributes:
        request, approve: the roles that may ask, and that may decide on what another one asks.
        purposes: the only ones that can be given.
        decide_within: how long a request waits for its second person.
        use_within: how long an approval waits for its use.
        reuse: how long after the first use the same act may be repeated; zero: never.
    """

    code: str
    en: str
    zh: str
    request: frozenset[Role]
    approve: frozenset[Role]
    purposes: tuple[Purpose, ...]
    decide_within: timedelta
    use_within: timedelta
    reuse: timedelta

    def purpose(self, code: str) -> Purpose:
        """Return a purpose of this act; BadInput lists those there are."""
        for purpose in self.purposes:
            if purpose.code == code:
                return purpose
        raise BadInput(
            f"'{code}' is no purpose of '{self.code}'",
            remedy=f"give one of: {', '.join(p.code for p in self.purposes)}",
            code="unknown-purpose",
        )


@dataclass(frozen=True)
class Approval:
    """One request as it stands now; `state` says ``expired`` once its time is over.

    `content` is what will be done, in pseudonyms; `digest` is `content_digest(content)`.
    """

    id: str
    action: str
    purpose: str
    reason: str
    content: Mapping[str, Any]
    digest: str
    requester: str
    requested_at: datetime
    expires_at: datetime
    state: str
    decided_by: str
    decided_at: datetime | None
    note: str
    used_at: datetime | None
    uses: int
    ledger_index: int


def content_digest(content: Mapping[str, JSON]) -> str:
    """Return the hexadecimal SHA-256 of the canonical JSON of what will be done."""
    return hashlib.sha256(dump(content, LARGEST_CONTENT)).hexdigest()


@cache
def dual_actions() -> Mapping[str, DualAction]:
    """Return every act that takes two people, by its code."""
    data = resources.data("approvals.json")
    words = {code: Purpose(code, p["en"], p["zh"]) for code, p in data["purposes"].items()}
    return {code: _action(code, item, words) for code, item in data["actions"].items()}


def dual_action(code: str) -> DualAction:
    """Return one act; NotFound lists those there are."""
    known = dual_actions()
    if code not in known:
        raise NotFound(
            f"no act under two-person approval is called '{code}'",
            remedy=f"there are: {', '.join(sorted(known))}",
        )
    return known[code]


def _action(code: str, item: Mapping[str, Any], words: Mapping[str, Purpose]) -> DualAction:
    return DualAction(
        code=code,
        en=item["en"],
        zh=item["zh"],
        request=frozenset(Role(role) for role in item["request"]),
        approve=frozenset(Role(role) for role in item["approve"]),
        purposes=tuple(words[purpose] for purpose in item["purposes"]),
        decide_within=timedelta(hours=item["decide_within_hours"]),
        use_within=timedelta(minutes=item["use_within_minutes"]),
        reuse=timedelta(minutes=item["reuse_minutes"]),
    )
