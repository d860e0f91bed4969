"""A year of a living company in seconds: things happen, much of what can fail does, and processes are killed. At its
end the state knows what a state knows that reads everything for the first time, and it has grown by what happened, not
by the cycles: what was done long ago and matters to no rule has left it."""

from __future__ import annotations

import copy
import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from sqlalchemy import func, select, update
from sqlmodel import SQLModel

from connector.base import logs
from connector.base.clock import FrozenClock
from connector.base.facts import Outcome, RecordChange
from connector.base.settings import explicit
from connector.commands.reporting import Reporter, Wanted
from connector.pipeline.cycle import run_cycle
from connector.pipeline.daemon import Daemon
from connector.reports.table import Figure, Report
from connector.store import Store, open_store
from connector.store.rows import read_json
from connector.store.schema import LOG, STAY
from tests.cases import cases
from tests.fakes import START
from tests.pipeline.conftest import World

PEOPLE, SEASONS, CYCLES = 30, 6, 9
EVERY = timedelta(days=365) / SEASONS / CYCLES

EVIDENCE = timedelta(days=60)
REGULARS, EACH_TIME = (1, 2, 4), 2  # who click every week, and how often

MOST_ACTIVITIES = round((EVIDENCE + timedelta(days=21)) / EVERY) * len(REGULARS) * EACH_TIME  # of 320

OF_NOW = ("dirty", "intent", "unread_roles", "set_aside")  # what is there only until it is done
FOR_EVER = ("history", "log", "stay")


@dataclass
class Company:
    world: World
    dice: random.Random
    by_hand: set[str] = field(default_factory=set)
    happened: int = 0

    def ids(self, name: str) -> list[str]:
        return sorted(each for each, row in self.world.org.rows.get(name, {}).items() if not row["IsDeleted"])

    def one(self, name: str) -> str:
        return self.dice.choice(self.ids(name))

    def put(self, name: str, record: str, **fields: object) -> None:
        late = timedelta(minutes=4) if self.dice.random() < 0.2 else timedelta(0)
        self.world.org.put(name, {"Id": record, **fields}, visible_in=late)

    def goes_on(self) -> None:
        for person in REGULARS:
            for _ in range(EACH_TIME):
                self.world.click(f"p{person}@example.com")
        for _ in range(self.dice.randrange(4)):
            self.dice.choice(EVENTS)(self)
            self.happened += 1


def comes(company: Company) -> None:
    number = len(company.world.org.rows.get("Contact", {}))
    company.world.contact(f"p{number}@example.com" if number % 3 else None)


def clicks(company: Company) -> None:
    company.world.click(f"p{company.dice.randrange(1, PEOPLE)}@example.com")


def opens(company: Company) -> None:
    company.world.role(company.one("Contact"), company.world.deal())


def wins(company: Company) -> None:
    company.world.win(company.one("Opportunity"))


def leaves_the_deal(company: Company) -> None:
    if roles := company.ids("OpportunityContactRole"):
        company.world.org.remove("OpportunityContactRole", company.dice.choice(roles), hard=company.dice.random() < 0.5)


def moves_house(company: Company) -> None:
    number = company.dice.randrange(1, PEOPLE)
    company.put("Contact", company.one("Contact"), Email=f"p{number}@example.com")


def merges(company: Company) -> None:
    loser, winner = company.dice.sample(company.ids("Contact"), 2)
    company.put("Contact", loser, IsDeleted=True, MasterRecordId=winner)
    if loser in company.by_hand:
        company.by_hand.add(winner)


def is_set_by_hand(company: Company) -> None:
    person = company.one("Contact")
    company.world.set_by_hand(person, company.dice.choice(["Suspect", "Engaged", "Disqualified", "Customer"]))
    company.by_hand.add(person)


EVENTS: list[Callable[[Company], None]] = [
    *(comes, clicks, clicks, clicks, opens, opens, wins),
    *(leaves_the_deal, moves_house, merges, is_set_by_hand),
]


def fails(company: Company, daemon: Daemon) -> None:
    """A cycle in which something does not work, or none at all."""
    org, source = company.world.org, company.world.source
    kind = company.dice.randrange(5)
    calls = iter(range(company.dice.randrange(6)))
    if kind == 0:
        org.fail = lambda _kind: next(calls, None) is None
    elif kind == 1:
        source.fail = True
    elif kind == 2:
        org.hidden.add("Opportunity")
    elif kind == 3:
        org._locators.clear()
    elif kind == 4:
        org.refuse[company.one("Contact")] = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    daemon.tick(at_once=True)
    org.fail, source.fail = (lambda _kind: False), False
    org.hidden.clear()
    org.refuse.clear()


def dies(company: Company, state: Path) -> None:
    """A cycle in a process that is killed before a call of the org, or once it took a row: what it took stands."""
    world, left = company.world, company.dice.randrange(8)
    world.store.close()
    ours, theirs = Pipe(duplex=False)
    process = os.fork()
    if process == 0:
        _live(world, state, left, theirs)
    theirs.close()
    world.org.rows, world.org.updates, world.org.removed = ours.recv()
    os.waitpid(process, 0)
    world.store = open_store(str(state), clock=world.clock)


def _live(world: World, state: Path, left: int, theirs: Connection) -> None:
    org, moments = world.org, iter(range(left))
    call, write = org._call, org._write

    def end() -> None:
        theirs.send((org.rows, org.updates, org.removed))
        os.kill(os.getpid(), signal.SIGKILL)

    def calls(kind: str) -> None:
        if next(moments, None) is None:
            end()
        call(kind)

    def writes(change: RecordChange) -> Outcome:
        outcome = write(change)
        if next(moments, None) is None:
            end()
        return outcome

    org._call, org._write = calls, writes  # type: ignore[method-assign]
    try:
        world.store = open_store(str(state), clock=world.clock)
        run_cycle(world.pipeline)
    finally:
        end()


def size(world: World) -> dict[str, int]:
    with world.store._read() as connection:
        tables = [SQLModel.metadata.tables[name] for name in (*OF_NOW, *FOR_EVER, "activity")]
        return {each.name: connection.execute(select(func.count()).select_from(each)).scalar_one() for each in tables}


def of_a_new_state(world: World, path: Path) -> tuple[dict[str, str], set[str]]:
    """Where a state that begins now says everybody is, and whom it would write, in an org of its own that is as this
    one is."""
    clock, org = FrozenClock(world.clock.now()), copy.copy(world.org)
    org.rows, org.updates = copy.deepcopy(org.rows), []
    with open_store(str(path), clock=clock) as store:
        run_cycle(replace(world.pipeline, store=store, clock=clock, salesforce=org))
        return stages(world, store), {each["Id"] for each in org.updates}


def stages(world: World, store: Store) -> dict[str, str]:
    people = [each for each, row in world.org.rows["Contact"].items() if not row["IsDeleted"]]
    tracks = store.tracks_now("stage")
    return {each: tracks[each]["value"] for each in people}


def test_after_a_year_the_state_knows_what_a_new_one_would(tmp_path: Path) -> None:
    """``make long`` lives ten of these years, each with other dice."""
    logs.configure("json", "CRITICAL")
    for seed in range(1, cases(1) + 1):
        year(tmp_path / str(seed), seed)


def year(folder: Path, seed: int) -> None:
    folder.mkdir()
    clock, empty, state = FrozenClock(START), folder / "empty.sqlite3", folder / "state.sqlite3"
    open_store(str(empty), clock=clock).close()
    shutil.copy(empty, state)
    with open_store(str(state), clock=clock) as store:
        world = World(store, clock=clock, evidence=EVIDENCE)
        company = Company(world, random.Random(seed))  # noqa: S311 - the same company again is the point
        for _ in range(PEOPLE // 2):
            comes(company)
        opens(company)
        daemon = Daemon(world.pipeline, beats=folder / "beat")
        for season in range(SEASONS):
            for _ in range(CYCLES):
                company.goes_on()
                if company.dice.random() < 0.3:
                    fails(company, daemon)
                if company.dice.random() < 0.2:
                    dies(company, state)
                    daemon = Daemon(world.pipeline, beats=folder / "beat")
                daemon.tick(at_once=True)
                world.wait(EVERY.total_seconds())
            world.store.retry_set_aside()  # as somebody does who mended what refused them
            for _ in range(2):
                daemon.tick(at_once=True)
                world.wait(600)
            told = f"seed {seed}, season {season}"
            rows, old = size(world), stages(world, world.store)
            path = folder / f"{season}.sqlite3"
            shutil.copy(empty, path)
            new, written = of_a_new_state(world, path)
            drift = ({each for each in old if old[each] != new[each]} | written) - company.by_hand
            assert not drift, f"{told}: {[(each, old[each], new[each]) for each in sorted(drift)]}"
            assert {name: rows[name] for name in OF_NOW} == dict.fromkeys(OF_NOW, 0), told
            assert rows["activity"] < MOST_ACTIVITIES + company.happened, f"{told}: {rows}"
            assert sum(rows[name] for name in FOR_EVER) < 10 * company.happened, f"{told}: {rows}"
        each_value_of_ours_is_in_the_log_once(world)
        every_week_closes(world)
        a_row_that_was_changed_by_hand_is_named(world)
        world.store.close()


def each_value_of_ours_is_in_the_log_once(world: World) -> None:
    """What the org took, whoever was killed then."""
    with world.store._read() as connection:
        query = select(LOG.c.record_id, LOG.c.changes).where(LOG.c.result == "applied").order_by(LOG.c.id)
        logged = Counter(
            (row.record_id, each["field"], each["new"])
            for row in connection.execute(query)
            for each in read_json(row.changes)
        )
    took = Counter(
        (each["Id"], name, value)
        for each in world.org.updates
        for name, value in each.items()
        if name not in {"object", "Id"}
    )
    assert logged == took


def ledger(world: World) -> Report:
    wanted = Wanted(since=START, until=world.clock.now(), hidden=True)
    return Reporter(world.store, world.pipeline.mapping, explicit(), wanted, world.clock.now()).report("ledger")


def every_week_closes(world: World) -> None:
    """Each figure is compared with the stays themselves, counted here once more."""
    found = ledger(world)
    assert found.good, found.said
    weeks = found.table("weeks")
    assert len({row[0] for row in weeks.rows}) > 50
    for row in weeks.rows:
        opening, entered, left, closing = (each.value or 0 for each in row[2:6] if isinstance(each, Figure))
        assert opening + entered - left == closing, row
    stood = Counter(each.stage for each in world.store.stays() if each.left is None)
    last = weeks.rows[-1][0]
    closing_now = {str(row[1]): row[5].value for row in weeks.rows if row[0] == last and isinstance(row[5], Figure)}
    assert {stage: count for stage, count in closing_now.items() if count} == dict(stood)


def a_row_that_was_changed_by_hand_is_named(world: World) -> None:
    with world.store._write() as connection:
        stands = (STAY.c.track == "stage", STAY.c.left_at.is_(None))
        person = connection.execute(select(STAY.c.person_id).where(*stands).order_by(STAY.c.id).limit(1)).scalar_one()
        connection.execute(update(STAY).where(STAY.c.person_id == person, *stands).values(stage="Evangelist"))
    found = ledger(world)
    assert not found.good
    assert person in str(found.table("wrong").rows)
