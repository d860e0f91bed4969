"""Explain: for every rule whether it held or which clause did not, with what was found and what would change it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from connector.base.facts import Evidence, Person, TrackDecision
from connector.base.json import JsonObject
from connector.lifecycle.assignment import Assigner
from connector.lifecycle.conditions import Finding
from connector.lifecycle.decide import LOCKED, decide, look_at
from connector.lifecycle.gate import decide_track
from connector.lifecycle.ladder import NO_MEMORY, NOWHERE, Ladder
from connector.lifecycle.mapping import CompiledMapping
from connector.lifecycle.owners import NO_OWNERS
from connector.lifecycle.program import Program
from connector.lifecycle.view import View


@dataclass(frozen=True, slots=True)
class RuleExplained:
    """One rule (or move) of a track, and what came of it for this person."""

    step: str
    rule: str
    line: int
    finding: Finding


@dataclass(frozen=True, slots=True)
class TrackExplained:
    decision: TrackDecision
    rules: tuple[RuleExplained, ...]  # the furthest step's first
    moves: tuple[RuleExplained, ...]  # those that lead out of where the person stands


@dataclass(frozen=True, slots=True)
class Explanation:
    person_id: str
    at: datetime
    mapping: str
    tracks: tuple[TrackExplained, ...]
    review_at: datetime | None

    def as_dict(self) -> JsonObject:
        """JSON values."""
        return {
            "person": self.person_id,
            "at": self.at.isoformat(),
            "mapping": self.mapping,
            "review_at": self.review_at.isoformat() if self.review_at else None,
            "tracks": [_track_dict(track) for track in self.tracks],
        }


def explain(person: Person, mapping: CompiledMapping, now: datetime, assigner: Assigner | None = None) -> Explanation:
    """Decides again, and looks at every rule on the way."""
    program = mapping.programs[person.object]
    decision = decide(person, mapping, now, assigner)
    view = look_at(person, program, now, assigner.owners if assigner else NO_OWNERS)
    program = program.of(view)
    tracks = []
    for decided in decision.tracks:
        look, go_on = _LOOKS[decided.track]
        tracks.append(TrackExplained(decided, *look(view, program)))
        if decided.reason != LOCKED:
            go_on(view, program, decided)
    return Explanation(person.id, now, mapping.name, tuple(tracks), decision.review_at)


Looked = tuple[tuple[RuleExplained, ...], tuple[RuleExplained, ...]]


def _look_at_ladder(view: View, ladder: Ladder) -> Looked:
    memory = view.memory.get(ladder.name, NO_MEMORY)
    standing = ladder.stand(view, ladder.current(view, memory), memory)
    before = (view.stage, view.stage_since, view.status, view.status_since)
    ladder.show(view, standing.position, standing.since)
    rules = tuple(
        RuleExplained(ladder.steps[position].name, rule.name, rule.line, rule.when.look(view))
        for position, rule, _ in ladder.rules
    )
    moves = tuple(
        RuleExplained(move.to, move.name, move.line, move.when.look(view))
        for move, _ in ladder.moves_from.get(standing.position, ())
    )
    view.stand("stage", *before[:2])
    view.stand("status", *before[2:])
    return rules, moves


def _look_at_stage(view: View, program: Program) -> Looked:
    return _look_at_ladder(view, program.stage)


def _look_at_status(view: View, program: Program) -> Looked:
    return _look_at_ladder(view, program.status) if program.status else ((), ())


def _look_at_owner(view: View, program: Program) -> Looked:
    handoffs = program.handoffs.handoffs if program.handoffs else ()
    rules = [RuleExplained(each.name, each.name, each.line, each.when.look(view)) for each in handoffs]
    owners = [
        RuleExplained(" or ".join(owner for owner, _ in rule.shares), rule.name, rule.line, rule.when.look(view))
        for each in handoffs
        for rule in each.owners
        if rule.when is not None
    ]
    return tuple(rules), tuple(owners)


def _look_at_score(name: str) -> Callable[[View, Program], Looked]:
    def look(view: View, program: Program) -> Looked:
        scorer = next(each for each in program.scorers if each.name == name)
        found = scorer.evidence(view)
        finding = Finding(f"points of {name}", bool(found), evidence=found)
        return (RuleExplained(name, name, 0, finding),), ()

    return look


def _look_at_tags(view: View, program: Program) -> Looked:
    tags = program.labeller.tags if program.labeller else ()
    return tuple(RuleExplained(tag.name, tag.name, tag.line, tag.when.look(view)) for tag in tags), ()


def _show_stage(view: View, program: Program, _decided: TrackDecision) -> None:
    decide_track(view, program.stage)


def _show_status(view: View, program: Program, decided: TrackDecision) -> None:
    if program.status is not None:
        name = decided.memory.get("at")
        program.status.show(view, program.status.positions.get(name or "", NOWHERE), view.now)


def _nothing(_view: View, _program: Program, _decided: TrackDecision) -> None:
    """Later tracks see nothing of it."""


_LOOKS: dict[str, tuple[Callable[[View, Program], Looked], Callable[[View, Program, TrackDecision], None]]] = {
    "stage": (_look_at_stage, _show_stage),
    "status": (_look_at_status, _show_status),
    "owner": (_look_at_owner, _nothing),
    "score": (_look_at_score("score"), _nothing),
    "fit": (_look_at_score("fit"), _nothing),
    "tags": (_look_at_tags, _nothing),
}


def _track_dict(track: TrackExplained) -> JsonObject:
    decision = track.decision
    return {
        "track": decision.track,
        "value": decision.value,
        "current": decision.current,
        "verdict": decision.verdict,
        "rule": decision.rule,
        "reason": decision.reason,
        "evidence": [_evidence_dict(each) for each in decision.evidence or _evidence_of(track)],
        "rules": [_rule_dict(rule) for rule in track.rules],
        "moves": [_rule_dict(move) for move in track.moves],
    }


def _evidence_of(track: TrackExplained) -> tuple[Evidence, ...]:
    """What the rule rests on that keeps somebody where they are."""
    rules = (*track.moves, *track.rules)
    return next(
        (each.finding.evidence for each in rules if each.rule == track.decision.rule and each.finding.matched), ()
    )


def _rule_dict(rule: RuleExplained) -> JsonObject:
    return {"to": rule.step, "rule": rule.rule, "line": rule.line, **_finding_dict(rule.finding)}


def _finding_dict(finding: Finding) -> JsonObject:
    found: JsonObject = {"condition": finding.text, "matched": finding.matched}
    if finding.found:
        found["found"] = finding.found
    if finding.lacks:
        found["would_change"] = finding.lacks
    if finding.evidence:
        found["evidence"] = [_evidence_dict(each) for each in finding.evidence]
    if finding.parts:
        found["parts"] = [_finding_dict(part) for part in finding.parts]
    return found


def _evidence_dict(each: Evidence) -> JsonObject:
    return {"kind": each.kind, "ref": each.ref, "text": each.text, "at": each.at.isoformat() if each.at else None}
