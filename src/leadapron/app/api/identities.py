"""Identities outside care, and repairs: asked for by one person, made after another's consent."""

from __future__ import annotations

from fastapi import APIRouter

from leadapron.app.api.approval_schemas import ApprovalItem
from leadapron.app.api.approvals import approval_item
from leadapron.app.api.console import OPERATORS, require
from leadapron.app.api.identity_schemas import (
    KnownIdentity,
    MergedPatient,
    MergeRequest,
    MoveRequest,
    ReidentificationRequest,
    RepairResult,
    UnmergeRequest,
)
from leadapron.app.api.security import Here, Reader
from leadapron.edge.adt import Person
from leadapron.model import BadInput
from leadapron.policy import Aliases

router = APIRouter(tags=["identities"])


@router.post("/reidentifications")
def ask(body: ReidentificationRequest, here: Here, caller: Reader) -> ApprovalItem:
    """Ask for the identities behind pseudonyms; nothing is read before a second person agrees."""
    asked = here.identities.request(caller.user, body.pseudonyms, body.purpose, body.reason)
    return approval_item(here, asked, caller.user)


@router.post("/reidentifications/{approval_id}")
def reidentify(approval_id: str, here: Here, caller: Reader) -> list[KnownIdentity]:
    """Return the identities that were consented to, once, to the person who asked."""
    return [KnownIdentity(**vars(i)) for i in here.identities.open(approval_id, caller.user)]


@router.post("/repairs/move")
def ask_move(body: MoveRequest, here: Here, caller: Reader) -> ApprovalItem:
    """Ask that a study be given to the patient it is of."""
    if (body.identity is None) == (not body.patient):
        raise BadInput("whose study is it?", remedy="give either `patient` or `identity`")
    patient = body.patient
    if body.identity is not None:
        here.approvals.require_requester(caller.user, "wrong-patient")
        patient = here.repairs.register(Person(**body.identity.model_dump()), caller.user)
    asked = here.repairs.ask_move(caller.user, body.study, patient, body.reason, body.order)
    return approval_item(here, asked, caller.user)


@router.post("/repairs/merge")
def ask_merge(body: MergeRequest, here: Here, caller: Reader) -> ApprovalItem:
    """Ask that two patients be merged; the HIS does it by HL7 A40 without asking."""
    asked = here.repairs.ask_merge(caller.user, body.old, body.onto, body.reason)
    return approval_item(here, asked, caller.user)


@router.post("/repairs/unmerge")
def ask_unmerge(body: UnmergeRequest, here: Here, caller: Reader) -> ApprovalItem:
    """Ask that a merge be undone."""
    asked = here.repairs.ask_unmerge(caller.user, body.old, body.reason)
    return approval_item(here, asked, caller.user)


@router.post("/repairs/{approval_id}")
def repair(approval_id: str, here: Here, caller: Reader) -> RepairResult:
    """Make the repair that was consented to, once."""
    done = here.repairs.apply(approval_id, caller.user)
    return RepairResult(
        changed=done.relinked.changed, films=list(done.relinked.films), views=done.views
    )


@router.get("/merges")
def merges(here: Here, caller: Reader) -> list[MergedPatient]:
    """Merges in force, latest first."""
    require(here, caller, OPERATORS)
    return [
        MergedPatient(old=a.old, onto=a.onto, at_ms=a.at_ms, ledger_index=a.ledger_index)
        for a in Aliases(here.catalog).list()
    ]
