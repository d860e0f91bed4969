"""Decide: what every track of a person should be, and why. Pure: facts, mapping and ``now`` in, a value out.

The order is fixed, and each track sees those before it: score, stage, owner (the hand-off), status, tags. Where a
mapping lets the stage look at the status or the hand-off as well, the stage is decided again once they are known.
"""

from __future__ import annotations

from datetime import datetime

from connector.base.facts import Decision, Person, TrackDecision
from connector.lifecycle.assignment import Assigner
from connector.lifecycle.deals import counting
from connector.lifecycle.gate import decide_track
from connector.lifecycle.handoff import Handoff
from connector.lifecycle.ladder import NO_MEMORY
from connector.lifecycle.mapping import CompiledMapping
from connector.lifecycle.model import Move
from connector.lifecycle.owners import NO_OWNERS, Owners
from connector.lifecycle.program import Program
from connector.lifecycle.view import View

LOCKED = "locked: the mapping freezes this person"
ROUNDS = 3  # a stage that looks at the status that looks at the stage settles, or is left, after so many


def decide(person: Person, mapping: CompiledMapping, now: datetime, assigner: Assigner | None = None) -> Decision:
    """The decision on one person. The same facts, mapping, ``now`` and turns give the same decision, and deciding at
    any time before ``review_at`` gives the same tracks. ``assigner``: whose turn it is, in an org with these owners;
    without one, nobody is handed to an owner that the mapping names by name."""
    assigner = assigner or Assigner()
    program = mapping.programs[person.object]
    view = look_at(person, program, now, assigner.owners)
    program = program.of(view) if program.segments else program
    if program.lock is not None and program.lock(view):
        return Decision(person.id, locked(view, program), view.review)
    tracks = _ladders(view, program)
    for scorer in program.scorers:
        tracks.append(scorer.decision(view))
    if program.labeller is not None:
        tracks.append(program.labeller.decide(view))
    if program.beside is not None:
        tracks[0] = program.beside.with_fields(view, tracks)
    return assigner.assign(Decision(person.id, tuple(tracks), view.review), mapping)


def _ladders(view: View, program: Program) -> list[TrackDecision]:
    """Stage, status and owner."""
    if program.status is not None and (program.is_intertwined or program.handoffs is not None):
        memory = view.memory.get("status", NO_MEMORY)
        standing = program.status.stand(view, program.status.current(view, memory), memory)
        program.status.show(view, standing.position, standing.since)
    if not program.is_intertwined:
        stage, move = decide_track(view, program.stage)
        if move is None and program.handoffs is None:
            return [stage] if program.status is None else [stage, decide_track(view, program.status)[0]]
        owner, handoff = _hand_off(view, program)
        return _in_order(stage, _status(view, program, stage, move, handoff), owner)
    before = (view.status, view.handed_off)
    stage, move = decide_track(view, program.stage)
    start = program.stage.put(view, move.to, stage.memory) if move is not None and is_moved(stage) else None
    owner, handoff = _hand_off(view, program)
    status = _status(view, program, stage, move, handoff)
    for _ in range(ROUNDS):
        if (view.status, view.handed_off) == before:
            break
        before = (view.status, view.handed_off)
        stage = _after(stage, decide_track(view, program.stage, start)[0], start is not None)
        if handoff is None:
            owner, handoff = _hand_off(view, program)
        status = _status(view, program, stage, move, handoff)
    if handoff is not None and owner is not None and program.handoffs is not None:
        view.hand_off(handoff.name)  # it happened, also where a fresh start of a later round forgot it
        owner = owner._replace(memory={**owner.memory, "on": program.handoffs.on(view)})
    return _in_order(stage, status, owner)


def _after(first: TrackDecision, stage: TrackDecision, is_after_move: bool) -> TrackDecision:
    """The stage of a later round. What a move began is told as its doing, with what followed."""
    if not is_after_move:
        return stage
    reason = first.reason if stage.value == first.value else f"{first.reason}; then {stage.reason}"
    return stage._replace(rule=first.rule, reason=reason, evidence=first.evidence)


def is_moved(stage: TrackDecision) -> bool:
    return stage.verdict == "moves"


def _hand_off(view: View, program: Program) -> tuple[TrackDecision | None, Handoff | None]:
    return program.handoffs.decide(view) if program.handoffs is not None else (None, None)


def _status(
    view: View, program: Program, stage: TrackDecision, move: Move | None, handoff: Handoff | None
) -> TrackDecision | None:
    if program.status is None:
        return None
    start = move.status if move is not None and is_moved(stage) else None
    if handoff is not None and handoff.status is not None and program.status.gives_way(view, handoff.status):
        start = handoff.status
    return decide_track(view, program.status, program.status.put(view, start) if start else None)[0]


def _in_order(*tracks: TrackDecision | None) -> list[TrackDecision]:
    return [track for track in tracks if track is not None]


def look_at(person: Person, program: Program, now: datetime, owners: Owners = NO_OWNERS) -> View:
    """The view that everything is decided from."""
    view = View(program.counting(person), now, owners)
    view.counting = program.counting
    if program.deals is not None:
        view.opportunities = counting(view, program.deals)
    if program.scorers:
        view.rate(program.scorers)
    return view


def locked(view: View, program: Program) -> tuple[TrackDecision, ...]:
    """Everything as it stands, and remembered as it was."""
    fields = [(ladder.name, ladder.field) for ladder in program.ladders]
    fields += [("owner", program.handoffs.field)] if program.handoffs else []
    fields += [(scorer.name, (scorer.score.fields or {}).get(view.object)) for scorer in program.scorers]
    fields += [("tags", program.labeller.field)] if program.labeller else []
    found = []
    for name, field in fields:
        memory = view.memory.get(name, NO_MEMORY)
        value = view.fields.get(field) if field else memory.get("written")
        current = None if value is None or value == "" else str(value)
        found.append(TrackDecision(name, current, current, "", "held", LOCKED, memory=memory))
    return tuple(found)
