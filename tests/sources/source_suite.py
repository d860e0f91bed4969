"""What every source promises, whatever it reads: subclass :class:`SourceSuite` and give it a ``bench``.

A bench is a source's own service with a handle to put things into it and to make it fail. Fact by fact:
everything is read; each page's cursor resumes behind it; a cursor is JSON and never goes back; a page recorded twice
changes nothing; what comes later is read later; a fault in the middle loses nothing; who is matched late gets what they
did before; no secret is ever shown. That limits are respected each service counts in its own way, so it is beside.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, Protocol

import pytest

from connector.base.clock import FrozenClock
from connector.base.errors import ConnectorError, Transient
from connector.base.facts import Activity, SourcePage
from connector.base.ports import Source
from connector.sources.kinds import KINDS
from connector.store import Store

MANY = 2300  # more than two pages of any source
# The Salesforce record of whoever acts in a bench: by its id, or by its address where a system knows no ids.
ANN = {"Id": "003000000000001AAA", "Email": "a@example.com", "SystemModstamp": "2026-05-01T12:00:00.000+0000"}


@dataclass
class Switch:
    """A fault that can be switched on and off. ``passes``: the source gets over it by itself."""

    name: str
    on: Callable[[], Any]
    off: Callable[[], Any]
    passes: bool = False


class Bench(Protocol):
    clock: FrozenClock

    @property
    def secrets(self) -> tuple[str, ...]: ...

    def source(self) -> Source:
        """A source as after a restart."""
        ...

    def add(self, count: int) -> set[str]:
        """Puts so many activities into the service; returns their ids as the source will give them."""
        ...

    def add_unknown(self) -> str:
        """Puts in one activity of a type that no table knows; returns the type as the source will count it."""
        ...

    def faults(self) -> list[Switch]: ...


@dataclass
class Polls:
    """Polls that go on where the one before ended, as the pipeline does it; the cursor goes through JSON."""

    bench: Bench
    cursor: Mapping[str, Any] | None = None
    pages: list[SourcePage] = field(default_factory=list)

    def poll(self) -> set[str]:
        found: set[str] = set()
        for page in self.bench.source().poll(self.cursor, self.now()):
            self.cursor = json.loads(json.dumps(page.cursor))
            self.pages.append(page)
            found |= ids([page])
        return found

    def now(self) -> datetime:
        return self.bench.clock.now()


def ids(pages: Iterable[SourcePage]) -> set[str]:
    return {activity.id for page in pages for activity in page.activities}


def activities(pages: Iterable[SourcePage]) -> dict[str, Activity]:
    return {activity.id: activity for page in pages for activity in page.activities}


def standing(pages: Iterable[SourcePage]) -> dict[str, Activity]:
    """What is left of it all, as the store has it."""
    found: dict[str, Activity] = {}
    for page in pages:
        taken_back = (*(f"{each}:" for each in page.whole), *page.removed)
        found = {one: each for one, each in found.items() if not one.startswith(taken_back)}
        found.update({each.id: each for each in page.activities})
    return found


class SourceSuite:
    """The facts. ``bench`` is a fixture of the subclass's module."""

    def test_everything_is_read(self, bench: Bench) -> None:
        added = bench.add(MANY)
        assert Polls(bench).poll() == added

    def test_an_empty_service_gives_nothing(self, bench: Bench) -> None:
        polls = Polls(bench)
        assert polls.poll() == polls.poll() == set()

    def test_each_pages_cursor_resumes_behind_it(self, bench: Bench) -> None:
        added = bench.add(MANY)
        polls = Polls(bench)
        polls.poll()
        assert len([page for page in polls.pages if page.activities]) >= 3
        for place in range(len(polls.pages)):
            rest = Polls(bench, polls.pages[place].cursor).poll()
            assert ids(polls.pages[: place + 1]) | rest == added

    def test_a_cursor_never_goes_back(self, bench: Bench) -> None:
        """Each page leaves less to read. Only a whole poll may end a little before its end, to catch what came late."""
        bench.add(MANY)
        bench.clock.sleep(3600)
        polls = Polls(bench)
        polls.poll()
        left = [Polls(bench, page.cursor).poll() for page in polls.pages[:-1]]
        assert all(later <= earlier for earlier, later in pairwise(left))
        told = [rest for page, rest in zip(polls.pages, left, strict=False) if page.activities]
        assert all(later < earlier for earlier, later in pairwise([set(ids(polls.pages)), *told]))

    def test_a_page_read_twice_is_the_same(self, bench: Bench) -> None:
        bench.add(30)
        first, second = Polls(bench), Polls(bench)
        first.poll()
        second.poll()
        assert activities(first.pages) == activities(second.pages)

    def test_a_page_recorded_twice_changes_nothing(self, bench: Bench, store: Store) -> None:
        bench.add(30)
        store.record_rows("Contact", [ANN])
        polls = Polls(bench)
        polls.poll()
        assert sum(store.record_page("any", page) for page in polls.pages) >= 30
        before = store.facts_of([ANN["Id"]])
        store.drop_dirty(store.next_dirty(100))
        assert [store.record_page("any", page) for page in polls.pages] == [0] * len(polls.pages)
        assert store.next_dirty(100) == []
        assert store.facts_of([ANN["Id"]]) == before

    def test_who_is_matched_late_gets_what_they_did_before(self, bench: Bench, store: Store) -> None:
        added = bench.add(30)
        polls = Polls(bench)
        polls.poll()
        for page in polls.pages:
            store.record_page("any", page)
        store.drop_dirty(store.next_dirty(100))
        store.record_rows("Contact", [ANN])
        assert [name for name, _ in store.next_dirty(100)] == [ANN["Id"]]
        [ann] = store.facts_of([ANN["Id"]])
        assert {each.id for each in ann.activities} == added

    def test_what_comes_later_is_read_later(self, bench: Bench) -> None:
        bench.add(30)
        polls = Polls(bench)
        polls.poll()
        bench.clock.sleep(3600)
        polls.poll()
        later = bench.add(5)
        assert later <= polls.poll()

    def test_an_old_place_costs_no_full_read(self, bench: Bench) -> None:
        bench.add(MANY)
        polls = Polls(bench)
        polls.poll()
        bench.clock.sleep(3600)
        bench.add(1)
        polls.poll()
        bench.clock.sleep(3600)
        assert len(polls.poll()) < 100

    def test_an_unknown_type_is_kept_and_counted(self, bench: Bench) -> None:
        bench.add(3)
        unknown = bench.add_unknown()
        polls = Polls(bench)
        assert len(polls.poll()) == 4
        assert {kind: count for page in polls.pages for kind, count in page.unknown.items()} == {unknown: 1}
        [found] = [each for each in activities(polls.pages).values() if each.kind not in KINDS or each.kind == "other"]
        assert found.direction == "outbound", "what nobody knows is no engagement"

    def test_each_kind_is_canonical_and_each_time_aware(self, bench: Bench) -> None:
        bench.add(30)
        polls = Polls(bench)
        polls.poll()
        assert activities(polls.pages)
        for activity in activities(polls.pages).values():
            assert activity.kind in KINDS
            assert activity.occurred_at.utcoffset() is not None
            assert activity.crm_id or activity.prospect_id or activity.email

    def test_a_fault_in_the_middle_loses_nothing(self, bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
        """Every fault strikes after the first page; the pages before it stay, and the next poll reads the rest."""
        added = bench.add(MANY)
        for fault in bench.faults():
            polls, error = Polls(bench), None
            try:
                for page in bench.source().poll(None, bench.clock.now()):
                    polls.cursor = json.loads(json.dumps(page.cursor))
                    polls.pages.append(page)
                    if page.activities and len([each for each in polls.pages if each.activities]) == 1:
                        fault.on()
            except ConnectorError as caught:
                error = caught
            finally:
                fault.off()
            assert (error is None) is fault.passes, f"{fault.name}: {error!r}"
            bench.clock.sleep(3600)
            polls.poll()
            assert ids(polls.pages) == added, fault.name
            shown = f"{error} {error!r} {error.__context__ if error else ''} {capsys.readouterr()}"
            assert not [secret for secret in bench.secrets if secret in shown], fault.name

    def test_a_service_that_is_down_is_a_passing_error_at_once_or_after_retries(self, bench: Bench) -> None:
        bench.add(3)
        for fault in bench.faults():
            if fault.name == "down":
                fault.on()
                with pytest.raises(Transient):
                    Polls(bench).poll()
                fault.off()
        assert len(Polls(bench).poll()) == 3
