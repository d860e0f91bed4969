"""What reports ask of the state."""

from __future__ import annotations

from connector.store import Store
from tests.store.store_facts import row


def test_an_account_has_one_name_for_its_people_and_its_deals_and_its_id_where_it_has_none(store: Store) -> None:
    store.record_rows("Account", [row("001A", Name="Acme"), row("001B", Name=None)])
    accounts = {"1": "001A", "2": "001B", "3": "001C", "4": None}
    store.record_rows("Contact", [row(f"003{key}", AccountId=account) for key, account in accounts.items()])
    store.record_rows("Opportunity", [row(f"006{key}", AccountId=account) for key, account in accounts.items()])
    named = {"1": "Acme", "2": "001B", "3": "001C", "4": ""}
    people, deals = store.people_rows(), store.deals_without_roles()
    assert {key[3:]: each["account"] for key, each in people.items()} == named
    assert {each["Id"][3:]: each["account"] for each in deals} == named
