"""A rollback puts back what we wrote, where it is still ours, and the next cycle leaves it so."""

import json

import pytest

from connector.commands import practice
from connector.mapping import load
from connector.pipeline.cycle import run_cycle
from connector.pipeline.rollback import ToUndo, run_rollback
from tests.e2e.shell import Shell

GOOD = """
gate:
  stage: {direction: forward, manual: forever}
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
  tags: {Contact: Tags__c, Lead: Tags__c}
  score: {Contact: Score__c, Lead: Score__c}
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {activity: {direction: inbound}}}
  - {name: Customer, when: {opportunity: won}}
score: {points: [{when: {email: present}, points: 1}]}
tags: [{name: warm, when: {email: present}}]
"""
BAD = (
    GOOD.replace("{opportunity: won}", "{email: present}")
    .replace("points: 1}", "points: 50}")
    .replace("name: warm", "name: hot")
)


@pytest.fixture
def living(site, shell: Shell):
    """People, as the good mapping has them, over HTTP."""
    mapping = shell.folder / "mapping.yaml"
    mapping.write_text(GOOD)
    practice.add_fields(site.org, load(str(mapping)))
    shell.env = site.practice.environment() | {"CONNECTOR_STATE": str(site.state), "CONNECTOR_MAPPING": "mapping.yaml"}
    return shell


def values(site, object_name="Contact"):
    rows = site.org.rows(f"SELECT Id, Lifecycle_Stage__c, Tags__c, Score__c FROM {object_name}")
    return {row["Id"]: (row["Lifecycle_Stage__c"], row["Tags__c"], row["Score__c"]) for row in rows}


def told(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def spoil(shell) -> int:
    """A bad edit moves everybody; returns the run."""
    (shell.folder / "mapping.yaml").write_text(BAD)
    told(shell("sync", "--json"))
    return told(shell("status", "--json"))["cycles"][0]["id"]


def test_a_bad_edit_moves_300_and_a_rollback_puts_them_back(living, site):
    people = site.contacts(300)
    leads = site.org.create("Lead", [{"LastName": "L", "Company": "C", "Email": "l@example.com"}])
    told(living("backfill", "--json"))
    before, leads_before = values(site), values(site, "Lead")
    assert before[people[0]] == ("Suspect", "warm", 1)
    run = spoil(living)
    assert {each[0] for each in values(site).values()} == {"Customer"}
    by_hand = people[7]
    site.org.update("Contact", [{"Id": by_hand, "Lifecycle_Stage__c": "Engaged"}])

    shown = told(living("rollback", str(run), "--json"))
    assert shown["changes"]["stage"] == {"Customer -> Suspect": 300}  # 299 contacts and a lead
    assert len(shown["people"]) == 301
    (left,) = shown["left_alone"]
    assert (left["id"], left["track"], left["now"], "Engaged" in left["why"]) == (by_hand, "stage", "Engaged", True)
    assert {each[0] for each in values(site).values()} == {"Customer", "Engaged"}  # only shown

    done = told(living("rollback", str(run), "--apply", "--json"))
    assert (done["written"], done["result"]) == (301, "done")
    assert values(site) == {**before, by_hand: ("Engaged", "warm", 1)}
    assert values(site, "Lead") == leads_before
    assert told(living("status", "--json"))["cycles"][0]["kind"] == "rollback"

    again = told(living("sync", "--json"))  # the bad mapping is still in force
    assert (again["written"], again["held"]["stage"]) == (0, 301)
    assert values(site)[people[0]] == before[people[0]]
    person = told(living("explain", people[0], "--json"))["people"][0]
    stage = next(each for each in person["decided"] if each["track"] == "stage")
    assert "rolled back on" in stage["reason"]
    assert f"(run {run})" in stage["reason"]
    assert told(living("status", "--json"))["rolled_back"] == 902
    assert "902 values rolled back" in living("status").stdout
    assert [each["new"] for each in person["history"] if each["track"] == "stage"] == ["Suspect", "Customer", "Suspect"]

    (living.folder / "mapping.yaml").write_text(GOOD)
    assert told(living("sync", "--json"))["written"] == 0
    assert leads[0] in values(site, "Lead")


def test_another_mapping_ends_what_keeps_it(living, site):
    ada, bob = site.contacts(2)
    told(living("backfill", "--json"))
    run = spoil(living)
    told(living("rollback", str(run), "--apply", "--json"))
    assert told(living("sync", "--json"))["written"] == 0
    (living.folder / "mapping.yaml").write_text(BAD.replace("points: 50", "points: 60"))
    told(living("sync", "--json"))
    assert values(site)[bob] == values(site)[ada] == ("Customer", "warm;hot", 60)
    assert told(living("status", "--json"))["rolled_back"] == 0


def test_a_rollback_is_a_run_and_can_be_rolled_back(living, site):
    site.contacts(3)
    told(living("backfill", "--json"))
    run = spoil(living)
    spoiled = values(site)
    undone = told(living("rollback", str(run), "--apply", "--json"))["run"]
    told(living("rollback", str(undone), "--apply", "--json"))
    assert values(site) == spoiled
    told(living("sync", "--json"))
    assert values(site) == spoiled


def test_max_changes_holds_and_a_person_is_put_back_alone(living, site):
    ada, bob = site.contacts(2)
    told(living("backfill", "--json"))
    before = values(site)
    run = spoil(living)
    too_many = living("rollback", str(run), "--apply", "--max-changes", "1")
    assert (too_many.returncode, "more than the limit of 1" in too_many.stderr) == (2, True)
    assert values(site)[ada][0] == "Customer"
    one = told(living("rollback", str(run), "--person", "p0@example.com", "--apply", "--max-changes", "1", "--json"))
    assert one["people"] == [ada]
    assert (values(site)[ada], values(site)[bob][0]) == (before[ada], "Customer")
    since = told(living("status", "--json"))["cycles"][2]["started_at"]
    told(living("rollback", "--since", since, "--person", bob, "--apply", "--json"))
    assert values(site) == before


def test_what_cannot_be_rolled_back_is_said(living, site):
    site.contacts(1)
    told(living("backfill", "--json"))
    none = living("rollback", "99")
    assert (none.returncode, "nothing written" in none.stderr) == (2, True)
    assert living("rollback").returncode == 2
    strange = living("rollback", "--person", "nobody@example.com")
    assert (strange.returncode, "nobody is known" in strange.stderr) == (2, True)


def test_text_names_moves_people_and_what_is_left_alone(living, site):
    _ada, bob = site.contacts(2)
    told(living("backfill", "--json"))
    run = spoil(living)
    site.org.update("Contact", [{"Id": bob, "Lifecycle_Stage__c": "Engaged"}])
    shown = living("rollback", str(run)).stdout
    assert "2 people would be put back; nothing was written" in shown
    assert "Left alone: 1 value" in shown
    assert bob in shown
    assert "Customer" in shown
    done = living("rollback", str(run), "--apply").stdout
    assert "2 of 2 people put back" in done


def test_what_a_later_run_wrote_and_what_is_gone_is_left_alone(living, site):
    ada, bob = site.contacts(2)
    first = told(living("backfill", "--json"))
    assert first["written"] == 2
    backfill = told(living("status", "--json"))["cycles"][0]["id"]
    spoil(living)
    site.org.delete("Contact", [bob])
    left = told(living("rollback", str(backfill), "--json"))["left_alone"]
    whys = {each["id"]: each["why"] for each in left if each["track"] == "stage"}
    assert "written again by run" in whys[ada]
    assert "gone" in whys[bob]


HANDED = """
gate:
  stage: {direction: forward, manual: forever}
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
  status: {Contact: Lead_Status__c, Lead: Status}
stages: [{name: Suspect, when: {email: present}}]
statuses:
  - {name: Open - Not Contacted}
  - {name: Working - Contacted, when: {field: {Email: present}}}
"""
HANDOFF = """
handoff:
  - {name: to sales, when: {stage: Suspect}, owner: [{round_robin: [ann@example.com, ben@example.com]}]}
"""


class Killed(BaseException):
    """The process ends here."""


def killed_in_a_pack(pipeline, does):
    """It is killed once Salesforce took the first pack, before the answer is settled."""
    update = pipeline.salesforce.update

    def killed(changes):
        for _ in update(changes):
            raise Killed

    pipeline.salesforce.update = killed
    with pytest.raises(Killed):
        does()


def spoil_and_be_killed(living, site):
    """A run with a bad mapping that is killed in its first pack; its number."""
    (living.folder / "mapping.yaml").write_text(BAD)
    with site.pipeline(mapping=str(living.folder / "mapping.yaml")) as pipeline:
        killed_in_a_pack(pipeline, lambda: run_cycle(pipeline))
    return told(living("status", "--json"))["cycles"][0]["id"]


def leads_now(site):
    return {row["Id"]: (row["Status"], row["OwnerId"]) for row in site.org.rows("SELECT Id, Status, OwnerId FROM Lead")}


def test_lead_status_and_owner_are_put_back_and_stay_so(living, site):
    site.org.create(
        "User",
        [
            {"LastName": n, "Username": f"{n}@sales.example", "Email": f"{n}@example.com", "IsActive": True}
            for n in ("ann", "ben")
        ],
    )
    leads = [{"LastName": f"L{n}", "Company": "C", "Email": f"l{n}@example.com"} for n in range(3)]
    site.org.create("Lead", leads)
    before = leads_now(site)
    (living.folder / "mapping.yaml").write_text(HANDED + HANDOFF)
    told(living("backfill", "--json"))
    run = told(living("status", "--json"))["cycles"][0]["id"]
    after = leads_now(site)
    assert {status for status, _ in after.values()} == {"Working - Contacted"}
    assert not {owner for _, owner in after.values()} & {owner for _, owner in before.values()}
    assert told(living("rollback", str(run), "--apply", "--json"))["written"] == 3
    assert leads_now(site) == before
    for number in range(3):
        site.org.update("Lead", [{"Id": each, "Email": f"n{number}{each}@example.com"} for each in before])
        assert told(living("sync", "--json"))["written"] == 0
    assert leads_now(site) == before


def test_a_rollback_that_is_killed_before_it_hears_the_answer_is_known_as_one(living, site):
    people = site.contacts(5)
    told(living("backfill", "--json"))
    before = values(site)
    run = spoil(living)
    with site.pipeline(mapping=str(living.folder / "mapping.yaml")) as pipeline:
        killed_in_a_pack(pipeline, lambda: run_rollback(pipeline, ToUndo(run=run)))
    assert values(site) == before
    for _ in range(2):
        assert told(living("sync", "--json"))["written"] == 0
    assert values(site) == before
    with site.pipeline(mapping=str(living.folder / "mapping.yaml")) as pipeline:
        log = [each["new"] for each in reversed(pipeline.store.history(people[0])) if each["track"] == "stage"]
        assert (log, pipeline.store.rolled_back()) == (["Suspect", "Customer", "Suspect"], 15)
    again = living("rollback", str(run), "--apply", "--json")
    assert json.loads(again.stdout)["written"] == 0


def test_a_preview_is_paid_from_the_budget_like_everything(living, site):
    site.contacts(2)
    told(living("backfill", "--json"))
    run = spoil(living)
    spent = told(living("status", "--json"))["api_calls_today"]
    told(living("rollback", str(run), "--json"))
    assert told(living("status", "--json"))["api_calls_today"] != spent
    parked = living("rollback", str(run), CONNECTOR_API_DAILY_BUDGET="1")
    assert parked.returncode != 0
    assert "budget" in parked.stderr


def test_what_a_run_wrote_without_an_answer_is_put_back_too(living, site):
    """The run that went wrong was killed, and is rolled back at once: the log knows nothing of its last pack."""
    site.contacts(3)
    told(living("backfill", "--json"))
    before = values(site)
    run = spoil_and_be_killed(living, site)
    assert {each[0] for each in values(site).values()} == {"Customer"}

    assert told(living("rollback", str(run), "--json"))["changes"]["stage"] == {"Customer -> Suspect": 3}
    done = told(living("rollback", str(run), "--apply", "--json"))
    assert (done["written"], done["left_alone"]) == (3, [])
    assert values(site) == before
    assert told(living("sync", "--json"))["written"] == 0
    assert values(site) == before


def in_part(done):
    """Done, but for what could not be seen."""
    assert done.returncode == 3, done.stderr
    return json.loads(done.stdout)


def test_a_field_that_is_hidden_since_is_left_alone_and_the_others_are_put_back(living, site):
    people = site.contacts(2)
    told(living("backfill", "--json"))
    run = spoil(living)
    site.org.set_field_access("Contact", "Tags__c", visible=False)
    shown = in_part(living("rollback", str(run), "--json"))
    assert (shown["changes"]["stage"], shown["hidden_fields"]) == ({"Customer -> Suspect": 2}, {"Contact": ["Tags__c"]})
    done = in_part(living("rollback", str(run), "--apply", "--json"))
    assert (done["written"], {each["why"] for each in done["left_alone"]}) == (
        2,
        {"Tags__c is hidden from the connector's user"},
    )
    assert values(site) == dict.fromkeys(people, ("Suspect", "warm;hot", 1))


def hide_lead(site):
    site.org.set_object_access("Lead", readable=False)
    return lambda: site.org.set_object_access("Lead", readable=True)


def refuse_lead(fault):
    def refuse(site):
        site.org.faults.on(fault, object="Lead")
        return site.org.faults.active.clear

    return refuse


@pytest.fixture
def of_both(living, site):
    """Two contacts and a lead, as the good mapping has them; and what stands in the lead."""
    site.contacts(2)
    site.org.create("Lead", [{"LastName": "L", "Company": "C", "Email": "l@example.com"}])
    told(living("backfill", "--json"))
    return living, values(site), values(site, "Lead")


@pytest.mark.parametrize("refuse", [hide_lead, refuse_lead("too_large"), refuse_lead("query_timeout")])
def test_an_object_that_is_refused_is_left_for_later_and_everybody_else_is_put_back(of_both, site, refuse):
    living, before, leads = of_both
    run = spoil(living)
    spoiled = values(site, "Lead")
    shows_again = refuse(site)
    shown = in_part(living("rollback", str(run), "--json"))
    assert (shown["changes"]["stage"], shown["unseen"], list(shown["unread"])) == (
        {"Customer -> Suspect": 2},
        {"Lead": 1},
        ["Lead"],
    )
    assert "Lead cannot be read: 1 record left; the same rollback" in " ".join(
        living("rollback", str(run)).stdout.split()
    )
    done = in_part(living("rollback", str(run), "--apply", "--json"))
    assert (done["written"], done["unseen"], len(done["left_alone"])) == (2, {"Lead": 1}, 3)
    assert all(each["why"].startswith("cannot be read: ") for each in done["left_alone"])
    assert (values(site), values(site, "Lead")) == (before, spoiled)
    again = living("rollback", str(run), "--apply")
    assert (again.returncode, "Lead cannot be read" in again.stdout) == (3, True)
    in_part(living("sync", "--json"))

    shows_again()
    later = told(living("rollback", str(run), "--apply", "--json"))
    assert (later["written"], later["unseen"], later["unread"]) == (1, {}, {})
    assert (values(site), values(site, "Lead")) == (before, leads)
    assert told(living("sync", "--json"))["written"] == 0
    assert (values(site), values(site, "Lead")) == (before, leads)


def test_what_a_killed_run_may_have_written_where_nobody_can_look_is_told_and_put_back_later(of_both, site):
    living, before, leads = of_both
    run = spoil_and_be_killed(living, site)
    spoiled = values(site, "Lead")
    assert {each[0] for each in spoiled.values()} == {"Customer"}
    shows_again = hide_lead(site)
    shown = in_part(living("rollback", str(run), "--json"))
    assert (shown["changes"]["stage"], shown["unseen"]) == ({"Customer -> Suspect": 2}, {"Lead": 1})
    assert {each["why"] for each in shown["left_alone"]} == {"never answered; nobody can see whether it was written"}
    in_part(living("rollback", str(run), "--apply", "--json"))
    assert (values(site), values(site, "Lead")) == (before, spoiled)
    shows_again()
    told(living("rollback", str(run), "--apply", "--json"))
    assert (values(site), values(site, "Lead")) == (before, leads)


def test_a_field_that_is_hidden_since_a_run_was_killed_costs_only_itself(of_both, site):
    living, before, _ = of_both
    run = spoil_and_be_killed(living, site)
    site.org.set_field_access("Contact", "Tags__c", visible=False)
    done = in_part(living("rollback", str(run), "--apply", "--json"))
    assert (done["written"], done["hidden_fields"]) == (3, {"Contact": ["Tags__c"]})
    site.org.set_field_access("Contact", "Tags__c", visible=True)
    assert {each[::2] for each in values(site).values()} == {("Suspect", 1)}
    told(living("rollback", str(run), "--apply", "--json"))
    assert values(site) == before
