"""``connector report ledger --verify``: what Salesforce itself counts, by one GROUP BY an object, against what is known
here; and where they differ by a few, who it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from connector.base import soql
from connector.base.clock import SystemClock
from connector.base.json import JsonMap
from connector.base.ports import Read
from connector.base.settings import Settings
from connector.reports.ledger import Wrong, what_salesforce_counts
from connector.reports.paths import name_of
from connector.salesforce import SalesforceClient
from connector.store import Store
from connector.wiring import open_client

_NAMED = 2000  # rows of a value that are named
_VALUES = 10  # values that are looked into
_LIVE = {"Lead": "IsConverted = false"}  # a converted lead is its contact


def verified(settings: Settings, store: Store, rows: Mapping[str, JsonMap], fields: Mapping[str, str]) -> list[Wrong]:
    """``fields``: object -> the field with the stage. Raises what stops a command when Salesforce does."""
    wrong: list[Wrong] = []
    with open_client(settings, SystemClock(), store) as salesforce:
        for name, field in fields.items():
            here: dict[str, list[str]] = defaultdict(list)
            for record, row in rows.items():
                if row["object"] == name and row["live"]:
                    here[str(row.get(field) or "")].append(record)
            counted, values = what_salesforce_counts(name, here, _counted(salesforce, name, field))
            wrong += counted
            for value in values[:_VALUES]:
                wrong += _named(salesforce, name, field, value, here.get(value, ()))
    return wrong


def _counted(salesforce: SalesforceClient, name: str, field: str) -> dict[str, int]:
    where = f" WHERE {_LIVE[name]}" if name in _LIVE else ""
    query = f"SELECT {soql.name(field)}, COUNT(Id) people FROM {name}{where} GROUP BY {field}"
    rows = salesforce.read([Read(name, query)]).pages[name].rows
    return {str(row[field] or ""): int(row["people"]) for row in rows}


def _named(salesforce: SalesforceClient, name: str, field: str, value: str, here: Sequence[str]) -> Iterator[Wrong]:
    """Who has the value on one side only."""
    is_it = f"{soql.name(field)} = {soql.literal(value) if value else 'null'}"
    more = f" AND {_LIVE[name]}" if name in _LIVE else ""
    query = f"SELECT Id FROM {name} WHERE {is_it}{more} LIMIT {_NAMED}"
    there = {str(row["Id"]) for row in salesforce.read([Read(name, query)]).pages[name].rows}
    if len(there) >= _NAMED:
        return
    for record in sorted(there.difference(here)):
        yield Wrong("Salesforce", record, f"is at {name_of(value)} in Salesforce, and was not when it was read last")
    for record in sorted(set(here) - there):
        yield Wrong("Salesforce", record, f"was at {name_of(value)} when it was read last, and is not in Salesforce")
