"""What was rolled back stays so: the next cycle does not write the same again at once.

The track remembers which value was taken back. While the mapping is the one that wrote it, and nothing newer than the
rollback speaks for it, the value that stands is held. Another value, newer evidence, another mapping or a person's
hand end that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from connector.base.facts import Decision, Person, TrackDecision
from connector.base.json import JsonMap
from connector.lifecycle.plan import NUMBERS
from connector.store import UNDONE

_WHATEVER = (*NUMBERS, "owner")


def without_undone(person: Person) -> Person:
    """As they are decided: with what was remembered before."""
    if not any(UNDONE in each for each in person.memory.values()):
        return person
    memory = {
        track: {name: value for name, value in each.items() if name != UNDONE} for track, each in person.memory.items()
    }
    return replace(person, memory={track: each for track, each in memory.items() if each})


def keep_undone(person: Person, decision: Decision, version: str) -> Decision:
    """The decision, with what was rolled back left as it is."""
    undone: Mapping[str, JsonMap] = {
        track: memory[UNDONE] for track, memory in person.memory.items() if UNDONE in memory
    }
    if not undone:
        return decision
    tracks = (
        _held(person, each, undone[each.track])
        if each.track in undone and _is_the_same(each, undone[each.track], version)
        else each
        for each in decision.tracks
    )
    return decision._replace(tracks=tuple(tracks))


def _is_the_same(each: TrackDecision, undone: JsonMap, version: str) -> bool:
    """Whether it would write what was taken back; a number, whatever it is by now, an owner, whoever's turn it is."""
    if each.verdict != "moves" or version != undone["mapping"]:
        return False
    if each.track not in _WHATEVER and (each.value or "") != undone["value"]:
        return False
    at = datetime.fromisoformat(undone["at"])
    return not any(one.at is not None and one.at > at for one in each.evidence)


def _held(person: Person, each: TrackDecision, undone: JsonMap) -> TrackDecision:
    reason = (
        f"rolled back on {undone['at'][:16].replace('T', ' ')} UTC (run {undone['run']}), and stays until something"
        " newer, or another mapping, leads further"
    )
    memory = person.memory[each.track]
    return each._replace(value=each.current, rule="", verdict="held", reason=reason, evidence=(), memory=memory)
