"""Whatever happens, in whatever order: rows that come late, merges, roles that are removed, people who edit and tools
that set back, objects that are hidden, processes that end anywhere. Nothing is lost, doubled, or blamed on a person."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from connector.base import logs
from connector.base.clock import FrozenClock
from connector.base.errors import ConnectorError
from connector.base.facts import Outcome, RecordChange
from connector.base.settings import explicit
from connector.commands.reporting import Reporter, Wanted
from connector.pipeline.cycle import run_cycle
from connector.store import open_store
from tests.cases import cases
from tests.fakes import SIGNED_IN, START, FakeSalesforce
from tests.pipeline.conftest import STAGE, World

MAPPING = """
gate:
  stage: {direction: both, manual: forever}
  lock: {field: {Locked__c: true}}
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
stages:
  - {name: Known, when: always}
  - {name: Engaged, when: {activity: inbound}}
  - {name: Opportunity, when: {opportunity: any}}
  - {name: Customer, when: {opportunity: won}}
"""
STAGES = ("Known", "Engaged", "Opportunity", "Customer")
PEOPLE, KEEP = 4, timedelta(days=1)
READ = ("Contact", "Opportunity", "OpportunityContactRole", "Task")
_GROWS = ("through", "deleted_through", "generation", "full_at", "pages")


class Killed(BaseException):
    """The process ends here."""


class Org(FakeSalesforce):
    """Keeps what we changed of stages, and ends the process where it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.ours: dict[str, list[tuple[Any, Any]]] = defaultdict(list)
        self.unheard: set[str] = set()  # whose last change is not settled yet
        self.locked: list[str] = []  # that we wrote to although they were locked
        self.dies_in: int | None = None  # calls
        self.dies_after_writing = False

    def _call(self, kind: str) -> None:
        if self.dies_in is not None:
            if self.dies_in == 0:
                raise Killed
            self.dies_in -= 1
        super()._call(kind)

    def update(self, changes: Sequence[RecordChange]) -> Iterator[Sequence[Outcome]]:
        for outcomes in super().update(changes):
            if self.dies_after_writing:
                self.unheard |= {each.change.id for each in outcomes}
                raise Killed
            yield outcomes

    def put(self, object_name: str, row: Any, *, visible_in: timedelta = timedelta(0), by: str = "") -> str:
        before = self.rows.get(object_name, {}).get(row["Id"], {})
        if by == SIGNED_IN and STAGE in row and row[STAGE] != before.get(STAGE):
            self.ours[row["Id"]].append((before.get(STAGE), row[STAGE]))
            if before.get("Locked__c"):
                self.locked.append(row["Id"])
        return super().put(object_name, row, visible_in=visible_in, **({"by": by} if by else {}))


def is_among(some: Sequence[Any], every: Sequence[Any]) -> bool:
    """In their order."""
    left = iter(every)
    return all(each in left for each in some)


people, stages, late = st.integers(0, PEOPLE - 1), st.sampled_from(STAGES), st.sampled_from([False, False, True])


class Life(RuleBasedStateMachine):
    empty: Path | None = None

    @initialize()
    def begins(self) -> None:
        logs.configure("json", "CRITICAL")
        self.folder = tempfile.TemporaryDirectory()
        self.state = Path(self.folder.name) / "state.sqlite3"
        shutil.copy(empty_state(), self.state)
        clock = FrozenClock(START)
        self.org = Org()
        self.world = World(
            open_store(str(self.state), clock=clock), self.org, clock=clock, mapping=MAPPING, evidence=KEEP
        )
        self.pipeline = self.world.pipeline
        self.hands: dict[str, str] = {}
        self.unknowable: set[tuple[str, int]] = set()  # changes that somebody changed before we could look at them
        self.touched: set[str] = set()  # who was ever set by hand, and who took them over
        self.cursors: dict[str, dict[str, Any]] = {}
        self.contacts = [self.world.contact(f"p{number}@example.com") for number in range(PEOPLE)]
        self.deals: list[str] = []

    # -- what happens in the org

    def alive(self, number: int) -> str | None:
        found = self.contacts[number]
        row = self.org.rows["Contact"][found]
        return None if row["IsDeleted"] else found

    def seen(self, person: str | None) -> bool:
        return person is not None and self.org.visible_from.get(person, START) <= self.org.now

    @rule(number=people, by_mail=st.booleans())
    def clicks(self, number: int, by_mail: bool) -> None:
        self.world.click(f"p{number if by_mail else 9}@example.com")

    @rule(number=people, won=st.booleans(), late=late)
    def deal_comes(self, number: int, won: bool, late: bool) -> None:
        deal = self.world.deal(won=won)
        role = self.world.role(self.contacts[number], deal)
        if late:
            self.org.visible_from |= dict.fromkeys((deal, role), self.org.now + timedelta(minutes=4))
        self.deals.append(deal)

    @precondition(lambda self: self.deals)
    @rule(data=st.data())
    def deal_is_won(self, data: st.DataObject) -> None:
        self.world.win(data.draw(st.sampled_from(self.deals)))

    @rule(data=st.data(), hard=st.booleans())
    def role_is_removed(self, data: st.DataObject, hard: bool) -> None:
        roles = [each for each, row in self.org.rows.get("OpportunityContactRole", {}).items() if not row["IsDeleted"]]
        if roles:
            self.org.remove("OpportunityContactRole", data.draw(st.sampled_from(sorted(roles))), hard=hard)

    @rule(winner=people, loser=people)
    def merge(self, winner: int, loser: int) -> None:
        one, other = self.alive(winner), self.alive(loser)
        if winner != loser and self.seen(one) and self.seen(other):
            self.is_overwritten(str(other))
            self.org.put("Contact", {"Id": other, "IsDeleted": True, "MasterRecordId": one})
            if other in self.touched:
                self.touched.add(str(one))

    @rule(number=people, stage=stages)
    def hand_sets(self, number: int, stage: str) -> None:
        person = self.alive(number)
        if person is not None and self.world.stage(person) not in (None, stage):
            self.is_overwritten(person)
            self.world.set_by_hand(person, stage)
            self.hands[person] = stage
            self.touched.add(person)

    @rule(number=people)
    def tool_sets_back(self, number: int) -> None:
        person = self.alive(number)
        if person is not None and self.org.ours[person] and self.org.ours[person][-1][0] is not None:
            old, new = self.org.ours[person][-1]
            if self.world.stage(person) == new:
                self.is_overwritten(person)
                self.world.set_by_hand(person, old)
                self.hands[person] = old
                self.touched.add(person)

    @rule(number=people, locked=st.booleans())
    def is_locked(self, number: int, locked: bool) -> None:
        if person := self.alive(number):
            self.org.put("Contact", {"Id": person, "Locked__c": locked})

    def is_overwritten(self, person: str) -> None:
        if person in self.org.unheard:
            self.unknowable.add((person, len(self.org.ours[person]) - 1))

    # -- what happens to us

    def cycle(self) -> None:
        with suppress(ConnectorError):
            if run_cycle(replace(self.pipeline, store=self.world.store)).exit_code == 0:
                self.org.unheard.clear()
        self.world.wait(60)

    @rule(times=st.integers(1, 2))
    def goes_on(self, times: int) -> None:
        for _ in range(times):
            self.cycle()

    @rule(hours=st.sampled_from([1, 30, 200]))
    def time_passes(self, hours: int) -> None:
        self.world.wait(hours * 3600)

    @contextmanager
    def dying(self) -> Iterator[None]:
        with suppress(Killed):
            yield
        self.org.dies_in, self.org.dies_after_writing = None, False
        self.world.restart(self.state)

    @rule(calls=st.integers(0, 5))
    def dies_before_a_call(self, calls: int) -> None:
        with self.dying():
            self.org.dies_in = calls
            self.cycle()

    @rule()
    def dies_before_the_answer_is_heard(self) -> None:
        with self.dying():
            self.org.dies_after_writing = True
            self.cycle()

    @rule(calls=st.integers(0, 4))
    def calls_fail(self, calls: int) -> None:
        left = iter(range(calls))
        self.org.fail = lambda _kind: next(left, None) is None
        self.cycle()
        self.org.fail = lambda _kind: False

    @rule(name=st.sampled_from(READ))
    def is_blind(self, name: str) -> None:
        self.org.hidden.add(name)
        self.cycle()
        self.org.hidden.clear()

    @rule(number=people)
    def is_refused(self, number: int) -> None:
        self.org.refuse[self.contacts[number]] = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
        self.cycle()
        self.org.refuse.clear()

    @rule()
    def source_fails(self) -> None:
        self.world.source.fail = True
        self.cycle()
        self.world.source.fail = False

    # -- what holds at every moment

    @invariant()
    def cursors_never_go_back(self) -> None:
        if not hasattr(self, "world"):
            return
        now = self.world.store.cursors()
        for name, before in self.cursors.items():
            after = now.get(name, {})  # what there is of nothing any more is gone altogether
            was_read_anew = after.get("generation", 0) > before.get("generation", 0)
            for each in (each for each in _GROWS if before.get(each) is not None):
                if each == "deleted_through" and after.get(each) is None:
                    assert was_read_anew, name  # the delete log reached back no further, so all of it was read
                else:
                    assert after.get(each) is not None, (name, each)
                    assert after[each] >= before[each], (name, each)
        self.cursors = now

    @invariant()
    def what_is_locked_is_left_alone(self) -> None:
        assert not hasattr(self, "org") or self.org.locked == []

    @invariant()
    def what_a_hand_set_stands(self) -> None:
        for person, stage in getattr(self, "hands", {}).items():
            if not self.org.rows["Contact"][person]["IsDeleted"]:
                assert self.world.stage(person) == stage, person

    # -- and at the end

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.world.store.retry_set_aside()
            for seconds in (4000, 4000, 4000):
                self.cycle()
                self.world.wait(seconds)
            self.a_second_look_changes_nothing()
            self.every_change_of_ours_is_in_the_log_once()
            self.nobody_is_blamed()
            self.the_ledger_closes()
        finally:
            self.world.store.close()
            self.folder.cleanup()

    def a_second_look_changes_nothing(self) -> None:
        before = len(self.org.updates)
        report = run_cycle(replace(self.pipeline, store=self.world.store))
        assert (report.written, len(self.org.updates), report.result) == (0, before, "done")
        assert self.world.store.dirty_count() == 0

    def every_change_of_ours_is_in_the_log_once(self) -> None:
        for person in self.contacts:
            logged = [
                (change["old"], change["new"])
                for entry in reversed(self.world.store.history(person))
                if entry["result"] == "applied" and entry["record_id"] == person
                for change in entry["changes"]
                if change["field"] == STAGE
            ]
            ours = self.org.ours[person]
            needed = [each for index, each in enumerate(ours) if (person, index) not in self.unknowable]
            assert is_among(needed, logged), (person, ours, logged)
            assert is_among(logged, ours), (person, ours, logged)

    def nobody_is_blamed(self) -> None:
        assert {each.person for each in self.world.store.stays() if each.by == "person"} <= self.touched

    def the_ledger_closes(self) -> None:
        now: datetime = self.world.clock.now()
        wanted = Wanted(since=START, until=now, hidden=True)
        found = Reporter(self.world.store, self.pipeline.mapping, explicit(), wanted, now).report("ledger")
        assert found.good, (found.said, found.table("wrong").rows)


_EMPTY: list[Path] = []
_FOLDER = tempfile.TemporaryDirectory()


def empty_state() -> Path:
    """Made once: to make the tables takes longer than a life."""
    if not _EMPTY:
        path = Path(_FOLDER.name) / "empty.sqlite3"
        open_store(str(path), clock=FrozenClock(START)).close()
        _EMPTY.append(path)
    return _EMPTY[0]


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=cases(3),
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # to shrink takes minutes
    suppress_health_check=list(HealthCheck),
)
