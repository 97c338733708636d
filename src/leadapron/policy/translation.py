"""An AccessRequest in Cedar's words: principal, action, resource, context, entities."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from leadapron.model import AccessRequest, Action, Order, Recipient, Region
from leadapron.policy.needs import Grant

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ARCHIVE = {"type": "Archive", "id": "archive"}
_ON_FILM = frozenset({Action.VIEW, Action.EXPORT, Action.REIDENTIFY})


@dataclass(frozen=True)
class Candidate:
    """One order (or none) with what it would show: the unit that Cedar judges."""

    order: Order | None
    need_known: bool
    whole_film: bool
    grant: Grant
    regions: frozenset[Region]


def is_emergency(request: AccessRequest) -> bool:
    """Tell whether this is break-glass: it serves to see, nothing else."""
    return request.break_glass and request.action is Action.VIEW


def cedar_request(request: AccessRequest, candidate: Candidate) -> dict[str, Any]:
    """Return one Cedar request. Values pass as they are: the schema judges their types."""
    return {
        "principal": _recipient_uid(request.recipient.id),
        "action": {"type": "Action", "id": _action(request)},
        "resource": _resource_uid(request),
        "context": {
            "at": _microseconds(request.at),
            "order": _order(candidate),
            "regions": _names(candidate.regions),
            "purpose": _stripped(request.purpose),
            "case": _stripped(request.case),
            "channel": request.channel,
            "breaker": request.breaker,
            "break_glass": request.break_glass,
            "break_glass_reason_length": len(request.break_glass_reason.strip()),
        },
    }


def cedar_entities(request: AccessRequest) -> list[dict[str, Any]]:
    """Return the entities that the request speaks about: the recipient and the film."""
    entities = [_recipient(request.recipient)]
    if request.action in _ON_FILM:
        attributes = {
            "patient": request.patient,
            "study": request.study,
            "available": _names(request.available),
            "in_domain": request.in_domain,
        }
        entities.append({"uid": _resource_uid(request), "attrs": attributes, "parents": []})
    else:
        entities.append({"uid": _ARCHIVE, "attrs": {}, "parents": []})
    return entities


def _action(request: AccessRequest) -> str:
    return "emergency_view" if is_emergency(request) else str(Action(request.action))


def _recipient_uid(identifier: str) -> dict[str, str]:
    return {"type": "Recipient", "id": identifier}


def _recipient(recipient: Recipient) -> dict[str, Any]:
    attributes = {
        "role": recipient.role,
        "department": recipient.department,
        "active": recipient.active,
    }
    return {"uid": _recipient_uid(recipient.id), "attrs": attributes, "parents": []}


def _resource_uid(request: AccessRequest) -> dict[str, str]:
    if request.action in _ON_FILM:
        return {"type": "Film", "id": request.sop_instance}
    return _ARCHIVE


def _order(candidate: Candidate) -> dict[str, Any]:
    order = candidate.order
    return {
        "id": order.id if order else "",
        "status": order.status if order else "none",
        "need": order.need if order else "",
        "need_known": candidate.need_known,
        "patient": order.patient if order else "",
        "study": order.study if order else "",
        "recipients": [_recipient_uid(name) for name in sorted(order.recipients)] if order else [],
        "valid_from": _microseconds(order.valid_from) if order else 0,
        "valid_until": _microseconds(order.valid_until) if order else 0,
        "granted": _names(candidate.grant.regions),
        "whole_film": candidate.whole_film,
    }


def _microseconds(moment: datetime) -> int:
    # A naive datetime raises here, and whatever raises is refused.
    return (moment - _EPOCH) // _MICROSECOND


def _names(regions: Iterable[Region]) -> list[str]:
    return sorted(str(Region(region)) for region in regions)


def _stripped(text: str) -> str:
    return text.strip()
