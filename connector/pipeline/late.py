"""A write of ours that Salesforce took after a newer one: nobody wished for it, so what it replaced is put back.

The track remembers the late value and what stood before it. While that value stands, the person is decided as they
stood, and the plan is made from what stands now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from connector.base.facts import Decision, Person, TrackDecision
from connector.base.json import JsonMap
from connector.lifecycle.written import same
from connector.mapping import CompiledMapping
from connector.store import CAME_LATE


def before_late(person: Person, mapping: CompiledMapping) -> Person:
    """As they stood before a late write of ours."""
    if not any(CAME_LATE in each for each in person.memory.values()):
        return person
    stood = {field: late["stood"] for field, late in _standing(person, mapping).values()}
    memory = {
        track: {name: value for name, value in each.items() if name != CAME_LATE}
        for track, each in person.memory.items()
    }
    return replace(
        person, fields={**person.fields, **stood}, memory={track: each for track, each in memory.items() if each}
    )


def after_late(person: Person, decision: Decision, mapping: CompiledMapping) -> Decision:
    """The decision of ``before_late(person)``, from what stands now."""
    standing = _standing(person, mapping)
    if not standing:
        return decision
    tracks = (_put_back(each, standing[each.track][1]) if each.track in standing else each for each in decision.tracks)
    return decision._replace(tracks=tuple(tracks))


def _standing(person: Person, mapping: CompiledMapping) -> dict[str, tuple[str, JsonMap]]:
    """Track -> its field, and the late value that stands there."""
    late: Mapping[str, JsonMap] = {track: each[CAME_LATE] for track, each in person.memory.items() if CAME_LATE in each}
    fields = {track: mapping.writes.get(track, {}).get(person.object) for track in late}
    return {
        track: (field, late[track])
        for track, field in fields.items()
        if field is not None and same(person.fields.get(field), late[track]["value"])
    }


def _put_back(each: TrackDecision, late: JsonMap) -> TrackDecision:
    value = each.value or ""
    if same(late["value"], value or None):
        return each._replace(current=str(late["value"]))
    reason = f"an earlier write of ours came late; {each.reason}"
    return each._replace(value=value, current=str(late["value"]), verdict="moves", reason=reason)
