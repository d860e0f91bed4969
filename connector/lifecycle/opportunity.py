"""The condition on a person's opportunities, seen through their contact roles.

Several roles on one opportunity, and several primaries, are normal in real orgs: what counts is the opportunity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from connector.base.facts import Evidence, OpportunityRole, Row
from connector.lifecycle.activity import ANCHORS, SINCE_WORDS
from connector.lifecycle.amounts import added, amounts_told
from connector.lifecycle.compare import Check, Comparison
from connector.lifecycle.conditions import Compares, Condition, Grounds, Needs, Reads, Test
from connector.lifecycle.values import number_of, show, time_of
from connector.lifecycle.view import SOME_OPPORTUNITY, View

_SHOWN = 3  # opportunities named as evidence
STATES: dict[str, Callable[[Row], bool]] = {
    "any": lambda _row: True,
    "open": lambda row: not row.get("IsClosed"),
    "closed": lambda row: bool(row.get("IsClosed")),
    "won": lambda row: bool(row.get("IsWon")),
    "lost": lambda row: bool(row.get("IsClosed")) and not row.get("IsWon"),
}
WHOLE = ("all_lost", "none")  # said of all opportunities together
STATE_WORDS = {
    "any": "an opportunity",
    "open": "an open opportunity",
    "closed": "a closed opportunity",
    "won": "a won opportunity",
    "lost": "a lost opportunity",
    "all_lost": "opportunities, all of them lost",
    "none": "no opportunity",
}


def _most(key: Callable[[OpportunityRole], Any]) -> Callable[[Sequence[OpportunityRole]], list[OpportunityRole]]:
    """All roles of the opportunity with the most of it; of equal ones that with the higher id."""

    def choose(roles: Sequence[OpportunityRole]) -> list[OpportunityRole]:
        chosen = max(roles, key=lambda each: (key(each), each.opportunity_id)).opportunity_id
        return [each for each in roles if each.opportunity_id == chosen]

    return choose


WHICH: dict[str, Callable[[Sequence[OpportunityRole]], list[OpportunityRole]]] = {
    "largest": _most(lambda each: number_of(each.opportunity.get("Amount")) or 0.0),
    "newest": _most(lambda each: str(time_of(each.opportunity.get("CreatedDate")) or "")),
    "latest": _most(lambda each: str(time_of(each.opportunity.get("CloseDate")) or "")),
}
VIA = {"account": "opportunity of the account", "conversion": "opportunity of the converted lead"}  # without a role
_Matches = Callable[[OpportunityRole, View], bool]
_FIELDS = ("Name", "StageName", "IsWon", "IsClosed", "CloseDate", "CreatedDate")
ROLE_FIELDS = ("Role", "IsPrimary", "CreatedDate")


@dataclass(frozen=True)
class HasOpportunity(Condition):
    """At least ``count`` opportunities in the state, whose fields and contact role fit. ``all_lost``: there is one,
    and each that fits is lost; ``none``: none fits."""

    state: str = "any"
    where: tuple[tuple[str, Comparison], ...] = ()
    role: tuple[tuple[str, Comparison], ...] = ()
    count: int = 1
    since: str = ""  # one of ANCHORS
    which: str = ""  # one of WHICH: only this one of all that the person has
    total: tuple[tuple[str, Comparison], ...] = ()  # of fields, summed over those that fit

    @cached_property
    def _fits(self) -> _Matches:
        return self.fits()

    def compile(self, object_name: str) -> Test:
        fits, count = self._fits, self.count
        if self.state == "none":
            return lambda view: not any(fits(each, view) for each in view.every_opportunity or view.opportunities)
        if self.state == "all_lost" or count > 1 or self.which or self.total:
            return lambda view: bool(view.opportunities) and bool(self.fitting(view))

        def test(view: View) -> bool:
            for each in view.opportunities:  # noqa: SIM110 - a loop is twice as fast as any() over a generator
                if fits(each, view):
                    return True
            return False

        return test

    def fits(self) -> _Matches:
        in_state = STATES.get(self.state, STATES["any"])
        filters = [compare.of(name) for name, compare in self.where]
        role_filters = [compare.of(name) for name, compare in self.role]
        anchor = ANCHORS.get(self.since)
        if not filters and not role_filters and anchor is None:
            return lambda each, _view: in_state(each.opportunity)

        def fits(each: OpportunityRole, view: View) -> bool:
            if not in_state(each.opportunity):
                return False
            for check in filters:
                if not check(each.opportunity, view):
                    return False
            for check in role_filters:
                if not check(each.role, view):
                    return False
            return anchor is None or self._is_after(each, anchor(view), view)

        return fits

    def fitting(self, view: View) -> list[OpportunityRole]:
        """One role of each opportunity that fits; [] when the condition does not hold."""
        fits = self._fits
        candidates = WHICH[self.which](view.opportunities) if self.which and view.opportunities else view.opportunities
        found = [each for each in candidates if fits(each, view)]
        if len(found) > 1:
            found.sort(key=lambda each: (each.opportunity_id, each.role_id), reverse=True)
            by_opportunity = {each.opportunity_id: each for each in found}  # the first role of each
            found = list(reversed(by_opportunity.values()))
        if self.state == "all_lost":
            every = (each for each in view.every_opportunity or view.opportunities if fits(each, view))
            return found if all(STATES["lost"](each.opportunity) for each in every) else []
        if any(not check(added((each.opportunity for each in found), name), view) for name, check in self._totals):
            return []
        return found if len(found) >= self.count else []

    @cached_property
    def _totals(self) -> list[tuple[str, Check]]:
        return [(name, compare.compile()) for name, compare in self.total]

    def needs(self) -> Needs:
        return None if self.state == "none" else frozenset((SOME_OPPORTUNITY,))

    def grounds(self, view: View) -> Grounds:
        if self.state == "none":
            return (Evidence("absent", view.person.id, "no such opportunity"),), None
        fitting = self.fitting(view)
        shown = [self._evidence(each, self._since(each, view.now)) for each in fitting[:_SHOWN]]
        return tuple(shown), self._since_all(fitting, view.now)

    def true_since(self, view: View) -> datetime | None:
        return None if self.state == "none" else self._since_all(self.fitting(view), view.now)

    def _since_all(self, fitting: Sequence[OpportunityRole], now: datetime) -> datetime | None:
        times = sorted([at for each in fitting if (at := self._since(each, now)) is not None])
        is_last = self.state == "all_lost" or self.count > len(times)
        return (times[-1] if is_last else times[self.count - 1]) if times else None

    def found(self, view: View) -> str:
        return _summary(view.opportunities, self._told)

    def _told(self, each: OpportunityRole) -> str:
        """The amounts that are looked at."""
        of_role = amounts_told(self.role, each.role) if self.role else ""
        return ", ".join(filter(None, (amounts_told((*self.where, *self.total), each.opportunity), of_role)))

    def _evidence(self, each: OpportunityRole, since: datetime | None) -> Evidence:
        told = self._told(each)
        found = _evidence(each, since)
        return found._replace(text=f"{found.text}, {told}") if told else found

    def lacks(self, view: View) -> str:
        needs_role = not view.opportunities and self.state != "none"
        return f"a contact role on {self.said}" if needs_role else self.said

    def _is_after(self, each: OpportunityRole, start: datetime | None, view: View) -> bool:
        at = self._since(each, view.now)
        return start is None or (at is not None and at > start)

    def _since(self, each: OpportunityRole, now: datetime) -> datetime | None:
        """When it became so: won and lost since the close date, otherwise since the role was created."""
        if self.state in {"won", "lost", "closed", "all_lost"}:
            at = time_of(each.opportunity.get("CloseDate"))
            if at is not None and at <= now:
                return at
        return time_of(each.role.get("CreatedDate")) or time_of(each.opportunity.get("CreatedDate"))

    def words(self) -> str:
        number = f"at least {self.count} times " if self.count > 1 else ""
        parts = [number + STATE_WORDS[self.state] + (f", the {self.which} one," if self.which else "")]
        parts += [f"with {name} {compare.words()}" for name, compare in self.where]
        parts += [SINCE_WORDS[self.since]] if self.since else []
        parts += [f"with {name} {compare.words()} altogether" for name, compare in self.total]
        parts += [f"in the role with {name} {compare.words()}" for name, compare in self.role]
        return " ".join(parts)

    def reads(self) -> Reads:
        more = ["Amount"] if self.which == "largest" else []
        yield from (("Opportunity", name) for name in (*_FIELDS, *more, *fields_of(self.where), *fields_of(self.total)))
        yield from (("OpportunityContactRole", name) for name in (*ROLE_FIELDS, *fields_of(self.role)))

    def compares(self) -> Compares:
        yield from (("Opportunity", name, compare) for name, compare in (*self.where, *self.total))
        yield from (("OpportunityContactRole", name, compare) for name, compare in self.role)


def fields_of(filters: Sequence[tuple[str, Comparison]]) -> list[str]:
    """Every field that is looked at."""
    return [each for name, compare in filters for each in (name, *compare.others())]


def _summary(roles: Sequence[OpportunityRole], amounts: Callable[[OpportunityRole], str]) -> str:
    deals = {each.opportunity_id: each for each in roles}
    if not deals:
        return "no contact role on any opportunity"
    told = {
        key: ", ".join(filter(None, (str(each.opportunity.get("StageName") or "?"), amounts(each))))
        for key, each in sorted(deals.items())[:_SHOWN]
    }
    shown = ", ".join(f"{key} ({text})" for key, text in told.items())
    return shown if len(deals) <= _SHOWN else f"{shown} and {len(deals) - _SHOWN} more"


def _evidence(each: OpportunityRole, since: datetime | None) -> Evidence:
    via, role = each.role.get("Via"), each.role.get("Role") or "contact role"
    what = f"{role} on the opportunity" if via is None else VIA.get(via, f"deal of {via}:")
    name, stage = show(each.opportunity.get("Name")), show(each.opportunity.get("StageName"))
    return Evidence("opportunity", each.opportunity_id, f"{what} {name} ({stage})", since)
