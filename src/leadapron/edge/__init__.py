"""The fog gateway (前置网关): spool, de-identify, segment, seal, forward."""

from leadapron.edge.forward import SOURCE_DIGEST, Forwarder, StowForwarder
from leadapron.edge.gateway import Gateway
from leadapron.edge.pipeline import Protected, Protector, deidentify_film, read_part10, write_part10
from leadapron.edge.storage_service import StorageService

__all__ = [
    "SOURCE_DIGEST",
    "Forwarder",
    "Gateway",
    "Protected",
    "Protector",
    "StorageService",
    "StowForwarder",
    "deidentify_film",
    "read_part10",
    "write_part10",
]
