"""What comes late of people who were forgotten, in pages that say what is left of a row."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from connector.base.facts import SourcePage
from connector.store import Store
from tests.store.store_facts import START, click, prospect, row


def refs(store: Store) -> set[str]:
    found = store.view_rows("report_activity")
    at = next(found).index("ref")
    return {each[at] for each in found}


def test_a_row_that_lost_one_of_its_people_loses_them_whoever_else_was_forgotten(store: Store) -> None:
    store.record_rows("Contact", [row("C1", Email="ada@example.com"), row("C2", Email="bob@example.com")])
    people = (prospect("1", "ada@example.com"), prospect("2", "bob@example.com"))
    calls = (click("calls:12:1", prospect_id="1"), click("calls:12:2", prospect_id="2"))
    store.record_page("pardot", SourcePage({}, calls, people))
    assert refs(store) == {"pardot:calls:12:1", "pardot:calls:12:2"}
    store.forget(store.footprint(["C1"]), frozenset(), START)
    store.record_page("pardot", SourcePage({}, calls[:1], people[:1], whole=("calls:12",)))
    assert refs(store) == {"pardot:calls:12:1"}, "what the forgotten did still counts; Bob is off the call"


@pytest.mark.parametrize("key", ["f1", "ada@example.com"])
def test_a_sweep_sees_what_the_forgotten_did_under_one_id(store: Store, key: str) -> None:
    """Two forms came with one id, and both are kept: the second below an id of its own."""
    store.record_rows("Contact", [row("C1", Email="ada@example.com")])
    first = click(key, "files", email="ada@example.com")
    forms = (first, replace(first, occurred_at=START + timedelta(days=1), name="Pricing"))
    page = SourcePage({}, forms, once=frozenset({key}))
    store.record_page("files", page)
    assert len(refs(store)) == 2
    store.forget(store.footprint(["C1"]), frozenset(), START)
    store.record_page("files", page, generation=1)
    assert store.unseen_of("files", ("",), 1) == (0, 2)
