"""What SOQL means: which rows a condition matches and how records come back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem
from tests.cases import cases
from tests.practice_org.practice_api import Api


def names(org: PracticeOrg, condition: str, field: str = "LastName") -> list[Any]:
    return [row[field] for row in org.rows(f"SELECT {field} FROM Contact WHERE {condition} ORDER BY {field}")]


@pytest.fixture
def people(org: PracticeOrg) -> PracticeOrg:
    accounts = org.create("Account", [{"Name": "Acme", "NumberOfEmployees": 5}, {"Name": "Beta"}])
    org.create("Contact", [
        {"LastName": "Ant", "Title": "CEO", "AccountId": accounts[0], "Birthdate": "2000-02-29"},
        {"LastName": "Bee", "Title": "ceo", "AccountId": accounts[1], "DoNotCall": True},
        {"LastName": "Cat", "Title": None, "CreatedDate": "2026-04-30T23:59:59.000+0000"},
        {"LastName": "D%g", "Title": "50_50"},
    ])  # fmt: skip
    return org


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("Title = 'CEO'", ["Ant", "Bee"]),  # strings compare without case
        ("Title != 'ceo'", ["Cat", "D%g"]),  # an empty field is different from a value
        ("Title = null", ["Cat"]),
        ("Title = ''", ["Cat"]),
        ("Title != null", ["Ant", "Bee", "D%g"]),
        ("NOT Title = 'ceo'", ["Cat", "D%g"]),
        ("NOT (Title = 'ceo' OR LastName = 'Cat')", ["D%g"]),
        ("Title IN ('ceo', '50_50')", ["Ant", "Bee", "D%g"]),
        ("Title NOT IN ('ceo')", ["Cat", "D%g"]),
        ("Title IN ('ceo', null)", ["Ant", "Bee", "Cat"]),
        ("Title LIKE 'c%'", ["Ant", "Bee"]),
        ("Title LIKE '50\\_5_'", ["D%g"]),
        ("LastName LIKE '%\\%%'", ["D%g"]),
        ("(NOT Title LIKE 'c%') AND LastName > 'c'", ["Cat", "D%g"]),
        ("DoNotCall = TRUE", ["Bee"]),
        ("Account.Name = 'acme'", ["Ant"]),
        ("Account.NumberOfEmployees > 4.5", ["Ant"]),
        ("Account.NumberOfEmployees = null", ["Bee", "Cat", "D%g"]),
        ("Birthdate = 2000-02-29", ["Ant"]),
        ("Birthdate < 2000-03-01", ["Ant"]),
        ("CreatedDate = TODAY", ["Ant", "Bee", "D%g"]),
        ("CreatedDate < TODAY", ["Cat"]),
        ("CreatedDate = LAST_MONTH", ["Cat"]),
        ("CreatedDate = LAST_N_DAYS:4", ["Ant", "Bee", "Cat", "D%g"]),
        ("CreatedDate > LAST_N_DAYS:3", []),
        ("CreatedDate != THIS_YEAR", []),
        ("CreatedDate IN (TODAY, LAST_WEEK)", ["Ant", "Bee", "Cat", "D%g"]),
        ("CreatedDate NOT IN (TODAY, 2026-01-01T00:00:00Z)", ["Cat"]),
        ("CreatedDate = LAST_N_DAYS : 3", ["Ant", "Bee", "D%g"]),
        ("DAY_IN_WEEK(CreatedDate) = 5", ["Cat"]),  # a Thursday
        ("DAY_IN_YEAR(CreatedDate) = 120", ["Cat"]),
        ("WEEK_IN_MONTH(CreatedDate) = 5", ["Cat"]),
        ("WEEK_IN_YEAR(CreatedDate) = 18 /* from January 1 on */", ["Ant", "Bee", "Cat", "D%g"]),
        ("Account.AnnualRevenue > USD1000", []),
        ("CreatedDate < 2026-05-01T00:00:00Z", ["Cat"]),
        ("CreatedDate < 2026-05-01T02:00:00+02:00", ["Cat"]),
        ("CreatedDate < 2026-04-30T17:00:00.000-07:00", ["Cat"]),
        ("AccountId IN (SELECT Id FROM Account WHERE Name = 'Beta')", ["Bee"]),
        ("AccountId NOT IN (SELECT Id FROM Account WHERE Name = 'Beta')", ["Ant", "Cat", "D%g"]),
    ],
)
def test_a_condition_matches(people: PracticeOrg, condition: str, wanted: list[str]) -> None:
    assert names(people, condition) == wanted


def test_ids_match_in_both_lengths(people: PracticeOrg) -> None:
    [row] = people.rows("SELECT Id FROM Contact WHERE LastName = 'Ant'")
    for text in (row["Id"], row["Id"][:15]):
        assert names(people, f"Id = '{text}'") == ["Ant"]
        assert names(people, f"Id IN ('{text}', '003000000000000AAA')") == ["Ant"]


def test_empty_fields_sort_first_unless_asked(people: PracticeOrg) -> None:
    def order(clause: str) -> list[str]:
        return [row["LastName"] for row in people.rows(f"SELECT LastName FROM Contact ORDER BY {clause}, LastName")]

    assert order("Title") == ["Cat", "D%g", "Ant", "Bee"]
    assert order("Title DESC") == ["Cat", "Ant", "Bee", "D%g"]
    assert order("Title NULLS LAST") == ["D%g", "Ant", "Bee", "Cat"]
    assert order("Account.Name DESC NULLS LAST")[:2] == ["Bee", "Ant"]


def test_records_nest_and_missing_parents_are_null(people: PracticeOrg) -> None:
    rows = people.rows(
        "SELECT lastname, account.NAME, Owner.Profile.Name FROM contact WHERE LastName IN ('Ant', 'Cat')"
    )
    assert [row["LastName"] for row in rows] == ["Ant", "Cat"]
    assert rows[0]["Account"]["Name"] == "Acme"
    assert rows[1]["Account"] is None
    assert rows[0]["Owner"]["Profile"]["Name"] == "System Administrator"


def test_children_come_under_their_plural_name(people: PracticeOrg) -> None:
    rows = people.rows(
        "SELECT Name, (SELECT LastName, Account.Name FROM Contacts WHERE Title != null ORDER BY LastName LIMIT 1) "
        "FROM Account ORDER BY Name"
    )
    assert [row["Contacts"]["records"][0]["LastName"] for row in rows] == ["Ant", "Bee"]
    assert people.rows("SELECT (SELECT Id FROM Opportunities) FROM Account LIMIT 1") == [{"Opportunities": None}]


def test_who_owner_and_what_are_polymorphic(people: PracticeOrg) -> None:
    [contact] = people.rows("SELECT Id FROM Contact WHERE LastName = 'Ant'")
    [lead] = people.create("Lead", [{"LastName": "Lee", "FirstName": "Al", "Company": "C"}])
    people.create("Task", [{"WhoId": contact["Id"], "Subject": "a"}, {"WhoId": lead, "Subject": "b"}, {"Subject": "c"}])
    rows = people.rows("SELECT Subject, Who.Type, Who.Name, Owner.Name FROM Task ORDER BY Subject")
    assert [(row["Who"] or {}).get("Type") for row in rows] == ["Contact", "Lead", None]
    assert [(row["Who"] or {}).get("Name") for row in rows] == ["Ant", "Al Lee", None]
    assert rows[0]["Who"]["attributes"] == {"type": "Name", "url": f"/sobjects/Contact/{contact['Id']}"}
    assert [row["Subject"] for row in people.rows("SELECT Subject FROM Task WHERE Who.Type = 'Lead'")] == ["b"]


def test_typeof_gives_each_object_its_own_fields(org: PracticeOrg) -> None:
    [contact] = org.create("Contact", [{"LastName": "Ant", "Title": "CEO"}])
    [lead] = org.create("Lead", [{"LastName": "Lee", "Company": "Acme"}])
    org.create("Task", [{"WhoId": contact, "Subject": "a"}, {"WhoId": lead, "Subject": "b"}])
    soql = "SELECT TYPEOF Who WHEN Contact THEN LastName, Title WHEN Lead THEN Company END FROM Task ORDER BY Subject"
    first, second = (row["Who"] for row in org.rows(soql))
    assert {key: first[key] for key in first if key != "attributes"} == {"LastName": "Ant", "Title": "CEO"}
    assert {key: second[key] for key in second if key != "attributes"} == {"Company": "Acme"}
    assert second["attributes"]["type"] == "Lead"


def test_an_address_is_one_object_or_null(org: PracticeOrg) -> None:
    org.create("Contact", [{"LastName": "A", "MailingCity": "Ulm"}, {"LastName": "B"}])
    rows = org.rows("SELECT MailingAddress FROM Contact ORDER BY LastName")
    assert rows[0]["MailingAddress"]["city"] == "Ulm"
    assert rows[0]["MailingAddress"]["geocodeAccuracy"] is None
    assert rows[1]["MailingAddress"] is None


def test_groups_and_aggregates_have_aliases(org: PracticeOrg) -> None:
    deal = {"Name": "D", "CloseDate": "2026-02-01"}
    stages = ("Prospecting", "Closed Won", "Closed Won")
    org.create("Opportunity", [{**deal, "StageName": stage, "Amount": i} for i, stage in enumerate(stages)])
    grouped = "FROM Opportunity GROUP BY StageName"
    assert org.rows(f"SELECT StageName, COUNT(Id), SUM(Amount) total {grouped} ORDER BY COUNT(Id) DESC") == [
        {"StageName": "Closed Won", "expr0": 2, "total": 3.0},
        {"StageName": "Prospecting", "expr0": 1, "total": 0.0},
    ]
    assert org.rows(f"SELECT StageName {grouped} HAVING COUNT(Id) > 1") == [{"StageName": "Closed Won"}]
    assert org.rows("SELECT MAX(CloseDate) FROM Opportunity") == [{"expr0": "2026-02-01"}]
    month = "CALENDAR_MONTH(CloseDate)"
    [row] = org.rows(f"SELECT {month} m, COUNT_DISTINCT(StageName) n FROM Opportunity GROUP BY {month}")
    assert row == {"m": 2, "n": 2}


def test_multipicklists_include_and_exclude(org: PracticeOrg) -> None:
    account, contact = org.create("Account", [{"Name": "A"}])[0], org.create("Contact", [{"LastName": "C"}])[0]
    rows = [["Influencer", "Evaluator"], ["Evaluator"], None]
    org.create("AccountContactRelation", [{"AccountId": account, "ContactId": contact, "Roles": r} for r in rows])

    def matched(condition: str) -> int:
        return len(org.rows(f"SELECT Id FROM AccountContactRelation WHERE Roles {condition}"))

    assert matched("INCLUDES ('Influencer;Evaluator')") == 1
    assert matched("INCLUDES ('influencer', 'Evaluator')") == 2
    assert matched("EXCLUDES ('Influencer')") == 2


def test_deleted_and_archived_rows_need_all_rows(org: PracticeOrg) -> None:
    kept, gone = org.create("Task", [{"Subject": "a"}, {"Subject": "b", "IsArchived": True}])
    assert [row["Id"] for row in org.rows("SELECT Id FROM Task")] == [kept]
    org.delete("Task", [kept])
    assert org.rows("SELECT Id FROM Task") == []
    assert {row["Id"] for row in org.rows("SELECT Id FROM Task", all_rows=True)} == {kept, gone}
    assert {row["Id"] for row in org.rows("SELECT Id FROM Task ALL ROWS")} == {kept, gone}


def test_fields_stand_for_all_standard_or_custom(org: PracticeOrg) -> None:
    org.create("Contact", [{"LastName": "A", "Lifecycle_Stage__c": "Customer"}])
    assert set(org.rows("SELECT FIELDS(CUSTOM) FROM Contact LIMIT 1")[0]) == {"Lifecycle_Stage__c", "Lead_Status__c"}
    assert "MailingAddress" in org.rows("SELECT FIELDS(ALL) FROM Contact LIMIT 200")[0]
    with pytest.raises(Problem, match="LIMIT"):
        org.rows("SELECT FIELDS(ALL) FROM Contact")


@pytest.mark.parametrize(
    ("soql", "code", "text"),
    [
        ("SELECT Id FROM", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Id FROM Contact WHERE", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Id FROM Contact WHERE Title = 'a' AND Title = 'b' OR Title = 'c'", "MALFORMED_QUERY", "token: 'OR'"),
        ("SELECT Id FROM Contact LIMIT 1 WHERE Title = 'a'", "MALFORMED_QUERY", "unexpected token"),
        (r"SELECT Id FROM Contact WHERE Title = 'a\q'", "MALFORMED_QUERY", "escape"),
        ("SELECT Id, Name, id FROM Lead", "INVALID_FIELD", "duplicate field selected: Id"),
        ("SELECT Nope FROM Lead", "INVALID_FIELD", "ERROR at Row:1:Column:8\nNo such column 'Nope' on entity 'Lead'."),
        ("SELECT Id FROM Contact WHERE Nope__c = 1", "INVALID_FIELD", "No such column 'Nope__c' on entity 'Contact'"),
        ("SELECT Boss.Name FROM Contact", "INVALID_FIELD", "Didn't understand relationship 'Boss' in field path"),
        ("SELECT Id FROM Nope", "INVALID_TYPE", "sObject type 'Nope' is not supported."),
        ("SELECT Id FROM Contact WHERE CreatedDate > '2026-01-01'", "INVALID_FIELD", "must be of type dateTime"),
        ("SELECT Id FROM Contact WHERE Title = 5", "INVALID_FIELD", "must be of type string"),
        ("SELECT Id FROM Contact WHERE DoNotCall = 'true'", "INVALID_FIELD", "must be of type boolean"),
        ("SELECT Id FROM Contact WHERE Description = 'x'", "INVALID_FIELD", "can not be filtered"),
        ("SELECT Id FROM Contact WHERE Id = 'nope'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: nope"),
        ("SELECT Id FROM Contact LIMIT 1 OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "2000"),
        ("SELECT Title, COUNT(Id) FROM Contact", "MALFORMED_QUERY", "must be grouped or aggregated"),
        ("SELECT Id FROM Contact LIMIT -1", "MALFORMED_QUERY", "unexpected token: '-1'"),
        ("SELECT Id FROM Contact LIMIT 1.5", "MALFORMED_QUERY", "unexpected token: '1.5'"),
        ("SELECT Id FROM Contact OFFSET -5", "MALFORMED_QUERY", "unexpected token: '-5'"),
        ("SELECT Id FROM Contact HAVING COUNT(Id) > 1", "MALFORMED_QUERY", "GROUP BY"),
        ("SELECT Id FROM Contact WHERE COUNT(Id) > 1", "MALFORMED_QUERY", "COUNT is not allowed in the WHERE"),
        ("SELECT Id FROM Contact ORDER BY COUNT(Id)", "MALFORMED_QUERY", "needs a query with groups"),
        ("SELECT Title FROM Contact GROUP BY Title ORDER BY Name", "MALFORMED_QUERY", "grouped or aggregated: Name"),
        ("SELECT MAX(COUNT(Id)) FROM Contact", "MALFORMED_QUERY", "does not support aggregate operator MAX"),
        ("SELECT COUNT() FROM Contact GROUP BY Title", "MALFORMED_QUERY", "stands alone"),
        ("SELECT COUNT(), COUNT(Id) FROM Contact", "MALFORMED_QUERY", "stands alone"),
        ("SELECT COUNT(Id) FROM Contact GROUP BY MailingAddress", "MALFORMED_QUERY", "can not be grouped"),
        ("SELECT CALENDAR_YEAR(Title) FROM Contact", "MALFORMED_QUERY", "does not support function CALENDAR_YEAR"),
        ("SELECT (SELECT COUNT(Id) FROM Contacts) FROM Account", "MALFORMED_QUERY", "not allowed in a nested query"),
        ("SELECT (SELECT Nope FROM Contacts) FROM Account", "INVALID_FIELD", "No such column 'Nope'"),
        ("SELECT Id FROM Account.Contacts", "MALFORMED_QUERY", "unexpected token: 'Account.Contacts'"),
        ("SELECT TYPEOF What WHEN Account THEN Amount END FROM Task", "INVALID_FIELD", "'Amount' on entity 'Account'"),
        ("SELECT TYPEOF What WHEN Nope THEN Id END FROM Task", "INVALID_TYPE", "'Nope' is not supported"),
        ("SELECT Id FROM Contact WHERE Title = '\\ud800'", "MALFORMED_QUERY", "escape"),
        ("SELECT Id FROM Contact WHERE Title = '\ud800'", "MALFORMED_QUERY", "Unicode"),
        ("SELECT Id FROM Contact WHERE " + "NOT " * 3000 + "Title = 'a'", "QUERY_TOO_COMPLICATED", "too complicated"),
        ("SELECT Id FROM Contact WHERE Id = null" + " OR Id = null" * 3000, "QUERY_TOO_COMPLICATED", "too complicated"),
        ("SELECT (SELECT Id FROM Nopes) FROM Contact", "INVALID_TYPE", "Didn't understand relationship 'Nopes'"),
        ("SELECT Id FROM Contact WHERE CreatedDate = LAST_N_FOO:3", "MALFORMED_QUERY", "LAST_N_FOO"),
        ("SELECT Id FROM Contact WHERE Title = 'x" + "x" * 100_000 + "'", "MALFORMED_QUERY", "100000"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_as_salesforce_does(org: PracticeOrg, soql: str, code: str, text: str) -> None:
    with pytest.raises(Problem) as caught:
        org.rows(soql)
    assert caught.value.code == code
    assert text in caught.value.message


VALUES = st.sampled_from([None, "a", "A", "b", "ab", "%"])
LEAF = st.builds(
    lambda operator, value: (f"Title {operator} {literal(value)}", operator, value),
    st.sampled_from(["=", "!=", "<", ">="]),
    VALUES,
)


def literal(value: str | None) -> str:
    return "null" if value is None else f"'{value}'"


def holds(operator: str, value: str | None, title: str | None) -> bool:
    have, want = (title or "").lower(), (value or "").lower()
    if operator in ("=", "!="):
        return (have == want) == (operator == "=")
    if title is None or value is None:
        return False
    return have < want if operator == "<" else have >= want


@settings(max_examples=cases(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    titles=st.lists(VALUES, max_size=6),
    first=LEAF,
    second=LEAF,
    word=st.sampled_from(["AND", "OR"]),
    negated=st.booleans(),
)
def test_every_condition_is_two_valued(
    org: PracticeOrg, titles: list[str | None], first: Any, second: Any, word: str, negated: bool
) -> None:
    """Whatever the fields hold, a condition and its negation split the rows."""
    org.delete("Contact", [row["Id"] for row in org.rows("SELECT Id FROM Contact")], hard=True)
    org.create("Contact", [{"LastName": str(i), "Title": title} for i, title in enumerate(titles)])
    condition = f"({first[0]} {word} {second[0]})"
    found = names(org, f"NOT {condition}" if negated else condition)
    join = all if word == "AND" else any
    wanted = [
        str(i)
        for i, title in enumerate(titles)
        if join(holds(leaf[1], leaf[2], title) for leaf in (first, second)) != negated
    ]
    assert found == wanted


def test_times_are_whole_seconds_in_utc(org: PracticeOrg) -> None:
    at = datetime(2026, 1, 31, 23, 1, 1, 999999, tzinfo=UTC)
    org.create("Contact", [{"LastName": "A", "EmailBouncedDate": at}], at=at)
    [row] = org.rows("SELECT EmailBouncedDate, SystemModstamp, IsEmailBounced FROM Contact")
    assert row == {
        "EmailBouncedDate": "2026-01-31T23:01:01.000+0000",
        "SystemModstamp": "2026-01-31T23:01:01.000+0000",
        "IsEmailBounced": True,
    }


def test_names_match_without_case_everywhere(people: PracticeOrg) -> None:
    assert people.rows(
        "select title, count(id) from CONTACT where title != NULL group by TITLE order by title limit 1"
    ) == [{"Title": "50_50", "expr0": 1}]


def test_children_may_be_named_by_the_whole_path(people: PracticeOrg) -> None:
    rows = people.rows("SELECT Name, (SELECT LastName FROM Account.Contacts) FROM Account WHERE Name = 'Acme'")
    assert [row["LastName"] for row in rows[0]["Contacts"]["records"]] == ["Ant"]


def test_typeof_takes_the_objects_own_name_and_its_parents(people: PracticeOrg) -> None:
    account = people.rows("SELECT Id FROM Account WHERE Name = 'Acme'")[0]["Id"]
    people.create("Task", [{"Subject": "s", "WhatId": account}])
    [task] = people.rows("SELECT TYPEOF What WHEN Account THEN Account.Name, Owner.Name ELSE Name END FROM Task")
    assert task["What"]["Name"] == "Acme"
    assert task["What"]["Owner"]["Name"]


def test_else_may_ask_for_what_names_have_and_the_object_lacks(people: PracticeOrg) -> None:
    account = people.rows("SELECT Id FROM Account WHERE Name = 'Acme'")[0]["Id"]
    people.create("Task", [{"Subject": "s", "WhatId": account}])
    [task] = people.rows("SELECT TYPEOF What WHEN Opportunity THEN Amount ELSE Name, Email END FROM Task")
    assert (task["What"]["Name"], task["What"]["Email"]) == ("Acme", None)


def test_a_count_of_rows_knows_limit_and_offset(api: Api, people: PracticeOrg) -> None:
    for tail, wanted in (("", 4), ("LIMIT 3", 3), ("LIMIT 9 OFFSET 3", 1), ("LIMIT 1 OFFSET 9", 0)):
        assert api.query(f"SELECT COUNT() FROM Contact {tail}")["totalSize"] == wanted
