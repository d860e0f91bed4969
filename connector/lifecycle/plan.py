"""Plan: the field writes that follow from a decision: only fields that differ, none for somebody without a record."""

from __future__ import annotations

from connector.facts import Change, Decision, Person, RecordChange
from connector.lifecycle.mapping import Mapping

PROSPECT = "Prospect"


def plan(person: Person, decision: Decision, mapping: Mapping) -> RecordChange | None:
    """None when there is nothing to write. A decided value of "" empties the field."""
    if person.object == PROSPECT:
        return None
    changes = []
    for track in decision.tracks:
        field = mapping.writes.get(track.track, {}).get(person.object)
        if field is None or track.value is None:
            continue
        old, new = person.fields.get(field), track.value or None
        if (old or None) != new:
            changes.append(Change(track.track, field, old, new))
    if not changes:
        return None
    account_id = str(person.fields.get("AccountId") or "")
    return RecordChange(person.id, person.object, person.id, tuple(changes), account_id)
