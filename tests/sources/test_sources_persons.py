"""Who somebody is may come from files, webhooks and warehouses alike, and is used like a marketing system's word."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from connector.base.clock import FrozenClock
from connector.base.facts import SourcePage
from connector.sources.files import FilesSource
from connector.sources.warehouse.source import WarehouseSource
from connector.sources.webhook.inbox import Inbox
from connector.sources.webhook.source import WebhookSource
from connector.store import Store
from tests.sources.source_suite import ANN

RECORD = {"event_id": "p7", "type": "person", "email": "A@example.com", "score": 71}


def file(folder: Path, clock: FrozenClock) -> SourcePage:
    path = folder / "people.jsonl"
    path.write_text(json.dumps(RECORD) + "\n")
    os.utime(path, (clock.now().timestamp() - 60,) * 2)
    [page] = FilesSource(folder, clock).poll(None, clock.now())
    return page


def webhook(folder: Path, clock: FrozenClock) -> SourcePage:
    inbox = Inbox(folder / "inbox.sqlite3")
    inbox.put("tool", None, b"", [RECORD], clock.now())
    [page] = WebhookSource(inbox).poll(None, clock.now())
    return page


def warehouse(folder: Path, clock: FrozenClock) -> SourcePage:
    path = folder / "warehouse.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("CREATE TABLE people (event_id, type, email, score, updated_at)")
        database.execute("INSERT INTO people VALUES (?, ?, ?, ?, '2026-05-01')", tuple(RECORD.values()))
    [page] = WarehouseSource(f"sqlite:///{path}", "SELECT * FROM people").poll(None, clock.now())
    return page


def test_a_person_of_any_feed_is_known_with_a_score(tmp_path: Path, clock: FrozenClock, store: Store) -> None:
    store.record_rows("Contact", [ANN])
    for page in (file(tmp_path, clock), webhook(tmp_path, clock), warehouse(tmp_path, clock)):
        assert store.record_page("any", page) == 1
        assert (page.activities, dict(page.unknown)) == ((), {})
    [ann] = store.facts_of([ANN["Id"]])
    assert {each.source: (each.id, each.attributes["score"]) for each in ann.prospects} == {
        "files": ("p7", 71), "webhook": ("tool:p7", 71), "warehouse": ("p7", 71),
    }  # fmt: skip
