"""Merges, corrections and wrong-patient repairs: who a pseudonym stands for from now on.

Each change is in the log before it is made, and making it again changes nothing: what a crash cut
short is simply applied once more.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from leadapron.archive import Archive, Film, StudyMove
from leadapron.deid.vault import FILM, PATIENT, Link
from leadapron.edge.adt import Merge, Person, Step
from leadapron.edge.pipeline import read_part10
from leadapron.ledger import JSON, Ledger
from leadapron.model import Conflict, NotFound
from leadapron.policy import Alias, Aliases, PolicyStore
from leadapron.store.vault import SqlVault

KEPT_EARLIER = 10


@dataclass(frozen=True)
class Origin:
    """By whom and through what: a sender or a person, a message's control id, an approval."""

    by: str
    through: Mapping[str, str]


@dataclass(frozen=True)
class Relinked:
    """What a change did, in pseudonyms; `films` changed their label."""

    changed: bool
    films: tuple[str, ...] = ()


class Relinking:
    """The only one that changes whose pseudonym is whose."""

    def __init__(
        self,
        vault: SqlVault,
        ledger: Ledger,
        archive: Archive,
        policy: PolicyStore,
        aliases: Aliases,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._vault = vault
        self._ledger = ledger
        self._archive = archive
        self._policy = policy
        self._aliases = aliases
        self._clock = clock

    def check(self, steps: Iterable[Step]) -> None:
        """Raise Conflict if one of the steps of a message cannot be made, before any is.

        A number that was given up is not corrected: its patient has another one.
        """
        merges = [step for step in steps if isinstance(step, Merge)]
        self._vault.rehearse((merge.old, merge.onto.number) for merge in merges)
        for person in (step for step in steps if isinstance(step, Person)):
            if self._vault.root(PATIENT, person.number) != person.number:
                raise Conflict(
                    "the message speaks of a number that was merged into another one",
                    remedy="let the sender use the surviving number, or undo the merge",
                    code="retired-number",
                )

    def concerns(self, steps: Iterable[Step]) -> bool:
        """Tell whether anything here would change: most patients of a hospital have no film."""
        for step in steps:
            if isinstance(step, Merge):
                return True
            found = self._vault.originals(PATIENT, [self._own(step.number)])
            retired = self._vault.root(PATIENT, step.number) != step.number
            if retired or (found and found[0].details):
                return True
        return False

    def number_of(self, pseudonym: str) -> str:
        """Return the number behind a patient's own pseudonym; NotFound if there is none."""
        return self._vault.original(PATIENT, pseudonym).original

    def step(self, step: Step, origin: Origin) -> Relinked:
        """Make one step of a message."""
        if isinstance(step, Merge):
            return self.merge(step.old, step.onto.number, origin)
        return self.correct(step, origin)

    def merge(self, old: str, onto: str, origin: Origin) -> Relinked:
        """Give up the number `old` for `onto`; its films and orders go with it.

        Raises Conflict for a circle, or when `old` was merged into another one before.
        """
        self._vault.rehearse([(old, onto)])
        given_up, kept = self._own(old), self._own(onto)
        if self._vault.root(PATIENT, old) == self._vault.root(PATIENT, onto) and (
            self._aliases.resolve(given_up).patient == self._aliases.resolve(kept).patient
        ):
            return replace(self._refiled(self._films_of(kept)), changed=False)
        index = self._log("vault.merge", origin, old=given_up, onto=kept)
        self._vault.remember([Link(PATIENT, number, self._own(number)) for number in (old, onto)])
        self._vault.relink(PATIENT, old, onto)
        days = self._vault.own_shift_days(onto) - self._vault.own_shift_days(old)
        affected = self._films_of(given_up)
        self._aliases.add(Alias(given_up, kept, days, self._now_ms(), index))
        return self._refiled(affected)

    def unmerge(self, old: str, onto: str, origin: Origin) -> Relinked:
        """Take the merge of two pseudonyms back; films return to the number they were sent under.

        Raises Conflict when `old` was merged into another one.
        """
        with contextlib.suppress(NotFound):
            known = self._aliases.get(old)
            if known.onto != onto:
                raise Conflict(f"{old} was merged into {known.onto}", remedy="undo that merge")
        number = self._vault.original(PATIENT, old).original
        self._log("vault.unmerge", origin, old=old, onto=onto)
        affected = {film.sop_instance: film for film in self._films_of(old) + self._films_of(onto)}
        with contextlib.suppress(NotFound):
            self._vault.unlink(PATIENT, number)
        self._aliases.remove(old)
        return self._refiled([self._as_sent(film) for film in affected.values()])

    def correct(self, person: Person, origin: Origin) -> Relinked:
        """Take over a corrected name, birth date or sex; of patients whose films are here."""
        pseudonym = self._own(person.number)
        found = self._vault.originals(PATIENT, [pseudonym])
        if not found or not found[0].details:
            return Relinked(False)
        before = json.loads(found[0].details)
        told = {"name": person.name, "birth_date": person.birth_date, "sex": person.sex}
        wrong = {
            k: before.get(k, "") for k, v in told.items() if v not in {None, before.get(k, "")}
        }
        if not wrong:
            return Relinked(False)
        self._log("vault.correct", origin, patient=pseudonym, fields=sorted(wrong))
        earlier = [{**wrong, "until_ms": self._now_ms()}, *before.get("earlier", [])]
        after = {**before, **{k: told[k] for k in wrong}, "earlier": earlier[:KEPT_EARLIER]}
        details = json.dumps({k: v for k, v in after.items() if v}, ensure_ascii=False)
        self._vault.amend(replace(found[0], details=details))
        return Relinked(True)

    def move(self, study: str, was: str, patient: str, order: str, origin: Origin) -> Relinked:
        """Give a study, late films included, to another patient; `order` may be bound to it.

        Raises NotFound for an unknown study or patient.
        """
        films = self._archive.search({"StudyInstanceUID": study})
        days = self._days(patient) - self._days(was)
        index = self._log("vault.move", origin, study=study, was=was, onto=patient, order=order)
        move = StudyMove(study, was, patient, days, self._now_ms(), index)
        self._archive.move_study(move)
        if order:
            self._policy.bind_order(order, patient, study)
        return self._refiled(films)

    def sender_of(self, study: str, patient: str) -> str:
        """Return the pseudonym that a study's films were sent under, if they can be moved.

        Raises NotFound when there are none, Conflict when they are of several patients.
        """
        films = self._archive.search({"StudyInstanceUID": study})
        if not films:
            raise NotFound("no film of this study is archived", remedy="check the study's UID")
        senders = {self._as_sent(film).sent_as for film in films}
        of = {sender: self._aliases.resolve(sender).patient for sender in sorted(senders)}
        target = self._aliases.resolve(patient).patient
        others = {sender: who for sender, who in of.items() if who != target} or of
        if len(set(others.values())) > 1:
            raise Conflict(
                "the study holds films of several patients",
                remedy="let the modality send the wrong ones anew under a study of their own",
                code="mixed-study",
            )
        return next(iter(others))

    def _as_sent(self, film: Film) -> Film:
        """Return the film with the number that the vault knows it was sent under."""
        found = self._vault.originals(FILM, [film.sop_instance])
        if not found:
            return film
        label = str(read_part10(self._archive.read(film)).get("PatientID", ""))
        number = found[0].original
        days = self._vault.own_shift_days(number) - self._days(label)
        return replace(film, sent_as=self._own(number), sent_days=days)

    def _films_of(self, patient: str) -> list[Film]:
        return self._archive.search(patients=self._aliases.family(patient))

    def _refiled(self, films: Sequence[Film]) -> Relinked:
        changed = self._archive.refile(films)
        return Relinked(True, tuple(film.sop_instance for film in changed))

    def _own(self, number: str) -> str:
        return self._vault.own_pseudonym(PATIENT, number)

    def _days(self, pseudonym: str) -> int:
        return self._vault.own_shift_days(self._vault.original(PATIENT, pseudonym).original)

    def _log(self, kind: str, origin: Origin, **what: JSON) -> int:
        entry: dict[str, JSON] = {"kind": kind, "recipient": origin.by, **origin.through, **what}
        return self._ledger.append(entry).index

    def _now_ms(self) -> int:
        return int(self._clock().timestamp() * 1000)
