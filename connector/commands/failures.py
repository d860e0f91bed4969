"""``connector failures``: the writes that Salesforce refused, what to do about each, and trying them again."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from connector.base.errors import ConfigurationError
from connector.base.ids import id18
from connector.base.json import JsonMap, JsonObject
from connector.base.private import open_private
from connector.base.settings import Settings
from connector.base.text import count, harmless
from connector.commands.screen import out, print_json, shown
from connector.commands.status import grouped
from connector.pipeline.signed_in import known_address
from connector.reports.advice import advice
from connector.store import Store
from connector.wiring import open_state

FAILURE_COLUMNS = (
    "record_id",
    "object",
    "person_id",
    "fields",
    "code",
    "message",
    "advice",
    "attempts",
    "since",
    "last_at",
    "link",
)


def read_failures(settings: Settings, codes: Sequence[str] = ()) -> list[JsonObject]:
    """A row a record whose write is refused, the latest first; of these codes only, where some are named."""
    with open_state(settings) as store:
        address = known_address(store)
        return [_row(each, address) for each in _of(store, codes)]


def retry_failures(settings: Settings, ids: Sequence[str] = (), codes: Sequence[str] = ()) -> int:
    """How many records will be tried again: these, those of these codes, or without either all. Raises
    ConfigurationError for one that is not refused."""
    with open_state(settings, writes=True) as store:
        refused = {each["person_id"]: each for each in _of(store, codes)}
        people = {each["record_id"]: person for person, each in refused.items()} | {each: each for each in refused}
        asked = {each: id18(each) or each for each in ids}
        if others := [given for given, record in asked.items() if record not in people]:
            raise ConfigurationError(
                f"Salesforce refused no write of {', '.join(others)}", "connector failures list names what it refused"
            )
        wanted = {people[record] for record in asked.values()} if ids else set(refused)
        return store.retry_set_aside(sorted(wanted))


def show_failures(rows: Sequence[JsonMap], *, as_json: bool) -> None:
    if as_json:
        print_json("failures", {"failures": list(rows)})
        return
    console = out()
    console.print("Salesforce refuses nothing" if not rows else f"Refused by Salesforce: {count(len(rows), 'record')}")
    by_record = {each["record_id"]: each for each in rows}
    for group in grouped([dict(each) for each in rows]):
        console.print(f"\n[bold]{group['count']:,} with {shown(group['code'])}[/bold]: {shown(group['message'])}")
        console.print(f"  try: {shown(advice(group['code']))}", soft_wrap=True)
        for each in (by_record[record] for record in group["records"]):
            tried = f"tried {each['attempts']} times since {each['since'][:16]}"
            console.print(
                f"  {shown(each['link'] or each['record_id'])}  {shown(each['fields'])}  {tried}", soft_wrap=True
            )
    if rows:
        console.print("\nconnector failures retry tries them again in the next cycle", soft_wrap=True)


def export_failures(rows: Sequence[JsonMap], file: Path) -> None:
    """As JSON where the file is called so, else as CSV. Raises ConfigurationError."""
    try:
        with open_private(file, "x") as to:
            if file.suffix == ".json":
                json.dump(list(rows), to, indent=2)
                return
            writer = csv.writer(to)
            writer.writerow(FAILURE_COLUMNS)
            writer.writerows([harmless(str(each[name])) for name in FAILURE_COLUMNS] for each in rows)
    except FileExistsError:
        raise ConfigurationError(f"{file} is there already; nothing was written", "name a new file") from None
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}", "name another file") from None


def _of(store: Store, codes: Sequence[str]) -> list[JsonObject]:
    return [each for each in store.set_aside(None) if not codes or each["code"] in codes]


def _row(each: JsonMap, address: str) -> JsonObject:
    fields = ", ".join(change["field"] for change in each["changes"])
    link = f"{address}/{each['record_id']}" if address else ""
    row = {**each, "fields": fields, "advice": advice(each["code"]), "link": link}
    return {name: row[name] for name in FAILURE_COLUMNS}
