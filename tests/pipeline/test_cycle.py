"""What a cycle does, over the fake org and a real state."""

from datetime import timedelta

import pytest

from connector.base.errors import ConfigurationError, StateError, Transient
from connector.base.ports import LocatorExpired
from tests.fakes import SIGNED_IN
from tests.pipeline.conftest import STAGE


def test_a_contact_on_a_won_opportunity_becomes_a_customer(world):
    ada = world.contact()
    world.role(ada, world.deal(won=True))
    report = world.cycle()
    assert world.stage(ada) == "Customer"
    assert report.changes["stage"] == {"(empty) -> Customer": 1}
    assert (report.people_decided, report.written) == (1, 1)


def test_every_stage_the_connector_gives(world):
    nobody, ada, eve, opal = (
        world.contact(None),
        world.contact("ada@example.com"),
        world.contact("eve@example.com"),
        world.contact("o@example.com"),
    )
    world.click("Eve@Example.com ".strip().lower())
    world.role(opal, world.deal())
    world.cycle()
    assert [world.stage(each) for each in (nobody, ada, eve, opal)] == [
        "Anonymous",
        "Suspect",
        "Engaged",
        "Opportunity",
    ]


def test_a_second_cycle_over_unchanged_facts_writes_nothing(world):
    world.role(world.contact(), world.deal())
    world.lead()
    world.cycle()
    world.org.updates.clear()
    report = world.cycle()
    assert world.org.updates == []
    assert report.written == 0


def test_nobody_is_decided_again_once_our_own_writes_have_come_back(world):
    world.role(world.contact(), world.deal())
    world.cycle()
    assert [world.cycle().people_decided for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize(("kept", "times"), [(10, 1), (1, 2)])
def test_a_plan_that_is_too_large_to_keep_is_made_a_second_time_and_is_the_same(world, monkeypatch, kept, times):
    monkeypatch.setattr("connector.pipeline.decisions.BATCH", 2)
    monkeypatch.setattr("connector.pipeline.decisions.KEPT", kept)
    people = [world.contact(f"{number}@example.com") for number in range(5)]
    read, asked = world.store.facts_of, []

    def facts_of(ids, **more):
        asked.extend(ids)
        return read(ids, **more)

    monkeypatch.setattr(world.store, "facts_of", facts_of)
    report = world.cycle()
    assert sorted(asked) == sorted(people * times)
    assert (report.people_decided, report.written) == (5, 5)
    assert [world.stage(each) for each in people] == ["Suspect"] * 5


def test_a_deal_won_later_moves_its_people_on(world):
    ada, deal = world.contact(), world.deal()
    world.role(ada, deal)
    world.cycle()
    world.win(deal)
    report = world.cycle()
    assert report.changes["stage"] == {"Opportunity -> Customer": 1}
    assert world.stage(ada) == "Customer"


def test_a_role_that_is_removed_moves_nobody_back(world):
    ada, deal = world.contact(), world.deal()
    role = world.role(ada, deal)
    world.cycle()
    world.org.remove("OpportunityContactRole", role, hard=True)
    world.cycle()
    assert world.store.facts_of([ada])[0].opportunities == ()
    assert world.stage(ada) == "Opportunity"


def test_a_removed_role_is_noticed_when_its_opportunity_changes_even_if_no_log_lists_it(world):
    ada, deal = world.contact(), world.deal()
    role = world.role(ada, deal)
    world.cycle()
    del world.org.rows["OpportunityContactRole"][role]
    world.win(deal)
    world.cycle()
    assert world.store.facts_of([ada])[0].opportunities == ()


def test_a_row_that_commits_late_is_seen_though_its_stamp_is_old(world):
    world.contact()
    late = world.id("Contact")
    world.org.put("Contact", {"Id": late, "Email": "late@example.com"}, visible_in=timedelta(minutes=8))
    for _ in range(8):
        world.cycle()
    assert world.stage(late) is None
    world.cycle()
    assert world.stage(late) == "Suspect"


def test_more_rows_than_a_page_with_one_stamp_are_all_read(world):
    world.org.page_size = 7
    people = [world.contact(f"p{index}@example.com") for index in range(50)]
    world.cycle()
    assert {world.stage(each) for each in people} == {"Suspect"}


def test_a_read_that_was_interrupted_goes_on_where_it_was(world, state):
    world.org.page_size = 10
    people = [world.contact(f"p{index}@example.com") for index in range(100)]
    failing = iter([False] * 4 + [True])
    world.org.fail = lambda kind: kind == "query_more" and next(failing, False)
    with pytest.raises(Transient):
        world.cycle()
    world.org.fail = lambda _kind: False
    world.restart(state)
    report = world.cycle()
    assert {world.stage(each) for each in people} == {"Suspect"}
    assert report.read["Contact"] < 70


def test_a_locator_that_expired_is_replaced_by_a_read_from_the_place_reached(world):
    world.org.page_size = 10
    people = [world.contact(f"p{index}@example.com") for index in range(35)]
    more = world.org.more

    def forget(locator):
        world.org._locators.clear()
        world.org.more = more
        return more(locator)

    world.org.more = forget
    world.cycle()
    assert {world.stage(each) for each in people} == {"Suspect"}


def roles_in_pages(world, *, forgets: int):
    """Two deals whose roles are read again in pages of one; the way on is forgotten so often."""
    ada, bob = world.contact(), world.contact("bob@example.com")
    deal = world.deal()
    world.role(ada, deal)
    world.cycle()
    world.role(bob, deal)
    world.org.page_size = 1
    more, left = world.org.more, [forgets]

    def forget(locator):
        page = more(locator)
        if left[0] and page.rows[0].get("OpportunityId"):
            left[0] -= 1
            raise LocatorExpired(locator)
        return page

    world.org.more = forget
    world.org.put("Opportunity", {"Id": deal, "StageName": "Negotiation/Review"})
    return bob, left


def test_roles_that_are_read_again_are_asked_for_anew_when_salesforce_forgot_how_to_go_on(world):
    bob, left = roles_in_pages(world, forgets=2)
    report = world.cycle()
    assert (world.stage(bob), report.result, left) == ("Opportunity", "done", [0])


def test_who_is_forgotten_every_time_is_told_and_read_in_the_next_cycle(world):
    bob, _ = roles_in_pages(world, forgets=99)
    with pytest.raises(Transient, match="did not come to the end of roles0"):
        world.cycle()
    world.org.page_size = 2000
    world.cycle()
    assert world.stage(bob) == "Opportunity"


def test_a_person_set_back_by_hand_stays_until_the_next_promotion(world):
    ada, deal = world.contact(), world.deal()
    world.role(ada, deal)
    world.cycle()
    world.set_by_hand(ada, "Engaged")
    world.cycle()
    world.cycle()
    assert world.stage(ada) == "Engaged"
    world.win(deal)
    world.cycle()
    assert world.stage(ada) == "Customer"


@pytest.mark.parametrize("stage", ["Marketing Qualified", "Sales Qualified", "Evangelist", "Disqualified", "Other"])
def test_a_stage_that_people_set_is_kept(world, stage):
    ada = world.contact(**{STAGE: stage})
    world.cycle()
    assert world.stage(ada) == stage
    assert world.org.updates == []


def test_a_refused_row_is_set_aside_and_only_tried_again_when_something_changes(world):
    ada, bob = world.contact("ada@example.com"), world.contact("bob@example.com")
    world.org.refuse[ada] = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    report = world.cycle()
    assert report.set_aside == {"FIELD_CUSTOM_VALIDATION_EXCEPTION": 1}
    assert report.exit_code == 3
    assert world.stage(bob) == "Suspect"
    assert world.cycle().people_to_change == 0
    world.org.refuse.clear()
    assert world.cycle().people_to_change == 0
    world.click("ada@example.com")
    world.cycle()
    assert world.stage(ada) == "Engaged"
    assert world.store.set_aside(10) == []


def test_a_set_aside_write_is_tried_again_on_request(world):
    ada = world.contact()
    world.org.refuse[ada] = "INSUFFICIENT_ACCESS_OR_READONLY"
    world.cycle()
    world.org.refuse.clear()
    assert world.store.retry_set_aside() == 1
    world.cycle()
    assert world.stage(ada) == "Suspect"


def test_writes_that_nobody_answered_wait_for_the_next_cycle(world):
    ada = world.contact()
    world.org.fail = lambda kind: kind == "collections"
    report = world.cycle()
    assert (report.waiting, report.written, report.exit_code) == (1, 0, 3)
    world.org.fail = lambda _kind: False
    assert world.cycle().exit_code == 0
    assert world.stage(ada) == "Suspect"


def test_a_source_that_is_down_delays_nobody_else_and_loses_nothing(world):
    ada = world.contact()
    world.click("ada@example.com")
    world.source.fail = True
    report = world.cycle()
    assert world.stage(ada) == "Suspect"
    assert report.sources_failed == {"fake": "the fake source is down"}
    assert report.exit_code == 4
    world.source.fail = False
    assert world.cycle().exit_code == 0
    assert world.stage(ada) == "Engaged"


def test_a_cycle_that_would_move_too_many_stops_before_the_first_write(world):
    people = [world.contact(f"p{index}@example.com") for index in range(5)]
    world.max_changes = 4
    with pytest.raises(ConfigurationError, match="5 people"):
        world.cycle()
    assert world.org.updates == []
    world.max_changes = 5
    world.cycle()
    assert {world.stage(each) for each in people} == {"Suspect"}


def test_the_preview_counts_what_the_cycle_then_writes(world):
    for index in range(5):
        world.contact(f"p{index}@example.com")
    world.click("p1@example.com")
    report = world.cycle()
    assert sum(report.changes["stage"].values()) == report.written == len(world.org.updates)


def test_a_converted_lead_is_written_as_its_contact(world):
    lea = world.lead("lea@example.com")
    world.click("lea@example.com")
    world.cycle()
    assert world.stage(lea) == "Engaged"
    contact = world.contact("lea@example.com")
    world.org.put("Lead", {"Id": lea, "IsConverted": True, "ConvertedContactId": contact})
    world.org.refuse[lea] = "CANNOT_UPDATE_CONVERTED_LEAD"
    world.role(contact, world.deal())
    report = world.cycle()
    assert world.stage(contact) == "Opportunity"
    assert not report.set_aside
    assert [each["new"] for each in world.store.history(contact) if each["track"] == "stage"].count("Engaged") == 1


def test_a_lead_brings_its_stage_to_a_contact_that_was_there_before_and_only_once(world):
    contact, lea = world.contact("c@example.com"), world.lead("lea@example.com")
    world.cycle()
    world.set_by_hand(lea, "Sales Qualified")
    world.cycle()
    world.org.put("Lead", {"Id": lea, "IsConverted": True, "ConvertedContactId": contact})
    world.cycle()
    assert world.stage(contact) == "Sales Qualified"
    world.set_by_hand(contact, "Engaged")
    world.cycle()
    world.cycle()
    assert world.stage(contact) == "Engaged"


def test_a_new_mapping_decides_everybody_again(world):
    ada = world.contact(Title="Chief")
    world.cycle()
    assert world.stage(ada) == "Suspect"
    world.mapping = """
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Chief, when: {field: {Title: Chief}}}
"""
    report = world.cycle()
    assert world.stage(ada) == "Chief", report
    assert report.read["Contact"] == 1  # read again, for the field that was not read before


def test_a_state_belongs_to_one_org(world):
    world.contact()
    world.cycle()
    world.org.identity = lambda: "00D000000000002AAA"
    with pytest.raises(StateError):
        world.cycle()


def test_a_thousand_changes_cost_three_calls_however_the_people_are_batched(world):
    for index in range(3000):
        world.contact(f"p{index}@example.com", **({} if index % 3 == 0 else {STAGE: "Suspect"}))
    world.cycle()
    assert len(world.org.updates) == 1000
    assert world.org.calls()["collections"] == 3


def test_every_applied_change_is_in_the_history_with_its_evidence(world):
    ada, deal = world.contact(), world.deal()
    role = world.role(ada, deal)
    world.cycle()
    entry = next(each for each in world.store.history(ada) if each["track"] == "stage")
    assert (entry["old"], entry["new"], entry["result"]) == (None, "Opportunity", "applied")
    assert {deal, role} & {each["ref"] for each in entry["evidence"]}


@pytest.fixture
def small_pages(world, monkeypatch):
    """Pages of 5 rows, so that a few rows crowd the overlap."""
    monkeypatch.setattr("connector.pipeline.object_reader.POLL_PAGE", 5)
    world.org.page_size = 5
    return world


def test_after_many_writes_their_echo_is_read_once_and_not_for_ten_minutes(small_pages):
    world = small_pages
    for index in range(50):
        world.contact(f"p{index}@example.com")
    world.cycle()
    assert world.cycle().read["Contact"] == 50  # what was written comes back
    calls = []
    for _ in range(5):
        report = world.cycle()
        calls.append(report.api_calls["total"])
    assert report.read["Contact"] == 0
    assert calls == [1] * 5


def test_a_row_that_commits_late_into_a_crowd_is_seen_too(small_pages):
    world = small_pages
    for index in range(50):
        world.contact(f"p{index}@example.com")
    late = world.id("Contact")
    world.org.put("Contact", {"Id": late, "Email": "late@example.com"}, visible_in=timedelta(minutes=5))
    for _ in range(5):
        world.cycle()
    assert world.stage(late) is None
    world.cycle()
    assert world.stage(late) == "Suspect"


def test_a_late_change_of_a_known_row_in_a_crowd_is_seen_too(small_pages):
    """The count of the rows stays as it is: the row was there before, or another one left meanwhile."""
    world = small_pages
    people = [world.contact(f"p{index}@example.com") for index in range(50)]
    world.cycle()
    world.org.put("Contact", {"Id": people[7], "Email": "new@example.com"}, visible_in=timedelta(minutes=2))
    world.cycle()
    assert world.store.records([people[7]])[people[7]]["Email"] == "p7@example.com"
    for _ in range(2):
        world.cycle()
    assert world.store.records([people[7]])[people[7]]["Email"] == "new@example.com"


def test_a_read_of_a_crowd_that_fails_before_its_end_is_made_again(small_pages):
    world = small_pages
    for index in range(50):
        world.contact(f"p{index}@example.com")
    late = world.id("Contact")
    world.org.put("Contact", {"Id": late, "Email": "late@example.com"}, visible_in=timedelta(minutes=2), by=SIGNED_IN)
    for _ in range(2):
        world.cycle()
    calls = iter([False, True])
    world.org.fail = lambda kind: kind == "composite" and next(calls, False)  # the count came, the overlap does not
    with pytest.raises(Transient):
        world.cycle()
    world.org.fail = lambda _kind: False
    world.wait(9 * 60)
    world.cycle()
    assert world.stage(late) == "Suspect"


def test_roles_of_a_changed_deal_are_read_again_although_that_reading_failed(world, state):
    ada = world.contact()
    deal = world.deal()
    role = world.role(ada, deal)
    world.cycle()
    world.org.remove("OpportunityContactRole", role)  # which queries do not show
    world.wait(3600)
    world.win(deal)
    calls = iter([False, True])
    world.org.fail = lambda kind: kind == "composite" and next(calls, False)
    with pytest.raises(Transient):
        world.cycle()
    world.org.fail = lambda _kind: False
    world.restart(state)
    world.cycle()
    assert world.stage(ada) != "Customer"
    assert world.store.unread_roles(10) == []
