"""Plan: the field writes that follow from a decision: only fields that differ, none for somebody without a record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connector.base.facts import Change, Decision, Person, RecordChange, TrackDecision
from connector.lifecycle.dates import date_values
from connector.lifecycle.decide import LOCKED
from connector.lifecycle.mapping import CompiledMapping
from connector.lifecycle.values import number_of
from connector.lifecycle.written import beside_values, same

_PROSPECT = "Prospect"
NUMBERS = ("score", "fit")


def plan(person: Person, decision: Decision, mapping: CompiledMapping) -> RecordChange | None:
    """None when there is nothing to write. A decided value of "" empties the field."""
    if person.object == _PROSPECT:
        return None
    changes: list[Change] = []
    for track, field, new in _wanted(person, decision, mapping):
        old = person.fields.get(field)
        if (None if old == "" else old) != new:
            changes.append(Change(track, field, old, new))
    lazy: list[Change] = []
    for track, field, new, is_worth_it in _written(person, decision, mapping):
        old = person.fields.get(field)
        if not same(old, new):
            (changes if is_worth_it else lazy).append(Change(track, field, old, new))
    if not changes:
        return None
    changes += lazy
    account_id = str(person.fields.get("AccountId") or "")
    is_person = bool(account_id and person.fields.get("IsPersonAccount"))
    return RecordChange(person.id, person.object, person.id, tuple(changes), account_id, is_person)


def _wanted(person: Person, decision: Decision, mapping: CompiledMapping) -> Iterator[tuple[str, str, Any]]:
    """Track, field and the value that should stand there."""
    for track in decision.tracks:
        field = mapping.writes.get(track.track, {}).get(person.object)
        if field is not None and track.value is not None:
            yield track.track, field, _typed(track)
        if track.track == "stage" and track.reason != LOCKED:
            yield from _beside_the_stage(person, track, mapping)


def _written(person: Person, decision: Decision, mapping: CompiledMapping) -> Iterator[tuple[str, str, Any, bool]]:
    for track in decision.tracks:
        if mapping.model.written and track.track == "stage" and track.reason != LOCKED:
            yield from beside_values(mapping.model.written, person.object, track.memory)


def _typed(track: TrackDecision) -> Any:
    return typed(track.track, track.value)


def typed(track: str, value: str | None) -> Any:
    """A decided value as its field holds it."""
    if track in NUMBERS:
        number = number_of(value)
        return int(number) if number is not None and number.is_integer() else number
    return value or None


def same_value(track: str, stands: Any, decided: str | None) -> bool:
    """Whether a field holds what was decided."""
    return bool((None if stands == "" else stands) == typed(track, decided))


def _beside_the_stage(person: Person, track: TrackDecision, mapping: CompiledMapping) -> Iterator[tuple[str, str, Any]]:
    """The highest stage and the stage dates, as the stage's memory has them."""
    highest, field = track.memory.get("highest"), mapping.model.highest.get(person.object)
    if highest and field:
        step = next(step for step in mapping.stages if step.name == highest)
        yield "highest_stage", field, step.value(person.object)
    if mapping.model.dates is not None and person.object in mapping.model.stage.fields:
        values = date_values(mapping.model.dates, track.memory)
        for name, fields in mapping.writes.items():
            date_field = fields.get(person.object)
            if date_field in values and name.split(" ")[0] in {"entered", "exited", "days", "how"}:
                yield name, date_field, values[date_field]
