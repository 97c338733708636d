"""Whatever people do in whatever order: no use without another person's consent, none twice."""

from __future__ import annotations

import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from test_policy_approvals import PEOPLE, WHAT, House

from leadapron.model import LeadApronError, Role, StorageFailure

FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None
APPROVERS = {p for p, r in PEOPLE.items() if r in {Role.PRIVACY_OFFICER, Role.SECURITY}}
REQUESTERS = {p for p, r in PEOPLE.items() if r in {Role.PRIVACY_OFFICER, Role.RADIOLOGIST}}
people = st.sampled_from(sorted(PEOPLE))
contents = st.sampled_from([WHAT, {"patients": ["LAAAA"], "count": 1}])


class ApprovalsMachine(RuleBasedStateMachine):
    requests = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=FAST)
        self.house = House(Path(self.folder.name))
        self.appending = self.house.ledger.append_many
        self.model: dict[str, dict] = {}
        self.uses: dict[str, int] = {}

    def teardown(self) -> None:
        self.house.close()
        self.folder.cleanup()

    def tried(self, act, *given) -> bool:
        try:
            act(*given)
        except LeadApronError:
            return False
        return True

    @rule(target=requests, by=st.sampled_from(sorted(REQUESTERS)))
    def ask(self, by):
        if by not in self.house.accounts or self.house.ledger.append_many != self.appending:
            return "A-none"
        asked = self.house.ask(by)
        self.model[asked.id] = {
            "by": by, "state": "pending", "second": "", "until": asked.expires_at
        }  # fmt: skip
        return asked.id

    def allowed(self, number, by, states) -> bool:
        known = self.model.get(number)
        return (
            known is not None
            and known["state"] in states
            and self.house.now < known["until"]
            and by in APPROVERS
            and by != known["by"]
            and by in self.house.accounts
            and self.house.ledger.append_many == self.appending
        )

    @rule(number=requests, by=people)
    def approve(self, number, by):
        expected = self.allowed(number, by, {"pending"})
        assert self.tried(self.house.approvals.approve, number, by) == expected
        if expected:
            until = self.house.now + timedelta(minutes=60)
            self.model[number] |= {"state": "approved", "second": by, "until": until}

    @rule(number=requests, by=people)
    def refuse(self, number, by):
        expected = self.allowed(number, by, {"pending", "approved"})
        assert self.tried(self.house.approvals.refuse, number, by) == expected
        if expected:
            self.model[number] |= {"state": "refused"}

    @rule(number=requests, by=people)
    def withdraw(self, number, by):
        known = self.model.get(number)
        expected = (
            known is not None
            and by == known["by"]
            and known["state"] in {"pending", "approved"}
            and self.house.now < known["until"]
            and self.house.ledger.append_many == self.appending
        )
        assert self.tried(self.house.approvals.withdraw, number, by) == expected
        if expected:
            known["state"] = "withdrawn"

    @rule(number=requests, by=people, content=contents)
    def use(self, number, by, content):
        known = self.model.get(number)
        expected = (
            known is not None
            and by == known["by"]
            and content == WHAT
            and known["state"] == "approved"
            and self.house.now < known["until"]
            and {by, known["second"]} <= self.house.accounts
            and self.house.ledger.append_many == self.appending
        )
        used = self.tried(self.house.another().use, number, by, "reidentify", content)
        assert used == expected
        if used:
            known["state"] = "used"
            self.uses[number] = self.uses.get(number, 0) + 1

    @rule(person=people)
    def leave(self, person):
        self.house.accounts.discard(person)

    @rule(person=people)
    def come_back(self, person):
        self.house.accounts.add(person)

    @rule(minutes=st.sampled_from([1, 59, 60, 72 * 60]))
    def wait(self, minutes):
        self.house.now += timedelta(minutes=minutes)

    @rule(full=st.booleans())
    def disk(self, full):
        def refuse(_entries):
            raise StorageFailure("the disk is full")

        self.house.ledger.append_many = refuse if full else self.appending

    @invariant()
    def what_is_stored_is_what_happened(self):
        for number, known in self.model.items():
            stored = self.house.approvals.get(number)
            over = self.house.now >= known["until"] and known["state"] in {"pending", "approved"}
            assert stored.state == ("expired" if over else known["state"])
            assert stored.uses == self.uses.get(number, 0) <= 1

    @invariant()
    def the_log_tells_the_same(self):
        entries = list(self.house.ledger.entries())
        for number in self.model:
            mine = [e for e in entries if e["approval"] == number]
            used = [e for e in mine if e["kind"] == "approval.used"]
            assert len(used) == self.uses.get(number, 0)
            for entry in used:
                assert entry["recipient"] != entry["second"] and entry["second"] in APPROVERS


TestApprovals = ApprovalsMachine.TestCase
TestApprovals.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
