"""open_view(request) → View: the only place that unseals."""

from __future__ import annotations

from leadapron.delivery.adt_intake import AdtIntake
from leadapron.delivery.delivery import Delivery, Refused
from leadapron.delivery.identities import Identities, Identity
from leadapron.delivery.originals import Originals
from leadapron.delivery.relink_queue import RelinkQueue
from leadapron.delivery.relinking import Relinking
from leadapron.delivery.repairs import Repairs
from leadapron.delivery.searching import Searching
from leadapron.delivery.view import Opened, View, ViewGrant, ViewRequest
from leadapron.model import Unavailable

_running: list[Delivery] = []


def use(delivery: Delivery | None) -> None:
    """Say which delivery `open_view` speaks to; None forgets it."""
    _running[:] = [] if delivery is None else [delivery]


def open_view(request: ViewRequest) -> View:
    """Open a view through the delivery that the running instance set; see Delivery.open_view."""
    if not _running:
        raise Unavailable(
            "no instance is open in this process",
            remedy="open one: `with leadapron.app.Instance.open(settings): …`",
            code="no-instance",
        )
    return _running[0].open_view(request)


__all__ = [
    "AdtIntake",
    "Delivery",
    "Identities",
    "Identity",
    "Opened",
    "Originals",
    "Refused",
    "RelinkQueue",
    "Relinking",
    "Repairs",
    "Searching",
    "View",
    "ViewGrant",
    "ViewRequest",
    "open_view",
    "use",
]
