"""One company in four systems: the same people in each, told over HTTP, and what happens to them there."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from practice_org.clock import SystemClock
from practice_org.company.life import World, live, new_lead
from practice_org.practice import Practice, fill, serve


@pytest.fixture(scope="module")
def four() -> Iterator[Practice]:
    with serve(systems=("marketo", "hubspot")) as practice:
        loaded = fill(practice, sample="small")
        assert loaded["Marketo leads"] == loaded["HubSpot contacts"] > 250
        assert min(loaded[f"HubSpot {what}"] for what in ("deals", "engagements", "e-mail events")) > 50
        yield practice


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same life each time is the point


def from_salesforce(four: Practice, soql: str) -> list[dict[str, Any]]:
    token = {"Authorization": f"Bearer {four.org.credentials.access_token}"}
    answer = requests.get(f"{four.url}/services/data/v67.0/query", {"q": soql}, headers=token, timeout=10)
    return list(answer.json()["records"])


def from_marketo(four: Practice, email: str) -> list[dict[str, Any]]:
    given = four.credentials()
    form = {"grant_type": "client_credentials", "client_id": given["marketo_client_id"],
            "client_secret": given["marketo_client_secret"]}  # fmt: skip
    token = requests.get(f"{four.url}/identity/oauth/token", form, timeout=10).json()["access_token"]
    asked = {"filterType": "email", "filterValues": email, "fields": "id,email,sfdcContactId,sfdcLeadId,unsubscribed"}
    headers = {"Authorization": f"Bearer {token}"}
    return list(requests.get(f"{four.url}/rest/v1/leads.json", asked, headers=headers, timeout=10).json()["result"])


def from_hubspot(four: Practice, email: str) -> list[dict[str, Any]]:
    token = {"Authorization": f"Bearer {four.credentials()['hubspot_token']}"}
    wanted = ["email", "salesforcecontactid", "salesforceleadid", "hs_email_optout"]
    asked = {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ", "value": email}]}],
             "properties": wanted}  # fmt: skip
    url = f"{four.url}/crm/v3/objects/contacts/search"
    answer = requests.post(url, json=asked, headers=token, timeout=10).json()
    return [one["properties"] for one in answer["results"]]


def test_the_same_person_is_in_every_system_tied_to_one_record(four: Practice) -> None:
    found = next(one for one in four.pardot.prospects() if one.get("salesforceContactId"))
    [contact] = from_salesforce(four, f"SELECT Id, Email FROM Contact WHERE Id = '{found['salesforceContactId']}'")
    [lead] = from_marketo(four, contact["Email"])
    [known] = from_hubspot(four, contact["Email"])
    assert lead["sfdcContactId"] == known["salesforcecontactid"] == contact["Id"]


def test_nothing_of_theirs_happened_before_they_were_known_or_after_now(four: Practice) -> None:
    assert four.marketo is not None
    now = SystemClock().now() + timedelta(seconds=5)
    born = {one["id"]: one["createdAt"] for one in four.marketo.leads(limit=10_000)}
    doings = four.marketo.activities()
    assert len(doings) > len(born)
    assert all(born[one["leadId"]] <= one["activityDate"] <= now.timestamp() for one in doings if one["leadId"] in born)


def test_life_goes_on_in_all_of_them(four: Practice) -> None:
    told = live(four.org, four.pardot, dice(3), SystemClock().now(), events=300, elsewhere=four.elsewhere)
    assert {"Marketo", "HubSpot"} <= {word for line in told for word in ("Marketo", "HubSpot") if f"({word})" in line}
    kinds = {line.partition(":")[0] for line in told}
    assert {"New lead", "Tied late", "Unsubscribed", "Lead converted"} <= kinds


def test_a_new_lead_is_known_everywhere_and_keeps_its_tie_when_converted(four: Practice) -> None:

    new_lead(World(four.org, four.pardot, dice(99), SystemClock().now(), four.elsewhere))
    lead = from_salesforce(four, "SELECT Id, Email FROM Lead ORDER BY CreatedDate DESC, Id DESC LIMIT 1")[0]
    assert from_marketo(four, lead["Email"])[0]["sfdcLeadId"] == lead["Id"]
    assert from_hubspot(four, lead["Email"])[0]["salesforceleadid"] == lead["Id"]
    assert four.elsewhere is not None
    made = four.org.convert_lead(lead["Id"], opportunity=False)
    four.elsewhere.tied(lead["Email"], "Contact", str(made["ContactId"]))
    assert from_marketo(four, lead["Email"])[0]["sfdcContactId"] == made["ContactId"]
    assert from_hubspot(four, lead["Email"])[0]["salesforcecontactid"] == made["ContactId"]


def test_merged_people_are_merged_everywhere(four: Practice) -> None:
    assert four.elsewhere is not None
    pairs = [one["email"] for one in four.pardot.prospects() if one.get("salesforceContactId")]
    one, other = pairs[-1], pairs[-2]
    four.elsewhere.merged(one, other)
    assert from_marketo(four, other) == []
    assert [known["email"] for known in from_hubspot(four, other)] in ([], [one])
    assert len(from_marketo(four, one)) == 1


def test_without_other_systems_the_life_is_what_it_was() -> None:
    with serve() as practice:
        assert practice.elsewhere is None
        assert "Marketo leads" not in fill(practice, sample="small")
