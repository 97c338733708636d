"""What the API speaks about two-person approvals (双人审批)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from leadapron.app.api.schemas import Coded
from leadapron.policy.approvals import LONGEST_REASON


class ApprovalAction(BaseModel):
    """An act that takes two people, with the purposes that can be given for it."""

    action: Coded
    purposes: list[Coded]
    may_request: bool
    may_approve: bool


class ApprovalItem(BaseModel):
    """One request. `content` is what will be done, in pseudonyms; `digest` binds it (SHA-256)."""

    id: str
    action: Coded
    purpose: Coded
    reason: str
    content: dict[str, Any]
    digest: str
    requester: str
    requester_display: str
    requested_at: datetime
    expires_at: datetime
    state: str = Field(description="pending, approved, refused, withdrawn, used or expired")
    decided_by: str
    decided_by_display: str
    decided_at: datetime | None = None
    note: str
    used_at: datetime | None = None
    uses: int
    ledger_index: int
    mine: bool
    may_decide: bool = Field(description="whether the caller can be its second person")


class Note(BaseModel):
    """What the second person says to it."""

    note: str = Field(default="", max_length=LONGEST_REASON)
