"""An evidence package (证据包): one entry, provable on any machine without the log.

It is JSON that a person can read. What it proves rests on the public keys: compare the keys inside
with the ones the hospital published before the dispute, or pass those to `verify_evidence`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from leadapron.ledger import canonical
from leadapron.ledger.canonical import AT, JSON
from leadapron.ledger.checkpoint import Checkpoint
from leadapron.ledger.log import Ledger
from leadapron.ledger.signing import Verifier, parse_vkeys
from leadapron.ledger.tree import InclusionProof, leaf_hash
from leadapron.model import BadInput, LeadApronError

FORMAT = "leadapron-evidence/1"


@dataclass(frozen=True)
class EvidenceReport:
    """What an evidence package proves.

    `valid`: entry, proof and every signature agree. `pinned`: the keys were given by the person
    who checks; if False, they came from the package itself and must be compared with published
    ones.
    """

    valid: bool
    pinned: bool
    problems: tuple[str, ...] = ()
    entry: Mapping[str, JSON] | None = None
    index: int = -1
    at_ms: int = 0
    origin: str = ""
    tree_size: int = 0
    root: bytes = b""
    signed_by: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values; the root in hexadecimal."""
        return {
            "valid": self.valid,
            "pinned": self.pinned,
            "problems": list(self.problems),
            "entry": self.entry,
            "index": self.index,
            "at_ms": self.at_ms,
            "log": self.origin,
            "tree_size": self.tree_size,
            "root": self.root.hex(),
            "signed_by": list(self.signed_by),
        }


def evidence(ledger: Ledger, index: int) -> dict[str, Any]:
    """Return the package for entry `index`: plain JSON values.

    Raises:
        BadInput: there is no such entry, or the log is not signed.
        IntegrityFailure: the log cannot prove it.
    """
    if not ledger.vkeys:
        raise BadInput(
            "the log's public keys are not known", remedy="open the log with its signer or vkeys"
        )
    proof, checkpoint = ledger.prove_with_checkpoint(index)
    return {
        "format": FORMAT,
        "log": checkpoint.head.origin,
        "index": index,
        "entry": ledger.raw(index).decode(),
        "proof": [item.hex() for item in proof.hashes],
        "checkpoint": checkpoint.to_bytes().decode(),
        "vkeys": list(ledger.vkeys),
        "how_to_check": (
            "leaf = SHA-256(0x00 || entry as UTF-8); with index, proof and the size on line 2 of "
            "the checkpoint compute the root (RFC 9162 section 2.1.3.2); compare it with line 3; "
            "verify the checkpoint's signatures (C2SP signed-note, tlog-cosignature) with keys "
            "you trust"
        ),
    }


def verify_evidence(
    package: Mapping[str, Any] | str | bytes, vkeys: str | Iterable[str] | None = None
) -> EvidenceReport:
    """Check a package offline; with `vkeys` trust only these keys, each of which must have signed.

    Returns the report; it never raises for a bad package.
    """
    try:
        return _check(_load(package), vkeys)
    except LeadApronError as error:
        return EvidenceReport(False, vkeys is not None, (error.message,))
    except (KeyError, TypeError, ValueError, AttributeError):
        return EvidenceReport(False, vkeys is not None, ("the package cannot be understood",))


def _load(package: Mapping[str, Any] | str | bytes) -> Mapping[str, Any]:
    loaded = json.loads(package) if isinstance(package, (str, bytes)) else package
    if loaded["format"] != FORMAT:
        raise BadInput("the package has another format", remedy="use the version that wrote it")
    return dict(loaded)


def _check(package: Mapping[str, Any], vkeys: str | Iterable[str] | None) -> EvidenceReport:
    verifiers = parse_vkeys(package["vkeys"] if vkeys is None else vkeys)
    checkpoint = Checkpoint.parse(package["checkpoint"].encode())
    entry = package["entry"].encode()
    proof = InclusionProof(
        int(package["index"]),
        leaf_hash(entry),
        checkpoint.head.size,
        checkpoint.head.root,
        tuple(bytes.fromhex(item) for item in package["proof"]),
    )
    problems = _problems(package, checkpoint, verifiers, proof)
    content = canonical.load(entry)
    at_ms = content.get(AT)
    return EvidenceReport(
        not problems,
        vkeys is not None,
        tuple(problems),
        content,
        proof.index,
        at_ms if isinstance(at_ms, int) else 0,
        checkpoint.head.origin,
        checkpoint.head.size,
        checkpoint.head.root,
        tuple(f"{v.name} ({v.algorithm})" for v in verifiers),
    )


def _problems(
    package: Mapping[str, Any],
    checkpoint: Checkpoint,
    verifiers: tuple[Verifier, ...],
    proof: InclusionProof,
) -> list[str]:
    # Unknown signatures are ignored, as C2SP signed-note says: witnesses may have added theirs.
    problems = checkpoint.problems(verifiers, strict=False)
    if not verifiers:
        problems.append("there is no key to check the signatures with")
    if package["log"] != checkpoint.head.origin:
        problems.append("the package names another log than its checkpoint")
    if not proof.verify():
        problems.append("the proof does not lead from the entry to the checkpoint's root")
    return problems
