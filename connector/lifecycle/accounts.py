"""Account roll-up: an account is as far as the furthest of its people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from connector.base.facts import Change, Decision, Evidence, RecordChange, Row, TrackDecision, Verdict
from connector.base.json import JsonMap
from connector.lifecycle.mapping import CompiledMapping

ACCOUNT_TRACK = "account_stage"
_ACCOUNT = "Account"


class Reached(NamedTuple):
    """The stage that a person reached by rules of their own, and the rule that brought them there."""

    stage: str
    rule: str


def roll_up(stages: Iterable[str | None], mapping: CompiledMapping) -> str | None:
    """The furthest of these stages of the funnel; None when there is none. For ``Person.account_stage`` take what the
    other people of the account reached by themselves: ``memory["stage"]["own"]``, or ``["at"]`` where that is absent;
    so that nobody lifts those who lift them."""
    names = [step.name for step in mapping.stages if step.funnel]
    found = [names.index(stage) for stage in stages if stage in names]
    return names[max(found)] if found else None


def decide_account(
    account: str,
    row: Row,
    people: Mapping[str, Reached],
    memory: JsonMap,
    field: str,
    mapping: CompiledMapping,
) -> tuple[Decision, RecordChange | None]:
    """What ``field`` of an account should be, and the write that follows. ``row`` is the record as read, ``people``
    those of the account, ``memory`` what was remembered the last time."""
    track = _decide(row.get(field) or None, people, memory, mapping)
    decision = Decision(account, (track,))
    if track.verdict != "moves":
        return decision, None
    change = Change(ACCOUNT_TRACK, field, row.get(field), track.value or None)
    return decision, RecordChange(account, _ACCOUNT, account, (change,), account)


def _decide(
    current: str | None, people: Mapping[str, Reached], memory: JsonMap, mapping: CompiledMapping
) -> TrackDecision:
    furthest = roll_up((each.stage for each in people.values()), mapping)
    written = memory.get("written")
    if furthest is None and current != written:
        return TrackDecision(
            ACCOUNT_TRACK, current, current, "", "stays", "nobody of the account is at a stage", (), memory
        )
    if furthest == written and current not in (None, furthest):
        reason = "set by a person, and stays until the furthest of its people is at another stage"
        return TrackDecision(ACCOUNT_TRACK, current, current, "", "held", reason, (), memory)
    verdict: Verdict = "stays" if furthest == current else "moves"
    remembered = {"written": furthest}
    if furthest is None:
        return TrackDecision(
            ACCOUNT_TRACK, "", current, "", verdict, "nobody of the account is at a stage", (), remembered
        )
    leader = min(person for person, each in people.items() if each.stage == furthest)
    rule = people[leader].rule
    said = f"{leader} is at {furthest}" + (f", by the rule {rule}" if rule else "")
    evidence = (Evidence("person", leader, said),)
    reason = f"the furthest of its people: {said}"
    return TrackDecision(ACCOUNT_TRACK, furthest, current, rule, verdict, reason, evidence, remembered)
