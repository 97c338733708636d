"""Two-person approvals (双人审批): what waits for a second person, and that person's answer.

Requests are made by the acts that need them; each act checks and describes what it will do.
"""

from __future__ import annotations

from fastapi import APIRouter

from leadapron.app.api.approval_schemas import ApprovalAction, ApprovalItem, Note
from leadapron.app.api.presenting import display_name
from leadapron.app.api.schemas import Coded
from leadapron.app.api.security import Here, Reader
from leadapron.app.instance import Instance
from leadapron.model import NotFound, Role
from leadapron.policy import Approval, dual_action, dual_actions

router = APIRouter(prefix="/approvals", tags=["approvals"])


@router.get("")
def approvals(here: Here, caller: Reader, state: str = "") -> list[ApprovalItem]:
    """Requests that the caller made, can decide on or audits; newest first."""
    wanted = frozenset(part for part in state.split(",") if part) or None
    found = here.approvals.list(wanted)
    return [approval_item(here, a, caller.user) for a in found if _sees(here, a, caller.user)]


@router.get("/actions")
def actions(here: Here, caller: Reader) -> list[ApprovalAction]:
    """The acts that take two people, and the caller's part in each."""
    role = here.policy.recipient(caller.user).role
    return [
        ApprovalAction(
            action=Coded(code=act.code, en=act.en, zh=act.zh),
            purposes=[Coded(code=p.code, en=p.en, zh=p.zh) for p in act.purposes],
            may_request=role in act.request,
            may_approve=role in act.approve,
        )
        for act in dual_actions().values()
    ]


@router.get("/{approval_id}")
def approval(approval_id: str, here: Here, caller: Reader) -> ApprovalItem:
    """One request: who wants what, and why."""
    return approval_item(here, _seen(here, approval_id, caller.user), caller.user)


@router.post("/{approval_id}/approve")
def approve(approval_id: str, body: Note, here: Here, caller: Reader) -> ApprovalItem:
    """Consent as the second person; ledgered first."""
    return approval_item(
        here, here.approvals.approve(approval_id, caller.user, body.note), caller.user
    )


@router.post("/{approval_id}/refuse")
def refuse(approval_id: str, body: Note, here: Here, caller: Reader) -> ApprovalItem:
    """Decline as the second person, or take a consent back before its use; ledgered first."""
    return approval_item(
        here, here.approvals.refuse(approval_id, caller.user, body.note), caller.user
    )


@router.post("/{approval_id}/withdraw")
def withdraw(approval_id: str, here: Here, caller: Reader) -> ApprovalItem:
    """Take one's own request back; ledgered first."""
    return approval_item(here, here.approvals.withdraw(approval_id, caller.user), caller.user)


def approval_item(here: Instance, approval: Approval, caller: str) -> ApprovalItem:
    """Return a request as the API speaks it to `caller`."""
    act = dual_action(approval.action)
    purpose = act.purpose(approval.purpose)
    told = vars(approval) | {
        "action": Coded(code=act.code, en=act.en, zh=act.zh),
        "purpose": Coded(code=purpose.code, en=purpose.en, zh=purpose.zh),
        "content": dict(approval.content),
        "requester_display": display_name(here, approval.requester),
        "decided_by_display": display_name(here, approval.decided_by)
        if approval.decided_by
        else "",
        "mine": approval.requester == caller,
        "may_decide": approval.state in {"pending", "approved"}
        and here.approvals.may_decide(approval, caller),
    }
    return ApprovalItem(**told)


def _seen(here: Instance, approval_id: str, caller: str) -> Approval:
    found = here.approvals.get(approval_id)
    if not _sees(here, found, caller):
        raise NotFound(f"no approval {approval_id[:40]} for you", remedy="check its number")
    return found


def _sees(here: Instance, approval: Approval, caller: str) -> bool:
    role = here.policy.recipient(caller).role
    approving = role in dual_action(approval.action).approve
    return approval.requester == caller or approving or role is Role.AUDITOR
