"""Whatever is merged, undone and moved in whatever order: each film is where it belongs, and its
date is its real date plus the shift of the patient that it is of."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from hospital import hospital

from leadapron.delivery.relinking import Origin
from leadapron.model import Conflict

FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None
NUMBERS = ("A", "B", "C", "D")
numbers = st.sampled_from(NUMBERS)
STUDIES = {number: f"1.2.3.{place}" for place, number in enumerate(NUMBERS, 1)}
ORIGIN = Origin("hl7:TEST", {"message": "1"})


class RelinkMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        folder = self.stack.enter_context(tempfile.TemporaryDirectory(dir=FAST))
        self.house = self.stack.enter_context(hospital(Path(folder)))
        self.relinking = self.house.here.relinks.relinking
        self.onto: dict[str, str] = {}
        self.moved: dict[str, str] = {}
        self.films: list = []

    def teardown(self) -> None:
        self.stack.close()

    def path(self, number: str) -> list[str]:
        passed = [number]
        while passed[-1] in self.onto:
            passed.append(self.onto[passed[-1]])
        return passed

    def root(self, number: str) -> str:
        return self.path(number)[-1]

    @initialize()
    def everybody_is_known(self):
        for number in NUMBERS:
            self.arrive(number, 0)

    @rule(number=numbers, days=st.integers(0, 400))
    def arrive(self, number, days):
        """Each number has one study; films of it keep arriving."""
        if len(self.films) < 9:
            day = date(2025, 1, 1) + timedelta(days=days)
            self.films.append(self.house.film(number, day=day, study=STUDIES[number]))

    @rule(old=numbers, onto=numbers)
    def merge(self, old, onto):
        circle = old in self.path(onto)
        elsewhere = old in self.onto and self.root(old) != self.root(onto)
        try:
            done = self.relinking.merge(old, onto, ORIGIN)
        except Conflict:
            assert circle or elsewhere
            return
        assert not circle and not elsewhere
        assert done.changed == (old not in self.onto)
        self.onto.setdefault(old, onto)

    @precondition(lambda self: self.onto)
    @rule(data=st.data())
    def undo(self, data):
        old = data.draw(st.sampled_from(sorted(self.onto)))
        own = self.house.own
        self.relinking.unmerge(own(old), own(self.onto.pop(old)), ORIGIN)

    @rule(number=numbers, patient=numbers)
    def move(self, number, patient):
        study = self.house.current(self.films[NUMBERS.index(number)]).study_instance
        patient = self.root(patient)
        was = self.relinking.sender_of(study, self.house.own(patient))
        self.relinking.move(study, was, self.house.own(patient), "", ORIGIN)
        self.moved[number] = patient

    @invariant()
    def every_film_is_where_it_belongs(self):
        for film in self.films:
            sent = self.house.numbers[film.sop_instance]
            whose = self.root(self.moved.get(sent, sent))
            now = self.house.current(film)
            assert now.patient == self.house.own(whose)
            assert now.study_date == self.house.shifted(film, whose)

    @invariant()
    def vault_and_catalogue_agree(self):
        for number in NUMBERS:
            own = self.house.own(number)
            assert self.house.here.vault.root("patient", number) == self.root(number)
            assert self.relinking._aliases.resolve(own).patient == self.house.own(self.root(number))


TestRelinks = RelinkMachine.TestCase
# Shrinking takes longer than a test may: a failure is shown as it was found.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
TestRelinks.settings = settings(
    max_examples=10, stateful_step_count=12, deadline=None, phases=PHASES
)
