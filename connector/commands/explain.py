"""``connector explain``: why a person is where they are. Reads the state, asks nobody."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from connector.base.clock import SystemClock
from connector.base.errors import ConfigurationError
from connector.base.facts import Person
from connector.base.settings import Settings
from connector.lifecycle import Assigner, explain
from connector.lifecycle.conditions import PEOPLE
from connector.mapping import Mapping
from connector.pipeline.decisions import Decisions
from connector.pipeline.owners import known_owners
from connector.store import Store, open_past
from connector.wiring import load_mapping, open_state


def explain_people(settings: Settings, query: str, at: datetime | None = None) -> list[dict[str, Any]]:
    """One document a person found, or of an account. Raises ConfigurationError when nobody is. ``at``: as it was then:
    records as they were, what came later left out, the decisions that the log holds for that time."""
    mapping = load_mapping(settings)
    clock = SystemClock()
    with open_state(settings, clock) as store:
        ids = store.find_people(query, ever=at is not None)
        if not ids and (account := store.find_account(query)):
            return [explained_account(store, account, at or clock.now())]
        if not ids:
            raise ConfigurationError(
                f"the state knows nobody with the id or e-mail {query}",
                "check the spelling; a person is known after the first sync or backfill that read them",
            )
        if at is not None:
            return explain_past(store, ids, mapping, at.astimezone(UTC))
        return [explain_now(store, each, mapping, clock.now()) for each in ids]


def explain_now(store: Store, person_id: str, mapping: Mapping, now: datetime) -> dict[str, Any]:
    """One person, as the next cycle decides them."""
    decisions = Decisions(mapping, store, known_owners(store), now)
    (person,) = decisions.facts([person_id])
    return explained(store, person, mapping, now, decisions.turn_of(person))


def explain_past(store: Store, ids: Sequence[str], mapping: Mapping, at: datetime) -> list[dict[str, Any]]:
    """The people of then whom these ids name."""
    with open_past(store, ids, at) as (past, then):
        decisions = Decisions(mapping, past, known_owners(store), at)
        people = decisions.facts(then)
        followers = {person.id: past.followers(person.id) for person in people}
    # When a marketing system first knew somebody is not recorded: there since the first thing known of them.
    decided = {each.id: decided_at(store, each, at) for each in people}
    people = [each for each in people if each.object in PEOPLE or each.activities or decided[each.id]]
    if not people:
        raise ConfigurationError(f"nobody of that name was there on {at:%Y-%m-%d %H:%M} UTC", "ask for a later time")
    found = []
    for person in people:
        told = explained(store, person, mapping, at, decisions.assigner)
        told |= {"joined_by_email": followers[person.id], "decided": decided[person.id]}
        found.append(told | {"unknown_before": _unknown_before(store, person, at)})
    return found


def decided_at(store: Store, person: Person, at: datetime) -> list[dict[str, Any]]:
    """The decision of each track that stood then: the latest one where it is that old, else as the log has it."""
    moment, tracks = at.isoformat(), [each for each in store.latest(person.id) if each["person_id"] == person.id]
    own = {each["track"] for each in tracks if not each["since"] or each["since"] <= moment}
    former = {*person.aliases, *(f"{each.source}:{each.id}" for each in person.prospects)}
    found: dict[str, dict[str, Any]] = {}
    for each in store.history(person.id):  # newest first
        is_theirs = each["person_id"] == person.id or (each["person_id"] in former and each["track"] not in own)
        if is_theirs and each["result"] == "applied" and each["at"] <= moment:
            stood = {"value": each["new"], "current": each["old"], "stands": each["new"]}
            found.setdefault(each["track"], {**each, **stood})
    found |= {each["track"]: each for each in tracks if each["at"] <= moment}
    return [found[track] for track in sorted(found)]


def _unknown_before(store: Store, person: Person, at: datetime) -> dict[str, str]:
    """Object, or object.field, that the mapping looks at -> when it was first read, where that was later. Its value
    counts as it was read then."""
    names = {person.object, *(("Account",) if person.account else ())}
    names |= (
        {"Opportunity", "OpportunityContactRole"} if person.opportunities or person.account_opportunities else set()
    )
    found = {}
    for name, fields in store.fields_since().items():
        first, moment = min(fields.values()), at.isoformat()
        if name in names and first > moment:
            found[name] = first
        elif name in names:
            found |= {f"{name}.{field}": since for field, since in fields.items() if since > moment}
    return found


def explained(store: Store, person: Person, mapping: Mapping, now: datetime, assigner: Assigner) -> dict[str, Any]:
    """Who it is, what was decided and why, what every rule says now, what happened to them, and what was written."""
    sieve = mapping.programs[person.object].sieve
    seen = person.activities if sieve is None else sieve.sift(person).activities
    counted = {(each.source, each.id) for each in seen}
    return {
        "person": person.id,
        "object": person.object,
        "name": person.fields.get("Name"),
        "email": person.fields.get("Email"),
        "aliases": list(person.aliases),
        "joined_by_email": store.followers(person.id),
        "decided": [each for each in store.latest(person.id) if each["at"] <= now.isoformat()],
        "refused": [each for each in store.set_aside(None) if each["person_id"] == person.id],
        "now": explain(person, mapping, now, assigner).as_dict(),
        "timeline": [
            {
                "at": each.occurred_at.isoformat(),
                "source": each.source,
                "kind": each.kind,
                "direction": str(each.direction),
                "name": each.name,
                "id": each.id,
                "counts": (each.source, each.id) in counted,  # False: left out by what the mapping says of its source
            }
            for each in reversed(person.activities)
        ],
        "history": [each for each in store.history(person.id) if each["at"] <= now.isoformat()],
    }


def explained_account(store: Store, account: str, now: datetime) -> dict[str, Any]:
    """The same of an account: the stage it was given, whose it is, and how far each of its people came."""
    row = store.records([account]).get(account, {})
    people = store.people_of_accounts([account]).get(account, {})
    return {
        "person": account,
        "object": "Account",
        "name": row.get("Name"),
        "decided": [each for each in store.latest(account) if each["at"] <= now.isoformat()],
        "people": [{"person": id_, "stage": stage, "rule": rule} for id_, (stage, rule) in sorted(people.items())],
        "history": [each for each in store.history(account) if each["at"] <= now.isoformat()],
    }
