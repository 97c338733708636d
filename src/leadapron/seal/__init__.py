"""Per-region reversible encryption inside the DICOM object (docs/seal.md)."""

from leadapron.seal.inspection import is_sealed, verify_sealed
from leadapron.seal.keys import (
    CentreKeyPair,
    CentrePublicKey,
    PatientKey,
    SealKeys,
    TierKey,
    create_keys,
    load_keys,
)
from leadapron.seal.manifest import CellRecord, FrameRecord, Manifest
from leadapron.seal.opening import inspect, rewrap
from leadapron.seal.profile import SealPolicy
from leadapron.seal.sealing import seal
from leadapron.seal.suite import Suite
from leadapron.seal.unsealing import OpenedFrame, open_frame, unseal

__all__ = [
    "CellRecord",
    "CentreKeyPair",
    "CentrePublicKey",
    "FrameRecord",
    "Manifest",
    "OpenedFrame",
    "PatientKey",
    "SealKeys",
    "SealPolicy",
    "Suite",
    "TierKey",
    "create_keys",
    "inspect",
    "is_sealed",
    "load_keys",
    "open_frame",
    "rewrap",
    "seal",
    "unseal",
    "verify_sealed",
]
