"""The sample company: the same for the same seed, and full of what a mapping must cope with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from connector.base.clock import FrozenClock
from practice_org.company.build import build_company, company_name, prospect_company
from practice_org.pardot.system import Pardot
from practice_org.salesforce.org import PracticeOrg

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def company(seed: int = 7) -> tuple[PracticeOrg, Pardot, dict[str, int]]:
    org = PracticeOrg(clock=FrozenClock(NOW))
    pardot = Pardot(org)
    return org, pardot, build_company(org, pardot, now=NOW, seed=seed)


@pytest.fixture(scope="module")
def small() -> Iterator[tuple[PracticeOrg, Pardot, dict[str, int]]]:
    made = company()
    yield made
    made[0].close()


def number(org: PracticeOrg, of: str) -> int:
    return int(org.rows(f"SELECT COUNT(Id) found FROM {of}")[0]["found"])


def test_the_small_company_has_about_400_people() -> None:
    org, _, counts = company()
    people = counts["Contact"] + number(org, "Lead WHERE IsConverted = false")
    assert 350 <= people <= 450
    org.close()


def test_the_same_seed_gives_the_same_company() -> None:
    soql = "SELECT Id, Name, Email, Lifecycle_Stage__c, CreatedDate FROM Contact ORDER BY Id"
    (first, marketing, _), (again, same_marketing, _), (other, _, _) = company(), company(), company(seed=8)
    try:
        assert first.rows(soql) == again.rows(soql)
        assert marketing.prospects() == same_marketing.prospects()
        assert first.rows(soql) != other.rows(soql)
    finally:
        for org in (first, again, other):
            org.close()


@pytest.mark.parametrize(
    "of",
    [
        "Contact WHERE Email = null",
        "Contact WHERE Email != null",
        "Lead WHERE IsConverted = true AND ConvertedContactId != null",
        "Opportunity WHERE IsWon = true",
        "Opportunity WHERE IsClosed = true AND IsWon = false",
        "Opportunity WHERE IsClosed = false",
        "Opportunity WHERE Id NOT IN (SELECT OpportunityId FROM OpportunityContactRole)",
        "OpportunityContactRole WHERE IsPrimary = true",
        "Task WHERE CallDisposition != null",
        "Event WHERE Subject LIKE '%no show%'",
        "CampaignMember WHERE HasResponded = true",
        "Contact WHERE Lifecycle_Stage__c = 'Evangelist'",
        "Contact WHERE Lifecycle_Stage__c = 'Disqualified'",
    ],
)
def test_the_small_company_has_some_of_everything(small: tuple[PracticeOrg, Pardot, dict[str, int]], of: str) -> None:
    assert number(small[0], of) > 0


def test_nothing_happens_before_the_history_or_after_now(small: tuple[PracticeOrg, Pardot, dict[str, int]]) -> None:
    for name in ("Contact", "Opportunity", "Task"):
        assert number(small[0], name) > 0
        assert number(small[0], f"{name} WHERE CreatedDate > 2026-06-01T12:00:00Z") == 0
        assert number(small[0], f"{name} WHERE CreatedDate < 2024-06-01T12:00:00Z") == 0
        assert number(small[0], f"{name} WHERE SystemModstamp > 2026-06-01T12:00:00Z") == 0


def test_addresses_belong_to_nobody(small: tuple[PracticeOrg, Pardot, dict[str, int]]) -> None:
    org, pardot, _ = small
    addresses = [row["Email"] for row in org.rows("SELECT Email FROM Contact WHERE Email != null")]
    addresses += [prospect["email"] for prospect in pardot.prospects()]
    assert all(address.endswith((".example", "@example.com")) for address in addresses)


def test_some_prospects_are_unknown_to_salesforce(small: tuple[PracticeOrg, Pardot, dict[str, int]]) -> None:
    known = {prospect["salesforceId"] is not None for prospect in small[1].prospects()}
    assert known == {True, False}


def test_companies_have_different_names() -> None:
    names = [name(number) for name in (company_name, prospect_company) for number in range(20_000)]
    assert len(set(names)) == len(names)


Small = tuple[PracticeOrg, Pardot, dict[str, int]]


def test_reps_own_accounts_and_deals_and_win_differently(small: Small) -> None:
    org = small[0]
    soql = "SELECT Owner.Name who, IsWon, COUNT(Id) n FROM Opportunity WHERE IsClosed = true GROUP BY Owner.Name, IsWon"
    closed = {(row["who"], row["IsWon"]): row["n"] for row in org.rows(soql)}
    rates = {who: closed[who, True] / (closed[who, True] + closed.get((who, False), 0)) for who, won in closed if won}
    assert len(rates) == 5
    assert max(rates.values()) - min(rates.values()) > 0.1
    assert number(org, "Opportunity WHERE Account.Owner.Username = 'connector@practice.example'") == 0
    assert number(org, "Contact WHERE Owner.Username != 'connector@practice.example'") == 0


def test_some_customers_renew_some_leave_and_some_come_back(small: Small) -> None:
    assert number(small[0], "Opportunity WHERE Name LIKE '% - Comeback' AND CloseDate <= 2026-06-01") > 0
    left = "SELECT AccountId FROM Opportunity WHERE Name LIKE '% - Renewal' AND IsWon = false AND IsClosed = true"
    back = small[0].rows("SELECT AccountId FROM Opportunity WHERE Name LIKE '% - Comeback'")
    gone = {row["AccountId"] for row in small[0].rows(left)}
    assert {row["AccountId"] for row in back} < gone
    assert number(small[0], "Opportunity WHERE Name LIKE '% - Renewal' AND IsWon = true") > len(back)


def test_summers_and_the_turn_of_the_year_are_quiet(small: Small) -> None:
    soql = "SELECT CALENDAR_MONTH(CreatedDate) m, COUNT(Id) n FROM Task GROUP BY CALENDAR_MONTH(CreatedDate)"
    by_month = {row["m"]: row["n"] for row in small[0].rows(soql)}
    quiet = [by_month.get(month, 0) for month in (1, 7, 8, 12)]
    others = [count for month, count in by_month.items() if month not in (1, 7, 8, 12)]
    assert sum(quiet) / len(quiet) < 0.85 * sum(others) / len(others)


def test_campaigns_have_their_season_each_year_and_responses_of_their_own(small: Small) -> None:
    soql = "SELECT Name, Type, StartDate FROM Campaign WHERE Name LIKE 'Spring webinar%' ORDER BY StartDate"
    assert small[0].rows(soql) == [
        {"Name": f"Spring webinar {year}", "Type": "Webinar", "StartDate": f"{year}-04-12"} for year in (2025, 2026)
    ]
    members = small[0].rows("SELECT Campaign.Type kind, HasResponded came, COUNT(Id) n FROM CampaignMember "
                            "GROUP BY Campaign.Type, HasResponded")  # fmt: skip
    found = {(row["kind"], row["came"]): row["n"] for row in members}
    shares = {kind: found.get((kind, True), 0) / sum(found.get((kind, came), 0) for came in (True, False))
              for kind, _ in found}  # fmt: skip
    assert shares["Email"] < 0.25 < shares["Conference"]
    for row in small[0].rows("SELECT CreatedDate, Contact.CreatedDate, Campaign.EndDate FROM CampaignMember "
                             "WHERE ContactId != null"):  # fmt: skip
        assert row["Contact"]["CreatedDate"] <= row["CreatedDate"]
        assert row["CreatedDate"][:10] <= row["Campaign"]["EndDate"]


def test_reps_write_down_what_they_do_some_more_than_others(small: Small) -> None:
    found = small[0].rows("SELECT Owner.Name who, COUNT(Id) n FROM Task GROUP BY Owner.Name")
    counts = [row["n"] for row in found]
    assert len(found) == 5
    assert max(counts) > 1.4 * min(counts)
