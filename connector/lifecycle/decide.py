"""Decide: what every track of a person should be, and why. Pure: facts, mapping and ``now`` in, a value out.

The order is fixed, and each track sees those before it: score, stage, owner (the hand-off), status, tags.
"""

from __future__ import annotations

from datetime import datetime

from connector.facts import Decision, Person, TrackDecision
from connector.lifecycle.deals import counting
from connector.lifecycle.gate import decide_track
from connector.lifecycle.ladder import NO_MEMORY
from connector.lifecycle.mapping import Mapping
from connector.lifecycle.program import Program
from connector.lifecycle.view import View

LOCKED = "locked: the mapping freezes this person"


def decide(person: Person, mapping: Mapping, now: datetime) -> Decision:
    """The decision on one person. The same facts, mapping and ``now`` give the same decision, and deciding at any time
    before ``review_at`` gives the same tracks."""
    program = mapping.programs[person.object]
    view = look_at(person, program, now)
    if program.lock is not None and program.lock(view):
        return Decision(person.id, locked(view, program), view.review)
    stage, move = decide_track(view, program.stage)
    tracks = [stage]
    start = move.status if move is not None and stage.verdict == "moves" else None
    if program.dealer is not None:
        owner, handoff = program.dealer.decide(view)
        tracks.append(owner)
        start = handoff.status or start if handoff is not None else start
    if program.status is not None:
        tracks.insert(1, decide_track(view, program.status, start)[0])
    for scorer in program.scorers:
        tracks.append(scorer.decision(view))
    if program.labeller is not None:
        tracks.append(program.labeller.decide(view))
    return Decision(person.id, tuple(tracks), view.review)


def look_at(person: Person, program: Program, now: datetime) -> View:
    """The view that everything is decided from."""
    view = View(person, now)
    if program.deals is not None:
        view.opportunities = counting(view, program.deals)
    if program.scorers:
        view.rate(program.scorers)
    return view


def locked(view: View, program: Program) -> tuple[TrackDecision, ...]:
    """Everything as it stands, and remembered as it was."""
    fields = [(ladder.name, ladder.field) for ladder in program.ladders]
    fields += [("owner", program.dealer.field)] if program.dealer else []
    fields += [(scorer.name, (scorer.score.fields or {}).get(view.object)) for scorer in program.scorers]
    fields += [("tags", program.labeller.field)] if program.labeller else []
    found = []
    for name, field in fields:
        memory = view.memory.get(name, NO_MEMORY)
        value = view.fields.get(field) if field else memory.get("written")
        current = None if value is None or value == "" else str(value)
        found.append(TrackDecision(name, current, current, "", "held", LOCKED, memory=memory))
    return tuple(found)
