"""What was never seen keeps people where they are: nobody is moved for the lack of it.

An object that could not be read to its end yet, a field that rules look at and that was hidden from the beginning, or
a source that is down since then may hold the very fact that a stage rests on. As long as that is so, people move
forward by what is seen; nobody moves back, or by a rule that holds because something of it is not there, or is counted
lower. It is told, and once it is seen everybody is decided again. Whose own record cannot be read, because the object
is refused, waits: what people set there meanwhile would be overwritten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import structlog

from connector.base.facts import Decision, Person, TrackDecision
from connector.base.ids import WRITTEN_PREFIXES
from connector.lifecycle.absence import LINK_FIELDS, SOURCE, Unseen
from connector.lifecycle.ladder import NOWHERE, UNKNOWN, Ladder
from connector.lifecycle.plan import NUMBERS
from connector.lifecycle.program import Model
from connector.lifecycle.values import number_of
from connector.lifecycle.written import Written
from connector.mapping import CompiledMapping
from connector.pipeline.hidden import hidden_fields
from connector.pipeline.object_cursor import ObjectCursor
from connector.pipeline.optional_fields import OPTIONAL_FIELDS
from connector.pipeline.source_health import HEALTH
from connector.store import Store

log = structlog.get_logger(__name__)

BLIND, CANNOT_BE_READ = "never seen", "cannot be read"  # where it is kept
_LINKING = frozenset({*LINK_FIELDS, "Email"})


def never_seen(
    store: Store, mapping: CompiledMapping, cursors: Mapping[str, ObjectCursor], sources: Iterable[str]
) -> list[str]:
    """Objects, fields as ``Contact.Rating__c``, and sources as ``source marketo``, but for those that are off."""
    objects = [name for name, cursor in cursors.items() if cursor.through is None]
    fields = [
        f"{name}.{field}"
        for name, told in hidden_fields(store).items()
        for field, how in told.items()
        if not how["known"] and name in cursors and field in {*_LINKING, *mapping.reads.get(name, ())}
    ]
    health, off = store.cursor(HEALTH) or {}, {each.name for each in mapping.model.sources if each.is_off}
    unread = [f"{SOURCE}{name}" for name in sources if name not in off and not health.get(name, {}).get("good")]
    return sorted(objects + fields + unread)


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
    """Holds who would go back while something was never seen, who moves by what may end once it is seen, and everybody
    whose own record cannot be read. What follows from what is held is held with it."""

    def __init__(self, mapping: CompiledMapping, store: Store) -> None:
        self.waiting = waiting_objects(store)
        self.blind: list[str] = (store.cursor(BLIND) or {}).get("of", [])
        self._model = mapping.model
        self._unseen = Unseen(self._model, self.blind)
        self._is_in_doubt = bool(self.blind) and _says_who_at_all(self._model, self._unseen)
        self._may_end = _rules_that_may_end(self._model, self._unseen) if self.blind else frozenset()
        self._follows = _what_follows(mapping)
        self._ladders: dict[tuple[str, str], list[Ladder]] = {}

    def hold(self, person: Person, decision: Decision) -> Decision:
        if person.object in self.waiting:
            why = f"{person.object} cannot be read now"
            return decision._replace(tracks=tuple(self._held(person, each, why) for each in decision.tracks))
        if not self.blind:
            return decision
        why = f"{', '.join(self.blind)} could not be read yet"
        held = {each.track for each in decision.tracks if self._must_wait(person, each)}
        held |= {track for each in held for track in self._follows.get(each, ())}
        tracks = [self._held(person, each, why) if each.track in held else each for each in decision.tracks]
        return decision._replace(tracks=tuple(self._without_doubtful_fields(each) for each in tracks))

    def _must_wait(self, person: Person, each: TrackDecision) -> bool:
        if self._is_in_doubt:
            return each.verdict == "moves"
        if each.track in NUMBERS:
            return self._may_be_wrong(person, each)
        if each.track == "owner":  # a hand-off happens by its rule, also to whoever has the person already
            return (each.track, each.rule) in self._may_end or self._is_over(person, each)
        if each.verdict != "moves":
            return False
        if each.track == "tags":
            return any(self._unseen.may_differ(tag.when) for tag in self._model.tags)
        return (each.track, each.rule) in self._may_end or self._goes_back(person, each)

    def _is_over(self, person: Person, each: TrackDecision) -> bool:
        """Whether a hand-off could happen again, because its condition seems to hold no longer."""
        ended = {*person.memory.get("owner", {}).get("on", ())} - {*each.memory.get("on", ())}
        return any(self._unseen.handoff_may_happen(name) for name in ended)

    def _may_be_wrong(self, person: Person, each: TrackDecision) -> bool:
        """A number that is not what it was, and may be once all is seen."""
        before, now = person.memory.get(each.track, {}).get("value", number_of(each.current)), number_of(each.value)
        if before is None or now is None or before == now:
            return False
        return self._unseen.score_may_be(each.track, higher=now < before)

    def _held(self, person: Person, each: TrackDecision, why: str) -> TrackDecision:
        reason = f"held, because {why}"
        memory = person.memory.get(each.track, {})
        return each._replace(value=each.current, verdict="held", reason=reason, memory=memory)

    def _goes_back(self, person: Person, each: TrackDecision) -> bool:
        """On any ladder of the track: segments have their own."""
        if not each.current:
            return False
        key = (each.track, person.object)
        if key not in self._ladders:
            tracks = [track for track in self._model.tracks if track.name == each.track]
            self._ladders[key] = [Ladder(track, person.object) for track in tracks]
        ways = [(at.position_of(each.current, {}), at.position_of(each.value, {})) for at in self._ladders[key]]
        return any(now not in {NOWHERE, UNKNOWN} and to < now for now, to in ways)

    def _without_doubtful_fields(self, each: TrackDecision) -> TrackDecision:
        """Fields beside the stage that are filled from what was never seen stay as they are."""
        beside = each.memory.get("beside")
        if not beside:
            return each
        doubtful = {field for one in self._model.written if self._is_doubtful(one) for field in one.fields.values()}
        kept = {field: value for field, value in beside.items() if field not in doubtful}
        return each._replace(memory={**each.memory, "beside": kept})

    def _is_doubtful(self, one: Written) -> bool:
        if one.touch is not None:
            return self._unseen.may_differ(one.touch)
        return bool(one.bands) and any(self._unseen.score_may_be(one.of, higher=up) for up in (True, False))


def _says_who_at_all(model: Model, unseen: Unseen) -> bool:
    """Whether it may be that somebody is locked, or decided by another ladder."""
    is_locked = model.lock is not None and unseen.may_begin(model.lock)
    return is_locked or any(unseen.may_differ(each.when) for each in model.segments)


def _rules_that_may_end(model: Model, unseen: Unseen) -> frozenset[tuple[str, str]]:
    """Track and name of each rule, move and hand-off that may hold for the lack of what was never seen."""
    steps = [(track.name, step) for track in model.tracks for step in track.steps]
    found = [(name, rule.name, rule.when) for name, step in steps for rule in step.rules]
    found += [(track.name, move.name, move.when) for track in model.tracks for move in track.moves]
    rests = {(track, name) for track, name, when in found if unseen.may_end(when)}
    for each in model.handoffs:
        is_taken = each.unless is not None and unseen.may_begin(each.unless)  # somebody may work on them already
        chosen = [rule.when for rule in each.owners if rule.when is not None]
        if is_taken or unseen.may_end(each.when) or any(unseen.may_differ(when) for when in chosen):
            rests.add(("owner", each.name))
    return frozenset(rests)


def _what_follows(mapping: CompiledMapping) -> dict[str, tuple[str, ...]]:
    """Track -> those that are decided after it, and may look at it."""
    every = ("stage", "status", "owner", "tags", *NUMBERS)
    if any(program.is_intertwined for program in mapping.programs.values()):
        return dict.fromkeys(("stage", "status", "owner"), every)
    return {"stage": every, "owner": ("status", "tags"), "status": ("tags",)}
