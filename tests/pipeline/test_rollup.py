"""Accounts as far as the furthest of their people, for a mapping that asks."""

from itertools import count

import pytest

from connector.base.errors import ConfigurationError
from connector.base.settings import Settings
from connector.commands.explain import explain_people
from connector.commands.explain_text import explanations
from connector.commands.plan import run_preview
from connector.pipeline.cycle import silent
from tests.fakes import sf_time

MAPPING = """
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
  account_stage: Lifecycle_Stage__c
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {any: [{activity: inbound}, {account_stage: ">= Opportunity"}]}}
  - {name: Opportunity, when: {opportunity: any}}
  - {name: Customer, when: {opportunity: won}}
"""
FIELD = "Lifecycle_Stage__c"
ACCOUNT, OTHER = "001000000000001AAA", "001000000000002AAA"


@pytest.fixture
def acme(world):
    """An account with two people, and a mapping that lifts colleagues of an opportunity to Engaged."""
    world.mapping = MAPPING
    world.org.put("Account", {"Id": ACCOUNT, "Name": "Acme"})
    return [world.contact(f"{name}@example.com", AccountId=ACCOUNT) for name in ("ada", "bob")]


def account_stage(world, account=ACCOUNT):
    return world.org.rows["Account"][account].get(FIELD)


def at_rest(world, cycles=3):
    """Nothing is decided and nothing written in the next cycles."""
    world.org.updates.clear()
    decided = [world.cycle().people_decided for _ in range(cycles)]
    return decided == [0] * cycles and world.org.updates == [] and world.store.dirty_count() == 0


def test_the_account_s_field_is_the_furthest_stage_of_its_people(world, acme):
    ada, _ = acme
    world.cycle()
    assert account_stage(world) == "Suspect"
    deal = world.deal()
    world.role(ada, deal)
    world.cycle()
    assert account_stage(world) == "Opportunity"
    world.win(deal)
    world.cycle()
    assert account_stage(world) == "Customer"


def test_colleagues_are_looked_at_again_in_the_next_cycle(world, acme):
    ada, bob = acme
    world.cycle()
    world.role(ada, world.deal())
    world.cycle()
    world.cycle()
    assert [world.stage(each) for each in (ada, bob)] == ["Opportunity", "Engaged"]


def test_what_the_account_lends_lifts_nobody_and_comes_to_rest(world, acme):
    ada, _ = acme
    world.role(ada, world.deal())
    for _ in range(3):
        world.cycle()
    assert at_rest(world)


def test_without_being_asked_no_account_is_written(world, acme):
    world.mapping = "lead-liaison"
    world.cycle()
    assert {each["object"] for each in world.org.updates} == {"Contact"}


def test_every_write_of_an_account_is_in_the_log_with_the_person_and_the_rule_behind_it(world, acme):
    ada, _ = acme
    world.role(ada, world.deal())
    world.cycle()
    [entry] = world.store.history(ACCOUNT)
    assert (entry["object"], entry["record_id"], entry["result"]) == ("Account", ACCOUNT, "applied")
    assert (entry["track"], entry["old"], entry["new"]) == ("account_stage", None, "Opportunity")
    assert entry["changes"] == [{"field": FIELD, "old": None, "new": "Opportunity"}]
    assert entry["rule"] == world.store.latest(ada)[0]["rule"] != ""
    assert [each["ref"] for each in entry["evidence"]] == [ada]
    assert ada in entry["reason"]


def test_a_refused_account_is_on_the_list_and_is_tried_again_on_request(world, acme):
    world.org.refuse[ACCOUNT] = "NO"
    report = world.cycle()
    assert (report.set_aside, report.exit_code) == ({"NO": 1}, 3)
    assert [(each["person_id"], each["object"], each["code"]) for each in world.store.set_aside()] == [
        (ACCOUNT, "Account", "NO")
    ]
    world.cycle()
    assert at_rest(world)
    world.org.refuse.clear()
    assert world.store.retry_set_aside() == 1
    world.cycle()
    assert account_stage(world) == "Suspect"
    assert world.store.set_aside() == []
    assert [each["result"] for each in world.store.history(ACCOUNT)] == ["applied", "set_aside"]


@pytest.mark.parametrize("news", ["a person moves", "the account changes", "another mapping"])
def test_a_refused_account_is_tried_again_when_there_is_news(world, acme, news):
    world.org.refuse[ACCOUNT] = "NO"
    world.cycle()
    world.org.refuse.clear()
    world.cycle()
    assert account_stage(world) is None
    if news == "a person moves":
        world.role(acme[0], world.deal())
    elif news == "the account changes":
        world.org.put("Account", {"Id": ACCOUNT, FIELD: "Engaged"})
    else:
        world.mapping = MAPPING.replace("opportunity: any", "opportunity: lost")
    world.cycle()
    assert account_stage(world) == ("Opportunity" if news == "a person moves" else "Suspect")
    assert world.store.set_aside() == []


def test_an_account_that_waits_is_tried_again_in_the_next_cycle(world, acme):
    calls = count(1)
    world.org.fail = lambda kind: kind == "collections" and next(calls) == 2
    report = world.cycle()
    assert (report.waiting, report.exit_code, account_stage(world)) == (1, 3, None)
    world.cycle()
    assert account_stage(world) == "Suspect"
    world.cycle()
    assert at_rest(world)


def test_a_run_that_dies_between_people_and_accounts_makes_up_for_it(world, acme):
    def dies(changes):
        yield from update([each for each in changes if each.object != "Account"])
        if any(each.object == "Account" for each in changes):
            raise KeyboardInterrupt

    world.org.update, update = dies, world.org.update
    with pytest.raises(KeyboardInterrupt):
        world.cycle()
    del world.org.update
    assert account_stage(world) is None
    world.cycle()
    assert account_stage(world) == "Suspect"


def test_a_person_whose_row_is_refused_moves_no_account_and_comes_to_rest(world, acme):
    ada, _ = acme
    world.cycle()
    world.org.refuse[ada] = "NO"
    world.role(ada, world.deal())
    for _ in range(2):
        world.cycle()
    assert account_stage(world) == "Suspect"
    assert at_rest(world)
    world.org.refuse.clear()
    world.store.retry_set_aside()
    world.cycle()
    assert account_stage(world) == "Opportunity"


def test_people_who_come_and_go_change_both_accounts(world, acme):
    ada, bob = acme
    world.org.put("Account", {"Id": OTHER, "Name": "Other"})
    world.role(ada, world.deal())
    world.cycle()
    world.org.put("Contact", {"Id": ada, "AccountId": OTHER})
    world.cycle()
    world.cycle()
    assert (account_stage(world), account_stage(world, OTHER)) == ("Suspect", "Opportunity")
    world.org.remove("Contact", ada)
    world.org.remove("Contact", bob)
    world.cycle()
    assert (account_stage(world), account_stage(world, OTHER)) == (None, None)


def test_an_account_s_value_that_a_person_set_stays_until_the_furthest_stage_is_another(world, acme):
    ada, _ = acme
    world.cycle()
    world.org.put("Account", {"Id": ACCOUNT, FIELD: "Customer"})
    world.cycle()
    world.store.mark_all_dirty()
    world.cycle()
    assert account_stage(world) == "Customer"
    world.role(ada, world.deal())
    world.cycle()
    assert account_stage(world) == "Opportunity"


def test_accounts_without_anybody_are_left_alone(world):
    world.mapping = MAPPING
    world.org.put("Account", {"Id": ACCOUNT, "Name": "Acme", FIELD: "Prospect"})
    world.cycle()
    assert account_stage(world) == "Prospect"
    assert at_rest(world)


def test_accounts_count_in_the_plan_and_against_the_limit(world, acme):
    world.max_changes = 2
    with pytest.raises(ConfigurationError, match="2 people and 1 account, more than the limit of 2"):
        world.cycle()
    assert world.org.updates == []
    world.max_changes = 3
    report = world.cycle()
    assert (report.people_to_change, report.accounts_to_change, report.written) == (2, 1, 3)
    assert report.changes["account_stage"] == {"(empty) -> Suspect": 1}


def test_a_backfill_writes_what_somebody_cleared_in_an_account(world, acme):
    world.cycle()
    world.org.put("Account", {"Id": ACCOUNT, FIELD: None})
    world.cycle()
    assert account_stage(world) == "Suspect"


def test_nothing_of_accounts_stays_when_the_mapping_no_longer_wants_it(world, acme):
    world.org.refuse[ACCOUNT] = "NO"
    world.cycle()
    world.store.retry_set_aside()
    world.mapping = "lead-liaison"
    for _ in range(2):
        world.cycle()
    assert at_rest(world)


def test_an_account_is_explained_and_planned_as_people_are(world, acme, tmp_path, state):
    ada, bob = acme
    world.role(ada, world.deal())
    world.cycle()
    (tmp_path / "mine.yaml").write_text(MAPPING)
    (tmp_path / "new.yaml").write_text(MAPPING.replace("account_stage: Life", "account_stage: Other_Life"))
    address = world.address or f"sqlite:///{state}"
    settings = Settings(state=address, mapping=str(tmp_path / "mine.yaml"))
    for query in (ACCOUNT, ACCOUNT[:15]):
        [told] = explain_people(settings, query)
        assert (told["object"], told["person"]) == ("Account", ACCOUNT)
        assert [(each["track"], each["value"]) for each in told["decided"]] == [("account_stage", "Opportunity")]
        assert [(each["person"], each["stage"]) for each in told["people"]] == [(ada, "Opportunity"), (bob, "Suspect")]
        assert [each["new"] for each in told["history"]] == ["Opportunity"]
    with pytest.raises(ConfigurationError, match="knows nobody"):
        explain_people(settings, OTHER)
    explanations([told], as_json=False)
    told = run_preview(settings, str(tmp_path / "new.yaml"), silent).as_dict()
    assert told["changes"]["account_stage"] == {"(empty) -> Opportunity": 1}
    assert (told["people_to_change"], told["accounts_to_change"], told["write_calls"]) == (1, 1, 4)


def test_only_those_count_for_the_account_whom_the_mapping_counts(world, acme):
    ada, bob = acme
    world.mapping = MAPPING + "accounts: {counts: {field: {Active__c: true}}}\n"
    world.role(ada, world.deal())
    world.org.put("Contact", {"Id": bob, "Active__c": True})
    world.cycle()
    assert account_stage(world) == "Suspect"
    world.org.put("Contact", {"Id": ada, "Active__c": True})
    world.cycle()
    assert account_stage(world) == "Opportunity"
    world.cycle()
    assert world.org.rows["Contact"][bob][FIELD] == "Engaged"
    for person in acme:
        world.org.put("Contact", {"Id": person, "Active__c": False})
    world.cycle()
    assert account_stage(world) is None
    world.cycle()
    assert at_rest(world)


def test_who_counts_only_for_some_days_stops_to_count_by_itself(world, acme):
    ada, _ = acme
    world.mapping = MAPPING + "accounts: {counts: {field: {Seen__c: {within: 5d}}}}\n"
    world.role(ada, world.deal())
    world.org.put("Contact", {"Id": ada, "Seen__c": sf_time(world.clock.now())})
    world.cycle()
    assert account_stage(world) == "Opportunity"
    world.wait(4 * 86_400)
    world.cycle()
    assert account_stage(world) == "Opportunity"
    world.wait(86_400 + 60)
    world.cycle()
    assert account_stage(world) is None


def test_accounts_that_cannot_be_read_wait_and_their_people_do_not(world, acme):
    ada, _ = acme
    world.cycle()
    world.org.hidden.add("Account")
    world.role(ada, world.deal())
    report = world.cycle()
    assert (list(report.unread), report.exit_code) == (["Account"], 3)
    assert (world.stage(ada), account_stage(world)) == ("Opportunity", "Suspect")
    world.org.hidden.clear()
    assert world.cycle().exit_code == 0
    assert account_stage(world) == "Opportunity"
    world.cycle()  # the colleagues
    assert at_rest(world)
