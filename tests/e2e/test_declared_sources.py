"""What the mapping says of its sources, over real HTTP: deals beside opportunities, filters that can be edited later,
sources that are off, and bounces that Salesforce itself noted."""

import pytest
import requests

from connector.base.clock import SystemClock
from connector.commands.check import run_check
from connector.commands.explain import explain_people
from connector.pipeline.cycle import run_cycle
from connector.sources.webhook.server import serve_webhooks

TOKEN = "a-token-of-more-than-twenty"
LADDER = """
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {activity: inbound}}
  - {name: Opportunity, when: {opportunity: {state: open, where: {Amount: ">= 1000"}}}}
  - {name: Customer, when: {opportunity: won}}
"""
FILTER = """
  webinar-tool:
    through: webhook
    kinds: [form_submit, email_click]
    name: {not: {contains: test}}
    where: {user_agent: {not: {contains: scanner}}}
"""
DEALS = "\n  lead-liaison: {through: webhook, deals: opportunities}\n"


@pytest.fixture
def mine(tmp_path):
    """Writes the mapping, and says how to run with it and with the hooks."""

    def write(sources="", **others):
        text = LADDER + (f"sources:{sources}" if sources else "")
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        hooks = {"webhook_port": 0, "webhook_token": TOKEN, "webhook_inbox": str(tmp_path / "inbox.sqlite3")}
        return {"mapping": str(path), **hooks, **others}

    return write


@pytest.fixture
def post(site, mine):
    """Sends what another system would send to a hook."""
    with serve_webhooks(site.settings(**mine()), SystemClock()) as url, requests.Session() as http:
        http.trust_env = False

        def send(hook, query="", **form):
            address = f"{url}/hooks/v1/{hook}/{TOKEN}{query}"
            form["occurred_at"] = "2026-01-01T10:00:00Z"
            assert http.post(address, data=form, timeout=10).json() == {"accepted": 1, "duplicates": 0}

        yield send


def opportunity(site, contact, stage="Prospecting"):
    row = {"Name": "Renewal", "StageName": stage, "CloseDate": "2027-01-31", "Amount": 5000}
    [deal] = site.org.create("Opportunity", [row])
    site.org.create("OpportunityContactRole", [{"OpportunityId": deal, "ContactId": contact}])


def test_deals_of_a_hook_count_beside_the_opportunities_of_salesforce(site, mine, post):
    ann, ben, eve = site.contacts(3)
    opportunity(site, ben)
    post("lead-liaison", "?type=deal&state=open", event_id="D-7", email="p0@example.com", name="Big", amount="5000")
    post("lead-liaison", "?type=deal&state=open", event_id="D-8", email="p2@example.com", name="Small", amount="10")
    post("other-tool", "?type=deal&state=won", event_id="D-7", email="p2@example.com", name="Not ours")
    site.sync(**mine(DEALS))
    assert site.stages() == {ann: "Opportunity", ben: "Opportunity", eve: "Suspect"}
    post("lead-liaison", "?type=deal&state=won", event_id="D-7", email="p0@example.com", name="Big", amount="5000")
    site.sync(**mine(DEALS))
    assert site.stages() == {ann: "Customer", ben: "Opportunity", eve: "Suspect"}
    [told] = explain_people(site.settings(**mine(DEALS)), "p0@example.com")
    [evidence] = next(each["evidence"] for each in told["now"]["tracks"][0]["rules"] if each["rule"] == "Customer")
    assert (evidence["kind"], evidence["ref"]) == ("opportunity", "webhook:lead-liaison:D-7")
    assert evidence["text"] == "deal of lead-liaison: Big (won)"


def test_a_filter_holds_for_what_was_recorded_before_without_reading_the_source_again(site, mine, post):
    ann, ben, eve = site.contacts(3)
    post("webinar-tool", "?type=form_submit", event_id="1", email="p0@example.com", name="A TEST form")
    post("webinar-tool", "?type=email_click", event_id="2", email="p1@example.com", user_agent="Mail Scanner 2")
    post("webinar-tool", "?type=form_submit", event_id="3", email="p2@example.com", name="Demo", user_agent="Firefox")
    report = site.sync(**mine(FILTER))
    assert report.read["webhook"] == 3
    [left_out] = explain_people(site.settings(**mine(FILTER)), "p0@example.com")
    [counts] = explain_people(site.settings(**mine(FILTER)), "p2@example.com")
    assert [each["counts"] for each in (*left_out["timeline"], *counts["timeline"])] == [False, True]
    assert site.stages() == {ann: "Suspect", ben: "Suspect", eve: "Engaged"}
    softer = FILTER.replace("test", "no such name")
    again = site.sync(**mine(softer, webhook_port=None, webhook_token=None))
    assert "webhook" not in again.read, "the source was not even there"
    assert site.stages() == {ann: "Engaged", ben: "Suspect", eve: "Engaged"}
    assert site.sync(**mine(softer, webhook_port=None, webhook_token=None)).written == 0


def test_a_source_that_is_off_is_not_read_and_goes_on_where_it_was(site, mine, post):
    [ann] = site.contacts(1)
    site.practice.pardot.add_activities([{"type": 1, "prospectId": each} for each in prospects(site)])
    post("webinar-tool", "?type=form_submit", event_id="1", email="p0@example.com", name="Demo")
    off = mine("\n  webhook: off\n  pardot: off\n")
    with site.pipeline(**off) as pipeline:
        report = run_cycle(pipeline)
        assert [each.name for each in pipeline.sources] == []
    assert {"pardot", "webhook"}.isdisjoint(report.read)
    assert site.stages() == {ann: "Suspect"}
    assert site.sync(**mine()).read["webhook"] == 1
    assert site.stages() == {ann: "Engaged"}


def prospects(site):
    return site.practice.pardot.add_prospects([{"email": "p0@example.com"}])


def test_check_says_where_mapping_and_settings_differ(site, mine):
    sources = (
        "\n  pardot: off\n  marketo: {kinds: [call]}\n  hubspot: off\n  my-tool: {through: [webhook, files]}\n"
        "  others: {through: files}\n  salesforce: {kinds: {not: task}}\n"
    )
    report = run_check(site.settings(**mine(sources)))
    assert report.mistakes == []
    assert [each.partition("mine.yaml:")[2].partition(":")[0] for each in report.warnings] == ["8", "9", "12"]
    off, unset, through = report.warnings
    assert "pardot is switched on by settings, and off by the mapping" in off
    assert "marketo is not switched on by settings: set CONNECTOR_MARKETO_URL and" in unset
    assert "others comes through files, which is not switched on" in through
    assert report.sources == ["webhook"]
    assert report.as_dict()["sources"] == ["webhook"]


def test_check_says_when_the_deals_that_count_are_not_read(site, mine):
    hubspot = mine("\n  hubspot: {deals: opportunities}\n", hubspot_token="pat-test")
    [warning] = run_check(site.settings(**hubspot)).warnings
    assert "add deals to CONNECTOR_HUBSPOT_READS" in warning
    assert run_check(site.settings(**hubspot, hubspot_reads="calls, deals")).warnings == []


BOUNCED = """
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {activity: email_bounce}}
"""


@pytest.fixture
def bounced(site, tmp_path):
    path = tmp_path / "bounced.yaml"
    path.write_text(BOUNCED)
    fields = {"EmailBouncedDate": "2026-01-31T23:01:01Z", "EmailBouncedReason": "550 no such user"}
    site.org.create("Contact", [{"LastName": "Ann", "Email": "p0@example.com", **fields}])
    site.contacts(1)
    return {"mapping": str(path)}


def test_a_bounce_that_salesforce_noted_is_an_activity_and_stays_one(site, bounced):
    site.sync(**bounced)
    assert sorted(site.stages().values()) == ["Engaged", "Suspect"]
    [told] = [each for each in explain_people(site.settings(**bounced), "p0@example.com") if each["timeline"]]
    [activity] = told["timeline"]
    assert activity["id"].startswith(f"{told['person']}:bounce:2026-01-31T23:01:01")
    assert (activity["source"], activity["direction"], activity["name"]) == (
        "salesforce",
        "outbound",
        "550 no such user",
    )
    site.org.update("Contact", [{"Id": told["person"], "EmailBouncedDate": None, "Email": "new@example.com"}])
    assert site.sync(**bounced).written == 0
    [told] = explain_people(site.settings(**bounced), "new@example.com")
    assert len(told["timeline"]) == 1
    site.org.update("Contact", [{"Id": told["person"], "EmailBouncedDate": "2026-02-02T10:00:00Z"}])
    site.sync(**bounced)
    [told] = explain_people(site.settings(**bounced), "new@example.com")
    assert len(told["timeline"]) == 2


def test_bounces_are_read_only_where_the_mapping_names_them(site, bounced):
    assert "EmailBouncedDate" not in run_check(site.settings()).reads["Contact"]
    assert "EmailBouncedDate" in run_check(site.settings(**bounced)).reads["Contact"]


def test_an_org_without_bounce_management_is_told_of_once_and_read_all_the_same(site, bounced, capsys):
    for name in ("Contact", "Lead"):
        for field in ("EmailBouncedDate", "EmailBouncedReason"):
            site.org.set_field_access(name, field, visible=False)
    report = run_check(site.settings(**bounced))
    assert report.mistakes == []
    assert [each for each in report.warnings if "no EmailBouncedDate and no EmailBouncedReason on Lead" in each]
    assert site.sync(**bounced).read["Contact"] == 2
    assert capsys.readouterr().out.count("EmailBouncedDate") == 2, "once for each object"
    site.sync(**bounced)
    assert "EmailBouncedDate" not in capsys.readouterr().out
    assert set(site.stages().values()) == {"Suspect"}
