"""The tamper-evident log (存证日志): append, prove, checkpoint, fsck."""

from leadapron.ledger.canonical import JSON
from leadapron.ledger.evidence import EvidenceReport, evidence, verify_evidence
from leadapron.ledger.fsck import FsckReport, verify
from leadapron.ledger.log import Ledger, Receipt
from leadapron.ledger.signing import Signer, Verifier
from leadapron.ledger.tree import (
    ConsistencyProof,
    InclusionProof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)

__all__ = [
    "JSON",
    "ConsistencyProof",
    "EvidenceReport",
    "FsckReport",
    "InclusionProof",
    "Ledger",
    "Receipt",
    "Signer",
    "Verifier",
    "evidence",
    "leaf_hash",
    "verify",
    "verify_consistency",
    "verify_evidence",
    "verify_inclusion",
]
