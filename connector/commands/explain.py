"""``connector explain``: why a person is where they are. Reads the state, asks nobody."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime

from connector.base.clock import Clock, SystemClock
from connector.base.errors import ConfigurationError
from connector.base.facts import PEOPLE, Activity, Person, Row
from connector.base.json import JsonObject
from connector.base.settings import Settings
from connector.lifecycle import Assigner, explain
from connector.lifecycle.accounts import ACCOUNT_TRACK
from connector.lifecycle.plan import same_value
from connector.mapping import CompiledMapping
from connector.pipeline.decisions import Decisions
from connector.pipeline.owners import known_owners
from connector.store import Store, open_past
from connector.wiring import load_mapping, open_state_under

OWNER_KEYS = ("value", "current", "in_salesforce", "old", "new")  # where an owner's id may be


def explain_people(
    settings: Settings, query: str, at: datetime | None = None, clock: Clock | None = None
) -> list[JsonObject]:
    """One document a person found, or of an account. Raises ConfigurationError when nobody is. ``at``: as it was then:
    records as they were, what came later left out, the decisions that the log holds for that time."""
    mapping = load_mapping(settings)
    clock = clock or SystemClock()
    with open_state_under(mapping, settings, clock) as store:
        ids = store.find_people(query, ever=at is not None)
        if not ids and (account := store.find_account(query)):
            return [explained_account(store, account, mapping, at or clock.now())]
        if not ids:
            raise ConfigurationError(
                f"the state knows nobody with the id or e-mail {query}",
                "check the spelling; a person is known after the first sync or backfill that read them",
            )
        if at is not None:
            return explain_past(store, ids, mapping, at.astimezone(UTC))
        return [explain_now(store, each, mapping, clock.now()) for each in ids]


def explain_now(store: Store, person_id: str, mapping: CompiledMapping, now: datetime) -> JsonObject:
    """One person, as the next cycle decides them."""
    decisions = Decisions(mapping, store, known_owners(store, mapping), now)
    (person,) = decisions.facts([person_id])
    return explained(store, person, mapping, now, decisions.turn_of(person))


def explain_past(store: Store, ids: Sequence[str], mapping: CompiledMapping, at: datetime) -> list[JsonObject]:
    """The people of then whom these ids name."""
    with open_past(store, ids, at) as (past, then):
        decisions = Decisions(mapping, past, known_owners(store, mapping), at)
        people = decisions.facts(then)
        followers = {person.id: past.followers(person.id) for person in people}
    # When a marketing system first knew somebody is not recorded: there since the first thing known of them.
    decided = {each.id: decided_at(store, each, at) for each in people}
    people = [each for each in people if each.object in PEOPLE or each.activities or decided[each.id]]
    if not people:
        raise ConfigurationError(f"nobody of that name was there on {at:%Y-%m-%d %H:%M} UTC", "ask for a later time")
    found = []
    for person in people:
        told = explained(store, person, mapping, at, decisions.assigner, decided[person.id])
        told |= {"joined_by_email": followers[person.id], "unknown_before": _unknown_before(store, person, at)}
        found.append(told)
    return found


def decided_at(store: Store, person: Person, at: datetime) -> list[JsonObject]:
    """The last decision of each track then: the latest one where it is that old, else as the log has it."""
    moment, tracks = at.isoformat(), [each for each in store.latest(person.id) if each["person_id"] == person.id]
    own = {each["track"] for each in tracks if not each["since"] or each["since"] <= moment}
    former = {*person.aliases, *(f"{each.source}:{each.id}" for each in person.prospects)}
    found: dict[str, JsonObject] = {}
    for each in store.history(person.id):  # newest first
        is_theirs = each["person_id"] == person.id or (each["person_id"] in former and each["track"] not in own)
        if is_theirs and each["at"] <= moment:
            stands = each["new"] if each["result"] == "applied" else each["old"]
            stood = {"value": each["new"], "current": each["old"], "stands": stands, "code": "", "message": ""}
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


def explained(
    store: Store,
    person: Person,
    mapping: CompiledMapping,
    now: datetime,
    assigner: Assigner,
    decided: list[JsonObject] | None = None,
) -> JsonObject:
    """Who it is, what was decided and why, what became of it, what every rule says now, what happened to them, and what
    was written. ``decided``: None for the latest decisions."""
    moment = now.isoformat()
    decided = store.latest(person.id) if decided is None else decided
    history = [each for each in store.history(person.id) if each["at"] <= moment]
    fields = {
        track: person.fields.get(by[person.object]) for track, by in mapping.writes.items() if person.object in by
    }
    names = assigner.owners.names
    program = mapping.programs[person.object]
    counted = {(each.source, each.id): each for each in program.counting(person).activities}
    spoken = program.in_our_words(person)
    whose = program.noise.of(spoken)
    return {
        "person": person.id,
        "object": person.object,
        "name": person.fields.get("Name"),
        "email": person.fields.get("Email"),
        "aliases": list(person.aliases),
        "addresses": dict(sorted(person.addresses.items())),
        "prospects": [f"{each.source}:{each.id}" for each in (*person.prospects, *person.former_prospects)],
        "identifiers": [each for each in store.identifiers(person) if (each["since"] or "") <= moment],
        "joined_by_email": store.followers(person.id),
        "decided": [become(each, fields, history) for each in decided if each["at"] <= moment],
        "owners": {each: names[each] for each in _owners(decided, history) if each in names},
        "further_fields": [
            {
                "field": each.fields[person.object],
                "what": each.track.partition(" ")[0],
                "in_salesforce": fields[each.track],
            }
            for each in mapping.model.written
            if person.object in each.fields
        ],
        "now": explain(person, mapping, now, assigner).as_dict(),
        "timeline": [
            _happened(counted.get((each.source, each.id), each), counted, whose) for each in reversed(spoken.activities)
        ],
        "history": history,
    }


def _happened(each: Activity, counted: Container[tuple[str, str]], whose: Mapping[tuple[str, str], str]) -> JsonObject:
    """``counts`` False: left out; ``because`` says whose doing it was, or "left out" by what the mapping says of its
    source."""
    key = each.source, each.id
    return {
        "at": each.occurred_at.isoformat(),
        "source": each.source,
        "kind": each.kind,
        "direction": str(each.direction),
        "name": each.name,
        "id": each.id,
        "counts": key in counted,
        "because": "" if key in counted else whose.get(key, "left out"),
    }


def become(decided: JsonObject, fields: Row, history: Sequence[JsonObject]) -> JsonObject:
    """A decision with what became of it. ``in_salesforce``: what stands there (absent for what is not written).
    ``outcome``: "written", "changed" by somebody since, "refused" with ``code`` and ``message``, or "waiting"."""
    track = decided["track"]
    if track not in fields:
        return decided
    stands = fields[track]
    told = {**decided, "in_salesforce": stands}
    if decided["value"] is None or same_value(track, stands, decided["value"]):
        return told | {"outcome": "written"}
    mine = (each for each in history if each["track"] == track and each["person_id"] == decided["person_id"])
    last = next(mine, None)
    if last is None or last["new"] != decided["value"]:
        return told | {"outcome": "waiting"}
    if last["result"] == "set_aside":
        return told | {"outcome": "refused", "code": last["code"], "message": last["message"]}
    return told | {"outcome": "changed"}


def _owners(*rows: Sequence[JsonObject]) -> set[str]:
    """Ids of the owners that these rows tell of."""
    ids = {each.get(name) for part in rows for each in part if each["track"] == "owner" for name in OWNER_KEYS}
    return {each for each in ids if each}


def explained_account(store: Store, account: str, mapping: CompiledMapping, now: datetime) -> JsonObject:
    """The same of an account: the stage it was given, whose it is, and how far each of its people came."""
    row = store.records([account]).get(account, {})
    people = store.people_of_accounts([account]).get(account, {})
    rows = store.records(sorted(people))
    moment, field = now.isoformat(), mapping.model.account_field
    history = [each for each in store.history(account) if each["at"] <= moment]
    fields = {ACCOUNT_TRACK: row.get(field)} if field else {}
    return {
        "person": account,
        "object": "Account",
        "name": row.get("Name"),
        "decided": [become(each, fields, history) for each in store.latest(account) if each["at"] <= moment],
        "people": [
            {"person": each, "name": rows.get(each, {}).get("Name"), "stage": stage, "rule": rule}
            for each, (stage, rule) in sorted(people.items())
        ],
        "history": history,
    }
