"""From pseudonyms back to people: the only place that reads identities for anybody.

Every read is in the log before it happens: who, why, how many, and a digest of which.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leadapron.archive import Archive
from leadapron.deid.vault import ACCESSION, PATIENT, UID, Link
from leadapron.delivery.delivery import Delivery
from leadapron.delivery.view import ViewRequest
from leadapron.ledger import JSON, Ledger
from leadapron.model import BadInput, NotFound
from leadapron.policy import Approval, Approvals
from leadapron.store.vault import SqlVault

REIDENTIFY, CARE = "reidentify", "care"
MOST = 5000

_KINDS = (
    (PATIENT, re.compile(r"LA[A-Z2-7]{12}")),
    (ACCESSION, re.compile(r"AC[A-Z2-7]{12}")),
    (UID, re.compile(r"2\.25\.\d{1,39}")),
)


@dataclass(frozen=True)
class Identity:
    """What stands behind one pseudonym; name, sex and birth date of patients only."""

    pseudonym: str
    kind: str
    original: str
    name: str
    sex: str
    birth_date: str
    ledger_index: int


class Identities:
    """Reads identities out of the vault: one in care, more with a purpose and two people."""

    def __init__(
        self,
        vault: SqlVault,
        ledger: Ledger,
        archive: Archive,
        delivery: Delivery,
        approvals: Approvals,
    ) -> None:
        self._vault = vault
        self._ledger = ledger
        self._archive = archive
        self._delivery = delivery
        self._approvals = approvals

    def beside(self, reader: str, sop_instance: str) -> Identity:
        """Return one patient's identity to a reader whose active order names the film.

        Raises what `Delivery.check_identity` raises; without the log's entry nothing is read.
        """
        request = ViewRequest(reader, sop_instance, channel="identity")
        decision = self._delivery.check_identity(request)
        film = self._archive.get(sop_instance)
        index = self._log(reader, CARE, [film.patient], sop=sop_instance, order=decision.order)
        return _identity(self._vault.original(PATIENT, film.patient), index)

    def request(self, by: str, pseudonyms: Iterable[str], purpose: str, reason: str) -> Approval:
        """Ask for identities outside an active order, or of several patients.

        Raises:
            BadInput: no pseudonym, too many, or none of this hospital's making; see also
                `Approvals.request`.
            NotFound: the vault has no link of one of them. Nothing is opened to find out.
        """
        wanted = sorted({p.strip() for p in pseudonyms if p.strip()})
        if not 0 < len(wanted) <= MOST:
            raise BadInput(
                f"{len(wanted)} pseudonyms were given", remedy=f"give 1 to {MOST} of them"
            )
        kinds = {p: _kind(p) for p in wanted}
        for kind, _ in _KINDS:
            asked = [p for p in wanted if kinds[p] == kind]
            missing = sorted(set(asked) - self._vault.known(kind, asked))
            if missing:
                raise NotFound(
                    f"the vault knows {len(missing)} of them not, the first is {missing[0]}",
                    remedy="leave them out, or ask the hospital that they are from",
                )
        content: dict[str, JSON] = {"pseudonyms": wanted, "count": len(wanted)}
        return self._approvals.request(
            REIDENTIFY, by, purpose=purpose, reason=reason, content=content
        )

    def open(self, approval_id: str, by: str) -> list[Identity]:
        """Return the identities that two people agreed on, once.

        Raises what `Approvals.use` raises; after it, a log that cannot write spends the consent
        without a name being read.
        """
        approval = self._approvals.get(approval_id)
        if approval.action != REIDENTIFY:
            raise NotFound(f"{approval_id[:40]} is no re-identification", remedy="check its number")
        used = self._approvals.use(approval_id, by, REIDENTIFY, approval.content)
        wanted: list[str] = list(used.content["pseudonyms"])
        index = self._log(by, used.purpose, wanted, approval=used.id, second=used.decided_by)
        found = {
            link.pseudonym: link
            for kind, _ in _KINDS
            for link in self._vault.originals(kind, [p for p in wanted if _kind(p) == kind])
        }
        return [_identity(found[p], index) for p in wanted if p in found]

    def _log(self, by: str, purpose: str, pseudonyms: Sequence[str], **more: str) -> int:
        listed = json.dumps(list(pseudonyms), separators=(",", ":"))
        entry: dict[str, JSON] = {
            "kind": "vault.read",
            "recipient": by,
            "purpose": purpose,
            "count": len(pseudonyms),
            "pseudonyms": hashlib.sha256(listed.encode()).hexdigest(),
        }
        return self._ledger.append(entry | more).index


def _kind(pseudonym: str) -> str:
    for kind, form in _KINDS:
        if form.fullmatch(pseudonym):
            return kind
    raise BadInput(
        f"'{pseudonym[:70]}' is no pseudonym of ours",
        remedy="patients begin with LA, accessions with AC, UIDs with 2.25.",
    )


def _identity(link: Link, ledger_index: int) -> Identity:
    known = json.loads(link.details or "{}")
    return Identity(
        pseudonym=link.pseudonym,
        kind=link.kind,
        original=link.original,
        name=known.get("name", ""),
        sex=known.get("sex", ""),
        birth_date=known.get("birth_date", ""),
        ledger_index=ledger_index,
    )
