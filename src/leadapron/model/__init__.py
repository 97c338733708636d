"""The shared vocabulary: pure values and errors, no input or output.

Every other package may import this one; this one imports none of them.
"""

from leadapron.model.access import (
    AccessRequest,
    Action,
    Decision,
    Obligations,
    Order,
    Reason,
    Recipient,
    Role,
    ViewEvent,
)
from leadapron.model.errors import (
    BadInput,
    Conflict,
    Denied,
    IntegrityFailure,
    LeadApronError,
    NotFound,
    Quarantined,
    StorageFailure,
    Unavailable,
)
from leadapron.model.region import ANATOMY, Region
from leadapron.model.region_map import RegionMap
from leadapron.model.registry import Registry

__all__ = [
    "ANATOMY",
    "AccessRequest",
    "Action",
    "BadInput",
    "Conflict",
    "Decision",
    "Denied",
    "IntegrityFailure",
    "LeadApronError",
    "NotFound",
    "Obligations",
    "Order",
    "Quarantined",
    "Reason",
    "Recipient",
    "Region",
    "RegionMap",
    "Registry",
    "Role",
    "StorageFailure",
    "Unavailable",
    "ViewEvent",
]
