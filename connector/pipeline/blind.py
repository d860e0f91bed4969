"""What was never seen keeps people where they are: nobody is moved for the lack of it.

An object that could not be read to its end yet, or a field that rules look at and that was hidden from the beginning,
may hold the very fact that a stage rests on. As long as that is so, people move forward by what is seen; nobody moves
back, or by a rule that holds because something of it is not there. It is told, and once it is seen everybody is decided
again. Whose own record cannot be read, because the object is refused, waits: what people set there meanwhile would be
overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from connector.base.facts import Decision, Person, TrackDecision
from connector.base.ids import WRITTEN_PREFIXES
from connector.lifecycle.absence import rests_on_absence
from connector.lifecycle.ladder import NOWHERE, UNKNOWN, Ladder
from connector.mapping import CompiledMapping
from connector.pipeline.hidden import hidden_fields
from connector.pipeline.object_cursor import ObjectCursor
from connector.pipeline.optional_fields import OPTIONAL_FIELDS
from connector.store import Store

log = structlog.get_logger(__name__)

BLIND, CANNOT_BE_READ = "never seen", "cannot be read"  # where it is kept
_LINKING = frozenset({"AccountId", "Email", "ContactId", "OpportunityId", "WhoId", "IsWon", "IsClosed"})


def never_seen(store: Store, mapping: CompiledMapping, cursors: Mapping[str, ObjectCursor]) -> list[str]:
    """Objects, and fields as ``Contact.Rating__c``."""
    objects = [name for name, cursor in cursors.items() if cursor.through is None]
    fields = [
        f"{name}.{field}"
        for name, told in hidden_fields(store).items()
        for field, how in told.items()
        if not how["known"] and name in cursors and field in {*_LINKING, *mapping.reads.get(name, ())}
    ]
    return sorted(objects + fields)


def keep_blindness(store: Store, found: Sequence[str]) -> None:
    """Everybody is decided again once something of it is seen."""
    before = (store.cursor(BLIND) or {}).get("of", [])
    if set(before) - set(found):
        store.mark_all_dirty()
    if list(found) != before:
        store.set_cursor(BLIND, {"of": list(found)})


def keep_waiting(store: Store, found: Sequence[str]) -> None:
    """Objects that are written and could not be read now: nobody of them is decided until they can. What was found out
    of their fields meanwhile is then asked again."""
    before = waiting_objects(store)
    if set(before) - set(found):
        store.set_cursor(OPTIONAL_FIELDS, None)
    if sorted(found) != before:
        store.set_cursor(CANNOT_BE_READ, {"of": sorted(found)} if found else None)


def waiting_objects(store: Store) -> list[str]:
    found: list[str] = (store.cursor(CANNOT_BE_READ) or {}).get("of", [])
    return found


def waiting_ids(waiting: Sequence[str]) -> tuple[str, ...]:
    """How the ids of those begin who are not decided while these objects wait."""
    return tuple(WRITTEN_PREFIXES[each] for each in waiting)


class Forward:
    """Holds who would go back while something was never seen, and everybody whose own record cannot be read."""

    def __init__(self, mapping: CompiledMapping, store: Store) -> None:
        self.waiting = waiting_objects(store)
        self.blind: list[str] = (store.cursor(BLIND) or {}).get("of", [])
        self._tracks = {each.name: each for each in mapping.model.tracks}
        self._absent = {each.name: _resting_on_absence(mapping, each.name, self.blind) for each in mapping.model.tracks}
        self._ladders: dict[tuple[str, str], Ladder] = {}

    def hold(self, person: Person, decision: Decision) -> Decision:
        if person.object in self.waiting:
            why = f"{person.object} cannot be read now"
            return decision._replace(tracks=tuple(self._held(person, each, why) for each in decision.tracks))
        if not self.blind:
            return decision
        why = f"{', '.join(self.blind)} could not be read yet"
        tracks = [self._held(person, each, why) if self._must_wait(person, each) else each for each in decision.tracks]
        return decision._replace(tracks=tuple(tracks))

    def _must_wait(self, person: Person, each: TrackDecision) -> bool:
        is_moving = each.verdict == "moves" and each.track in self._tracks
        return is_moving and (each.rule in self._absent[each.track] or self._goes_back(person, each))

    def _held(self, person: Person, each: TrackDecision, why: str) -> TrackDecision:
        reason = f"held, because {why}"
        memory = person.memory.get(each.track, {})
        return each._replace(value=each.current, verdict="held", reason=reason, memory=memory)

    def _goes_back(self, person: Person, each: TrackDecision) -> bool:
        if not each.current:
            return False
        ladder = self._ladders.setdefault((each.track, person.object), Ladder(self._tracks[each.track], person.object))
        now = ladder.position_of(each.current, {})
        to = ladder.position_of(each.value, {})
        return now not in {NOWHERE, UNKNOWN} and to < now


def _resting_on_absence(mapping: CompiledMapping, name: str, blind: Sequence[str]) -> frozenset[str]:
    """The rules and moves of a track, in every segment, that may hold for the lack of what was never seen."""
    tracks = [each for each in mapping.model.tracks if each.name == name] if blind else []
    conditions = [(rule.name, rule.when) for track in tracks for step in track.steps for rule in step.rules]
    conditions += [(move.name, move.when) for track in tracks for move in track.moves]
    return frozenset(called for called, when in conditions if rests_on_absence(when, blind))
