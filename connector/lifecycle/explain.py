"""Explain: for every rule whether it held or which clause did not, with what was found and what would change it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.facts import Evidence, Person, TrackDecision
from connector.lifecycle.conditions import Finding
from connector.lifecycle.decide import LOCKED, decide
from connector.lifecycle.gate import decide_track
from connector.lifecycle.ladder import NO_MEMORY, Ladder
from connector.lifecycle.mapping import Mapping
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

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "person": self.person_id,
            "at": self.at.isoformat(),
            "mapping": self.mapping,
            "review_at": self.review_at.isoformat() if self.review_at else None,
            "tracks": [_track_dict(track) for track in self.tracks],
        }


def explain(person: Person, mapping: Mapping, now: datetime) -> Explanation:
    """Decides again, and looks at every rule on the way."""
    program = mapping.programs[person.object]
    decision = decide(person, mapping, now)
    view = View(person, now)
    tracks = []
    for ladder, decided in zip(program.ladders, decision.tracks, strict=False):
        tracks.append(_explain_track(view, ladder, decided))
        if decided.reason != LOCKED:
            decide_track(view, ladder)
    return Explanation(person.id, now, mapping.name, tuple(tracks), decision.review_at)


def _explain_track(view: View, ladder: Ladder, decided: TrackDecision) -> TrackExplained:
    memory = view.memory.get(ladder.name, NO_MEMORY)
    standing = ladder.stand(view, ladder.current(view, memory), memory)
    before = (view.stage, view.stage_since, view.status, view.status_since)
    ladder.tell(view, standing)
    rules = tuple(
        RuleExplained(ladder.steps[position].name, rule.name, rule.line, rule.when.look(view))
        for position, rule, _ in ladder.rules
    )
    moves = tuple(
        RuleExplained(move.to, move.name, move.line, move.when.look(view))
        for move, _ in ladder.moves_from.get(standing.position, ())
    )
    view.stage, view.stage_since, view.status, view.status_since = before
    return TrackExplained(decided, rules, moves)


def _track_dict(track: TrackExplained) -> dict[str, Any]:
    decision = track.decision
    return {
        "track": decision.track,
        "value": decision.value,
        "current": decision.current,
        "verdict": decision.verdict,
        "rule": decision.rule,
        "reason": decision.reason,
        "evidence": [_evidence_dict(each) for each in decision.evidence],
        "rules": [_rule_dict(rule) for rule in track.rules],
        "moves": [_rule_dict(move) for move in track.moves],
    }


def _rule_dict(rule: RuleExplained) -> dict[str, Any]:
    return {"to": rule.step, "rule": rule.rule, "line": rule.line, **_finding_dict(rule.finding)}


def _finding_dict(finding: Finding) -> dict[str, Any]:
    found: dict[str, Any] = {"condition": finding.text, "matched": finding.matched}
    if finding.found:
        found["found"] = finding.found
    if finding.lacks:
        found["would_change"] = finding.lacks
    if finding.evidence:
        found["evidence"] = [_evidence_dict(each) for each in finding.evidence]
    if finding.parts:
        found["parts"] = [_finding_dict(part) for part in finding.parts]
    return found


def _evidence_dict(each: Evidence) -> dict[str, Any]:
    return {"kind": each.kind, "ref": each.ref, "text": each.text, "at": each.at.isoformat() if each.at else None}
