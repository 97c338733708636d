"""Who asks for what, and what was decided."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from leadapron.model.region import Region


class Role(StrEnum):
    """A person's function in the hospital."""

    RADIOLOGIST = "radiologist"
    CLINICIAN = "clinician"
    PRIVACY_OFFICER = "privacy_officer"
    SECURITY = "security"
    PACS_ADMIN = "pacs_admin"
    AUDITOR = "auditor"


class Action(StrEnum):
    """What a request wants to do. Searches are decided and logged like views."""

    SEARCH = "search"
    VIEW = "view"
    EXPORT = "export"
    TRACE = "trace"
    REIDENTIFY = "reidentify"


@dataclass(frozen=True)
class Recipient:
    """Whoever a copy is made for: the unit that a watermark and a ledger entry name."""

    id: str
    role: Role
    department: str = ""
    display: str = ""
    active: bool = True


@dataclass(frozen=True)
class Order:
    """An imaging order (检查申请单): the diagnostic need that justifies a view.

    `need` is a key of the diagnostic-need model (policy/needs.json), for example
    ``rib_fracture``; times are timezone-aware; `patient`, `study` and `accession` are the
    pseudonymous values that the archive holds.
    """

    id: str
    patient: str
    accession: str
    need: str
    recipients: frozenset[str]
    valid_from: datetime
    valid_until: datetime
    study: str = ""
    status: str = "active"


@dataclass(frozen=True)
class AccessRequest:
    """One question to the policy engine.

    `orders` are the candidate orders that delivery found for this recipient and patient;
    the engine, not the caller, decides which of them carry. `regions` empty means: all that
    the need grants. `available` are the regions that the film really has.
    """

    recipient: Recipient
    action: Action
    at: datetime
    patient: str = ""
    study: str = ""
    sop_instance: str = ""
    orders: tuple[Order, ...] = ()
    regions: frozenset[Region] = frozenset()
    available: frozenset[Region] = frozenset()
    in_domain: bool = True
    purpose: str = ""
    channel: str = "console"
    break_glass: bool = False
    break_glass_reason: str = ""
    breaker: str = "closed"
    case: str = ""


@dataclass(frozen=True)
class Reason:
    """Why: a stable slug with its sentence in both languages."""

    code: str
    en: str
    zh: str


@dataclass(frozen=True)
class Obligations:
    """What delivery must do with a granted view.

    psnr_db: watermark strength (60, 56 or 50 dB).
    background: ``flat`` (constant fill) or ``mosaic`` outside the granted regions.
    review: a person must look at this access afterwards (break-glass).
    outlines: regions whose contour line may be given without their pixels (a width is measured
        on it).
    """

    psnr_db: float = 56.0
    background: str = "flat"
    review: bool = False
    outlines: frozenset[Region] = frozenset()


@dataclass(frozen=True)
class Decision:
    """The answer. `allow` False carries no regions."""

    allow: bool
    regions: frozenset[Region] = frozenset()
    obligations: Obligations = field(default_factory=Obligations)
    reasons: tuple[Reason, ...] = ()
    order: str = ""
    policy_version: str = ""


@dataclass(frozen=True)
class ViewEvent:
    """One view (调阅): who saw what of which film, under which order, with which mark.

    `view_id` is fixed per recipient × film × grant, so reopening gives no second mark.
    `ledger_index` is the durable entry that was written before the first pixel left.
    """

    view_id: str
    recipient: str
    sop_instance: str
    regions: frozenset[Region]
    order: str
    at: datetime
    ledger_index: int
    channel: str = "console"
