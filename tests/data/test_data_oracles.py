"""The builders and oracles themselves: each shows the stages it should, and agrees with the data's readme."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tests.data.data_leadforge import leadforge
from tests.data.data_npsp import npsp
from tests.data.data_olist import olist
from tests.data.data_workshop import workshop
from tests.data.datasets import LADDER, Dataset, furthest

RULED = set(LADDER[:3]) | {"Opportunity", "Customer"}


def counts(dataset: Dataset) -> Counter[str]:
    return Counter(dataset.expected.values())


def test_the_furthest_stage_wins_whoever_set_it() -> None:
    assert furthest("Customer", "Marketing Qualified") == "Customer"
    assert furthest("Engaged", "Marketing Qualified", None) == "Marketing Qualified"


@pytest.mark.parametrize(("org", "people", "roles"), [("qa_org", 100, 491), ("dev_org", 102, 999)])
def test_everybody_in_npsp_is_a_customer(org: str, people: int, roles: int) -> None:
    dataset = npsp(org)
    assert counts(dataset) == {"Customer": people}
    assert len(dataset.tables["OpportunityContactRole"]) == roles


@pytest.mark.parametrize("org", ["qa_org", "dev_org"])
def test_a_redrawn_npsp_shows_every_stage_of_the_rules(org: str) -> None:
    dataset = npsp(org, seed=1)
    assert counts(dataset).keys() >= RULED
    assert dataset == npsp(org, seed=1)
    assert dataset.expected != npsp(org, seed=2).expected


def test_exactly_the_people_with_a_deal_are_customers_in_olist() -> None:
    dataset = olist()
    assert counts(dataset) == {"Customer": 213, "Engaged": 1948, "Anonymous": 982}
    assert {key for key, stage in dataset.expected.items() if stage == "Customer"} == {
        ("Contact", row["Id"]) for row in dataset.tables["Contact"]
    }


def test_olist_with_quiet_leads_has_suspects_and_anonymous_people() -> None:
    assert counts(olist(seed=1)).keys() == RULED - {"Opportunity"}


def test_leadforge_has_as_many_customers_as_its_own_list() -> None:
    dataset = leadforge()
    assert counts(dataset)["Customer"] == len(
        {
            role["ContactId"]
            for role in dataset.tables["OpportunityContactRole"]
            for deal in dataset.tables["Opportunity"]
            if deal["Id"] == role["OpportunityId"] and deal["StageName"] == "Closed Won"
        }
    )
    assert len(dataset.activities) == 17_908 + 4_613
    assert len(dataset.expected) == 1_200 + 108


def test_leadforge_shows_every_stage_of_the_rules() -> None:
    assert counts(leadforge(seed=3)).keys() == RULED


def test_nobody_in_the_workshop_org_did_anything() -> None:
    assert counts(workshop()) == {"Suspect": 162}


def test_a_redrawn_workshop_org_has_customers_and_engaged_people() -> None:
    assert {"Suspect", "Engaged", "Opportunity", "Customer"} <= counts(workshop(seed=1)).keys()


@pytest.mark.parametrize(
    "build", [lambda: npsp("qa_org", 1), lambda: olist(1), lambda: leadforge(1), lambda: workshop(1)]
)
def test_every_reference_of_a_data_set_leads_somewhere(build: Callable[[], Dataset]) -> None:
    dataset = build()
    ids = {name: {str(row["Id"]) for row in rows} for name, rows in dataset.tables.items()}
    for role in dataset.tables.get("OpportunityContactRole", ()):
        assert str(role["ContactId"]) in ids["Contact"]
        assert str(role["OpportunityId"]) in ids["Opportunity"]
    assert dataset.activities or dataset.tables.get("OpportunityContactRole"), "there are references"
    for activity in dataset.activities:
        assert "email" in activity or activity["crm"][1] in ids[activity["crm"][0]]
