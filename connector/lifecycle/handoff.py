"""Hand-off: when a person goes to sales, and by which rule an owner is chosen.

It happens once, when its condition turns true, and again only after the condition was false in between. The choice is
remembered, and nobody is handed off twice for one occasion. Who of the rule's owners it is says ``assignment.py``.

Somebody whom a colleague owns keeps the owner, unless the hand-off names whose people it may give away.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from connector.base.facts import NOTHING, Evidence, TrackDecision, Verdict
from connector.base.json import JsonMap
from connector.lifecycle.activity import HasActivity
from connector.lifecycle.compare import OneOf
from connector.lifecycle.conditions import Condition, Test, Why
from connector.lifecycle.owners import A_QUEUE, INTEGRATION_USER, NOBODY, OWNER_KINDS
from connector.lifecycle.view import View

WORKED_ON = HasActivity(
    kinds=("call", "meeting", "email_sent", "email_reply"), source=OneOf(("salesforce",)), within=timedelta(days=30)
)


WAS_HANDED_OFF = "handed off"
WHOSE = (*OWNER_KINDS, WAS_HANDED_OFF)
FREE = (NOBODY, A_QUEUE, INTEGRATION_USER)  # whose people a hand-off gives away unless it says otherwise


@dataclass(frozen=True)
class OwnerRule:
    """The owners of people for whom ``when`` holds. ``shares``: owner -> weight; with ``by_capacity`` the weight is how
    many people the owner may have. A queue can own Leads only."""

    name: str
    shares: tuple[tuple[str, float], ...]
    when: Condition | None = None
    is_queue: bool = False
    by_capacity: bool = False
    is_accounts: bool = False  # whoever owns the person's account
    line: int = 0


@dataclass(frozen=True)
class Handoff:
    """``unless``: a person for whom this holds keeps the owner, because somebody works on them already. ``reassign``:
    whose people may get another owner: of WHOSE, or owners by name. The others are handed off to whom they have."""

    name: str
    when: Condition
    owners: tuple[OwnerRule, ...] = ()
    unless: Condition | None = WORKED_ON
    status: str | None = None
    reassign: tuple[str, ...] = FREE
    line: int = 0

    @property
    def owners_named(self) -> tuple[OwnerRule, ...]:
        """The owner rules, and those by name whose people may be reassigned, in the shape of one."""
        named = tuple((each, 1.0) for each in self.reassign if each not in WHOSE)
        return (*self.owners, OwnerRule(f"reassign of {self.name}", named)) if named else self.owners


@dataclass
class Handoffs:
    """The hand-offs compiled for one object."""

    handoffs: tuple[Handoff, ...]
    object_name: str
    field: str | None

    def __post_init__(self) -> None:
        self._compiled: list[tuple[Handoff, Test, Test | None, list[tuple[OwnerRule, Test | None]]]] = []
        for each in self.handoffs:
            owners = [
                (rule, rule.when.compile(self.object_name) if rule.when else None)
                for rule in each.owners
                if not rule.is_queue or self.object_name == "Lead"
            ]
            unless = each.unless.compile(self.object_name) if each.unless else None
            self._compiled.append((each, each.when.compile(self.object_name), unless, owners))

    def decide(self, view: View) -> tuple[TrackDecision, Handoff | None]:
        """The hand-off that happens now, and the rule that names its owner; which of the rule's owners it is, the
        assigner says."""
        memory = NOTHING if view.is_restarted else view.memory.get("owner", NOTHING)
        current = view.fields.get(self.field) if self.field else memory.get("written")
        was_on = memory.get("on", ())
        on = self.on(view)
        for handoff, _, unless, owners in self._compiled:
            if handoff.name in on and handoff.name not in was_on:
                if unless is not None and unless(view):
                    continue
                return self._hand_off(view, handoff, owners, current, on, memory)
        remembered = {**memory, "on": on} if on or memory else {}
        reason = f"handed off to {memory['to']} by {memory['by']}" if memory.get("to") else "not handed off"
        return TrackDecision("owner", current, current, "", "stays", reason, memory=remembered), None

    def on(self, view: View) -> list[str]:
        """The hand-offs whose condition holds."""
        return [each.name for each, test, _, _ in self._compiled if test(view)]

    def _hand_off(
        self,
        view: View,
        handoff: Handoff,
        owners: list[tuple[OwnerRule, Test | None]],
        current: str | None,
        on: list[str],
        memory: JsonMap,
    ) -> tuple[TrackDecision, Handoff | None]:
        is_kept = bool(handoff.owners) and not _may_go(view, handoff, current)
        rule, lacks = (None, "") if is_kept else _rule_for(view, owners)
        evidence = handoff.when.why(view)
        if handoff.owners and lacks:
            reason = f"{handoff.name}: {lacks}; nobody was chosen"
            return TrackDecision("owner", current, current, "", "held", reason, evidence, memory), None
        view.hand_off(handoff.name)
        still_on = [name for name in self.on(view) if name in on]
        happened = {"on": still_on, "at": view.now.isoformat(), "by": handoff.name, "to": None, "written": current}
        remembered = happened if rule is None else {**happened, "rule": rule.name}
        if rule is not None and rule.is_accounts:
            return self._to_account_owner(view, handoff, current, evidence, happened), handoff
        reason = f"{handoff.name}: {handoff.when.said}"
        if is_kept:
            reason += f"; stays with {view.owners.names.get(str(current), current)}"
        return TrackDecision("owner", current, current, handoff.name, "stays", reason, evidence, remembered), handoff

    def _to_account_owner(
        self, view: View, handoff: Handoff, current: str | None, evidence: Why, happened: JsonMap
    ) -> TrackDecision:
        owner = str(view.account["OwnerId"])
        name = view.owners.names.get(owner, owner)
        verdict: Verdict = "stays" if owner == current else "moves"
        reason = f"{handoff.name}: {handoff.when.said}; goes to {name}, who owns the account"
        told = (*evidence, Evidence("owner", owner, f"{name} owns the account"))
        memory = {**happened, "to": owner, "written": owner}
        return TrackDecision("owner", owner, current, handoff.name, verdict, reason, told, memory)


def _may_go(view: View, handoff: Handoff, current: str | None) -> bool:
    """Whether the hand-off may take the person from whoever has them."""
    owners, whose = view.owners, handoff.reassign
    if owners.kind_of(current) in whose:
        return True
    given = view.memory.get("owner", NOTHING)
    if WAS_HANDED_OFF in whose and given.get("to") and given.get("written") == current:
        return True
    return current in {owners.id_of(each) for each in whose if each not in WHOSE}


def _rule_for(view: View, owners: list[tuple[OwnerRule, Test | None]]) -> tuple[OwnerRule | None, str]:
    """The first rule that fits and has somebody free, or what is lacking."""
    for rule, test in owners:
        if test is not None and not test(view):
            continue
        if rule.is_accounts:
            if view.account.get("OwnerId") and view.owners.is_there(str(view.account["OwnerId"])):
                return rule, ""
            continue
        if all(view.owners.id_of(name) is None for name, _ in rule.shares):
            return None, f"the org has no active user or queue {' and '.join(name for name, _ in rule.shares)}"
        if any(share > 0 for _, share in view.owners.shares(rule)):
            return rule, ""
    return None, "no owner rule fits, or all are full or away"
