"""What a batch costs must not grow with the number of people: no statement of a batch walks a table."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from connector.base.facts import Result
from connector.store import Store
from tests.store.store_facts import answered, click, decided, page, prospect, role, row, settle

# The whole table, or all rows of an object; the ids that are asked for are no table.
WALKS = re.compile(r"^SCAN (?!.*VIRTUAL TABLE)|record_stamp \(object=\?\)")


@contextmanager
def plans(path: Path) -> Iterator[dict[str, list[str]]]:
    """How SQLite goes about every statement that is executed meanwhile."""
    seen: dict[str, list[str]] = {}
    with closing(sqlite3.connect(path)) as other:

        def note(_connection: Any, _cursor: Any, text: str, values: Any, _context: Any, many: bool) -> None:
            if not text.startswith("BEGIN"):
                steps = other.execute(f"EXPLAIN QUERY PLAN {text}", values[0] if many else values)
                seen[text] = [step[3] for step in steps]

        event.listen(Engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(Engine, "before_cursor_execute", note)


def test_no_statement_of_a_batch_walks_a_table(sqlite_store: Store, path: Path) -> None:
    store = sqlite_store
    with plans(path) as seen:
        for at in range(3):
            store.record_rows("Account", [row("A1", at, Name=str(at))])
            contacts = [row(f"C{number}", at, Email=f"{at}@x.com", AccountId="A1") for number in range(3)]
            store.record_rows("Contact", contacts, generation=at, cursor=("Contact", {"at": at}))
            store.record_rows("Contact", [row("C9", at, MasterRecordId="C1" if at else None, IsDeleted=bool(at))])
            store.record_rows("Opportunity", [row("O1", at, StageName=str(at))])
            store.record_rows("OpportunityContactRole", [role("R1", "O1", f"C{at}", at)])
            facts = (click("1", crm_id=f"C{at}"), click("2", prospect_id="7"), click("3", email=f"{at}@x.com"))
            store.record_page("pardot", page(*facts, prospect("7", f"{at}@x.com"), prospect("8", crm_id=f"C{at}")))
            store.replace_roles(["O1"], [role("R2", "O1", "C1", at)])
            store.remove_rows("OpportunityContactRole", ["R2"])
            marks = store.next_dirty(1000)
            people = store.facts_of([person_id for person_id, _ in marks])
            for result in Result:
                settle(store, *(answered(store, each.id, decided(str(at)), result=result) for each in people))
            store.find_people("1@x.com")
            store.history("C1")
            store.latest("C1")
    walking = {text: steps for text, steps in seen.items() if any(WALKS.search(step) for step in steps)}
    assert walking == {}
    assert len(seen) > 40
