"""The condition on records of other objects, standard and custom, that the mapping links to people (``records:``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from connector.base.facts import Evidence, LinkedRecord
from connector.lifecycle.activity import ANCHORS, SINCE_WORDS
from connector.lifecycle.amounts import added, amounts_told, shown_amount
from connector.lifecycle.compare import Check, Comparison
from connector.lifecycle.conditions import Compares, Condition, Grounds, Needs, Reads, Test
from connector.lifecycle.model import RecordLink
from connector.lifecycle.opportunity import fields_of
from connector.lifecycle.values import show, time_of
from connector.lifecycle.view import View, linked

_SHOWN = 3  # records named as evidence
CREATED = "CreatedDate"
_VIA = {"person": "", "email": " by its address", "account": " of the account"}


@dataclass(frozen=True)
class HasRecord(Condition):
    """At least ``count`` records of an object whose fields fit. ``since``: by the link's date, only after the person
    came to the present stage or status, was handed off, or last started afresh. ``total``: of fields, summed over those
    that fit."""

    of: str
    link: RecordLink = field(default_factory=RecordLink)
    where: tuple[tuple[str, Comparison], ...] = ()
    count: int = 1
    since: str = ""  # one of ANCHORS
    total: tuple[tuple[str, Comparison], ...] = ()

    def compile(self, object_name: str) -> Test:
        return self.fitting

    @cached_property
    def _filters(self) -> list[Any]:
        return [compare.of(name) for name, compare in self.where]

    @cached_property
    def _totals(self) -> list[tuple[str, Check]]:
        return [(name, compare.compile()) for name, compare in self.total]

    def fitting(self, view: View) -> Sequence[LinkedRecord]:
        """Those that fit, by date; none when the condition does not hold."""
        anchor = ANCHORS.get(self.since)
        found = [each for each in view.person.records if each.object == self.of]
        found = [each for each in found if all(check(each.row, view) for check in self._filters)]
        if anchor is not None and (start := anchor(view)) is not None:
            found = [each for each in found if (at := self._at(each, view.now)) is not None and at > start]
        if len(found) < self.count:
            return ()
        if any(not check(added((each.row for each in found), name), view) for name, check in self._totals):
            return ()
        return sorted(found, key=lambda each: (str(self._at(each, view.now) or ""), each.id))

    def _at(self, each: LinkedRecord, now: datetime) -> datetime | None:
        """Since when it counts: its date, or when it was made, where that is yet to come."""
        at = time_of(each.row.get(self.link.dated_by))
        return at if at is not None and at <= now else time_of(each.row.get(CREATED))

    def needs(self) -> Needs:
        return frozenset((linked(self.of),))

    def grounds(self, view: View) -> Grounds:
        dated = [(each, self._at(each, view.now)) for each in self.fitting(view)]
        times = [at for _, at in dated if at is not None]
        since = (times[-1] if self.total or self.count > len(times) else times[self.count - 1]) if times else None
        return tuple(self._evidence(each, at) for each, at in dated[:_SHOWN]), since

    def _evidence(self, each: LinkedRecord, at: datetime | None) -> Evidence:
        names = [*fields_of(self.where), *fields_of(self.total)] or ["Name"] * ("Name" in each.row)
        asked = {**dict(self.total), **dict(self.where)}
        told = ", ".join(
            f"{name} {shown_amount(each.row.get(name), asked[name]) if name in asked else show(each.row.get(name))}"
            for name in dict.fromkeys(names)
        )
        return Evidence("record", each.id, f"{self.of}{_VIA[each.via]}" + (f": {told}" if told else ""), at)

    def found(self, view: View) -> str:
        asked = (*self.where, *self.total)
        ids = [
            f"{each.id} ({told})" if (told := amounts_told(asked, each.row)) else each.id
            for each in view.person.records
            if each.object == self.of
        ]
        more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
        return f"there is {', '.join(ids[:_SHOWN])}{more}" if ids else f"there is no {self.of}"

    def words(self) -> str:
        parts = [f"at least {self.count} records of {self.of}" if self.count > 1 else f"a record of {self.of}"]
        parts += [f"with {name} {compare.words()}" for name, compare in self.where]
        parts += [SINCE_WORDS[self.since]] if self.since else []
        parts += [f"with {name} {compare.words()} altogether" for name, compare in self.total]
        return " ".join(parts)

    def reads(self) -> Reads:
        names = (*self.link.fields, CREATED, *fields_of(self.where), *fields_of(self.total))
        yield from ((self.of, name) for name in names)

    def compares(self) -> Compares:
        yield from ((self.of, name, compare) for name, compare in (*self.where, *self.total))
