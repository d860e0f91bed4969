"""The gate: the one place that decides whether a track may move. Nothing else knows about order.

The rules' answer is the furthest step whose rule holds. It is reached

- forward only: never below the value that stands (a track may instead follow its rules both ways);
- but for moves: named exceptions lead out of a step, back or forward, once their grace period is over;
- never out of a step beside the funnel: there is no way on from there but moves;
- not while a value is held: one that a person set stays as long as the mapping says, and so does one that a move
  gave, until something that is newer leads further (``hold.py``).

A move also caps the rules: while its condition holds, a rule that leads to where it starts leads to where it ends. So
nobody goes back and forth between the two on the same facts.
"""

from __future__ import annotations

from datetime import datetime

from connector.base.facts import TrackDecision, Verdict
from connector.base.json import JsonObject
from connector.lifecycle.conditions import Grounds
from connector.lifecycle.dates import stage_dates, steps_on_the_way
from connector.lifecycle.hold import Hidden, ask, hide, still_hidden
from connector.lifecycle.ladder import NO_MEMORY, NOWHERE, UNKNOWN, Ladder, Memory, Standing
from connector.lifecycle.model import Move, Rule
from connector.lifecycle.values import show_duration, show_time, time_of
from connector.lifecycle.view import View

NO_RULE = "no rule holds"


def decide_track(view: View, ladder: Ladder, start: Standing | None = None) -> tuple[TrackDecision, Move | None]:
    """One track of one person, and the move that was taken. ``start``: where something decided before puts the person
    first. Leaves the view showing the decided step."""
    memory = view.memory.get(ladder.name, NO_MEMORY)
    current = ladder.current(view, memory)
    if ladder.scope is not None and view.stage not in ladder.scope:
        return _outside(view, ladder, current, memory), None
    standing = ladder.stand(view, current, memory)
    if standing.position != UNKNOWN:
        standing = start or standing
    if standing.position == UNKNOWN:
        reason = f"{current!r} is not a {ladder.name} of the mapping"
        return TrackDecision(ladder.name, None, current, "", "held", reason, memory=memory), None
    passage = Passage(view, ladder, memory, current, standing)
    passage.go()
    return passage.decision(), passage.move


class Passage:
    """One person at the gate of one track: where they stand, what the rules and moves say, and what comes of it.

    ``target`` is where they end; ``answer`` what the rules say, capped by moves; ``rule`` and ``move`` what led there,
    ``asked`` the view in which the rule holds. ``hold`` is what still keeps the value, ``hidden`` what does not count
    for it. ``pending``: move -> since when its condition has held; ``waiting``: the
    same, as it was remembered.
    """

    __slots__ = (
        "answer",
        "asked",
        "current",
        "hidden",
        "hold",
        "ladder",
        "memory",
        "move",
        "pending",
        "position",
        "reason",
        "rule",
        "standing",
        "target",
        "verdict",
        "view",
        "waiting",
    )

    def __init__(self, view: View, ladder: Ladder, memory: Memory, current: str | None, standing: Standing) -> None:
        self.view, self.ladder, self.memory, self.current, self.standing = view, ladder, memory, current, standing
        self.position = self.target = standing.position
        self.verdict: Verdict = "stays"
        self.reason = ""
        self.move: Move | None = None
        self.pending: dict[str, str] = {}
        self.waiting = memory.get("pending", NO_MEMORY)
        self._look_from_here()
        self.hold = self.hidden = None
        if standing.hold is not None or standing.hidden is not None:
            self.hold, self.hidden = self._kept()
        self._ask(self.position)
        if not ladder.track.forward and self.hold is None and self._is_ahead_from_the_start():
            since = standing.since or view.now
            self.hold = ladder.held("start", since)
            if self.hold is not None:
                self.hidden = hide(view, ladder, self.position, since)

    # -- the way through the gate ----------------------------------------------------------------------------------

    def go(self) -> None:
        if self.answer in self.ladder.moves_from and self.answer != self.position:
            self._cap()
        wanted = self._wanted()
        if wanted != self.position and not self._is_fixed():
            self.target, self.verdict, self.hold = wanted, "moves", None
            if self.move is not None and wanted == self.answer:
                self._take(wanted, self.move)
            return
        if self.position in self.ladder.moves_from and self._moves_apply():
            self._leave()
        if self.verdict == "stays":
            self._stay(wanted)

    def _stay(self, wanted: int) -> None:
        """Why the rules are not followed, where they say other than what stands."""
        if self.hidden is None and wanted == self.position <= self.answer:
            return
        said = self.answer if self.hidden is None else self.ladder.answer(self.view)[0]
        if wanted != self.position or (said != self.position and self.hold is not None):
            self.verdict, self.reason = "held", self._hold_reason()
        elif said > self.position and self.hidden is not None:
            self.verdict, self.reason = "held", "what leads further is older than what was set by hand, or by a move"
        elif self.ladder.track.forward and self.answer < self.position:
            more = f"the rules say {self.ladder.names[self.answer]}" if self.answer >= 0 else "no rule says more"
            self.verdict, self.reason = "held", f"forward only: {more}"

    def _ask(self, position: int) -> None:
        """What the rules say, to somebody who stands there."""
        if self.hidden is None:
            self.answer, self.rule = self.ladder.answer(self.view)
            self.asked = self.view
        else:
            self.answer, self.rule, self.asked = ask(self.view, self.ladder, position, self.hidden)

    def _look_from_here(self) -> None:
        """Lets conditions see where the person stands."""
        self.ladder.show(self.view, self.position, self.standing.since)

    def _wanted(self) -> int:
        """Where the rules lead from where the person stands."""
        step = self.ladder.steps[self.position] if self.position >= 0 else None
        if step is not None and (step.terminal or not step.funnel):
            return self.position
        if self.ladder.track.forward or self.hold is not None:
            return max(self.position, self.answer)
        return self.answer if self.answer >= 0 else self.position

    def _cap(self) -> None:
        """The rules lead to a step that a move leads out of: as if the person had come there when the evidence says."""
        since = self._entered(self.rule.when.true_since(self.asked) if self.rule else None, arrives=True)
        self.ladder.show(self.view, self.answer, since)
        target, move, _ = self._follow(self.answer, since)
        self._look_from_here()
        if move is not None:
            self.answer, self.move = target, move

    def _leave(self) -> None:
        """A move leads out of where the person stands."""
        target, move, is_circle = self._follow(self.position, self.standing.since)
        self._look_from_here()
        if is_circle:
            self.verdict, self.reason = "held", "the moves of the mapping lead round in a circle"
        elif move is not None:
            self._take(target, move)

    def _take(self, to: int, move: Move) -> None:
        """Goes where a move leads. Rules that would lead on at once wait until they say more than they do there: those
        that lead to where a move begins lead to where it ends."""
        if move.restart:
            self.view.restart()
        self._ask(to)
        self.waiting = NO_MEMORY  # who comes again waits again
        if self.answer in self.ladder.moves_from and self.answer != to:
            self.ladder.show(self.view, self.answer, self.view.now)
            self.answer, _, _ = self._follow(self.answer, self.view.now)
            self._look_from_here()
        self.target, self.move, self.verdict, self.reason, self.hold = to, move, "moves", "", None
        self.pending.pop(move.name, None)
        if self.answer > to or (not self.ladder.track.forward and self.answer not in (NOWHERE, to)):
            self.hold = {"by": "move", "since": self.view.now.isoformat()}
            self.hidden = hide(self.view, self.ladder, to, self.view.now, before=self.hidden or NO_MEMORY)

    def _follow(self, position: int, since: datetime | None) -> tuple[int, Move | None, bool]:
        """Where the moves lead from a position, the last of them, and whether they lead round in a circle."""
        start, last = position, None
        seen = {start}
        while True:
            for move, test in self.ladder.moves_from.get(position, ()):
                if self._is_ripe(move, bool(test(self.view)), since):
                    break
            else:
                return position, last, False
            position, last = self.ladder.positions[move.to], move
            if position in seen:
                return start, None, True
            seen.add(position)
            since = self.view.now
            self.ladder.show(self.view, position, since)

    def _is_ripe(self, move: Move, holds: bool, since: datetime | None) -> bool:
        view = self.view
        if not holds:
            return False
        if move.cool_off is not None:
            end = (since or view.now) + move.cool_off
            if view.now < end:
                view.look_again(end)
                return False
        if move.after is None:
            return True
        remembered = time_of(self.waiting.get(move.name))
        held_since = remembered or min(move.when.true_since(view) or view.now, view.now)
        self.pending[move.name] = held_since.isoformat()
        if view.now < held_since + move.after:
            view.look_again(held_since + move.after)
            return False
        return True

    # -- holds -----------------------------------------------------------------------------------------------------

    def _kept(self) -> tuple[Memory | None, Hidden | None]:
        """The hold that still stands, and what is hidden."""
        hold, hidden, manual, view = self.standing.hold, self.standing.hidden, self.ladder.track.manual, self.view
        if hold is None:
            return None, still_hidden(view, self.ladder, hidden)
        since = time_of(hold["since"]) or view.now
        if hold["by"] != "move" and manual.span is not None:
            view.look_again(since + manual.span)
            if view.now >= since + manual.span:
                return None, None
        if hidden is None:
            before = NO_MEMORY if hold["by"] == "move" else None
            return hold, hide(view, self.ladder, self.position, since, before)
        return hold, still_hidden(view, self.ladder, hidden)

    def _is_ahead_from_the_start(self) -> bool:
        """On a track that goes both ways: a value that stood there when the person was first seen stays, too, where
        the rules say less. Somebody will have set it."""
        if self.position < 0 or not self._is_start:
            return False
        return self.answer < self.position or not self.ladder.steps[self.position].funnel

    @property
    def _is_start(self) -> bool:
        """Nothing has led the person away from where they were first seen."""
        return self.standing.is_new or bool(self.memory.get("start"))

    def _is_fixed(self) -> bool:
        """Held against whatever comes."""
        return (
            self.hold is not None and self.hold["by"] != "move" and self.ladder.track.manual.kind in {"forever", "span"}
        )

    def _hold_reason(self) -> str:
        assert self.hold is not None  # noqa: S101 - it is asked of a held value
        since = time_of(self.hold["since"])
        on = f" on {show_time(since)}" if since else ""
        manual = self.ladder.track.manual
        how = {"move": f"returned{on}", "start": f"found{on}"}.get(self.hold["by"], f"set by a person{on}")
        if self.hold["by"] == "move":
            return f"{how}, and stays until something new leads further"
        if manual.kind == "forever":
            return f"{how}, and stays"
        if manual.span is not None:
            return f"{how}, and stays for {show_duration(manual.span)}"
        return f"{how}, and stays until something newer leads further"

    def _moves_apply(self) -> bool:
        """Moves also lead out of a value that a person set, because the mapping names them; but not out of one that
        stays for ever or for some days, unless only people can set it."""
        if self.hold is None or self.hold["by"] == "move" or self.ladder.steps[self.position].set_by == "people":
            return True
        return self.ladder.track.manual.kind == "until_promotion"

    # -- what comes of it ------------------------------------------------------------------------------------------

    @property
    def winner(self) -> Rule | Move | None:
        return self.move or self.rule

    def decision(self) -> TrackDecision:
        ladder, target, standing = self.ladder, self.target, self.standing
        evidence, since = self._why()
        entered = self._since_when(since)
        is_there = self.current is not None and ladder.position_of(self.current, self.memory) == target
        is_there = is_there and not ladder.is_former(str(self.current))
        value = self.current if is_there else ladder.values[target]
        rule = self.winner.name if self.winner is not None and self.verdict != "held" else ""
        remembered = self._remembered(value, entered, rule)
        ladder.show(self.view, target, entered)
        if ladder.is_counted is not None and not ladder.is_counted(self.view):
            remembered = {**remembered, "apart": True}
        is_held = self.verdict == "held" and value == self.current
        verdict: Verdict = "moves" if value != self.current else "held" if is_held else "stays"
        reason = self.reason or self._reason(ladder.names[target])
        if standing.origin and target == standing.position and value != self.current:
            reason = f"goes on from where {standing.origin} stood, which became this person"
        return TrackDecision(ladder.name, value, self.current, rule, verdict, reason, evidence, remembered)

    def _why(self) -> Grounds:
        """Evidence is for what is new: that of a rule that keeps somebody where they are was told before."""
        winner = self.winner
        if winner is None or self.verdict == "held":
            return (), None
        if self.target == self.position and not self.standing.is_new and self.memory.get("rule") == winner.name:
            return (), None
        return winner.when.grounds(self.view if winner is self.move else self.asked)

    def _since_when(self, since: datetime | None) -> datetime | None:
        """When the person came to where they are now; ``since``: since when the evidence says so."""
        standing = self.standing
        if self.target == self.position and not standing.is_new:
            return standing.since
        if self.target < 0:
            return None
        is_old = since is not None and not standing.is_new and standing.since is not None and since < standing.since
        known = None if self.move is not None or is_old else since  # what was so before is not why they come now
        return self._entered(known, arrives=self.target == self.answer)

    def _entered(self, since: datetime | None, *, arrives: bool) -> datetime:
        """When the person came to the step: when the evidence says, but not before they came to the last one, and now
        where the evidence says nothing or is of another step (not ``arrives``)."""
        if since is None or since > self.view.now or not arrives:
            return self.view.now
        before = None if self.standing.is_new else self.standing.since
        return since if before is None else max(since, before)

    def _reason(self, name: str | None) -> str:
        if self.winner is not None:
            return self.winner.reason
        return NO_RULE if name is None else f"stands at {name}; no rule says more"

    # -- memory ----------------------------------------------------------------------------------------------------

    def _remembered(self, value: str | None, entered: datetime | None, rule: str) -> Memory:
        """What is handed back the next time, as JSON: where somebody stands, since when, by which rule."""
        view, ladder, memory = self.view, self.ladder, self.memory
        remembered: JsonObject = {
            "written": value,
            "at": ladder.names[self.target],
            "since": entered.isoformat() if entered is not None else None,
            "rule": rule,
            "record": view.person.id,
        }
        if self.hold is not None:
            remembered["hold"] = self.hold
        if self.hidden:
            remembered["hidden"] = self.hidden
        if self.target == self.position >= 0 and self._is_start:
            remembered["start"] = True
        if self.pending:
            remembered["pending"] = self.pending
        if view.restarted is not None and ladder.name == "stage":
            remembered["restarted"] = view.restarted.isoformat()
        if took := sorted({*memory.get("took", ()), *view.person.former}):
            remembered["took"] = took
        if ladder.has_lifts:
            remembered["own"] = self._own()
        if ladder.keeps_highest:
            remembered["highest"] = self._highest()
        if ladder.name == "stage":
            told = stage_dates if ladder.keeps_dates else steps_on_the_way
            remembered |= told(view, ladder, memory, self.position, self.target, entered)
        return remembered

    def _own(self) -> str | None:
        """The furthest step that the person reached without being lifted by others of the account. What a person set,
        or what stood there from the beginning, counts as reached."""
        ladder, standing = self.ladder, self.standing
        reached = {ladder.own_answer(self.view), ladder.positions.get(self.memory.get("own") or "", NOWHERE)}
        if standing.is_new or (standing.hold is not None and standing.hold["by"] != "move"):
            reached.add(self.position)
        return ladder.names[min(max(reached), self.target)]

    def _highest(self) -> str | None:
        """The furthest stage of the funnel ever stood at."""
        ladder = self.ladder
        stood = {self.position, self.target, ladder.positions.get(self.memory.get("highest") or "", NOWHERE)}
        return ladder.names[max((each for each in stood if each >= 0 and ladder.steps[each].funnel), default=NOWHERE)]


def _outside(view: View, ladder: Ladder, current: str | None, memory: Memory) -> TrackDecision:
    """The track is not decided for people at this stage. Its value is emptied, where the mapping wants that, when
    somebody leaves the stages that have one; what a person sets afterwards stays, and so does what is not known."""
    was_inside = "at" in memory and ladder.position_of(current, memory) >= 0
    is_clear = ladder.track.outside == "clear" and was_inside and ladder.object_name != "Lead"
    remembered: JsonObject = {"written": None if is_clear else current, "record": view.person.id}
    if "took" in memory:
        remembered["took"] = memory["took"]
    ladder.show(view, NOWHERE, None)
    reason = f"people at the stage {view.stage or '(none)'} have no {ladder.name}"
    value = "" if is_clear else current
    verdict: Verdict = "moves" if is_clear else "stays"
    return TrackDecision(ladder.name, value, current, "", verdict, reason, memory=remembered)
