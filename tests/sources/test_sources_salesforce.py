"""Salesforce's own activities keep the promises of a source where the store has its part in them.

That reads resume, lose nothing to a fault and keep to limits is shown over HTTP beside the other objects
(``tests/pipeline``, ``tests/salesforce``, ``tests/e2e``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connector.base.facts import Activity, SourcePage
from connector.salesforce.activities import campaign_member_activity, event_activity, task_activity
from connector.store import Store
from tests.sources.source_suite import ANN

STAMP = {"SystemModstamp": "2026-05-01T12:00:00.000+0000", "CreatedDate": "2026-05-01T12:00:00.000+0000"}
ROWS: dict[str, tuple[Callable[[Any], Activity | None], dict[str, Any]]] = {
    "Task": (task_activity, {"Id": "00T000000000001AAA", "WhoId": ANN["Id"], "TaskSubtype": "Call", "IsClosed": False}),
    "Event": (event_activity, {"Id": "00U000000000001AAA", "WhoId": ANN["Id"], "StartDateTime": STAMP["CreatedDate"]}),
    "CampaignMember": (
        campaign_member_activity,
        {"Id": "00v000000000001AAA", "ContactId": ANN["Id"], "HasResponded": True, "FirstRespondedDate": "2026-05-01"},
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_who_appears_late_gets_what_they_did_before_and_a_page_twice_changes_nothing(store: Store, name: str) -> None:
    to_activity, row = ROWS[name]
    found = to_activity({**STAMP, **row})
    assert found is not None
    page = SourcePage({}, (found,))
    assert store.record_page(name, page) == 1
    assert store.record_page(name, page) == 0
    store.drop_dirty(store.next_dirty(9))
    store.record_rows("Contact", [ANN])
    [ann] = store.facts_of([ANN["Id"]])
    assert [each.id for each in ann.activities] == [row["Id"]]
    store.drop_dirty(store.next_dirty(9))
    assert store.record_page(name, page) == 0
    assert store.next_dirty(9) == []
