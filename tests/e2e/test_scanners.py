"""Clicks of mail scanners, over real HTTP: no engagement by default, kept, and told apart."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta

import pytest

from connector.base.clock import SystemClock
from connector.commands import practice
from connector.commands.explain import explain_people
from connector.commands.explain_text import explanations
from tests.e2e.conftest import serving

LADDER = """
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {activity: email_click}}
"""
LINKS = [f"https://example.com/{n}" for n in range(6)]
SENT = SystemClock().now().replace(microsecond=0) - timedelta(hours=2)
SECOND = timedelta(seconds=1)
P0 = "p0@example.com"


@pytest.fixture
def site(tmp_path):
    with serving(tmp_path, systems=practice.SYSTEMS) as made:
        yield made


@pytest.fixture
def mine(tmp_path):
    def write(activities=""):
        path = tmp_path / "mine.yaml"
        path.write_text(LADDER + (f"activities: {activities}\n" if activities else ""))
        return {"mapping": str(path), "marketo_extracts": False}

    return write


def pardot(site, at):
    """A mail, and who clicks on its six links then."""
    [one] = site.practice.pardot.add_prospects([{"email": P0}])
    mail = {"prospectId": one, "listEmailId": 9, "details": "Spring"}
    return site.practice.pardot.add_activities(
        [{**mail, "type": 6, "createdAt": SENT}, *({**mail, "type": 1, "createdAt": each} for each in at)]
    )[1:]


def marketo(site, at):
    [lead] = site.practice.marketo.add_leads([{"email": P0, "createdAt": SENT}])
    mail = {"leadId": lead, "primaryAttributeValueId": 7, "primaryAttributeValue": "Spring"}
    clicks = [
        {**mail, "activityTypeId": 11, "activityDate": each, "attributes": {"Link": link}}
        for each, link in zip(at, LINKS, strict=False)
    ]
    return site.practice.marketo.add_activities([{**mail, "activityTypeId": 6, "activityDate": SENT}, *clicks])[1:]


def hubspot(site, at):
    site.practice.hubspot.add_contacts([{"email": P0}])
    mail = {"recipient": P0, "emailCampaignId": 7}
    clicks = [{**mail, "type": "CLICK", "created": each, "url": link} for each, link in zip(at, LINKS, strict=False)]
    return site.practice.hubspot.add_email_events([{**mail, "type": "SENT", "created": SENT}, *clicks])[1:]


SYSTEMS = pytest.mark.parametrize("act", [pardot, marketo, hubspot])


def read(site, **mine):
    site.sync(**mine)
    site.sync(**mine)  # the history of a source, behind its news
    return set(site.stages().values())


@pytest.mark.situation(25)
@SYSTEMS
def test_six_clicks_on_all_links_within_a_second_of_the_send_are_no_engagement_and_are_told_apart(
    site, mine, act, capsys
):
    site.contacts(1)
    act(site, [SENT + (n % 2) * SECOND for n in range(6)])
    assert read(site, **mine()) == {"Suspect"}
    [told] = explain_people(site.settings(**mine()), P0)
    clicks = [each for each in told["timeline"] if each["kind"] == "email_click"]
    assert [(each["counts"], each["because"]) for each in clicks] == [(False, "by a scanner")] * 6
    explanations([told], as_json=False)
    assert "by a scanner" in capsys.readouterr().out
    assert read(site, **mine("{scanners: count}")) == {"Engaged"}, "what was kept counts once the mapping says so"


@SYSTEMS
def test_a_burst_long_after_the_send_is_a_scanners_too(site, mine, act):
    site.contacts(1)
    act(site, [SENT + timedelta(minutes=40)] * 6)
    assert read(site, **mine("{scanners: {after_send: none}}")) == {"Suspect"}
    assert read(site, **mine("{scanners: {after_send: none, burst: none}}")) == {"Engaged"}


@SYSTEMS
def test_a_person_who_clicks_after_the_scanner_is_engaged(site, mine, act):
    site.contacts(1)
    act(site, [*[SENT + SECOND] * 5, SENT + timedelta(minutes=20)])
    assert read(site, **mine()) == {"Engaged"}


def test_hubspots_flag_and_its_time_of_the_send_tell_a_machine(site, mine):
    site.contacts(2)
    site.practice.hubspot.add_contacts([{"email": P0}, {"email": "p1@example.com"}])
    late = {"type": "CLICK", "created": SENT + timedelta(minutes=5)}
    sent = {
        "type": "CLICK",
        "created": SENT + 2 * SECOND,
        "sentBy": {"id": "x", "created": int(SENT.timestamp() * 1000)},
    }
    site.practice.hubspot.add_email_events(
        [{**late, "recipient": P0, "filteredEvent": True}, {**sent, "recipient": "p1@example.com"}]
    )
    assert read(site, **mine()) == {"Suspect"}
    assert read(site, **mine("{scanners: count}")) == {"Engaged"}


def test_marketos_flag_tells_a_machine(site, mine):
    site.contacts(1)
    marketo(site, [])
    lead = site.practice.marketo.activities()[0]["leadId"]
    flagged = {"leadId": lead, "activityTypeId": 11, "activityDate": SENT + timedelta(minutes=5)}
    site.practice.marketo.add_activities([{**flagged, "attributes": {"Bot Activity": "true", "Link": LINKS[0]}}])
    assert read(site, **mine()) == {"Suspect"}
    assert read(site, **mine("{scanners: {flagged: false}}")) == {"Engaged"}


def test_our_own_people_and_test_addresses_are_no_engagement(site, mine):
    site.contacts(1)
    site.org.create("Contact", [{"LastName": "Test", "Email": "test@example.org"}])
    site.practice.hubspot.add_contacts([{"email": P0}, {"email": "test@example.org"}])
    click = {"type": "CLICK", "created": SENT + timedelta(minutes=5)}
    site.practice.hubspot.add_email_events([{**click, "recipient": each} for each in (P0, "test@example.org")])
    assert read(site, **mine("{ourselves: example.com}")) == {"Suspect"}
    [ours] = explain_people(site.settings(**mine("{ourselves: example.com}")), P0)
    [test] = explain_people(site.settings(**mine("{ourselves: example.com}")), "test@example.org")
    assert [each["because"] for each in (*ours["timeline"], *test["timeline"])] == ["by ourselves", "a test"]
    assert read(site, **mine("{tests: count}")) == {"Engaged"}


def weekly(site, shell, given):
    """What the report counts: source and kind -> activities."""
    variables = {"CONNECTOR_STATE": str(site.state), "CONNECTOR_MAPPING": given["mapping"]}
    told = json.loads(shell("report", "engagement", "--json", **site.practice.environment(), **variables).stdout)
    found: dict[str, int] = {}
    for row in told["reports"]["engagement"]["tables"]["activity"]:
        found[row["source and kind"]] = found.get(row["source and kind"], 0) + row["activities"]
    return found


def counting(site, given):
    """What explain says counts of everybody, each thing once."""
    with site.pipeline(**given) as pipeline:
        everybody = pipeline.store.people_in()
    doings = {
        (each["source"], each["id"]): f"{each['source']} {each['kind']}"
        for person in everybody
        for told in explain_people(site.settings(**given), person)
        for each in told["timeline"]
        if each["counts"] and each["direction"] == "inbound"
    }
    return dict(Counter(doings.values()))


@pytest.mark.parametrize(
    ("activities", "clicks"),
    [("", 1), ("{scanners: count}", 13), ("{scanners: {burst: none}}", 1), ("{ourselves: example.com}", 0)],
)
def test_the_report_counts_what_decides(site, mine, shell, activities, clicks):
    """Two records with one address, clicks of scanners in two systems, one click that is a person's."""
    site.contacts(1)
    site.org.create("Contact", [{"LastName": "Twin", "Email": P0}, {"LastName": "T", "Email": "test@example.org"}])
    pardot(site, [SENT + SECOND] * 6)
    hubspot(site, [*[SENT + SECOND] * 5, SENT + timedelta(minutes=20)])
    flagged = {"recipient": P0, "type": "CLICK", "created": SENT + timedelta(minutes=30), "filteredEvent": True}
    site.practice.hubspot.add_contacts([{"email": "test@example.org"}])
    test = {"recipient": "test@example.org", "type": "CLICK", "created": SENT + timedelta(minutes=30)}
    site.practice.hubspot.add_email_events([flagged, test])
    given = mine(activities)
    site.sync(**given)
    told = weekly(site, shell, given)
    assert told == counting(site, given)
    assert sum(told.values()) == clicks
