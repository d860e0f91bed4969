"""What the state knows, for ``connector status`` and ``connector explain``. Reads the state, asks nobody."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from connector.clock import SystemClock
from connector.daemon import read_heartbeat
from connector.errors import ConfigurationError
from connector.facts import Person
from connector.lifecycle import explain
from connector.mapping import Mapping
from connector.settings import Settings
from connector.store import Store
from connector.wiring import heartbeat_file, load_mapping, open_state

CYCLES_SHOWN = 5
SET_ASIDE_SHOWN = 20


def read_status(settings: Settings) -> dict[str, Any]:
    """JSON values: the document of ``connector status --json``."""
    clock = SystemClock()
    beat = read_heartbeat(heartbeat_file(settings), clock)
    with open_state(settings, clock) as store:
        return {
            "heartbeat": {"status": beat[0], "seconds_ago": round(beat[1], 1)} if beat else None,
            "mapping": store.mapping_version(),
            "people": {track: _in_order(store.people_by(track), order) for track, order in _tracks(settings).items()},
            "counts": store.counts(),
            "waiting": store.dirty_count(),
            "set_aside": store.set_aside(SET_ASIDE_SHOWN),
            "api_calls_today": store.calls_on(clock.now().date()),
            "api_daily_budget": settings.api_daily_budget,
            "cursors": store.cursors(),
            "cycles": store.cycles(CYCLES_SHOWN),
        }


def _tracks(settings: Settings) -> dict[str, list[str]]:
    """Tracks with their values in the mapping's order; a mapping that does not load is ``check``'s to report."""
    try:
        return {track.name: [step.name for step in track.steps] for track in load_mapping(settings).model.tracks}
    except ConfigurationError:
        return {"stage": [], "status": []}


def _in_order(counts: dict[str, int], order: list[str]) -> dict[str, int]:
    known = {value: counts[value] for value in order if value in counts}
    return known | {value: count for value, count in counts.items() if value not in known}


def explain_people(settings: Settings, query: str) -> list[dict[str, Any]]:
    """One document a person found. Raises ConfigurationError when nobody is."""
    mapping = load_mapping(settings)
    clock = SystemClock()
    with open_state(settings, clock) as store:
        ids = store.find_people(query)
        if not ids:
            raise ConfigurationError(
                f"the state knows nobody with the id or e-mail {query}",
                "check the spelling; a person is known after the first sync or backfill that read them",
            )
        return [explained(store, person, mapping, clock.now()) for person in store.facts_of(ids)]


def explained(store: Store, person: Person, mapping: Mapping, now: datetime) -> dict[str, Any]:
    """Who it is, what was decided and why, what every rule says now, what happened to them, and what was written."""
    return {
        "person": person.id,
        "object": person.object,
        "name": person.fields.get("Name"),
        "email": person.fields.get("Email"),
        "aliases": list(person.aliases),
        "decided": store.latest(person.id),
        "now": explain(person, mapping, now).as_dict(),
        "timeline": [
            {
                "at": each.occurred_at.isoformat(),
                "source": each.source,
                "kind": each.kind,
                "direction": str(each.direction),
                "name": each.name,
                "id": each.id,
            }
            for each in reversed(person.activities)
        ],
        "history": store.history(person.id),
    }
