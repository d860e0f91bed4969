"""The same facts, in whatever order, pages and repetitions they come, make the same people; and whoever became
different since being settled is marked. The expectation is worked out from the facts by the plainest loops."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import SQLModel

from connector.base.clock import FrozenClock
from connector.base.facts import PEOPLE, Activity, Person, Prospect
from connector.lifecycle.model import RecordLink
from connector.store import Store, open_store
from tests.cases import cases
from tests.postgres import needs_server, run
from tests.store.store_facts import START, click, page, prospect, row, settle_all

CONTACTS, LEADS = ("C1", "C2", "C3"), ("L1", "L2")
ROLES = {"R1": "O1", "R2": "O1", "R3": "O2"}
TRIALS = {"Trial__c": RecordLink("Person__c", "Email__c", "Account__c")}
PROSPECTS = ("pardot:1", "pardot:2")
EVERYBODY = (*CONTACTS, *LEADS, *PROSPECTS)

emails = st.sampled_from([None, "a@x.com", "B@x.com ", "c@x.com"])
further = st.lists(st.sampled_from(["a@x.com", "B@x.com ", "d@x.com"]), max_size=2).map(tuple)
people = st.sampled_from([*CONTACTS, *LEADS])
flag = st.sampled_from([False, False, True])


@dataclass(frozen=True)
class World:
    rows: Mapping[str, Sequence[dict[str, Any]]]  # object -> all versions of its rows
    facts: Sequence[Activity | Prospect]


def versions(object_name: str, record_id: str, fields: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """One to three versions of a record, each newer than the one before."""

    def stamped(contents: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
        return [(object_name, row(record_id, at, **content)) for at, content in enumerate(contents)]

    return st.lists(st.fixed_dictionaries(dict(fields)), min_size=1, max_size=3).map(stamped)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    contact = {"Email": emails, "AccountId": st.sampled_from([None, "A1"]), "IsDeleted": flag}
    lead = {"Email": emails, "IsDeleted": flag, "IsConverted": flag}
    winner, converted = st.sampled_from([None, None, *CONTACTS]), st.sampled_from([None, *CONTACTS])
    drawn = [draw(versions("Contact", each, {**contact, "MasterRecordId": winner})) for each in CONTACTS]
    drawn += [
        draw(
            versions(
                "Lead",
                each,
                {**lead, "MasterRecordId": st.sampled_from([None, None, *LEADS]), "ConvertedContactId": converted},
            )
        )
        for each in LEADS
    ]
    drawn += [draw(versions("Opportunity", each, {"IsDeleted": flag, "IsWon": flag})) for each in ("O1", "O2")]
    drawn += [
        draw(
            versions(
                "OpportunityContactRole", each, {"ContactId": people, "IsDeleted": flag, "OpportunityId": st.just(to)}
            )
        )
        for each, to in ROLES.items()
    ]
    trial = {"Person__c": st.none() | people, "Email__c": emails, "Account__c": st.sampled_from([None, "A1"])}
    drawn += [draw(versions("Trial__c", each, {**trial, "IsDeleted": flag})) for each in ("T1", "T2")]
    drawn.append(draw(versions("Account", "A1", {"IsDeleted": flag, "Name": st.sampled_from("xy")})))
    rows: dict[str, list[dict[str, Any]]] = {}
    for object_name, fields in (each for group in drawn for each in group):
        rows.setdefault(object_name, []).append(fields)
    some_id = st.sampled_from([None, "C9", *CONTACTS, *LEADS])
    facts: list[Activity | Prospect] = [
        click(
            str(number),
            crm_id=draw(some_id),
            prospect_id=draw(st.sampled_from([None, "1", "2", "9"])),
            email=draw(emails),
        )
        for number in range(draw(st.integers(0, 5)))
    ]
    facts += [
        prospect(each, draw(emails), draw(some_id), deleted=draw(flag), addresses=draw(further)) for each in ("1", "2")
    ]
    return World(rows, facts)


@contextmanager
def fresh(empty_state: Path) -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as folder:
        path = shutil.copyfile(empty_state, Path(folder) / "state.sqlite3")
        with open_store(str(path), clock=FrozenClock(START)) as store:
            store.set_mapping_version("v1", around=frozenset({"records"}), records=TRIALS)
            yield store


def deliveries(world: World, chance: random.Random) -> list[tuple[str, list[Any]]]:
    """Every fact at least once, in pages of any size, in any order."""
    pages: list[tuple[str, list[Any]]] = []
    for object_name, facts in [*world.rows.items(), ("pardot", list(world.facts))]:
        left = [*facts, *chance.sample(list(facts), chance.randint(0, len(facts)))]
        chance.shuffle(left)
        while left:
            size = chance.randint(1, 4)
            pages.append((object_name, left[:size]))
            left = left[size:]
    chance.shuffle(pages)
    return pages


def deliver(store: Store, name: str, facts: Sequence[Any]) -> None:
    if name == "pardot":
        store.record_page(name, page(*facts))
    else:
        store.record_rows(name, facts)


def seen(store: Store) -> dict[str, Any]:
    return {each.id: told(each) for each in store.facts_of(EVERYBODY)}


def told(person: Person) -> dict[str, Any]:
    """What decide looks at, but for the columns that move with every write."""

    def quiet(fields: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in fields.items() if name != "SystemModstamp"}

    return {
        "fields": quiet(person.fields),
        "account": quiet(person.account),
        "aliases": person.aliases,
        "activities": {each.id for each in person.activities},
        "prospects": {each.id for each in person.prospects},
        "opportunities": {each.role_id: quiet(each.opportunity) for each in person.opportunities},
        "records": {each.id: quiet(each.row) for each in person.records},
    }


# -- the expectation ---------------------------------------------------------------------------------------------------


def expected(world: World) -> dict[str, Any]:
    newest = {fields["Id"]: fields for rows in world.rows.values() for fields in rows}
    humans = {each: newest[each] for each in (*CONTACTS, *LEADS)}
    ends = {each: end_of(each, humans) for each in humans}
    result = {}
    for person_id, fields in humans.items():
        if not is_gone(fields):
            aliases = tuple(each for each in humans if ends[each] == person_id and each != person_id)
            result[person_id] = of_record(person_id, fields, aliases, world, newest)
    taken = {ref for person in result.values() for ref in person.pop("linked")}
    for each in world.facts:
        if isinstance(each, Prospect) and not each.deleted and f"pardot:{each.id}" not in taken:
            result[f"pardot:{each.id}"] = of_prospect(each, world, newest)
    return result


def is_gone(fields: Mapping[str, Any]) -> bool:
    return bool(fields["IsDeleted"] or fields.get("MasterRecordId") or fields.get("IsConverted"))


def end_of(record_id: str, humans: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Who a record is now; None in a circle."""
    for _ in range(10):
        fields = humans[record_id]
        following = fields.get("MasterRecordId") or (fields.get("IsConverted") and fields.get("ConvertedContactId"))
        if not following:
            return record_id
        record_id = following
    return None


def plain(email: str | None) -> str | None:
    return email.strip().lower() if email else None


def of_record(
    person_id: str, fields: Mapping[str, Any], aliases: tuple[str, ...], world: World, newest: Mapping[str, Any]
) -> dict[str, Any]:
    ids = {person_id, *aliases}
    others = taken(newest)
    own = {plain(newest[each]["Email"]) for each in ids} - {None}
    former = {plain(each["Email"]) for name in PEOPLE for each in world.rows[name] if each["Id"] in ids} - {None}
    addresses = own | (former - others)
    linked = [
        each
        for each in world.facts
        if isinstance(each, Prospect)
        and (each.crm_id in ids or (each.crm_id is None and not addresses_of(each).isdisjoint(addresses)))
    ]
    refs = {each.id for each in linked}
    addresses |= {email for each in linked for email in addresses_of(each)} - others
    account = newest["A1"] if fields.get("AccountId") and not newest["A1"]["IsDeleted"] else {}
    roles = [newest[each] for each in ROLES]
    live = [each for each in roles if not each["IsDeleted"] and not newest[each["OpportunityId"]]["IsDeleted"]]
    return {
        "fields": without_stamp(fields),
        "account": without_stamp(account),
        "aliases": aliases,
        "activities": activities(world, ids, refs, addresses),
        "prospects": {each.id for each in linked if not each.deleted},
        "opportunities": {
            each["Id"]: without_stamp(newest[each["OpportunityId"]]) for each in live if each["ContactId"] in ids
        },
        "records": trials(newest, ids, addresses, fields.get("AccountId")),
        "linked": {f"pardot:{each}" for each in refs},
    }


def trials(
    newest: Mapping[str, Any], ids: set[str], addresses: set[str | None], account: str | None
) -> dict[str, dict[str, Any]]:
    """By the lookup, else by the address, else of the account."""
    found = {}
    for each in (newest["T1"], newest["T2"]):
        person, email, theirs = each["Person__c"], plain(each["Email__c"]), each["Account__c"]
        is_theirs = person in ids if person else email in addresses if email else bool(theirs) and theirs == account
        if is_theirs and not each["IsDeleted"]:
            found[each["Id"]] = without_stamp(each)
    return found


def taken(newest: Mapping[str, Mapping[str, Any]]) -> set[str | None]:
    """What a record has as its Email is that record's."""
    return {plain(newest[each]["Email"]) for each in (*CONTACTS, *LEADS) if not is_gone(newest[each])}


def addresses_of(each: Prospect) -> set[str]:
    return {found for email in (each.email, *each.addresses) if (found := plain(email))}


def of_prospect(each: Prospect, world: World, newest: Mapping[str, Any]) -> dict[str, Any]:
    addresses: set[str | None] = {*addresses_of(each)}
    return {
        "fields": {"Id": f"pardot:{each.id}", "Email": plain(each.email)},
        "account": {},
        "aliases": (),
        "activities": activities(world, set(), {each.id}, addresses),
        "prospects": {each.id},
        "opportunities": {},
        "records": trials(newest, set(), addresses, None),
    }


def activities(world: World, ids: set[str], refs: set[str], addresses: set[str | None]) -> set[str]:
    return {
        each.id
        for each in world.facts
        if isinstance(each, Activity)
        and (
            each.crm_id in ids
            or each.prospect_id in refs
            or (each.crm_id is None and each.prospect_id is None and plain(each.email) in addresses)
        )
    }


def without_stamp(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "SystemModstamp"}


# -- what must always hold ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settles", [False, True])
@given(world=worlds(), chance=st.randoms(use_true_random=False))
@settings(max_examples=cases(10), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_order_pages_and_repetitions_do_not_matter_and_nobody_who_changed_is_forgotten(
    empty_state: Path, settles: bool, world: World, chance: random.Random
) -> None:
    with fresh(empty_state) as store:
        holds(store, settles, world, chance)


@needs_server
@given(world=worlds(), chance=st.randoms(use_true_random=False))
@settings(max_examples=cases(5), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_on_postgresql_they_do_not_either(emptied_state: str, world: World, chance: random.Random) -> None:
    run(emptied_state, *(f"DELETE FROM {name}" for name in SQLModel.metadata.tables))
    with open_store(emptied_state, clock=FrozenClock(START)) as store:
        store.set_mapping_version("v1", around=frozenset({"records"}), records=TRIALS)
        holds(store, True, world, chance)


def holds(store: Store, settles: bool, world: World, chance: random.Random) -> None:
    before = seen(store)
    for name, facts in deliveries(world, chance):
        deliver(store, name, facts)
        if settles:
            now = seen(store)
            different = {each for each in now if now[each] != before.get(each)}
            marked = {person_id for person_id, _ in store.next_dirty(100)}
            assert different <= marked
            assert marked <= now.keys()  # nobody is marked who does not exist
            settle_all(store)
            before = now
    assert seen(store) == expected(world)
    for name, facts in deliveries(world, chance):
        deliver(store, name, facts)
    assert seen(store) == expected(world)
    if settles:
        assert store.dirty_count() == 0  # the same facts once more are no news
    everybody = store.people_in()
    assert set(everybody) == expected(world).keys()
    assert sum(store.people_by("stage").values()) == store.counts()["people"] == len(everybody)
