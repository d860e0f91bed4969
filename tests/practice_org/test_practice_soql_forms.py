"""SOQL as people write it and mistype it: every right form is answered, every broken one refused with 400.

The kinds are those of the test suite of a parser, soql-parser-js, whose own queries go as they should: the valid ones
that are right for REST and in the objects offered are answered, and all 50 invalid ones are refused.
"""

from __future__ import annotations

import pytest

from tests.practice_org.practice_api import Api

BRACKETED = "((Name = '1' OR Name = '2') AND (Site = '3' OR (Phone = '4' AND Phone = '5'))) AND Fax = '6'"
RIGHT = [
    "SELECT Id, What.Name FROM Event",
    "select name, (select lastname from contacts order by lastname limit 2) from account where name like 'A%'",
    "SELECT a.Name, (SELECT c.LastName FROM a.Contacts c) FROM Account a",
    "SELECT Name FROM Account USING SCOPE Mine",
    "SELECT Name FROM Account FOR VIEW",
    "SELECT Name FROM Contact LIMIT 1 FOR UPDATE",
    "SELECT Name FROM Account WITH SECURITY_ENFORCED",
    "SELECT Name FROM Account ORDER BY Name DESC NULLS LAST, Site ASC NULLS FIRST LIMIT 20 OFFSET 100",
    "SELECT LeadSource, COUNT(Name) n FROM Lead GROUP BY ROLLUP(LeadSource) HAVING COUNT(Name) > 1",
    "SELECT Type, GROUPING(Type) g, COUNT(Id) FROM Account GROUP BY CUBE(Type, Site) ORDER BY GROUPING(Type)",
    "SELECT TYPEOF What WHEN Account THEN Phone, Name WHEN Opportunity THEN Amount ELSE Name END FROM Event",
    "SELECT Id FROM Event WHERE What.Type IN ('Account', 'Opportunity')",
    "SELECT Name FROM Account WHERE CreatedDate > 2026-01-01T00:00:00.000+0000 AND CreatedDate < LAST_N_DAYS:30",
    "SELECT Name FROM Account WHERE CreatedDate IN (TODAY, YESTERDAY) AND NOT (NOT Name LIKE '%x%')",
    "SELECT CALENDAR_YEAR(CreatedDate) y, AVG(Amount) FROM Opportunity GROUP BY CALENDAR_YEAR(CreatedDate)",
    "SELECT FORMAT(Amount) shown, convertCurrency(Amount) other FROM Opportunity WHERE Amount > USD5000",
    "SELECT toLabel(LeadSource) shown FROM Lead WHERE LeadSource NOT IN ('Web', null)",
    "SELECT Name FROM Account WHERE DISTANCE(BillingAddress, GEOLOCATION(37.775, -122.418), 'mi') < 20",
    "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE Title != null) AND Id NOT IN "
    "(SELECT AccountId FROM Opportunity)",
    "SELECT FIELDS(ALL) FROM Contact LIMIT 200",
    r"SELECT Name FROM Account WHERE Name = 'it\'s \\ \u00e9' /* a comment */ LIMIT 1 // the end",
    f"SELECT Id FROM Account WHERE {BRACKETED}",
]
WRONG = [
    "SELECT Id, Name FROMAccount", "SELECTName FROM Account", "SELECT Id, What.Name FROMEvent",
    "SELECT LeadSourceCOUNT(Name) FROM Lead GROUP BY LeadSource", "SELECT Name FROM Account GROUPBY Name",
    "SELECT Name FROM Account ORDER BY Name OFFSET100", "SELECT Name FROM ORDER BY Name", "SELECT FROM Account",
    "SELECT Account..Name FROM Contact", "SELECT Name (SELECT LastName FROM Contacts) FROM Account",
    "select some fake text", "SELECT Name FROM Account FROM Account",
    "SELECT Name FROM Account WHERE Name LIKE 'A%' fds",
    "SELECT Name FROM Contact WHERE Account.Name Name LIKE 'C%'", "SELECT Name FROM Account WHERE Id = foo",
    "SELECT Name FROM Account WHERE Id = :foo", "SELECT Name FROM Account LIMIT 'foo'",
    "SELECT Name FROM Account OFFSET 'foo'", "SELECT Name FROM Account HAVING COUNT(Id) > 1",
    "SELECT Name, COUNT(Id) FROM Account GROUP BY Name HAVING COUNT(Id) > 0 AND (Name LIKE '%a%)",
    "SELECT Name FROM Account WHERE (((Name > 'a'", "SELECT Name FROM Account LIMIT -10 OFFSET 10",
    "SELECT Name, GEOLOCATION(37.775, -122.418) FROM Account", "SELECT Name, DISTANCE(37.775, -122.418) FROM Account",
    "SELECT Name FROM Account WHERE GEOLOCATION(37.775, -122.418) < 20",
    "SELECT DISTANCE(BillingAddress, GEOLOCATION(10, 10), 'm') FROM Account",
    "SELECT DISTANCE(GEOLOCATION(10, 10), BillingAddress, 'km') FROM Account",
    *(f"SELECT Name FROM Account {end}" for end in
      ("WHERE", "ORDER BY", "LIMIT", "OFFSET", "GROUP BY", "HAVING", "WITH", "FOR", "USING SCOPE")),
]  # fmt: skip


@pytest.mark.parametrize("soql", RIGHT)
def test_a_right_form_is_answered(api: Api, soql: str) -> None:
    answer = api.get("query", q=soql)
    assert (answer.status_code, answer.json()["done"]) == (200, True), answer.text


@pytest.mark.parametrize("soql", WRONG)
def test_a_broken_form_is_refused(api: Api, soql: str) -> None:
    answer = api.get("query", q=soql)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "MALFORMED_QUERY")


def test_a_bracket_too_few_is_refused_wherever_it_is_missing(api: Api) -> None:
    for place in (at for at, char in enumerate(BRACKETED) if char in "()"):
        answer = api.get("query", q=f"SELECT Id FROM Account WHERE {BRACKETED[:place]}{BRACKETED[place + 1 :]}")
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "MALFORMED_QUERY")
