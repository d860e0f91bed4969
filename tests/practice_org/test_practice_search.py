"""SOSL over HTTP, and the parts of SOQL that count, measure and show: ROLLUP, CUBE, DISTANCE, FORMAT, toLabel."""

from __future__ import annotations

from typing import Any

import pytest

from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.schema import FieldSpec, Value
from tests.practice_org.practice_api import Api


@pytest.fixture
def company(org: PracticeOrg) -> PracticeOrg:
    org.create("Account", [
        {"Name": "Acme Optics", "Industry": "Energy", "Type": "Prospect", "AnnualRevenue": 10,
         "BillingLatitude": 48.137, "BillingLongitude": 11.575},
        {"Name": "Beta", "Industry": "Energy", "Type": "Customer", "AnnualRevenue": 20,
         "BillingLatitude": 52.52, "BillingLongitude": 13.405},
        {"Name": "Acmeville", "Industry": "Retail", "Type": "Customer", "AnnualRevenue": 1234567.5},
    ])  # fmt: skip
    org.create("Contact", [
        {"FirstName": "Ada", "LastName": "Lovelace", "Email": "ada.l@acme.example", "Birthdate": "1815-12-10"},
        {"FirstName": "Adam", "LastName": "Smith", "Email": "adam@beta.example", "Title": "Ada's brother"},
    ])  # fmt: skip
    return org


def rows(api: Api, soql: str) -> list[tuple[Any, ...]]:
    return [tuple(value for key, value in row.items() if key != "attributes") for row in api.query(soql)["records"]]


def test_rollup_gives_the_groups_and_their_totals(api: Api, company: PracticeOrg) -> None:
    soql = (
        "SELECT Industry, Type, COUNT(Id) n, SUM(AnnualRevenue) money, GROUPING(Type) g FROM Account "
        "GROUP BY ROLLUP(Industry, Type) ORDER BY GROUPING(Industry), Industry, GROUPING(Type), Type"
    )
    assert rows(api, soql) == [
        ("Energy", "Customer", 1, 20, 0), ("Energy", "Prospect", 1, 10, 0), ("Energy", None, 2, 30, 1),
        ("Retail", "Customer", 1, 1234567.5, 0), ("Retail", None, 1, 1234567.5, 1), (None, None, 3, 1234597.5, 1),
    ]  # fmt: skip


def test_cube_gives_the_totals_of_every_combination(api: Api, company: PracticeOrg) -> None:
    found = rows(api, "SELECT Industry, Type, COUNT(Id) FROM Account GROUP BY CUBE(Industry, Type)")
    assert set(found[3:]) == {("Energy", None, 2), ("Retail", None, 1), (None, "Customer", 2), (None, "Prospect", 1),
                              (None, None, 3)}  # fmt: skip
    having = "SELECT Industry, COUNT(Id) FROM Account WHERE Name != 'Beta' GROUP BY CUBE(Industry) HAVING COUNT(Id) > 1"
    assert rows(api, having) == [(None, 2)]
    assert len(rows(api, "SELECT Type, COUNT(Id) FROM Account GROUP BY ROLLUP(Type) LIMIT 2")) == 2


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT GROUPING(Type), COUNT(Id) FROM Account GROUP BY Type",
        "SELECT GROUPING(Name), COUNT(Id) FROM Account GROUP BY ROLLUP(Type)",
        "SELECT Name FROM Account GROUP BY ROLLUP(Type)",
        "SELECT COUNT(Id) FROM Account GROUP BY CUBE(Type, Name, Industry, Rating)",
        "SELECT Id FROM Account WHERE GROUPING(Type) = 1",
        "SELECT Id FROM Account WHERE DISTANCE(Name, GEOLOCATION(1, 2), 'mi') < 5",
        "SELECT Id FROM Account WHERE DISTANCE(BillingAddress, GEOLOCATION(1, 2), 'feet') < 5",
    ],
)
def test_what_makes_no_sense_is_refused(api: Api, company: PracticeOrg, soql: str) -> None:
    answer = api.get("query", q=soql)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "MALFORMED_QUERY")


def test_places_are_measured_in_miles_and_kilometres(api: Api, company: PracticeOrg) -> None:
    here = "DISTANCE(BillingAddress, GEOLOCATION(48.137, 11.575), '{}')"
    near = f"SELECT Name FROM Account WHERE {here.format('km')} < 100"
    assert rows(api, near) == [("Acme Optics",)]
    far = f"SELECT Name, {here.format('mi')} d FROM Account WHERE Name != 'Acmeville' ORDER BY {here.format('km')} DESC"
    assert [(name, round(miles)) for name, miles in rows(api, far)] == [("Beta", 313), ("Acme Optics", 0)]


def test_values_are_shown_as_a_person_reads_them(api: Api, company: PracticeOrg) -> None:
    assert rows(api, "SELECT FORMAT(AnnualRevenue) FROM Account WHERE Name = 'Acmeville'") == [("$1,234,567.50",)]
    soql = "SELECT FORMAT(Birthdate) b, FORMAT(CreatedDate) c FROM Contact WHERE FirstName = 'Ada'"
    assert rows(api, soql) == [("12/10/1815", "5/4/2026, 12:00 PM")]
    company.define("Contact", [FieldSpec("Tier__c", "picklist", values=(Value("g", "It's gold"),))])
    company.update("Contact", [{"Id": one["Id"], "Tier__c": "g"} for one in company.rows("SELECT Id FROM Contact")])
    found = api.query("SELECT toLabel(Tier__c) seen, Tier__c FROM Contact LIMIT 1")["records"][0]
    assert (found["seen"], found["Tier__c"]) == ("It's gold", "g")


@pytest.mark.parametrize(
    ("sosl", "wanted"),
    [
        ("FIND {ada} RETURNING Contact(FirstName)", ["Ada", "Adam"]),  # Adam's title has the word
        ("FIND {ada} IN NAME FIELDS RETURNING Contact(FirstName)", ["Ada"]),
        ("FIND {ada*} IN EMAIL FIELDS RETURNING Contact(FirstName)", ["Ada", "Adam"]),
        ("FIND {beta.example} RETURNING Contact(FirstName WHERE LastName = 'Smith' LIMIT 1)", ["Adam"]),
        ('FIND {"ada lovelace"} RETURNING Contact(FirstName)', ["Ada"]),
        ("FIND {lovelace OR smith} RETURNING Contact(FirstName ORDER BY FirstName DESC)", ["Adam", "Ada"]),
        ("FIND {lovelace AND smith} RETURNING Contact(FirstName)", []),
        ("FIND 'acme' RETURNING Lead, Account(Name), Contact(FirstName)", ["Acme Optics", "Ada"]),
        ("find {nobody}", []),
    ],
)
def test_sosl_finds_words(api: Api, company: PracticeOrg, sosl: str, wanted: list[str]) -> None:
    answer = api.get("search", q=sosl)
    assert answer.status_code == 200, answer.text
    found = answer.json()["searchRecords"]
    assert [one.get("FirstName") or one["Name"] for one in found] == wanted
    assert all(one["attributes"]["url"].startswith("/services/data/v67.0/sobjects/") for one in found)


def test_a_search_may_be_told_by_parameters(api: Api, company: PracticeOrg) -> None:
    found = api.get("parameterizedSearch", q="acme*", sobject="Account", fields="Name").json()["searchRecords"]
    assert [one["Name"] for one in found] == ["Acme Optics", "Acmeville"]
    body = {"q": "ada", "in": "EMAIL", "sobjects": [{"name": "Contact", "fields": ["Id", "Email"], "limit": 1}]}
    answer = api.call("POST", "parameterizedSearch", json=body).json()
    assert [one["Email"] for one in answer["searchRecords"]] == ["ada.l@acme.example"]


@pytest.mark.parametrize(
    ("sosl", "code"),
    [
        ("", "MALFORMED_SEARCH"), ("FIND ada", "MALFORMED_SEARCH"), ("FIND {a}", "MALFORMED_SEARCH"),
        ("FIND {ada} RETURNING Contact(", "MALFORMED_SEARCH"), ("FIND {ada} RETURNING Nothing", "INVALID_TYPE"),
        ("FIND {ada} RETURNING Contact(Nothing)", "INVALID_FIELD"),
    ],
)  # fmt: skip
def test_a_search_that_is_wrong_is_refused(api: Api, company: PracticeOrg, sosl: str, code: str) -> None:
    answer = api.get("search", q=sosl)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
