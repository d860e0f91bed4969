"""Stays follow people through whatever happens to them, and the ledger finds one row that was changed by hand."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from connector import mapping as mappings
from connector.base.clock import FrozenClock
from connector.base.facts import Outcome, Result
from connector.base.settings import Settings
from connector.commands.reporting import Reporter, Wanted, stages_of
from connector.pipeline.restored import UNSURE
from connector.pipeline.rollback import ToUndo, run_rollback
from connector.reports.paths import paths_of
from connector.reports.table import Figure, Report
from connector.store import open_store
from connector.store.packing import pack, unpack
from tests.cases import cases
from tests.fakes import START
from tests.pipeline.conftest import STAGE, World
from tests.pipeline.test_past import STEPS, Compiled, Life, compiled
from tests.raw import stored
from tests.store.store_facts import older_state, rows_of

SALES = ["Suspect", "Marketing Qualified", "Customer", None, "Odd"]


def report_of(world: World, name: str, **wanted) -> Report:
    mapping = compiled() if isinstance(world, Compiled) else world.pipeline.mapping
    given = Settings(state="unused", mapping="lead-liaison")
    return Reporter(world.store, mapping, given, Wanted(**wanted), world.clock.now()).report(name)


def wrong_in(report: Report) -> list[str]:
    return [" ".join(str(each) for each in row) for row in report.table("wrong").rows]


def stays_of(world: World, person: str) -> list[tuple[str, str, str]]:
    return [(each.stage, each.by, each.how) for each in world.store.stays() if each.person == person]


class Edited(Life):
    def set_by_hand(self, index):
        self.put("Contact", index, **{STAGE: SALES[index % len(SALES)]})

    def nothing_is_answered(self, index):
        """The next cycle's rows are taken, in every second case without their stage, as if that had been refused."""
        update = self.world.org.update

        def taken(changes):
            kept = [_without_the_stage(each) if index % 2 else each for each in changes]
            for _ in update([each for each in kept if each.changes]):
                pass
            yield [Outcome(each, Result.WAITING, "", "Salesforce did not answer") for each in changes]

        self.world.org.update = taken
        self.world.cycle()
        self.world.org.update = update


def _without_the_stage(change):
    return replace(change, changes=tuple(each for each in change.changes if each.track != "stage"))


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    path = tmp_path_factory.mktemp("stays") / "empty.sqlite3"
    open_store(f"sqlite:///{path}", clock=FrozenClock(START)).close()
    return path


@settings(
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    max_examples=cases(12),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    lives=st.lists(
        st.lists(
            st.tuples(st.sampled_from([*STEPS, "set_by_hand", "nothing_is_answered"]), st.integers(0, 5)), max_size=4
        ),
        min_size=1,
        max_size=5,
    )
)
def test_the_ledger_closes_whatever_happens(empty, tmp_path, lives):
    path = tmp_path / "state.sqlite3"
    shutil.copyfile(empty, path)
    clock = FrozenClock(START)
    with open_store(f"sqlite:///{path}", clock=clock) as store:
        world = Compiled(store, clock=clock)
        life = Edited(world)
        life.comes_to_rest()
        for steps in lives:
            for what, index in steps:
                life.step(what, index)
            life.comes_to_rest()
            ledger = report_of(world, "ledger")
            assert wrong_in(ledger) == []
            assert ledger.good
            standing = {each.person: each.stage for each in store.stays() if each.left is None}
            stood, is_refused = life.stood[-1][1:]
            assert standing.keys() == stood.keys()
            if not is_refused:
                assert standing == {person: stage or "" for person, stage in stood.items()}


def test_a_lead_that_becomes_a_contact_stays_one_path(world):
    lea = world.lead("lea@example.com")
    world.cycle()
    world.click("lea@example.com")
    world.cycle()
    contact = world.contact("lea@example.com")
    world.org.put("Lead", {"Id": lea, "IsConverted": True, "ConvertedContactId": contact})
    world.org.refuse[lea] = "CANNOT_UPDATE_CONVERTED_LEAD"
    world.cycle()
    world.role(contact, world.deal())
    world.cycle()
    [path] = paths_of(world.store.stays())
    assert [each.stage for each in path.stays] == ["Suspect", "Engaged", "Opportunity"]
    assert path.person == contact
    assert wrong_in(report_of(world, "ledger")) == []


def test_who_moved_somebody_is_told_apart(world):
    ada = world.contact(**{STAGE: "Suspect"})
    world.cycle()
    world.click("ada@example.com")
    world.cycle()
    world.set_by_hand(ada, "Sales Qualified")
    world.cycle()
    assert stays_of(world, ada) == [
        ("Suspect", "first sight", "inferred"),
        ("Engaged", "rule", "observed"),
        ("Sales Qualified", "person", "observed"),
    ]


def test_who_is_deleted_leaves_the_last_stage(world):
    ada = world.contact()
    world.cycle()
    world.org.remove("Contact", ada)
    world.cycle()
    [stay] = world.store.stays()
    assert stay.left is not None
    assert wrong_in(report_of(world, "ledger")) == []


@pytest.mark.parametrize("dates", ["", 'dates: {entered: "{stage}_On__c"}'])
def test_stages_that_the_facts_vouch_for_are_passed_on_the_way(world, dates):
    world.mapping = f"""
fields:
  stage: {{Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}}
stages:
  - {{name: Suspect, when: {{email: present}}}}
  - {{name: Engaged, when: {{activity: {{direction: inbound}}}}}}
  - {{name: Opportunity, when: {{opportunity: any}}}}
{dates}
"""
    ada = world.contact(CreatedDate="2025-01-01T00:00:00.000+0000")
    world.click("ada@example.com")
    world.wait(3600)
    world.role(ada, world.deal())
    world.cycle()
    assert stays_of(world, ada) == [
        ("Suspect", "rule", "inferred"),
        ("Engaged", "rule", "inferred"),
        ("Opportunity", "rule", "inferred"),
    ]
    assert wrong_in(report_of(world, "ledger")) == []


@pytest.mark.parametrize("is_converted", [True, False], ids=["a lead that became a contact", "a contact"])
@pytest.mark.parametrize("dates", ["", 'dates: {entered: "{stage}_On__c"}'])
def test_who_goes_on_from_a_stage_does_not_pass_what_lies_before_it(world, dates, is_converted):
    """Also where the evidence of it has the very time of that stage, as of a contact that was made with a deal."""
    world.mapping = f"""
fields:
  stage: {{Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}}
stages:
  - {{name: Suspect, when: {{email: present}}}}
  - {{name: Opportunity, when: {{opportunity: any}}}}
  - {{name: Customer, when: {{opportunity: won}}}}
{dates}
"""
    lea = world.lead("ada@example.com") if is_converted else None
    world.cycle()
    world.wait(86400)
    ada, deal = world.contact(), world.deal()
    if lea:
        world.org.put("Lead", {"Id": lea, "IsConverted": True, "ConvertedContactId": ada})
    world.role(ada, deal)
    world.cycle()
    world.wait(86400)
    world.win(deal)
    world.org.put("Opportunity", {"Id": deal, "CloseDate": f"{world.clock.now() + timedelta(days=1):%Y-%m-%d}"})
    world.wait(2 * 86400)
    world.cycle()
    [path] = paths_of(world.store.stays())
    assert [each.stage for each in path.stays] == ["Suspect", "Opportunity", "Customer"]
    came, went_on = path.stays[1].entered, path.stays[1].left
    assert went_on is not None
    assert went_on - came >= timedelta(days=1)
    assert wrong_in(report_of(world, "ledger")) == []


def test_whom_somebody_moves_by_hand_passes_no_stage_again(world):
    ada = world.contact()
    world.click("ada@example.com")
    world.cycle()
    world.wait(86400)
    world.set_by_hand(ada, "Evangelist")
    world.cycle()
    assert [stage for stage, _, _ in stays_of(world, ada)] == ["Suspect", "Engaged", "Evangelist"]
    assert wrong_in(report_of(world, "ledger")) == []


def test_who_is_set_by_hand_where_a_rule_leads_as_well_passes_no_stage_again(world):
    ada = world.contact()
    world.click("ada@example.com")
    role = world.role(ada, world.deal())
    world.cycle()
    world.org.remove("OpportunityContactRole", role, hard=True)
    world.cycle()
    for stage in ("Engaged", "Suspect"):
        world.wait(86400)
        world.set_by_hand(ada, stage)
        world.cycle()
        world.click("ada@example.com")
        world.cycle()
    assert [stage for stage, _, _ in stays_of(world, ada)][2:5] == ["Opportunity", "Engaged", "Suspect"]


@pytest.mark.parametrize("logbook", ["there", "lost"])
def test_what_was_set_by_hand_and_is_put_back_is_where_they_stand(world, logbook):
    """Nobody decided on it: it was overwritten in the cycle that saw it first."""
    ada = world.contact()
    world.cycle()
    world.set_by_hand(ada, "Engaged")
    world.wait(60)
    world.role(ada, world.deal())
    world.cycle()
    assert world.stage(ada) == "Opportunity"
    run = world.store.cycles(1)[0]["id"]
    run_rollback(world.pipeline, ToUndo(run))
    assert world.stage(ada) == "Engaged"
    assert wrong_in(report_of(world, "ledger")) == []
    world.wait(60)
    if logbook == "lost":
        world.store.set_cursor(UNSURE, {"since": world.clock.now().isoformat()})
    world.click("ada@example.com")
    world.cycle()
    assert [stage for stage, _, _ in stays_of(world, ada)] == ["Suspect", "Opportunity", "Engaged"]
    assert wrong_in(report_of(world, "ledger")) == []


def test_what_was_set_by_hand_and_overwritten_without_an_answer_is_no_wrong_book(world):
    """The steps on the way are those since the hand; what is remembered knows of no hand that nobody decided on."""
    ada = world.contact()
    won = world.deal(won=True)
    world.org.put("Opportunity", {"Id": won, "CloseDate": f"{world.clock.now():%Y-%m-%d}"})
    world.role(ada, won)
    world.cycle()
    world.set_by_hand(ada, "Disqualified")
    world.wait(60)
    world.role(ada, world.deal())
    taken = world.org.update

    def unanswered(changes):
        for outcomes in taken(changes):
            yield [replace(each, result=Result.WAITING) for each in outcomes]

    world.org.update = unanswered
    world.cycle()
    world.org.update = taken
    world.cycle()
    told = [(stage, by) for stage, by, _ in stays_of(world, ada)]
    assert told == [("Customer", "rule"), ("Disqualified", "person"), ("Opportunity", "rule")]
    assert wrong_in(report_of(world, "ledger")) == []


def test_both_books_of_stages_leave_out_the_way_of_the_same_people_whom_a_hand_moved(world):
    ada, bob = world.contact(), world.contact("bob@example.com")
    world.cycle()
    world.set_by_hand(ada, "Disqualified")
    asked = []

    def note(_connection, _cursor, text, *_):
        if text.startswith("SELECT stay.person_id \nFROM stay"):
            asked.append(text)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        kept, remembered = world.store.stages_told()
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert len(asked) == 1
    assert kept == remembered == {ada: ["Suspect"], bob: ["Suspect"]}


def test_what_a_hand_emptied_and_was_written_again_after_a_lost_answer_is_no_wrong_book(world):
    """What is remembered is the same before and after, so it tells of one stay, and it began at first sight."""
    ada = world.contact()
    world.cycle()
    world.org.put("Contact", {"Id": ada, STAGE: None})
    world.org.fail = lambda kind: kind == "collections"
    world.cycle()
    world.org.fail = lambda _kind: False
    world.cycle()
    assert [(stage, by) for stage, by, _ in stays_of(world, ada)] == [
        ("Suspect", "rule"),
        ("", "person"),
        ("Suspect", "rule"),
    ]
    assert wrong_in(report_of(world, "ledger")) == []


OF_ADA = "WHERE person_id = :ada AND track = (SELECT number FROM word WHERE text = 'stage')"
ENGAGED = "(SELECT number FROM word WHERE text = 'Engaged')"
PLANTED = {
    "the stays": f"UPDATE stay SET stage = 'Customer' {OF_ADA} AND left_at IS NULL",
    "when a stay began": f"UPDATE stay SET entered_at = '2020-01-01T00:00:00+00:00' {OF_ADA} AND stage = {ENGAGED}",
    "what stands": f"UPDATE track SET stands = 'Customer' {OF_ADA}",
    "what is remembered": "UPDATE track SET memory = packed(replace(unpacked(memory), 'Engaged', 'Customer'))"
    f" {OF_ADA}",
    "the record": "UPDATE record SET fields = packed(replace(unpacked(fields), 'Engaged', 'Customer')) WHERE id = :ada",
    "the log": f"UPDATE log SET new = 'Customer' WHERE person_id = :ada AND new = {ENGAGED}",
    "a memory of before": "UPDATE history SET said = packed(replace(unpacked(said), 'Suspect', 'Customer'))"
    f" {OF_ADA.replace('person_id', 'ref')}",
}


@pytest.mark.parametrize("where", PLANTED)
def test_one_row_changed_by_hand_is_found_and_named(tmp_path, where):
    path, clock = tmp_path / "state.sqlite3", FrozenClock(START)
    with open_store(f"sqlite:///{path}", clock=clock) as store:
        world = World(store, clock=clock)
        ada, bob = world.contact(), world.contact("bob@example.com")
        world.cycle()
        world.click("ada@example.com")
        world.cycle()
        assert report_of(world, "ledger").good
        with closing(sqlite3.connect(path)) as state:
            state.create_function("packed", 1, pack)
            state.create_function("unpacked", 1, unpack)
            assert state.execute(PLANTED[where], {"ada": stored(state, ada)}).rowcount == 1
            state.commit()
        ledger = report_of(world, "ledger")
        assert ledger.good is False
        named = {str(row[0]) for row in ledger.table("wrong").rows}
        assert ada in named
        assert bob not in named


def test_a_state_from_before_stays_were_kept_gets_them_from_what_is_remembered(tmp_path):
    path, clock = tmp_path / "state.sqlite3", FrozenClock(START)
    with open_store(f"sqlite:///{path}", clock=clock) as store:
        world = World(store, clock=clock)
        world.contact()
        lea = world.lead()
        world.cycle()
        world.click("ada@example.com")
        world.click("lea@example.com")
        world.cycle()
        contact = world.contact("lea@example.com")
        world.org.put("Lead", {"Id": lea, "IsConverted": True, "ConvertedContactId": contact})
        world.org.refuse[lea] = "CANNOT_UPDATE_CONVERTED_LEAD"
        world.cycle()
        before = [each._replace(seen=None, by="", how="", rule="") for each in store.stays()]
        assert len(before) >= 5
        rows = rows_of(store)
    older = f"sqlite:///{tmp_path / 'older.sqlite3'}"
    older_state(older, "0004", rows)
    with open_store(older, clock=clock) as store:
        after = [each._replace(seen=None, by="", how="", rule="") for each in store.stays()]
    key = lambda each: (each.person, each.entered)  # noqa: E731
    assert sorted(after, key=key) == sorted(before, key=key)


def test_the_funnel_counts_who_stands_where_now_and_then(world):
    world.contact()
    world.contact("bob@example.com")
    world.cycle()
    world.wait(86400)
    world.click("ada@example.com")
    world.cycle()
    since = world.clock.now() - timedelta(hours=12)
    rows = {row[0]: row[1:4] for row in report_of(world, "funnel", since=since).table("stages").rows}
    told = {stage: [each.value for each in row if isinstance(each, Figure)] for stage, row in rows.items()}
    assert told["Suspect"] == [1, 2, -1]
    assert told["Engaged"] == [1, 0, 1]
    assert "Anonymous" not in told
    assert "Anonymous" in {row[0] for row in report_of(world, "funnel", hidden=True).table("stages").rows}


def test_reports_are_the_same_whatever_the_mapping_called_a_stage_before(world):
    world.mapping = (
        "fields:\n  stage: {Contact: Lifecycle_Stage__c}\nstages:\n  - {name: Lead, when: {email: present}}\n"
    )
    ada = world.contact()
    world.cycle()
    world.mapping = (
        "fields:\n  stage: {Contact: Lifecycle_Stage__c}\nstages:\n  - {name: Suspect, when: {email: present}}\n"
        "migrate: {stage: {Lead: Suspect}}\n"
    )
    world.cycle()
    [row] = report_of(world, "funnel").table("stages").rows
    assert isinstance(row[1], Figure)
    assert (row[0], list(row[1].people)) == ("Suspect", [ada])
    assert wrong_in(report_of(world, "ledger")) == []


def test_mappings_with_segments_have_all_their_stages() -> None:
    for name in ("lead-liaison", "hubspot-style", "score-handoff", "states"):
        assert stages_of(mappings.load(name), hidden=True).funnel


def test_who_was_refused_at_first_passed_the_stages_that_the_facts_vouch_for(world):
    ada = world.contact()
    world.role(ada, world.deal())
    world.org.refuse[ada] = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    world.wait(60)
    world.cycle()
    world.org.refuse.clear()
    world.store.retry_set_aside()
    world.wait(60)
    world.cycle()
    assert [stage for stage, _, _ in stays_of(world, ada)] == ["", "Suspect", "Opportunity"]
    assert wrong_in(report_of(world, "ledger")) == []
