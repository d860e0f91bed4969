"""Fakes written by hand. That of Salesforce passes the suite of the client it stands for: ``tests/test_ports.py``."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from connector.base.errors import Refused, Transient
from connector.base.facts import Outcome, RecordChange, Result, Row, SourcePage
from connector.base.ports import Answers, Deleted, DeletedSince, LocatorExpired, Page, Read, Updated, UpdatedSince
from connector.lifecycle.written import written_over

SIGNED_IN = "005000000000001AAA"  # the user
_OF_CURRENCIES = ("CurrencyType", "DatedConversionRate")  # only where the org has several
SOMEBODY = "005000000000002AAA"  # whoever else changes rows
START = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)


def sf_time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


@dataclass
class FakeSalesforce:
    """An org in memory: rows by object and id, with a clock of its own. ``refuse`` and ``fail`` inject faults."""

    now: datetime = START
    page_size: int = 2000
    rows: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    removed: list[tuple[str, str, datetime]] = field(default_factory=list)  # hard deletes: object, id, when
    visible_from: dict[str, datetime] = field(default_factory=dict)  # id -> when its transaction commits
    refuse: dict[str, str] = field(default_factory=dict)  # record id -> status code of the refusal
    hidden: set[str] = field(default_factory=set)  # objects that the user may not read
    fail: Callable[[str], bool] = lambda _kind: False  # kind of call -> should it fail
    updates: list[dict[str, Any]] = field(default_factory=list)
    _calls: Counter[str] = field(default_factory=Counter)
    _locators: dict[str, list[Row]] = field(default_factory=dict)

    def put(
        self, object_name: str, row: Mapping[str, Any], *, visible_in: timedelta = timedelta(0), by: str = SOMEBODY
    ) -> str:
        """Creates or changes a row now, in the name of ``by``."""
        table = self.rows.setdefault(object_name, {})
        record_id = row["Id"]
        before = table.get(record_id, {"IsDeleted": False, "CreatedDate": sf_time(self.now)})
        table[record_id] = {**before, **row, "SystemModstamp": sf_time(self.now), "LastModifiedById": by}
        if visible_in:
            self.visible_from[record_id] = self.now + visible_in
        return record_id

    def remove(self, object_name: str, record_id: str, *, hard: bool = False) -> None:
        if hard:
            del self.rows[object_name][record_id]
            self.removed.append((object_name, record_id, self.now))
        else:
            self.put(object_name, {"Id": record_id, "IsDeleted": True})

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # -- the port

    def read(self, reads: Sequence[Read], windows: Sequence[DeletedSince | UpdatedSince] = ()) -> Answers:
        self._call("composite")
        hides = self.hidden | {name for name in _OF_CURRENCIES if not self.rows.get(name)}
        apart = {each.name: self._hides(each.name) for each in reads if each.alone and each.name in hides}
        if hidden := next((each.name for each in reads if each.name in self.hidden - apart.keys()), None):
            raise self._hides(hidden)
        pages = {each.name: self._answer(each) for each in reads if each.name not in apart}
        gone = {
            each.name: Deleted(
                tuple(i for name, i, at in self.removed if name == each.object and each.start <= at <= self.now),
                complete=True,
                covered_until=min(each.end, self.now),
            )
            for each in windows
            if isinstance(each, DeletedSince) and each.name not in apart
        }
        updated = {each.name: self._updated(each) for each in windows if isinstance(each, UpdatedSince)}
        return Answers(pages, gone, self.now, apart, updated)

    def more(self, locator: str) -> Page:
        self._call("query_more")
        if locator not in self._locators:
            raise LocatorExpired
        return self._page(self._locators.pop(locator))

    def update(self, changes: Sequence[RecordChange]) -> Iterator[Sequence[Outcome]]:
        rest = iter(changes)
        while pack := list(islice(rest, 400)):
            try:
                self._call("collections")
            except Transient as error:
                yield [Outcome(change, Result.WAITING, "", error.what) for change in pack]
                continue
            yield [self._write(change) for change in pack]

    def describe(self, object_name: str) -> Mapping[str, Any]:
        rows = self.rows.get(object_name)
        if rows is None:
            raise Refused(f"there is no object {object_name}", code="NOT_FOUND")
        return {
            "name": object_name,
            "fields": [{"name": name} for name in {name for row in rows.values() for name in row}],
        }

    def forget_locators(self) -> None:
        self._locators.clear()

    def identity(self) -> str:
        return "00D000000000001AAA"

    def single_currency(self) -> tuple[bool, str]:
        return False, ""

    def user(self) -> str:
        return SIGNED_IN

    def address(self) -> str:
        return "https://fake.example.com"

    def calls(self) -> Mapping[str, int]:
        return dict(self._calls)

    def usage(self) -> tuple[int, int] | None:
        return (25, 5000)

    # -- inside

    def _hides(self, name: str) -> Refused:
        return Refused(f"sObject type '{name}' is not supported", code="INVALID_TYPE")

    def _call(self, kind: str) -> None:
        self._calls[kind] += 1
        if self.fail(kind):
            raise Transient("the fake org fails as it was told to")

    def _updated(self, window: UpdatedSince) -> Updated:
        if window.object in self.hidden:
            return Updated(some=True, covered_until=window.start)
        stamps: dict[bool, list[datetime]] = {True: [], False: []}  # of what is committed, and of what is not yet
        for row in self.rows.get(window.object, {}).values():
            is_there = self.visible_from.get(row["Id"], self.now) <= self.now
            if not row["IsDeleted"]:
                stamps[is_there].append(datetime.fromisoformat(row["SystemModstamp"]))
        end = min(window.end, self.now)
        some = any(window.start.replace(microsecond=0) <= each <= end for each in stamps[True])
        return Updated(some, min([end, *stamps[False]]))

    def _answer(self, read: Read) -> Page:
        if "COUNT()" in read.soql:
            rows = self._select(replace(read, soql=read.soql.replace("COUNT()", "Id")))
            return Page((), None, self.now, len(rows))
        return self._page(self._select(read))

    def _select(self, read: Read) -> list[Row]:
        columns, name, where = re.fullmatch(
            r"SELECT (.+?) FROM (\w+)(?: WHERE (.+?))?(?: ORDER BY \w+, \w+)?", read.soql
        ).groups()
        rows = [
            row
            for row in self.rows.get(name, {}).values()
            if self.visible_from.get(row["Id"], self.now) <= self.now
            and (read.all_rows or not row["IsDeleted"])
            and not (name == "OpportunityContactRole" and row["IsDeleted"])  # a removed role is invisible
            and self._matches(row, where or "")
        ]
        rows.sort(key=lambda row: (row["SystemModstamp"], row["Id"]))
        return [{column: row.get(column) for column in columns.split(", ")} for row in rows]

    def _matches(self, row: Row, where: str) -> bool:
        stamp = datetime.fromisoformat(row["SystemModstamp"])
        if not where:
            return True
        if echo := re.fullmatch(r"(.+) AND \(SystemModstamp >= (\S+) OR LastModifiedById != '(\w+)'\)", where):
            is_echo = stamp < datetime.fromisoformat(echo[2]) and row["LastModifiedById"] == echo[3]
            return not is_echo and self._matches(row, echo[1])
        if listed := re.fullmatch(r"(\w+) (?:= |IN \()('\w+'(?:, ?'\w+')*)\)?(?: ORDER BY .+)?", where):
            return row.get(listed[1]) in re.findall(r"'(\w+)'", listed[2])
        if since := re.fullmatch(r"SystemModstamp >= (\S+)(?: AND SystemModstamp < (\S+))?", where):
            return datetime.fromisoformat(since[1]) <= stamp and (
                since[2] is None or stamp < datetime.fromisoformat(since[2])
            )
        if bound := re.fullmatch(r"(.+) AND SystemModstamp < (\S+)", where) or re.fullmatch(
            r"()SystemModstamp < (\S+)", where
        ):
            return stamp < datetime.fromisoformat(bound[2]) and self._matches(row, bound[1])
        keyset = re.fullmatch(r"\(SystemModstamp > (\S+) OR \(SystemModstamp = \1 AND Id > '(\w+)'\)\)", where)
        assert keyset is not None, where
        return (stamp, row["Id"]) > (datetime.fromisoformat(keyset[1]), keyset[2])

    def _page(self, rows: list[Row]) -> Page:
        first, rest = rows[: self.page_size], rows[self.page_size :]
        locator = f"0r8-{len(self._locators)}-{self._calls.total()}" if rest else None
        if locator:
            self._locators[locator] = rest
        return Page(tuple(first), locator, self.now, len(rows))

    def _write(self, change: RecordChange) -> Outcome:
        if code := self.refuse.get(change.id):
            return Outcome(change, Result.SET_ASIDE, code, "the fake org refuses this record")
        row = self.rows.get(change.object, {}).get(change.id)
        if row is None or row["IsDeleted"]:
            return Outcome(change, Result.SET_ASIDE, "ENTITY_IS_DELETED", "entity is deleted")
        self.updates.append({"object": change.object, "Id": change.id, **change.values()})
        self.put(change.object, {"Id": change.id, **change.values()}, by=SIGNED_IN)
        return written_over(change, row, row["LastModifiedById"])


@dataclass
class FakeSource:
    """Pages handed over one by one; the cursor counts them."""

    name: str = "fake"
    pages: list[SourcePage] = field(default_factory=list)
    fail: bool = False
    polled: int = 0
    owner: str | None = None  # the account

    def poll(self, cursor: Mapping[str, Any] | None, now: datetime) -> Iterator[SourcePage]:
        if self.fail:
            raise Transient("the fake source is down")
        self.polled += 1
        done = cursor["pages"] if cursor else 0
        for index, page in enumerate(self.pages[done:], done + 1):
            yield SourcePage({"pages": index}, page.activities, page.prospects, page.removed, page.unknown)

    def account(self) -> str | None:
        return self.owner

    def calls(self) -> Mapping[str, int]:
        return {"poll": self.polled}
