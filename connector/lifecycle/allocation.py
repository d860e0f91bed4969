"""Hand-off: when a person goes to sales, and to whom.

It happens once, when its condition turns true, and again only after the condition was false in between. Who gets the
person is drawn by the person's id: the same in a dry run, in the real run, in any order and in any process, and over
many people in the proportions asked for. The choice is recorded, and nobody is handed off twice for one occasion.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connector.base.facts import Evidence, TrackDecision
from connector.lifecycle.activity import HasActivity
from connector.lifecycle.compare import OneOf
from connector.lifecycle.conditions import Condition, Test
from connector.lifecycle.view import View

OWNER_ID = re.compile(r"(005|00G)[A-Za-z0-9]{12}([A-Z0-5]{3})")  # a user or a queue, in 18 characters
NOTHING: Mapping[str, Any] = {}
WORKED_ON = HasActivity(
    kinds=("call", "meeting", "email_sent", "email_reply"), source=OneOf(("salesforce",)), within=timedelta(days=30)
)


@dataclass(frozen=True)
class OwnerRule:
    """Whom people go to for whom ``when`` holds. ``shares``: owner -> weight; with ``by_capacity`` the weight is how
    many people the owner may have. A queue can own Leads only."""

    name: str
    shares: tuple[tuple[str, float], ...]
    when: Condition | None = None
    is_queue: bool = False
    by_capacity: bool = False
    line: int = 0


@dataclass(frozen=True)
class Handoff:
    """``unless``: a person for whom this holds keeps the owner, because somebody works on them already."""

    name: str
    when: Condition
    owners: tuple[OwnerRule, ...] = ()
    unless: Condition | None = WORKED_ON
    status: str | None = None
    line: int = 0


@dataclass(frozen=True)
class Desk:
    """The org's owners at one moment. ``ids``: name in the mapping -> User or Group id. ``load``: name -> people they
    have now, for rules by capacity."""

    ids: Mapping[str, str] = field(default_factory=dict)
    load: Mapping[str, int] = field(default_factory=dict)

    def id_of(self, owner: str) -> str | None:
        """The id; a mapping may also name owners by their id."""
        return owner if OWNER_ID.fullmatch(owner) else self.ids.get(owner)

    def shares(self, rule: OwnerRule) -> list[tuple[str, float]] | None:
        """Each owner's part, of those the org has; by capacity, how many more they can take. None: it has none."""
        there = [(owner, weight) for owner, weight in rule.shares if self.id_of(owner) is not None]
        if rule.by_capacity:
            there = [(owner, max(0.0, weight - self.load.get(owner, 0))) for owner, weight in there]
        return there or None


@dataclass
class Dealer:
    """The hand-offs compiled for one object."""

    handoffs: tuple[Handoff, ...]
    object_name: str
    desk: Desk
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
        """The owner, and the hand-off that happens now."""
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
        memory: Mapping[str, Any],
    ) -> tuple[TrackDecision, Handoff | None]:
        owner, rule = self._choose(view, owners)
        evidence = handoff.when.why(view)
        owner_id = current if owner is None else self.desk.id_of(owner)
        if handoff.owners and (owner is None or owner_id is None):
            names = " and ".join(name for name, _ in rule.shares) if rule else ""
            lacks = f"the org has no active user or queue {names}" if rule else "no owner rule fits, or all are full"
            reason = f"{handoff.name}: {lacks}; nobody was chosen"
            return TrackDecision("owner", current, current, "", "held", reason, evidence, memory), None
        view.hand_off(handoff.name)
        still_on = [name for name in self.on(view) if name in on]
        remembered = {"on": still_on, "at": view.now.isoformat(), "by": handoff.name, "to": owner, "written": owner_id}
        if rule is not None:
            remembered["rule"] = rule.name
            evidence += (Evidence("owner", owner_id or "", f"{owner}, by the owner rule {rule.name}"),)
        return (
            TrackDecision(
                track="owner",
                value=owner_id,
                current=current,
                rule=handoff.name,
                verdict="stays" if owner_id == current else "moves",
                reason=f"{handoff.name}: {handoff.when.said}" + (f"; goes to {owner}" if owner else ""),
                evidence=evidence,
                memory=remembered,
            ),
            handoff,
        )

    def _choose(self, view: View, owners: list[tuple[OwnerRule, Test | None]]) -> tuple[str | None, OwnerRule | None]:
        """The owner, and the rule that names them. No owner but a rule: the org has none of those it names."""
        for rule, test in owners:
            if test is None or test(view):
                shares = self.desk.shares(rule)
                if shares is None:
                    return None, rule
                if owner := draw(rule.name, shares, view.person.id):
                    return owner, rule
        return None, None


def draw(name: str, shares: Sequence[tuple[str, float]], person_id: str) -> str | None:
    """The owner whose part of the line from 0 to 1 the person's id falls into; None when nobody has a part."""
    total = sum(share for _, share in shares)
    if total <= 0:
        return None
    digest = hashlib.sha256(f"{name}\n{person_id}".encode()).digest()
    point = int.from_bytes(digest[:8], "big") / 2**64 * total
    for owner, share in shares:
        if point < share:
            return owner
        point -= share
    return next(owner for owner, share in reversed(shares) if share > 0)
