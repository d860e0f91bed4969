"""Who a fact belongs to: the reading side."""

from __future__ import annotations

from dataclasses import replace

from connector.base.facts import Result
from connector.store import Store
from tests.store.store_facts import (
    activity_ids,
    answered,
    click,
    decided,
    dirty,
    one,
    page,
    prospect,
    role,
    row,
    settle,
    settle_all,
)


def test_a_person_reads_back_as_recorded(store: Store) -> None:
    store.record_rows("Account", [row("A1", Name="Acme")])
    store.record_rows("Contact", [row("C1", Email=" Anna@Example.com ", AccountId="A1")])
    store.record_rows("Opportunity", [row("O1", StageName="Won", IsWon=True)])
    store.record_rows("OpportunityContactRole", [role("R1", "O1", "C1", IsPrimary=True)])
    visit = click("1", crm_id="C1", attributes={"url": "https://example.com"})
    known = prospect("7", "anna@example.com", "C1", attributes={"score": 71})
    store.record_page("pardot", page(visit, known))
    person = one(store, "C1")
    assert (person.id, person.object) == ("C1", "Contact")
    assert person.fields == row("C1", Email=" Anna@Example.com ", AccountId="A1")
    assert person.account == row("A1", Name="Acme")
    [seen] = person.opportunities
    assert (seen.role_id, seen.opportunity_id, seen.role["IsPrimary"], seen.opportunity["IsWon"]) == (
        "R1",
        "O1",
        True,
        True,
    )
    assert person.activities == (visit,)
    assert person.prospects == (known,)
    assert person.memory == {}


def test_people_come_in_the_order_asked_and_strangers_are_left_out(store: Store) -> None:
    store.record_rows("Contact", [row("C1"), row("C2")])
    store.record_rows("Account", [row("A1")])
    assert [each.id for each in store.facts_of(["C2", "nobody", "A1", "pardot:9", "C1", "C2"])] == ["C2", "C1"]
    assert store.facts_of([]) == []


def test_activities_are_in_order_of_time(store: Store) -> None:
    store.record_rows("Contact", [row("C1")])
    store.record_page(
        "pardot", page(click("b", at=5, crm_id="C1"), click("a", at=9, crm_id="C1"), click("c", at=1, crm_id="C1"))
    )
    assert activity_ids(store, "C1") == ["c", "b", "a"]


def test_an_address_counts_only_where_the_source_says_nothing_better(store: Store) -> None:
    store.record_rows("Contact", [row("C1", Email="a@x.com"), row("C2", Email="b@x.com")])
    store.record_page(
        "pardot",
        page(
            click("by id", email="b@x.com", crm_id="C1"),
            click("by prospect", email="b@x.com", prospect_id="7"),
            click("by address", email=" B@X.com"),
            prospect("7", "b@x.com", "C1"),
        ),
    )
    assert activity_ids(store, "C1") == ["by id", "by prospect"]
    assert activity_ids(store, "C2") == ["by address"]


def test_everybody_with_the_address_gets_what_only_the_address_tells(store: Store) -> None:
    store.record_rows("Contact", [row("C1", Email="info@x.com")])
    store.record_rows("Lead", [row("L1", Email="INFO@x.com")])
    store.record_page(
        "pardot", page(click("1", email="info@x.com"), prospect("7", "info@x.com"), click("2", prospect_id="7"))
    )
    assert activity_ids(store, "C1") == activity_ids(store, "L1") == ["1", "2"]
    assert [each.id for each in one(store, "L1").prospects] == ["7"]


def test_a_person_without_an_address_is_not_matched_with_others_without_one(store: Store) -> None:
    store.record_rows("Contact", [row("C1", Email=None), row("C2", Email="  ")])
    store.record_page("pardot", page(click("1", email=""), click("2", email=None), prospect("7", "")))
    assert activity_ids(store, "C1") == activity_ids(store, "C2") == []
    assert one(store, "C2").prospects == ()


def test_an_activity_that_two_ways_lead_to_counts_once(store: Store) -> None:
    store.record_rows("Contact", [row("C1", Email="a@x.com")])
    store.record_page("pardot", page(prospect("7", "a@x.com", "C1"), click("1", crm_id="C1", prospect_id="7")))
    assert activity_ids(store, "C1") == ["1"]


def test_prospects_of_different_sources_with_the_same_number_are_different(store: Store) -> None:
    store.record_rows("Contact", [row("C1")])
    store.record_page("pardot", page(prospect("7", crm_id="C1"), click("1", prospect_id="7")))
    store.record_page("files", page(click("1", source="files", prospect_id="7")))
    assert [each.source for each in one(store, "C1").activities] == ["pardot"]


def test_ids_may_hold_colons(store: Store) -> None:
    store.record_rows("Contact", [row("C1")])
    store.record_page("files", page(click("mail:1:x", source="files", crm_id="C1", prospect_id="p:1")))
    [activity] = one(store, "C1").activities
    assert (activity.source, activity.id, activity.prospect_id) == ("files", "mail:1:x", "p:1")


def test_a_prospect_without_a_record_is_a_person_by_itself(store: Store) -> None:
    store.record_page(
        "pardot",
        page(
            prospect("7", "p@x.com", attributes={"score": 12}),
            click("1", prospect_id="7"),
            click("2", email="P@x.com"),
        ),
    )
    person = one(store, "pardot:7")
    assert (person.object, person.fields) == ("Prospect", {"Id": "pardot:7", "Email": "p@x.com", "score": 12})
    assert [each.id for each in person.activities] == ["1", "2"]
    assert [each.id for each in person.prospects] == ["7"]


def test_a_prospect_stops_being_a_person_when_its_record_appears_and_is_one_again_when_that_is_deleted(
    store: Store,
) -> None:
    store.record_page("pardot", page(prospect("7", "p@x.com"), click("1", prospect_id="7")))
    store.record_rows("Lead", [row("L1", Email="p@x.com")])
    assert store.facts_of(["pardot:7"]) == []
    assert activity_ids(store, "L1") == ["1"]
    store.record_rows("Lead", [row("L1", 1, Email="p@x.com", IsDeleted=True)])
    assert store.facts_of(["L1"]) == []
    assert activity_ids(store, "pardot:7") == ["1"]


def test_a_prospect_of_a_record_that_nobody_may_read_is_a_person_whatever_its_address(store: Store) -> None:
    store.record_rows("Contact", [row("C1", Email="p@x.com")])
    store.record_page("pardot", page(prospect("7", "p@x.com", "C9")))
    assert one(store, "C1").prospects == ()
    assert one(store, "pardot:7").object == "Prospect"


def test_a_deleted_prospect_is_nobody_but_what_it_did_stays_done(store: Store) -> None:
    store.record_rows("Contact", [row("C1", Email="a@x.com")])
    store.record_page(
        "pardot", page(prospect("7", "a@x.com", "C1"), prospect("8", "b@x.com"), click("1", prospect_id="7"))
    )
    store.record_page("pardot", page(prospect("7", "a@x.com", "C1", deleted=True), prospect("8", deleted=True)))
    assert one(store, "C1").prospects == ()
    assert activity_ids(store, "C1") == ["1"]
    assert store.facts_of(["pardot:8"]) == []


def test_only_live_roles_on_live_opportunities_count(store: Store) -> None:
    store.record_rows("Contact", [row("C1")])
    store.record_rows("Opportunity", [row("O1"), row("O2", IsDeleted=True), row("O3")])
    store.record_rows(
        "OpportunityContactRole",
        [
            role("R1", "O1", "C1"),
            role("R2", "O2", "C1"),
            role("R3", "O3", "C1", IsDeleted=True),
            role("R4", "O4", "C1"),
        ],
    )
    assert [each.role_id for each in one(store, "C1").opportunities] == ["R1"]


def test_a_prospect_that_its_source_only_calls_gone_stays_who_it_was(store: Store) -> None:
    store.record_rows("Contact", [row("C1", Email="a@x.com")])
    seven = prospect("7", "a@x.com", attributes={"score": 71})
    store.record_page("pardot", page(click("1", prospect_id="7"), seven))
    settle_all(store)
    gone = replace(page(), gone=("7", "8"))
    assert store.record_page("pardot", gone) == 1
    assert dirty(store) == ["C1"]
    assert (one(store, "C1").prospects, activity_ids(store, "C1")) == ((), ["1"])
    assert store.record_page("pardot", gone) == 0
    store.record_page("pardot", page(seven))
    assert one(store, "C1").prospects == (seven,)


def test_a_deleted_account_is_no_account(store: Store) -> None:
    store.record_rows("Contact", [row("C1", AccountId="A1")])
    store.record_rows("Account", [row("A1", IsDeleted=True)])
    assert one(store, "C1").account == {}


def test_more_people_than_fit_one_statement(store: Store) -> None:
    ids = [f"003{number:015d}" for number in range(4500)]
    store.record_rows("Contact", [row(each) for each in ids])
    assert [each.id for each in store.facts_of(ids)] == ids


def test_texts_that_are_no_unicode_are_kept_as_far_as_they_are(store: Store) -> None:
    half = "cut off \ud83d"
    store.record_rows("Contact", [row("C1", LastName=half, Email=f"a@x.com{half}"), row("C2", LastName="Zoë 東 🎉")])
    store.record_page("files", page(click("1", source="files", crm_id="C1", attributes={"text": half})))
    person = one(store, "C1")
    assert person.fields["LastName"] == half
    assert person.activities[0].attributes == {"text": half}
    assert one(store, "C2").fields["LastName"] == "Zoë 東 🎉"
    refused = answered(store, "C1", decided(half, half), result=Result.SET_ASIDE, message=half)
    settle(store, refused)
    settle(store, refused)
    assert [each["message"] for each in store.history("C1")] == ["cut off ?"]
