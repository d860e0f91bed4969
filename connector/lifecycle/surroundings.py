"""Conditions on the account as a whole: its opportunities, whoever has the roles, and what its people do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
        return lambda view: len(self._active(view)) >= self.people

    def _active(self, view: View) -> Sequence[tuple[str, Activity]]:
        """Who, and the last thing they did that fits; the last active first."""
        found = []
        for each in (view.person, *view.person.colleagues):
            seen = view if each is view.person else View(each, view.now, view.owners)
            done = self.activity.every(seen)
            if seen is not view and seen.review is not None:
                view.look_again(seen.review)
            if len(done) >= self.activity.count:
                found.append((each.id, done[-1]))
        return sorted(found, key=lambda pair: (pair[1].occurred_at, pair[0]), reverse=True)

    def grounds(self, view: View) -> Grounds:
        active = self._active(view)
        told = tuple(_of(person, activity) for person, activity in active[:_SHOWN])
        return told, active[self.people - 1][1].occurred_at if len(active) >= self.people else None

    def found(self, view: View) -> str:
        return f"{len(self._active(view))} of {1 + len(view.person.colleagues)} people of the account"

    def words(self) -> str:
        return f"at least {self.people} people of the account with {self.activity.words()}"

    def reads(self) -> Reads:
        yield "Contact", "AccountId"

    def parts(self) -> tuple[Condition, ...]:
        return (self.activity,)


def _of(person: str, activity: Activity) -> Evidence:
    return activity_evidence(replace(activity, name=f"{activity.name} ({person})".strip()))._replace(kind="account")
