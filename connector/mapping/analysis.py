"""What a mapping says that cannot be meant: rules nobody fits, rules that never win, steps nothing leads to, moves that
lead back and forth. The first are mistakes; the others may have their reasons, and are told as warnings.
"""

from __future__ import annotations

from collections.abc import Iterator

from connector.lifecycle.activity import HasActivity
from connector.lifecycle.conditions import All, Condition
from connector.lifecycle.model import Move, Rule, Track
from connector.lifecycle.opportunity import HasOpportunity
from connector.lifecycle.program import Model
from connector.lifecycle.records import HasRecord
from connector.mapping.logic import excludes, implies, impossible
from connector.mapping.mistakes import Notes, Place

LONGEST_CIRCLE = 4  # moves


def analyse(model: Model, notes: Notes, file: str) -> tuple[str, ...]:
    """Notes the mistakes, returns the warnings."""
    for what, condition, place in _conditions(model, file):
        if why := impossible(condition):
            notes.add(place, f"{what} can never hold: {why}", "correct the condition, or drop it")
    warnings: list[str] = []
    for track in model.tracks:
        warnings += _never_winning(track)
        warnings += _unreached(track, model)
        warnings += _circles(track)
        warnings += _behind(track) if track.name == "stage" else ()
    asked = {each.of for each in model.walk() if isinstance(each, HasRecord)}
    warnings += [
        f"records: {name} is not read: no condition asks for it" for name in model.records if name not in asked
    ]
    return tuple(warnings)


def _conditions(model: Model, file: str) -> Iterator[tuple[str, Condition, Place]]:
    for track in model.tracks:
        for step in track.steps:
            yield from ((f"the rule {rule.name}", rule.when, Place(rule.file, rule.line)) for rule in step.rules)
        yield from ((f"the move {move.name}", move.when, Place(move.file, move.line)) for move in track.moves)
    yield from ((f"the segment {each.name}", each.when, Place(file, each.line)) for each in model.segments)
    yield from ((f"the tag {tag.name}", tag.when, Place(file, tag.line)) for tag in model.tags)
    for handoff in model.handoffs:
        yield f"the hand-off {handoff.name}", handoff.when, Place(file, handoff.line)
        yield from (
            (f"the owner rule {rule.name}", rule.when, Place(file, rule.line)) for rule in handoff.owners if rule.when
        )


def _never_winning(track: Track) -> Iterator[str]:
    """Whoever fits such a rule fits one that leads further."""
    rules = [(position, rule) for position, step in enumerate(track.steps) for rule in step.rules]
    for position, rule in rules:
        for further, other in rules:
            if further > position and implies(rule.when, other.when):
                yield (
                    f"{rule.file}:{rule.line}: the rule {rule.name} can never win: whoever fits it also fits"
                    f" {_named(other)}, which leads further, to {track.steps[further].name}"
                )
                break


def _named(rule: Rule) -> str:
    return f"{rule.name} (line {rule.line})"


def _unreached(track: Track, model: Model) -> Iterator[str]:
    """Steps that no rule, move or hand-off leads to, and that are not said to be people's."""
    led_to = {move.to for move in track.moves}
    if track.name == "status":
        led_to |= {handoff.status for handoff in model.handoffs if handoff.status}
        led_to |= {move.status for move in model.stage.moves if move.status}
    for step in track.steps:
        if not step.rules and step.set_by != "people" and step.name not in led_to:
            yield (f"nothing leads to the {track.name} {step.name}; say when, or set_by: people if only people set it")


def _behind(track: Track) -> Iterator[str]:
    """Stages of the funnel that come after one beside it, as one does that is added to an included ladder."""
    beside = ""
    for step in track.steps:
        if not step.funnel:
            beside = beside or step.name
        elif beside:
            yield (
                f"the stage {step.name} comes after {beside}, which is beside the funnel:"
                f" place it with before: {beside}, or say funnel: false"
            )


def _circles(track: Track) -> Iterator[str]:
    """Moves that lead round in a circle while all their conditions hold. People in one are held, not thrown about. One
    that asks for something newer than the step does not hold for somebody who comes there at that moment."""
    told: set[frozenset[str]] = set()
    for move in track.moves:
        if _waits(move, track):
            continue
        for circle in _from([move], track):
            names = frozenset(each.name for each in circle)
            if names not in told:
                told.add(names)
                way = " -> ".join([circle[-1].to, *(each.to for each in circle)])
                moves = " and ".join(each.name for each in circle)
                at = f"{circle[0].file}:{circle[0].line}"
                yield f"{at}: the moves {moves} lead round in a circle while their conditions all hold: {way}"


def _waits(move: Move, track: Track) -> bool:
    parts = move.when.items if isinstance(move.when, All) else (move.when,)
    asked = (each for each in parts if isinstance(each, HasActivity | HasOpportunity | HasRecord))
    return any(each.since == track.name and getattr(each, "state", "") != "none" for each in asked)


def _from(path: list[Move], track: Track) -> Iterator[list[Move]]:
    for move in track.moves:
        if move.origins and path[-1].to not in move.origins:
            continue
        if _waits(move, track) or any(move is each or excludes(move.when, each.when) for each in path):
            continue
        longer = [*path, move]
        if not path[0].origins or move.to in path[0].origins:
            yield longer
        elif len(longer) < LONGEST_CIRCLE:
            yield from _from(longer, track)
