"""What was decided, what Salesforce has, what it refused and what waits are four things, wherever they are told."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from connector.base.clock import FrozenClock, SystemClock
from connector.commands import practice
from connector.commands.explain import become
from connector.commands.practice import Practice
from connector.commands.status import grouped
from connector.mapping import loads
from connector.pipeline.cycle import run_cycle
from connector.wiring import load_mapping, open_pipeline
from practice_org.pardot.system import Pardot
from practice_org.salesforce.core import Rule
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server

REFUSED = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
START = datetime(2026, 5, 4, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Site:
    """An org with a clock that stands still, so that waiting for a locked row takes no time."""

    def __init__(self, served, clock, shell):
        self.served, self.org, self.clock, self.shell = served, served.org, clock, shell
        shell.env = served.environment() | {"CONNECTOR_STATE": str(shell.folder / "state.sqlite3")}
        self.settings = served.settings(state=shell.env["CONNECTOR_STATE"])
        practice.add_fields(self.org, load_mapping(self.settings))

    def cycle(self):
        self.clock.sleep(HOUR.total_seconds())
        with open_pipeline(self.settings, clock=self.clock) as pipeline:
            return run_cycle(pipeline)

    def document(self, *words):
        return json.loads(self.shell(*words, "--json").stdout)


@pytest.fixture
def site(shell):
    clock = FrozenClock(START)
    org = PracticeOrg(clock=clock)
    pardot = Pardot(org)
    try:
        with Server(org, port=0, extra_routes=pardot.routes) as server:
            yield Site(Practice(org, pardot, server.url), clock, shell)
    finally:
        org.close()


@pytest.fixture
def today(shell):
    """An org of this moment, for commands that read it themselves."""
    with practice.serve() as served:
        yield Site(served, SystemClock(), shell)


@pytest.fixture
def three(site):
    """One who is written, one who is refused and one whose row stays locked; the report of the cycle."""
    rows = [{"LastName": each, "Email": f"{each}@example.com".lower()} for each in ("Ann", "Ben", "Cid")]
    site.people = *_, cid = site.org.create("Contact", rows)
    site.org.set_validation("Contact", Rule("Not Ben [today]", lambda _old, new: new["LastName"] == "Ben"))
    site.org.faults.on("row_lock", ids=[cid])
    site.report = site.cycle()
    return site


def test_a_cycle_counts_them_apart(three):
    report = three.report
    assert (report.people_to_change, report.written, report.refused, report.waiting) == (3, 1, 1, 1)
    assert three.document("status")["cycles"][0]["report"]["refused"] == 1


def test_the_headline_of_explain_is_what_salesforce_has(three):
    ann, ben, cid = (three.document("explain", each)["people"][0]["decided"][0] for each in three.people)
    assert (ann["in_salesforce"], ann["value"], ann["outcome"]) == ("Suspect", "Suspect", "written")
    assert (ben["in_salesforce"], ben["value"], ben["outcome"]) == (None, "Suspect", "refused")
    assert (ben["code"], "Not Ben" in ben["message"]) == (REFUSED, True)
    assert (cid["in_salesforce"], cid["value"], cid["outcome"]) == (None, "Suspect", "waiting")
    told = [three.shell("explain", each).stdout for each in three.people]
    assert "stage: Suspect - email present" in told[0]
    assert "stage: (none) - Suspect was decided and refused: email present" in told[1]
    assert f"{REFUSED}: Not Ben [today]" in told[1]
    assert "stage: (none) - Suspect was decided and is not written yet" in told[2]
    assert [REFUSED in each for each in told] == [False, True, False]


def test_a_past_moment_tells_what_was_refused_then_and_not_what_is_refused_now(three):
    then = (three.clock.now() + HOUR / 2).isoformat()
    ben = three.people[1]
    three.org.rules.clear()
    assert three.shell("retry").returncode == 0
    assert three.cycle().written == 1  # Ben; the other row is still locked
    assert three.document("explain", ben)["people"][0]["decided"][0]["outcome"] == "written"
    told = three.shell("explain", ben, "--at", then).stdout
    assert f"{REFUSED}: Not Ben [today]" in told
    assert "stage: (none) - Suspect was decided and refused" in told
    assert "connector failures retry" not in told


def test_what_somebody_changed_since_is_no_refusal(three):
    ann = three.people[0]
    with open_pipeline(three.settings, clock=three.clock) as pipeline:
        row = {"Id": ann, "Lifecycle_Stage__c": "Customer", "SystemModstamp": "2026-05-05T00:00:00.000+0000"}
        known = pipeline.store.records([ann])[ann]
        pipeline.store.record_rows("Contact", [known | row])  # read, and not decided yet
    (stage,) = (each for each in three.document("explain", ann)["people"][0]["decided"] if each["track"] == "stage")
    assert (stage["in_salesforce"], stage["value"], stage["outcome"]) == ("Customer", "Suspect", "changed")
    assert "stage: Customer - somebody changed it since Suspect was written" in three.shell("explain", ann).stdout


def decided(value, track="stage"):
    return {"track": track, "value": value, "current": None, "person_id": "003A"}


@pytest.mark.parametrize(
    ("stands", "value", "track", "outcome"),
    [
        (0, "0", "score", "written"),
        (4.0, "4", "score", "written"),
        (None, "0", "score", "waiting"),
        (None, "", "stage", "written"),  # it was to be emptied
        ("Customer", None, "stage", "written"),  # nothing was to be changed
    ],
)
def test_a_value_is_written_when_the_field_holds_it(stands, value, track, outcome):
    assert become(decided(value, track), {track: stands}, [])["outcome"] == outcome


def test_what_is_written_nowhere_has_no_outcome():
    assert become(decided("A"), {}, []) == decided("A")


def test_status_groups_what_was_refused_and_names_all_in_json(site):
    rows = [{"LastName": f"L{n}", "Email": f"l{n}@example.com"} for n in range(30)]
    people = site.org.create("Contact", rows)
    site.org.set_validation("Contact", Rule("Late", lambda _old, new: int(new["LastName"][1:]) >= 5))
    site.org.set_validation("Contact", Rule("Early", lambda _old, new: int(new["LastName"][1:]) < 5))
    assert site.cycle().exit_code == 3
    told = site.document("status")
    assert [(each["code"], each["count"]) for each in told["refused"]] == [(REFUSED, 25), (REFUSED, 5)]
    assert sorted(record for each in told["refused"] for record in each["records"]) == sorted(people)
    shown = site.shell("status").stdout
    assert "Refused by Salesforce: 30 records" in shown
    assert re.search(rf"25 with {REFUSED}: .*Late", shown)
    assert "and 22 more" in shown


def test_messages_that_only_name_another_record_are_one_reason():
    rows = [
        {"code": "DUPLICATE_VALUE", "message": f"duplicate of {each}", "record_id": each}
        for each in ("003PO000000000PYAQ", "0035g00000AbCdEFGH", "0035g00000AbCdE")
    ]
    assert [(each["message"], each["count"]) for each in grouped(rows)] == [("duplicate of ...", 3)]
    assert grouped(rows[:1])[0]["message"] == "duplicate of 003PO000000000PYAQ"


@pytest.mark.parametrize("unknown", ["003000000000009AAA", "nonsense"])
def test_retry_of_an_unknown_record_ends_with_2_and_names_it(three, unknown):
    done = three.shell("retry", three.people[1], unknown)
    assert (done.returncode, unknown in done.stderr, three.people[1] in done.stderr) == (2, True, False)
    assert three.document("status")["waiting"] == 1, "nobody was marked"


def test_retry_of_somebody_who_was_not_refused_ends_with_2(three):
    done = three.shell("retry", three.people[0])
    assert (done.returncode, three.people[0] in done.stderr) == (2, True)


def test_retry_takes_the_short_form_of_an_id(three):
    done = three.shell("retry", three.people[1][:15])
    assert (done.returncode, done.stdout) == (0, "1 record will be decided and written again in the next cycle\n")


ACCOUNTS = """
include: lead-liaison
fields: {account_stage: Furthest__c}
dates: {entered: "{stage}_In__c", how: "{stage}_How__c"}
"""


def test_accounts_of_people_who_were_refused_are_not_come_to_and_dates_of_stages_are_one_line(today):
    site = today
    (site.shell.folder / "mine.yaml").write_text(ACCOUNTS)
    site.shell.env["CONNECTOR_MAPPING"] = "mine.yaml"
    practice.add_fields(site.org, loads(ACCOUNTS))
    acme, ajax = site.org.create("Account", [{"Name": "Acme"}, {"Name": "Ajax"}])
    rows = [
        {"LastName": f"P{n}", "Email": f"p{n}@example.com", "AccountId": each} for n, each in enumerate((acme, ajax))
    ]
    site.org.create("Contact", rows)
    site.org.set_validation("Contact", Rule("No", lambda _old, new: new["LastName"] == "P0"))
    text = site.shell("sync", "--list").stdout
    assert "decided to change 2 people and 2 accounts: 2 written, 1 refused, 0 waiting for the next cycle, 1 " in text
    assert "and 4 values in 2 fields with dates and further values" in text
    assert "   and 2 fields with dates and further values" in text
    assert "entered Suspect" not in text
    assert f" Ajax (Account) {site.served.url}/{ajax}\n" in text
    report = site.document("status")["cycles"][0]["report"]
    assert (report["written"], report["refused"], report["waiting"], report["left"]) == (2, 1, 0, 1)
    shown = site.shell("explain", ajax).stdout
    assert "Ajax (Account" in shown
    assert re.search(r"P1 +003", shown)
    assert (
        "History (--json also has 2 writes of dates and further fields)"
        in site.shell("explain", "p1@example.com").stdout
    )


def test_a_plan_takes_owners_that_nobody_looked_up_to_be_there_and_says_so(site):
    site.org.create("Contact", [{"LastName": "Ann", "Email": "ann@example.com", "MailingCountry": "Germany"}])
    site.cycle()
    told = site.document("plan", "--mapping", "states")
    assert told["owners_not_looked_up"] == [f"{each}@example.com" for each in ("anna", "ben", "clara", "dora")]
    assert sum(told["owners"].values()) == 1
    assert next(row["to"] for row in told["who"] if row["track"] == "owner").endswith("@example.com")
    assert "not looked up yet: anna@example.com" in site.shell("plan", "--mapping", "states").stdout


FURTHER = """
stages: [{name: Known, when: always}]
write: [{field: Known_Count__c, times: Known}, {field: Known_Why__c, value: reason}]
"""


def test_further_fields_are_written_once_shown_and_the_connectors_own(today):
    site = today
    (site.shell.folder / "mine.yaml").write_text(FURTHER)
    site.shell.env["CONNECTOR_MAPPING"] = "mine.yaml"
    practice.add_fields(site.org, loads(FURTHER))
    (ann,) = site.org.create("Contact", [{"LastName": "Ann", "Email": "ann@example.com"}])
    assert site.document("sync")["written"] == 1
    assert site.document("sync")["written"] == 0, "our own writes come back and change nothing"
    told = site.document("explain", "ann@example.com")["people"][0]["further_fields"]
    assert [(each["field"], each["in_salesforce"]) for each in told] == [
        ("Known_Count__c", 1),
        ("Known_Why__c", "Known: always"),
    ]
    assert "Further fields" in site.shell("explain", "ann@example.com").stdout
    site.org.update("Contact", [{"Id": ann, "Known_Count__c": 7}])
    assert site.document("sync")["written"] == 1
    assert site.document("explain", "ann@example.com")["people"][0]["further_fields"][0]["in_salesforce"] == 1
