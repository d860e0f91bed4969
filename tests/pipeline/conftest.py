"""A pipeline over the fake org and a real state, and steps small enough to read as sentences."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

import pytest

from connector import mapping as mappings
from connector.base.clock import FrozenClock
from connector.base.facts import Activity, Direction, SourcePage
from connector.pipeline.cycle import Pipeline, run_cycle
from connector.pipeline.report import CycleReport
from connector.salesforce.objects import polled_objects
from connector.store import Store, open_store
from tests.fakes import START, FakeSalesforce, FakeSource
from tests.postgres import BOTH

STAGE = "Lifecycle_Stage__c"
MANUAL_FOREVER = """
gate:
  stage: {direction: forward, manual: forever}
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {activity: {direction: inbound}}}
  - {name: Customer, when: {field: {Title: Customer}}}
"""
PREFIX = {"Contact": "003", "Lead": "00Q", "Opportunity": "006", "OpportunityContactRole": "00K", "Task": "00T"}


@dataclass
class World:
    """The fake org, the state, and a clock that both follow."""

    store: Store
    org: FakeSalesforce = field(default_factory=FakeSalesforce)
    source: FakeSource = field(default_factory=FakeSource)
    clock: FrozenClock = field(default_factory=lambda: FrozenClock(START))
    mapping: str = "lead-liaison"
    max_changes: int | None = None
    pack: int = 1000
    evidence: timedelta | None = None
    address: str = ""  # of the state, where it is no file
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def pipeline(self) -> Pipeline:
        compiled = mappings.load(self.mapping) if "\n" not in self.mapping else mappings.loads(self.mapping)
        return Pipeline(
            mapping=compiled,
            store=self.store,
            salesforce=self.org,
            sources=[self.source],
            objects=polled_objects(compiled),
            clock=self.clock,
            overlap=timedelta(minutes=10),
            pack=self.pack,
            max_changes=self.max_changes,
            evidence=self.evidence,
        )

    def cycle(self, **options) -> CycleReport:
        report = run_cycle(self.pipeline, **options)
        self.wait(60)
        return report

    def wait(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        self.org.pass_time(seconds)

    def id(self, object_name: str) -> str:
        return f"{PREFIX[object_name]}{next(self._ids):012d}AAA"

    def contact(self, email: str | None = "ada@example.com", **fields) -> str:
        row = {"Id": self.id("Contact"), "Email": email, "Name": "Ada", "MasterRecordId": None, "AccountId": None}
        return self.org.put("Contact", row | fields)

    def lead(self, email: str | None = "lea@example.com", **fields) -> str:
        row = {"Id": self.id("Lead"), "Email": email, "Status": "Open - Not Contacted", "IsConverted": False}
        return self.org.put("Lead", row | fields)

    def deal(self, *, won: bool = False, closed: bool = False) -> str:
        stage = "Closed Won" if won else "Closed Lost" if closed else "Prospecting"
        row = {
            "Id": self.id("Opportunity"),
            "Name": "Deal",
            "StageName": stage,
            "IsWon": won,
            "IsClosed": won or closed,
        }
        return self.org.put("Opportunity", row)

    def win(self, opportunity: str) -> None:
        row = {"Id": opportunity, "StageName": "Closed Won", "IsWon": True, "IsClosed": True}
        self.org.put("Opportunity", row)

    def role(self, contact: str, opportunity: str) -> str:
        row = {"Id": self.id("OpportunityContactRole"), "ContactId": contact, "OpportunityId": opportunity}
        return self.org.put("OpportunityContactRole", row)

    def click(self, email: str) -> None:
        activity = Activity(
            "fake", f"a{next(self._ids)}", "email_click", Direction.INBOUND, self.clock.now(), email=email
        )
        self.source.pages.append(SourcePage({}, (activity,)))

    def stage(self, person: str) -> str | None:
        return self.field(person, STAGE)

    def field(self, person: str, name: str):
        return self.org.rows["Contact" if person.startswith("003") else "Lead"][person].get(name)

    def set_by_hand(self, person: str, stage: str) -> None:
        self.org.put("Contact" if person.startswith("003") else "Lead", {"Id": person, STAGE: stage})

    def restart(self, path) -> None:
        self.store.close()
        self.store = open_store(self.address or f"sqlite:///{path}", clock=self.clock)


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state.sqlite3"


@pytest.fixture(params=BOTH)
def world(request, state):
    clock = FrozenClock(START)
    address = request.getfixturevalue("emptied_state") if request.param == "postgresql" else ""
    with open_store(address or f"sqlite:///{state}", clock=clock) as store:
        made = World(store, clock=clock, address=address)
        yield made
        made.store.close()


@pytest.fixture
def forever(world):
    """A hand that sets a stage sets it for good: whoever is taken for one freezes people."""
    world.mapping = MANUAL_FOREVER
    return world
