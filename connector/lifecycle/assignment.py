"""Who gets a person that is handed off: exact turns, weights and capacity for people decided one after the other.

The pipeline decides in the order of people's ids. The same people, in the same order, from the same counts, go to the
same owners: a preview, an explanation and the run agree.

A turn is over when the hand-off is settled. What a run assigned and did not come to is assigned again from the same
counts, to the same owners; a hand-off whose row Salesforce refused stays promised to the owner it was for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from connector.base.facts import Decision, Evidence, TrackDecision
from connector.lifecycle.handoff import OwnerRule
from connector.lifecycle.mapping import CompiledMapping
from connector.lifecycle.owners import NO_OWNERS, Owners


@dataclass
class Assigner:
    """``counts``: owner rule (with its owners) -> owner -> people given so far. ``promised``: person -> rule and owner
    of a hand-off that is decided and not written. Hand in what was kept; keep ``kept`` and ``promised``."""

    owners: Owners = NO_OWNERS
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    promised: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kept = {rule: dict(given) for rule, given in self.counts.items()}  # of what is settled

    def assign(self, decision: Decision, mapping: CompiledMapping) -> Decision:
        """The decision with the owner of the hand-off that happens in it, if one does."""
        track, rule = _hand_off(decision, mapping)
        if track is None or rule is None:
            return decision
        owner = self._promised(decision.person_id, rule) or self._next(rule)
        assigned = _given_to(track, owner, self.owners.id_of(owner), rule)
        return decision._replace(tracks=tuple(assigned if each is track else each for each in decision.tracks))

    def settle(self, decision: Decision, mapping: CompiledMapping, *, is_open: bool) -> bool:
        """Counts the turn; ``is_open``: Salesforce did not take it. Returns whether there is something new to keep."""
        promise = self.promised.pop(decision.person_id, None)
        track, rule = _hand_off(decision, mapping)
        if track is None or rule is None:
            return promise is not None
        this = [_key(rule), str(track.memory["to"])]
        if promise != this:
            given = self.kept.setdefault(this[0], {})
            given[this[1]] = given.get(this[1], 0) + 1
        if is_open:
            self.promised[decision.person_id] = this
        return True

    def _promised(self, person_id: str, rule: OwnerRule) -> str | None:
        """The owner of a promise that can still be kept."""
        promise = self.promised.get(person_id)
        if promise is None or promise[0] != _key(rule) or self.owners.id_of(promise[1]) is None:
            return None
        return promise[1]

    def _next(self, rule: OwnerRule) -> str:
        """The owner who got the fewest for their share; the first named of several. Counted as given."""
        given = self.counts.setdefault(_key(rule), {})
        shares = [(owner, share) for owner, share in self.owners.shares(rule) if share > 0]
        owner = min(shares, key=lambda each: (given.get(each[0], 0) + 1) / each[1])[0]
        given[owner] = given.get(owner, 0) + 1
        return owner


def _key(rule: OwnerRule) -> str:
    return f"{rule.name}: " + ", ".join(f"{owner}={share:g}" for owner, share in rule.shares)


def _hand_off(decision: Decision, mapping: CompiledMapping) -> tuple[TrackDecision | None, OwnerRule | None]:
    """The hand-off that happens in a decision, and the rule that names its owner."""
    track = next((each for each in decision.tracks if each.track == "owner" and each.rule), None)
    return track, _rule_of(track, mapping) if track is not None else None


def _rule_of(track: TrackDecision, mapping: CompiledMapping) -> OwnerRule | None:
    rules = (rule for handoff in mapping.model.handoffs if handoff.name == track.rule for rule in handoff.owners)
    return next((rule for rule in rules if rule.name == track.memory.get("rule")), None)


def _given_to(track: TrackDecision, owner: str, owner_id: str | None, rule: OwnerRule) -> TrackDecision:
    return track._replace(
        value=owner_id,
        verdict="stays" if owner_id == track.current else "moves",
        reason=f"{track.reason}; goes to {owner}",
        evidence=(*track.evidence, Evidence("owner", owner_id or "", f"{owner}, by the owner rule {rule.name}")),
        memory={**track.memory, "to": owner, "written": owner_id},
    )
