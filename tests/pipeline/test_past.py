"""A past date is explained as it was: records, roles, memories, and the decision that the log holds for that time."""

import shutil
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from connector import mapping as mappings
from connector.base.clock import FrozenClock
from connector.commands.explain import explain_past
from connector.pipeline.cycle import Pipeline
from connector.salesforce.objects import polled_objects
from connector.store import open_store
from tests.cases import cases
from tests.fakes import START
from tests.pipeline.conftest import STAGE, World

MAPPING = """
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
  status: {Contact: Lead_Status__c, Lead: Status}
  account_stage: Lifecycle_Stage__c
stages:
  - {name: Anonymous, when: {email: missing}}
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {any: [{activity: inbound}, {account_stage: ">= Opportunity"}]}}
  - {name: Marketing Qualified, when: {all: [{field: {Title: Boss}}, {activity: inbound}]}}
  - {name: Opportunity, when: {opportunity: any}}
  - {name: Customer, when: {opportunity: won}}
moves:
  - {name: lost, from: Opportunity, to: Engaged, when: {opportunity: all_lost}}
  - {name: left, from: [Customer], to: Suspect, when: {opportunity: none}}
  - {name: quiet, from: Engaged, to: Suspect, when: {not: {activity: {direction: inbound, within: 1h}}}, after: 45min}
statuses:
  - {name: New, when: {stage: ">= Engaged"}}
  - {name: Working, when: {activity: {direction: inbound, within: 1h}}}
"""


@cache
def compiled():
    return mappings.loads(MAPPING)


@dataclass
class Compiled(World):
    """A world whose mapping is compiled once."""

    @property
    def pipeline(self):
        return Pipeline(
            mapping=compiled(),
            store=self.store,
            salesforce=self.org,
            sources=[self.source],
            objects=polled_objects(compiled()),
            clock=self.clock,
            overlap=timedelta(minutes=10),
            pack=self.pack,
        )


ACCOUNTS = ("001000000000001AAA", "001000000000002AAA")
ROLE = "OpportunityContactRole"


class Life:
    """What happens to the people of a small org, step by step; each step takes the index of whom it happens to."""

    def __init__(self, world):
        self.world = world
        self.stood = []  # (when, record -> stage, whether a row was refused then)
        for number, each in enumerate(ACCOUNTS):
            world.org.put("Account", {"Id": each, "Name": f"Acme {number}"})
        world.contact("ada@example.com", AccountId=ACCOUNTS[0])
        world.contact("bob@example.com", AccountId=ACCOUNTS[0])
        world.lead("lea@example.com", AccountId=None)

    def pick(self, object_name, index):
        live = [i for i, row in self.world.org.rows.get(object_name, {}).items() if not row["IsDeleted"]]
        return live[index % len(live)] if live else None

    def put(self, object_name, index, **fields):
        if record := self.pick(object_name, index):
            self.world.org.put(object_name, {"Id": record, **fields})

    def step(self, what, index):
        getattr(self, what)(index)

    def comes(self, index):
        self.world.contact(f"new{index}@example.com", AccountId=ACCOUNTS[index % 2])

    def clicks(self, index):
        if contact := self.pick("Contact", index):
            self.world.click(self.world.field(contact, "Email") or "nobody@example.com")

    def is_boss(self, index):
        self.put("Contact", index, Title="Boss")

    def is_nobody(self, index):
        self.put("Contact", index, Title=None)

    def changes_address(self, index):
        self.put("Contact", index, Email=[None, "ada@example.com", "eve@example.com"][index % 3])

    def changes_account(self, index):
        self.put("Contact", index, AccountId=ACCOUNTS[index % 2])

    def gets_a_deal(self, index):
        if contact := self.pick("Contact", index):
            self.world.role(contact, self.world.deal())

    def wins(self, index):
        self.put("Opportunity", index, StageName="Closed Won", IsWon=True, IsClosed=True)

    def loses(self, index):
        self.put("Opportunity", index, StageName="Closed Lost", IsWon=False, IsClosed=True)

    def reopens(self, index):
        self.put("Opportunity", index, StageName="Prospecting", IsWon=False, IsClosed=False)

    def loses_a_role(self, index):
        if role := self.pick(ROLE, index):
            self.world.org.remove(ROLE, role, hard=True)

    def deal_is_deleted(self, index):
        if deal := self.pick("Opportunity", index):
            self.world.org.remove("Opportunity", deal)

    def goes(self, index):
        if contact := self.pick("Contact", index):
            self.world.org.remove("Contact", contact, hard=bool(index % 2))

    def converts(self, index):
        if contact := self.pick("Contact", index):
            self.put("Lead", 0, IsConverted=True, ConvertedContactId=contact)

    def merges(self, index):
        loser, winner = self.pick("Contact", index), self.pick("Contact", index + 1)
        if loser != winner:
            self.world.org.put("Contact", {"Id": loser, "IsDeleted": True, "MasterRecordId": winner})

    def is_refused(self, index):
        if contact := self.pick("Contact", index):
            self.world.org.refuse[contact] = "NO"

    def is_taken(self, _index):
        self.world.org.refuse.clear()
        self.world.store.retry_set_aside()

    def time_passes(self, index):
        self.world.wait(1000 * (1 + index))

    def comes_to_rest(self):
        """Cycles until nobody has to be decided any more; remembers who stands where."""
        for _ in range(8):
            at, report = self.world.org.now, self.world.cycle()
            if report.people_decided == 0:
                break
        people = {**self.world.org.rows["Contact"], **self.world.org.rows["Lead"]}
        here = {i: row.get(STAGE) for i, row in people.items() if not (row["IsDeleted"] or row.get("IsConverted"))}
        self.stood.append((at, here, bool(self.world.org.refuse)))


STEPS = [
    name for name in vars(Life) if not name.startswith("_") and name not in {"pick", "put", "step", "comes_to_rest"}
]


def past_of(world, everybody, at):
    """Everybody of then, by whom they are now: id -> document."""
    ids = sorted({person for each in everybody for person in world.store.find_people(each, ever=True)})
    return {each["person"]: each for each in explain_past(world.store, ids, compiled(), at)}


def stage_in(document):
    """The stage that was decided, and the one that the rules say now of then."""
    decided = {each["track"]: each for each in document["decided"]}
    [now] = [each for each in document["now"]["tracks"] if each["track"] == "stage"]
    return decided.get("stage", {}).get("stands") or None, now["value"]


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    path = tmp_path_factory.mktemp("past") / "empty.sqlite3"
    open_store(f"sqlite:///{path}", clock=FrozenClock(START)).close()
    return path


@settings(
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    max_examples=cases(6),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    lives=st.lists(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 5)), max_size=4), min_size=1, max_size=4)
)
def test_a_past_moment_is_explained_as_it_was(empty, tmp_path, lives):
    path = tmp_path / "state.sqlite3"
    shutil.copyfile(empty, path)
    clock = FrozenClock(START)
    with open_store(f"sqlite:///{path}", clock=clock) as store:
        world = Compiled(store, clock=clock)
        life = Life(world)
        life.comes_to_rest()
        for steps in lives:
            for what, index in steps:
                life.step(what, index)
            life.comes_to_rest()
        for at, stood, is_refused in life.stood:
            if not stood:
                continue
            then = past_of(world, life.stood[-1][1] | stood, at)
            assert then.keys() == stood.keys(), at
            for person, stage in stood.items():
                decided, now = stage_in(then[person])
                assert decided == stage, (at, person)
                assert is_refused or now == stage, (at, person)
