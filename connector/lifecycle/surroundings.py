"""Conditions on the account as a whole: its opportunities, whoever has the roles, and what its people do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import ClassVar

from connector.base.facts import Activity, Evidence
from connector.lifecycle.activity import HasActivity, activity_evidence
from connector.lifecycle.conditions import Compares, Condition, Grounds, Needs, Reads, Test
from connector.lifecycle.opportunity import HasOpportunity
from connector.lifecycle.view import SOME_OPPORTUNITY, View

_SHOWN = 3  # colleagues named as evidence


@dataclass(frozen=True)
class AccountHasOpportunity(Condition):
    """An opportunity of the person's account that fits, whoever has a contact role on it, and whether anybody has."""

    asks: ClassVar[str] = "account_deals"
    deal: HasOpportunity

    def compile(self, object_name: str) -> Test:
        test = self.deal.compile(object_name)
        return lambda view: test(_of_account(view))

    def grounds(self, view: View) -> Grounds:
        evidence, since = self.deal.grounds(_of_account(view))
        return tuple(each._replace(kind="account") for each in evidence), since

    def found(self, view: View) -> str:
        return f"the account has {self.deal.found(_of_account(view))}"

    def words(self) -> str:
        return f"the account has {self.deal.words()}"

    def reads(self) -> Reads:
        yield from self.deal.reads()
        yield "Contact", "AccountId"
        yield "Opportunity", "AccountId"

    def compares(self) -> Compares:
        yield from self.deal.compares()

    def needs(self) -> Needs:
        return None if self.deal.state == "none" else frozenset((SOME_OPPORTUNITY,))


def _of_account(view: View) -> View:
    """The person as if every opportunity of the account were theirs."""
    account = view.fields.get("AccountId")
    own = [each for each in view.person.opportunities if account and each.opportunity.get("AccountId") == account]
    known = {each.opportunity_id for each in own}
    others = [each for each in view.person.account_opportunities if each.role.get("Via") != "conversion"]
    seen = View(view.person, view.now, view.owners)
    seen.opportunities = [*own, *(each for each in others if each.opportunity_id not in known)]
    return seen


@dataclass(frozen=True)
class AccountIsActive(Condition):
    """At least ``people`` people of the account, the person among them, did something that fits."""

    asks: ClassVar[str] = "colleagues"
    people: int
    activity: HasActivity

    def compile(self, object_name: str) -> Test:
        return lambda view: self._count(view) >= self.people

    def _count(self, view: View) -> int:
        others = self._others(view)
        return len(others) - (view.person.id in others) + (self._own(view) is not None)

    def _others(self, view: View) -> Mapping[str, Activity]:
        """Everybody of the account -> the last thing they did that fits, as recorded; those without are left out. The
        last active first."""
        if not view.person.colleagues:
            return {}
        known, key = view.person.colleagues.known, (id(self), view.now)
        if key not in known:
            known[key] = self._look(view)
        active: dict[str, Activity]
        active, review = known[key]
        if review is not None:
            view.look_again(review)
        return active

    def _look(self, view: View) -> tuple[dict[str, Activity], datetime | None]:
        active, reviews = {}, []
        for each in view.person.colleagues:
            seen = View(view.counting(each), view.now, view.owners)
            done = self.activity.every(seen)
            if seen.review is not None:
                reviews.append(seen.review)
            if len(done) >= self.activity.count:
                active[each.id] = done[-1]
        return dict(sorted(active.items(), key=_by_time, reverse=True)), min(reviews, default=None)

    def _own(self, view: View) -> Activity | None:
        """The last thing that the person did, in a view that may hide some of it."""
        done = self.activity.every(view)
        return done[-1] if len(done) >= self.activity.count else None

    def _active(self, view: View) -> Sequence[tuple[str, Activity]]:
        """Who, and the last thing they did that fits; the last active first, and no more of them than matter."""
        others = (pair for pair in self._others(view).items() if pair[0] != view.person.id)
        found = [*islice(others, max(self.people, _SHOWN))]
        own = self._own(view)
        return sorted([*found, (view.person.id, own)] if own is not None else found, key=_by_time, reverse=True)

    def grounds(self, view: View) -> Grounds:
        active = self._active(view)
        told = tuple(_of(person, activity) for person, activity in active[:_SHOWN])
        return told, active[self.people - 1][1].occurred_at if len(active) >= self.people else None

    def found(self, view: View) -> str:
        everybody = {view.person.id, *(each.id for each in view.person.colleagues)}
        return f"{self._count(view)} of {len(everybody)} people of the account"

    def words(self) -> str:
        return f"at least {self.people} people of the account with {self.activity.words()}"

    def reads(self) -> Reads:
        yield "Contact", "AccountId"

    def parts(self) -> tuple[Condition, ...]:
        return (self.activity,)


def _by_time(pair: tuple[str, Activity]) -> tuple[datetime, str]:
    return pair[1].occurred_at, pair[0]


def _of(person: str, activity: Activity) -> Evidence:
    return activity_evidence(replace(activity, name=f"{activity.name} ({person})".strip()))._replace(kind="account")
