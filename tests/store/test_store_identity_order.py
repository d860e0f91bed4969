"""Whatever happens to records with shared addresses, and in whatever order it is read, the same people come out, nobody
who changed is forgotten, and nobody is marked who does not exist. The expectation groups the records as they are."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import SQLModel

from connector.base.clock import FrozenClock
from connector.base.facts import Prospect
from connector.lifecycle.model import Identity
from connector.store import Store, open_store
from tests.cases import cases
from tests.postgres import needs_server, run
from tests.store.store_facts import START, row, settle_all
from tests.store.test_store_order import (
    CONTACTS,
    LEADS,
    TRIALS,
    World,
    deliver,
    deliveries,
    end_of,
    fresh,
    is_gone,
    of_prospect,
    of_record,
    plain,
    seen,
    worlds,
)

HUMANS = (*CONTACTS, *LEADS)

rules = st.builds(
    Identity,
    by_email=st.sampled_from([True, True, False]),
    prefer=st.sampled_from([("Contact", "Lead"), ("Lead", "Contact"), ("Lead",)]),
    then=st.sampled_from(["oldest", "newest"]),
    at_most=st.integers(2, 4),
)


addresses = st.sampled_from(["a@x.com", "A@x.com ", "a@x.com", "b@x.com", None])
fates = st.sampled_from(["lives"] * 7 + ["is deleted", "is merged", "is converted"])


@st.composite
def crowded(draw: st.DrawFn) -> World:
    """A world whose people live most of the time, share addresses, and have a CreatedDate, some of them the same."""
    world = draw(worlds())
    rows = dict(world.rows)
    for name, ids in {"Contact": CONTACTS, "Lead": LEADS}.items():
        days = {each: draw(st.sampled_from(["2026-01-01", "2026-01-02"])) for each in ids}
        versions = [(each, at) for each in ids for at in range(draw(st.integers(1, 4)))]
        rows[name] = [row(each, at, CreatedDate=days[each], **draw(lives(name, ids))) for each, at in versions]
    return World(rows, world.facts)


@st.composite
def lives(draw: st.DrawFn, name: str, ids: Sequence[str]) -> dict[str, Any]:
    fate, other = draw(fates), draw(st.sampled_from(ids))
    contact = draw(st.sampled_from([None, *CONTACTS]))
    return {
        "Email": draw(addresses),
        "IsDeleted": fate == "is deleted",
        "MasterRecordId": other if fate == "is merged" else None,
        "IsConverted": name == "Lead" and fate == "is converted",
        "ConvertedContactId": contact if name == "Lead" and fate == "is converted" else None,
    }


def expected(world: World, rule: Identity) -> dict[str, Any]:
    newest = {fields["Id"]: fields for rows in world.rows.values() for fields in rows}
    humans = {each: newest[each] for each in HUMANS}
    leaders = leaders_by_address(humans, rule)
    ends = {each: leaders.get(end_of(each, humans) or "", end_of(each, humans)) for each in humans}
    result = {}
    for person_id in {end for end in ends.values() if end and not is_gone(humans[end])}:
        aliases = tuple(each for each in humans if ends[each] == person_id and each != person_id)
        result[person_id] = of_record(person_id, humans[person_id], aliases, world, newest)
    taken = {ref for person in result.values() for ref in person.pop("linked")}
    for each in world.facts:
        if isinstance(each, Prospect) and not each.deleted and f"pardot:{each.id}" not in taken:
            result[f"pardot:{each.id}"] = of_prospect(each, world, newest)
    return result


def leaders_by_address(humans: Mapping[str, Mapping[str, Any]], rule: Identity) -> dict[str, str]:
    """Live record -> the one that leads those with its address."""

    def rank(each: str) -> tuple[int, int, str]:
        name = "Contact" if each.startswith("C") else "Lead"
        day = int(humans[each]["CreatedDate"][-2:])
        return ([*rule.prefer, name].index(name), -day if rule.then == "newest" else day, each)

    live = [each for each, fields in humans.items() if not is_gone(fields) and fields["Email"]]
    groups = [[other for other in live if same(humans, each, other)] for each in live] if rule.by_email else []
    return {each: min(group, key=rank) for group in groups for each in group if len(group) <= rule.at_most}


def same(humans: Mapping[str, Mapping[str, Any]], one: str, other: str) -> bool:
    return plain(humans[one]["Email"]) == plain(humans[other]["Email"])


class Watched:
    """A store whose every change is checked to have marked those whose facts became different, and nobody else who
    does not exist."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.before = seen(store)

    def step(self, change: Callable[[], object]) -> None:
        change()
        now = seen(self.store)
        marked = {person_id for person_id, _ in self.store.next_dirty(100)}
        assert {each for each in now if now[each] != self.before.get(each)} <= marked
        assert marked <= now.keys()
        settle_all(self.store)
        self.before = now

    def joins(self, rule: Identity) -> None:
        looks = frozenset({"records"})
        self.step(lambda: self.store.set_mapping_version("v1", joins=rule, around=looks, records=TRIALS))


def holds(store: Store, world: World, first: Identity, last: Identity, chance: random.Random) -> None:
    watched = Watched(store)
    watched.joins(first)
    pages = deliveries(world, chance)
    switch = chance.randrange(len(pages))
    for at, (name, facts) in enumerate(pages):
        if at == switch:
            watched.joins(last)
        watched.step(lambda name=name, facts=facts: deliver(store, name, facts))  # type: ignore[misc]  # its defaults
    assert seen(store) == expected(world, last)
    everybody = store.people_in()
    assert set(everybody) == expected(world, last).keys()
    assert sum(store.people_by("stage").values()) == store.counts()["people"] == len(everybody)
    for each in HUMANS:
        assert len(store.find_people(each)) <= 1
    remove(watched, world, last, chance)


def remove(watched: Watched, world: World, rule: Identity, chance: random.Random) -> None:
    """Some people's records are deleted one after the other."""
    rows = {name: list(versions) for name, versions in world.rows.items()}
    newest = {each["Id"]: (name, each) for name, versions in rows.items() for each in versions}
    for each in chance.sample(HUMANS, 3):
        name, known = newest[each]
        watched.step(lambda name=name, each=each: watched.store.remove_rows(name, [each]))  # type: ignore[misc]  # same
        if not is_gone(known):
            rows[name].append({**known, "IsDeleted": True})
        assert seen(watched.store) == expected(World(rows, world.facts), rule)
    watched.joins(Identity())
    assert seen(watched.store) == expected(World(rows, world.facts), Identity())


@given(world=crowded(), first=rules, last=rules, chance=st.randoms(use_true_random=False))
@settings(max_examples=cases(10), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_people_are_those_of_the_records_as_they_are(
    empty_state: Path, world: World, first: Identity, last: Identity, chance: random.Random
) -> None:
    with fresh(empty_state) as store:
        holds(store, world, first, last, chance)


@needs_server
@given(world=crowded(), first=rules, last=rules, chance=st.randoms(use_true_random=False))
@settings(max_examples=cases(5), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_on_postgresql_they_are_too(
    emptied_state: str, world: World, first: Identity, last: Identity, chance: random.Random
) -> None:
    run(emptied_state, *(f"DELETE FROM {name}" for name in SQLModel.metadata.tables))
    with open_store(emptied_state, clock=FrozenClock(START)) as store:
        holds(store, world, first, last, chance)
