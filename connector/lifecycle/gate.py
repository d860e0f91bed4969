"""The gate: the one place that decides whether a track may move. Nothing else knows about order.

The rules' answer is the furthest step whose rule holds. It is reached

- forward only: never below the value that stands (a track may instead follow its rules both ways);
- but for moves: named exceptions lead out of a step, back or forward, once their grace period is over;
- not while a value is held: one that a person set stays as long as the mapping says, and so does one that a move
  gave, until the rules' answer rises above what it was then.

A move also caps the rules: while its condition holds, a rule that leads to where it starts leads to where it ends. So
nobody goes back and forth between the two on the same facts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.base.facts import TrackDecision
from connector.lifecycle.conditions import Told, Why
from connector.lifecycle.ladder import FIRST, NO_MEMORY, NOWHERE, UNKNOWN, Ladder, Memory, Standing
from connector.lifecycle.model import Move, Rule
from connector.lifecycle.remember import add_kept, plain
from connector.lifecycle.values import show_duration, show_time, time_of
from connector.lifecycle.view import View

NO_RULE = "no rule holds"


@dataclass(slots=True)
class Course:
    """What is being decided of one track: filled on the way."""

    target: int
    answer: int  # the rules' answer, capped by moves
    verdict: str = "stays"
    reason: str = ""
    rule: Rule | None = None
    move: Move | None = None
    hold: Memory | None = None
    pending: dict[str, str] = field(default_factory=dict)  # move -> since when its condition has held


def decide_track(view: View, ladder: Ladder, start: Standing | None = None) -> tuple[TrackDecision, Move | None]:
    """One track of one person, and the move that was taken. ``start``: where something decided before puts the person
    first. Leaves the view showing the decided step."""
    memory = view.memory.get(ladder.name, NO_MEMORY)
    current = ladder.current(view, memory)
    if ladder.scope is not None and view.stage not in ladder.scope:
        return _outside(view, ladder, current, memory), None
    if start is None and current == memory.get("written"):
        usual = _unchanged(view, ladder, current, memory) if memory else _first(view, ladder)
        if usual is not None:
            return usual, None
    standing = start or ladder.stand(view, current, memory)
    if standing.position == UNKNOWN:
        reason = f"{current!r} is not a {ladder.name} of the mapping"
        return TrackDecision(ladder.name, None, current, "", "held", reason, memory=memory), None
    ladder.tell(view, standing)
    course = _course(view, ladder, standing, memory)
    evidence, since = _why(view, course, standing, memory)
    decision = _decision(view, ladder, standing, course, current, memory, evidence, since)
    return decision, course.move


def _unchanged(view: View, ladder: Ladder, current: str | None, memory: Memory) -> TrackDecision | None:
    """The decision on somebody for whom nothing is different: the value that we left there stands, and the rules say
    what they said. That is most people, most of the time; None sends the others the long way, to the same answer."""
    at = memory.get("at")
    position = ladder.positions.get(at, NOWHERE) if at is not None else NOWHERE
    if not ladder.is_settled(memory, view.person):
        return None
    view.stand(ladder.name, at, memory["since"])
    answer, rule = ladder.answer(view)
    is_apart = answer > position or (answer < position and not ladder.track.forward)
    if is_apart or ladder.names[answer] != memory["answer"]:
        return None
    told = "" if rule is None or answer < position else rule.name
    leads_out = ladder.leads_out(view, position) or (answer != position and ladder.leads_out(view, answer))
    if leads_out or told != memory["rule"]:
        return None
    if answer < position:
        return TrackDecision(ladder.name, current, current, "", "held", _backward(ladder, answer), (), memory)
    if rule is None:
        return TrackDecision(ladder.name, current, current, "", "stays", NO_RULE, (), memory)
    return TrackDecision(ladder.name, current, current, rule.name, "stays", rule.reason, (), memory)


def _first(view: View, ladder: Ladder) -> TrackDecision | None:
    """The decision on somebody never seen before, whose field is empty: what the rules say, since the evidence says so.
    None sends those whom a move concerns the long way, to the same answer."""
    view.stand(ladder.name, None, None)
    answer, rule = ladder.answer(view)
    evidence, since = rule.when.tell(view) if rule is not None else ((), None)
    entered = None if rule is None else view.now if since is None or since > view.now else since
    remembered = plain(view, ladder, answer, entered, rule.name if rule is not None else "")
    if not ladder.is_plain:
        add_kept(view, ladder, FIRST, answer, entered, NO_MEMORY, remembered)
    if rule is None:
        return TrackDecision(ladder.name, None, None, "", "stays", NO_RULE, (), remembered)
    ladder.show(view, answer, entered)
    if ladder.leads_out(view, answer):
        return None
    return TrackDecision(
        ladder.name, ladder.values[answer], None, rule.name, "moves", rule.reason, evidence, remembered
    )


def _backward(ladder: Ladder, answer: int) -> str:
    said = f"the rules say {ladder.names[answer]}" if answer >= 0 else "no rule says more"
    return f"forward only: {said}"


def _course(view: View, ladder: Ladder, standing: Standing, memory: Memory) -> Course:
    position = standing.position
    answer, rule = ladder.answer(view)
    course = Course(position, answer, rule=rule)
    if answer in ladder.moves_from and answer != position:
        _cap(view, ladder, standing, memory, course)
    hold = _hold(view, ladder, standing, course)
    wanted = _wanted(ladder, position, course.answer)
    if hold is not None:
        course.hold = hold
        if wanted != position:
            course.verdict, course.reason = "held", _hold_reason(view, ladder, hold)
    elif wanted != position:
        course.target, course.verdict = wanted, "moves"
        if course.move is not None and wanted == course.answer:
            _take(view, ladder, standing, memory, course, wanted, course.move)
        return course
    if position in ladder.moves_from and _moves_apply(ladder, position, course):
        _leave(view, ladder, standing, memory, course)
    if course.verdict == "stays" and ladder.track.forward and course.answer < position:
        course.verdict, course.reason = "held", _backward(ladder, course.answer)
    return course


def _wanted(ladder: Ladder, position: int, answer: int) -> int:
    """Where the rules lead from a position."""
    if position >= 0 and ladder.steps[position].terminal:
        return position
    if ladder.track.forward:
        return max(position, answer)
    return answer if answer >= 0 else position


def _cap(view: View, ladder: Ladder, standing: Standing, memory: Memory, course: Course) -> None:
    """The rules lead to a step that a move leads out of: as if the person had come there when the evidence says."""
    assert course.rule is not None  # noqa: S101 - there is an answer
    since = _entered(view, standing, course.rule.when.true_since(view), arrives=True)
    ladder.show(view, course.answer, since)
    target, move, _ = _follow(view, ladder, course.answer, since, memory, course.pending)
    ladder.tell(view, standing)
    if move is not None:
        course.answer, course.move = target, move


def _leave(view: View, ladder: Ladder, standing: Standing, memory: Memory, course: Course) -> None:
    """A move leads out of where the person stands."""
    target, move, is_circle = _follow(view, ladder, standing.position, standing.since, memory, course.pending)
    ladder.tell(view, standing)
    if is_circle:
        course.verdict, course.reason = "held", "the moves of the mapping lead round in a circle"
    elif move is not None:
        _take(view, ladder, standing, memory, course, target, move)


def _take(view: View, ladder: Ladder, standing: Standing, memory: Memory, course: Course, to: int, move: Move) -> None:
    """Goes where a move leads. Rules that would lead on at once wait until they say more than they do there: those that
    lead to where a move begins lead to where it ends."""
    if move.restart:
        view.restart()
        course.answer, _ = ladder.answer(view)
    if course.answer in ladder.moves_from and course.answer != to:
        ladder.show(view, course.answer, view.now)
        course.answer, _, _ = _follow(view, ladder, course.answer, view.now, memory, course.pending)
        ladder.tell(view, standing)
    course.target, course.move, course.verdict, course.reason = to, move, "moves", ""
    pulls_away = course.answer > to or (not ladder.track.forward and course.answer not in (NOWHERE, to))
    since, answer = view.now.isoformat(), ladder.names[course.answer]
    course.hold = {"by": "move", "since": since, "answer": answer} if pulls_away else None


def _follow(
    view: View, ladder: Ladder, position: int, since: datetime | None, memory: Memory, pending: dict[str, str]
) -> tuple[int, Move | None, bool]:
    """Where the moves lead from a position, the last of them, and whether they lead round in a circle."""
    start, last = position, None
    seen = {start}
    while True:
        for move, test in ladder.moves_from.get(position, ()):
            if _is_ripe(view, move, bool(test(view)), since, memory, pending):
                break
        else:
            return position, last, False
        position, last = ladder.positions[move.to], move
        if position in seen:
            return start, None, True
        seen.add(position)
        since = view.now
        ladder.show(view, position, since)


def _is_ripe(
    view: View, move: Move, holds: bool, since: datetime | None, memory: Memory, pending: dict[str, str]
) -> bool:
    if not holds:
        return False
    if move.cool_off is not None:
        end = (since or view.now) + move.cool_off
        if view.now < end:
            view.look_again(end)
            return False
    if move.after is None:
        return True
    remembered = time_of(memory.get("pending", NO_MEMORY).get(move.name))
    held_since = remembered or min(move.when.true_since(view) or view.now, view.now)
    pending[move.name] = held_since.isoformat()
    if view.now < held_since + move.after:
        view.look_again(held_since + move.after)
        return False
    return True


def _hold(view: View, ladder: Ladder, standing: Standing, course: Course) -> Memory | None:
    """The hold that still stands, with what it now waits for; None when the value is free."""
    hold = standing.hold
    if hold is None:
        return None
    manual = ladder.track.manual
    if hold["by"] == "person" and manual.kind in {"forever", "span"}:
        end = (time_of(hold["since"]) or view.now) + manual.span if manual.span else None
        if end is not None:
            view.look_again(end)
        return hold if end is None or view.now < end else None
    if hold["answer"] is not None and hold["answer"] not in ladder.positions:  # first seen, or renamed in the mapping
        return {**hold, "answer": ladder.names[course.answer]}
    baseline = ladder.positions.get(hold["answer"] or "", NOWHERE)
    if ladder.track.forward:
        if course.answer > baseline:
            return None
        return hold if course.answer == baseline else {**hold, "answer": ladder.names[course.answer]}
    return hold if course.answer == baseline else None


def _hold_reason(view: View, ladder: Ladder, hold: Memory) -> str:
    since = time_of(hold["since"])
    on = f" on {show_time(since)}" if since else ""
    if hold["by"] == "move":
        return f"returned{on}, and stays until the rules say more than they did then"
    manual = ladder.track.manual
    if manual.kind == "forever":
        return f"set by a person{on}, and stays"
    if manual.span is not None:
        return f"set by a person{on}, and stays for {show_duration(manual.span)}"
    return f"set by a person{on}, and stays until the next promotion"


def _moves_apply(ladder: Ladder, position: int, course: Course) -> bool:
    """Moves also lead out of a value that a person set, because the mapping names them; but not out of one that stays
    for ever or for some days, unless only people can set it."""
    if course.hold is None or course.hold["by"] == "move" or ladder.steps[position].set_by == "people":
        return True
    return ladder.track.manual.kind == "until_promotion"


def _why(view: View, course: Course, standing: Standing, memory: Memory) -> Told:
    """Evidence is for what is new: that of a rule that keeps somebody where they are was told before."""
    winner = course.move or course.rule
    if winner is None or course.verdict == "held":
        return (), None
    if course.target == standing.position and not standing.is_new and memory.get("rule") == winner.name:
        return (), None
    return winner.when.tell(view)


def _decision(
    view: View,
    ladder: Ladder,
    standing: Standing,
    course: Course,
    current: str | None,
    memory: Memory,
    evidence: Why,
    since: datetime | None,
) -> TrackDecision:
    target = course.target
    entered = standing.since
    if target != standing.position or standing.is_new:
        is_old = since is not None and not standing.is_new and standing.since is not None and since < standing.since
        known = None if course.move is not None or is_old else since  # what was so before is not why they come now
        entered = _entered(view, standing, known, arrives=target == course.answer) if target >= 0 else None
    is_there = current is not None and ladder.position_of(current, memory) == target
    value = current if is_there else ladder.values[target]
    winner = course.move or course.rule
    is_held = course.verdict == "held" and value == current
    rule = winner.name if winner is not None and course.verdict != "held" else ""
    remembered = _remembered(view, ladder, standing, course, value, entered, memory, rule)
    ladder.show(view, target, entered)
    verdict = "moves" if value != current else "held" if is_held else "stays"
    reason = course.reason or _reason(course, ladder.names[target])
    if standing.origin and target == standing.position and value != current:
        reason = f"goes on from where {standing.origin} stood, which became this person"
    return TrackDecision(ladder.name, value, current, rule, verdict, reason, evidence, remembered)


def _remembered(
    view: View,
    ladder: Ladder,
    standing: Standing,
    course: Course,
    value: str | None,
    entered: datetime | None,
    memory: Memory,
    rule: str,
) -> Memory:
    """What is handed back the next time, as JSON."""
    remembered = plain(view, ladder, course.target, entered, rule)
    remembered["written"] = value
    remembered["answer"] = ladder.names[course.answer]
    if course.hold is not None:
        remembered["hold"] = course.hold
    if course.pending:
        remembered["pending"] = course.pending
    if view.restarted is not None and ladder.name == "stage":
        remembered["restarted"] = view.restarted.isoformat()
    if took := sorted({*memory.get("took", ()), *view.person.former}):
        remembered["took"] = took
    if not ladder.is_plain:
        add_kept(view, ladder, standing, course.target, entered, memory, remembered)
    return remembered


def _entered(view: View, standing: Standing, since: datetime | None, *, arrives: bool) -> datetime:
    """When the person came to the step: when the evidence says, but not before they came to the last one, and now
    where the evidence says nothing or is of another step (not ``arrives``)."""
    if since is None or since > view.now or not arrives:
        return view.now
    return since if standing.is_new or standing.since is None else max(since, standing.since)


def _reason(course: Course, name: str | None) -> str:
    winner = course.move or course.rule
    if winner is not None:
        return winner.reason
    return NO_RULE if name is None else f"stands at {name}; no rule says more"


def _outside(view: View, ladder: Ladder, current: str | None, memory: Memory) -> TrackDecision:
    """The track is not decided for people at this stage."""
    is_clear = ladder.track.outside == "clear" and current is not None and ladder.object_name != "Lead"
    remembered: dict[str, Any] = {"written": None if is_clear else current, "record": view.person.id}
    if "took" in memory:
        remembered["took"] = memory["took"]
    ladder.show(view, NOWHERE, None)
    reason = f"people at the stage {view.stage or '(none)'} have no {ladder.name}"
    value = "" if is_clear else current
    verdict = "moves" if is_clear else "stays"
    return TrackDecision(ladder.name, value, current, "", verdict, reason, memory=remembered)
