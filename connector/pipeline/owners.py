"""The owners that a mapping names: found in the org, so that hand-offs write ids.

A mapping names users by username, e-mail address or id and queues by name, developer name or id. They are looked up
once and kept with the state for a day, or for an hour where owners are chosen by capacity, which depends on how many
people they have, or can be away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from connector.base.errors import ConfigurationError
from connector.base.facts import Person, Row
from connector.base.json import JsonMap, JsonObject
from connector.base.ports import Page, Read, Salesforce
from connector.base.soql import among
from connector.lifecycle.compare import Comparison
from connector.lifecycle.handoff import OwnerRule
from connector.lifecycle.owners import NO_OWNERS, Owners
from connector.lifecycle.program import Model
from connector.lifecycle.view import View
from connector.mapping import CompiledMapping
from connector.pipeline.signed_in import known_user
from connector.store import Store

OWNERS = "owners"  # where they are kept
_KEPT = timedelta(days=1)
KEPT_SHORT = timedelta(hours=1)
USER_KEYS = ("Username", "Email", "Id")  # what a user is called in a mapping, the surest first
QUEUE_KEYS = ("DeveloperName", "Name", "Id")
EVERYBODY = (  # whom people come from is told by name, too: as many as one page holds
    Read(
        "every user",
        "SELECT Id, Name, IsActive%s FROM User WHERE UserType = 'Standard' ORDER BY IsActive DESC LIMIT 2000",
    ),
    Read("every queue", "SELECT Id, Name FROM Group WHERE Type = 'Queue' LIMIT 2000"),
)
OWNED = {"Contact": "", "Lead": " AND IsConverted = false"}


def find_owners(mapping: CompiledMapping, salesforce: Salesforce, store: Store, now: datetime) -> Owners:
    """The owners that the mapping names, looked up where what is known of them is too old. Raises ConfigurationError
    for names that nobody active has. Where it names none, they are for people to read, and may be hidden."""
    rules = [rule for handoff in mapping.model.handoffs for rule in handoff.owners_named]
    is_asked = bool(rules) or mapping.model.asks_whose
    known = store.cursor(OWNERS)
    is_good = known is not None and _is_good(known, mapping.model, rules, now)
    if known is None or not is_good or (is_asked and known.get("hidden")):
        try:
            found = look_up_owners(rules, salesforce, mapping.model.away, now)
        except ConfigurationError:
            if is_asked:
                raise
            found = {"ids": {}, "names": {}, "load": {}, "integration": known_user(store), "away": [], "hidden": True}
        known = {**found, "read_at": now.isoformat()}
        store.set_cursor(OWNERS, known)
    owners = _owners(known)
    return owners if is_asked else replace(NO_OWNERS, names=owners.names)


def known_owners(store: Store, mapping: CompiledMapping) -> Owners:
    """The owners as they were looked up last. Those who never were are taken to be there, under the names that the
    mapping calls them by; who we are is known since the first cycle."""
    known = store.cursor(OWNERS)
    owners = _owners(known) if known else replace(NO_OWNERS, integration=known_user(store))
    assumed = {name: name for name in mapping.model.owners() if owners.id_of(name) is None}
    return replace(owners, ids={**owners.ids, **assumed})


def _owners(known: JsonMap) -> Owners:
    named = {each: name for name, each in known["ids"].items()}
    names, integration = named | known.get("names", {}), known.get("integration")
    away = frozenset(known.get("away", ()))
    return Owners(ids=known["ids"], load=known["load"], names=names, integration=integration, away=away)


def look_up_owners(
    rules: Sequence[OwnerRule], salesforce: Salesforce, away: Sequence[tuple[str, Comparison]], now: datetime
) -> JsonObject:
    """``ids``: name -> id; ``names``: id -> what people call them; ``load``: name -> people they own now, where a rule
    asks; ``integration``: id of the user that is signed in; ``away``: ids of users who are away, or not active. Raises
    ConfigurationError."""
    users, queues = _names(rules, is_queue=False), _names(rules, is_queue=True)
    reads = []
    if users:
        asked = _any_of(USER_KEYS, users)
        reads.append(Read("users", f"SELECT Id, Name, Username, Email FROM User WHERE IsActive = true AND ({asked})"))
    if queues:
        asked = _any_of(QUEUE_KEYS, queues)
        reads.append(Read("queues", f"SELECT Id, DeveloperName, Name FROM Group WHERE Type = 'Queue' AND ({asked})"))
    more = "".join(f", {field}" for field in sorted({each for name, test in away for each in (name, *test.others())}))
    everybody = [replace(each, soql=each.soql.replace("%s", more)) for each in EVERYBODY]
    pages = salesforce.read([*reads, *everybody]).pages
    ids = _matched(users, pages["users"].rows if users else (), USER_KEYS)
    ids |= _matched(queues, pages["queues"].rows if queues else (), QUEUE_KEYS)
    if missing := sorted({*users, *queues} - ids.keys()):
        raise ConfigurationError(
            f"the mapping hands people to {', '.join(missing)}, and the org has no active user or queue of that name",
            "name users by username, e-mail address or id, and queues by name or id",
        )
    names = {row["Id"]: row["Name"] for page in pages.values() for row in page.rows if row.get("Name")}
    load = _load(ids, salesforce) if any(rule.by_capacity for rule in rules) else {}
    return {"ids": ids, "names": names, "load": load, "integration": salesforce.user(), "away": _away(pages, away, now)}


def _away(pages: Mapping[str, Page], away: Sequence[tuple[str, Comparison]], now: datetime) -> list[str]:
    """Ids of the users who get nobody for now."""
    view = View(Person("", "User", {}), now)
    tests = [test.of(name) for name, test in away]
    gone = [
        row["Id"]
        for row in pages["every user"].rows
        if row.get("IsActive") is False or (tests and all(test(row, view) for test in tests))
    ]
    return sorted(gone)


def _is_good(known: JsonMap, model: Model, rules: Sequence[OwnerRule], now: datetime) -> bool:
    is_moving = bool(model.away) or any(rule.by_capacity for rule in rules)
    kept = KEPT_SHORT if is_moving else _KEPT
    names = {name for rule in rules for name, _ in rule.shares}
    return names <= known["ids"].keys() and "away" in known and now - datetime.fromisoformat(known["read_at"]) < kept


def _names(rules: Sequence[OwnerRule], *, is_queue: bool) -> list[str]:
    return sorted({name for rule in rules if rule.is_queue is is_queue for name, _ in rule.shares})


def _matched(names: Sequence[str], rows: Sequence[Row], keys: Sequence[str]) -> dict[str, str]:
    """Name -> id, by the first key that fits; two users with one e-mail address: the lower id, always the same."""
    found: dict[str, str] = {}
    for name in names:
        for key in keys:
            ids = sorted(row["Id"] for row in rows if _same(key, str(row.get(key) or ""), name))
            if ids:
                found[name] = ids[0]
                break
    return found


def _same(key: str, value: str, name: str) -> bool:
    return value[:15] == name[:15] if key == "Id" else value.casefold() == name.casefold()


def _any_of(keys: Sequence[str], names: Sequence[str]) -> str:
    ids = [name for name in names if name.isalnum() and len(name) in {15, 18}]
    wanted = [among(key, names) for key in keys if key != "Id"]
    return " OR ".join([*wanted, among("Id", ids)] if ids else wanted)


def _load(ids: Mapping[str, str], salesforce: Salesforce) -> dict[str, int]:
    owned_by = among("OwnerId", sorted(set(ids.values())))
    reads = [
        Read(name, f"SELECT OwnerId, COUNT(Id) people FROM {name} WHERE {owned_by}{more} GROUP BY OwnerId")
        for name, more in OWNED.items()
    ]
    owned: dict[str, int] = {}
    for page in salesforce.read(reads).pages.values():
        for row in page.rows:
            owned[row["OwnerId"]] = owned.get(row["OwnerId"], 0) + int(row["people"])
    return {name: owned.get(owner, 0) for name, owner in ids.items()}
