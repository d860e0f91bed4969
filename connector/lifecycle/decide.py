"""Decide: what every track of a person should be, and why. Pure: facts, mapping and ``now`` in, a value out."""

from __future__ import annotations

from datetime import datetime

from connector.facts import Decision, Person, TrackDecision
from connector.lifecycle.gate import decide_track
from connector.lifecycle.ladder import NO_MEMORY, Ladder
from connector.lifecycle.mapping import Mapping
from connector.lifecycle.view import View

LOCKED = "locked: the mapping freezes this person"


def decide(person: Person, mapping: Mapping, now: datetime) -> Decision:
    """The decision on one person. The same facts, mapping and ``now`` give the same decision, and deciding at any time
    before ``review_at`` gives the same tracks."""
    program = mapping.programs[person.object]
    view = View(person, now)
    if program.lock is not None and program.lock(view):
        tracks = tuple(locked(view, ladder) for ladder in program.ladders)
        return Decision(person.id, tracks, view.review)
    decided = []
    for ladder in program.ladders:
        track, _ = decide_track(view, ladder)
        decided.append(track)
    return Decision(person.id, tuple(decided), view.review)


def locked(view: View, ladder: Ladder) -> TrackDecision:
    memory = view.memory.get(ladder.name, NO_MEMORY)
    current = ladder.current(view, memory)
    return TrackDecision(ladder.name, current, current, "", "held", LOCKED, memory=memory)
