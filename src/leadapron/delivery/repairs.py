"""What a person may do to whose film is whose: only with a second person's consent."""

from __future__ import annotations

import json
from dataclasses import dataclass

from leadapron.archive import Archive
from leadapron.deid.vault import PATIENT, Link
from leadapron.delivery.delivery import Delivery
from leadapron.delivery.relink_queue import RelinkQueue
from leadapron.delivery.relinking import Relinked
from leadapron.edge.adt import Person
from leadapron.ledger import JSON, Ledger
from leadapron.model import BadInput, Conflict, NotFound
from leadapron.policy import Aliases, Approval, Approvals, PolicyStore
from leadapron.store.vault import SqlVault

MOVE, MERGE, UNMERGE = "wrong-patient", "merge", "merge-undo"
_ACTS = {MOVE: "move", MERGE: "merge", UNMERGE: "unmerge"}
CORRECTION = "record_correction"


@dataclass(frozen=True)
class Repaired:
    """What a repair did; `views` of its films were given before it: who may have seen too much."""

    relinked: Relinked
    views: int


class Repairs:
    """Asks for, and after consent makes: moves of studies, merges, undone merges."""

    def __init__(
        self,
        queue: RelinkQueue,
        approvals: Approvals,
        aliases: Aliases,
        vault: SqlVault,
        ledger: Ledger,
        archive: Archive,
        policy: PolicyStore,
        delivery: Delivery,
    ) -> None:
        self._queue = queue
        self._approvals = approvals
        self._aliases = aliases
        self._vault = vault
        self._ledger = ledger
        self._archive = archive
        self._policy = policy
        self._delivery = delivery

    def register(self, person: Person, by: str) -> str:
        """Return the pseudonym of a patient given by number; kept in the vault if new, ledgered.

        Raises BadInput when there is no number that could be a Patient ID.
        """
        number = person.number.strip()
        if not number or len(number) > 64 or "\\" in number or not number.isprintable():
            raise BadInput(
                "this cannot be a patient's number",
                remedy="give the Patient ID as modalities send it (PS3.5 6.2, LO)",
            )
        pseudonym = self._vault.pseudonym(PATIENT, number)
        if pseudonym not in self._vault.known(PATIENT, [pseudonym]):
            told = {"name": person.name, "birth_date": person.birth_date, "sex": person.sex}
            details = {k: v for k, v in told.items() if v}
            self._ledger.append({"kind": "vault.added", "recipient": by, "patient": pseudonym})
            words = json.dumps({"id": number, **details}, ensure_ascii=False)
            self._vault.remember([Link(PATIENT, number, pseudonym, words)])
        return pseudonym

    def ask_move(self, by: str, study: str, patient: str, reason: str, order: str = "") -> Approval:
        """Ask that a study be given to another patient (pseudonym).

        Raises NotFound for an unknown study, patient or order, Conflict when it is that patient's.
        """
        self._require_known(patient)
        if order:
            self._policy.order(order)
        films = self._archive.search({"StudyInstanceUID": study})
        was = self._queue.relinking.sender_of(study, patient)
        target = self._aliases.resolve(patient).patient
        if films and all(film.patient == target for film in films):
            raise Conflict("the study is that patient's already", remedy="nothing has to be done")
        content: dict[str, JSON] = {
            "study": study, "was": was, "patient": target, "order": order, "films": len(films),
        }  # fmt: skip
        return self._ask(MOVE, by, reason, content)

    def ask_merge(self, by: str, old: str, onto: str, reason: str) -> Approval:
        """Ask that the patient `old` be merged into `onto` (pseudonyms)."""
        self._require_known(old, onto)
        number_of = self._queue.relinking.number_of
        self._vault.rehearse([(number_of(old), number_of(onto))])
        return self._ask(MERGE, by, reason, {"old": old, "onto": onto})

    def ask_unmerge(self, by: str, old: str, reason: str) -> Approval:
        """Ask that a merge be undone; NotFound if there is none."""
        return self._ask(UNMERGE, by, reason, {"old": old, "onto": self._aliases.get(old).onto})

    def apply(self, approval_id: str, by: str) -> Repaired:
        """Make what was consented to; raises what `Approvals.use` and the change raise."""
        approval = self._approvals.get(approval_id)
        if approval.action not in _ACTS:
            raise NotFound(f"{approval_id} is no repair", remedy="check its number")
        used = self._approvals.use(approval_id, by, approval.action, approval.content)
        who = {"by": by, "approval": used.id, "second": used.decided_by}
        done = self._queue.act({**used.content, "act": _ACTS[used.action], **who})
        views = sum(len(self._delivery.views_of(film)) for film in done.films)
        return Repaired(done, views)

    def _ask(self, action: str, by: str, reason: str, content: dict[str, JSON]) -> Approval:
        return self._approvals.request(
            action, by, purpose=CORRECTION, reason=reason, content=content
        )

    def _require_known(self, *patients: str) -> None:
        missing = set(patients) - self._vault.known(PATIENT, patients)
        if missing:
            raise NotFound(
                f"the vault knows no patient {min(missing)[:64]}",
                remedy="check the pseudonym, or give the patient's number",
            )
