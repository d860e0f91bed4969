"""What the state knows, for ``connector status`` and ``connector explain``. Reads the state, asks nobody."""

from __future__ import annotations

import re

from connector.base import heartbeat
from connector.base.clock import SystemClock
from connector.base.errors import ConfigurationError
from connector.base.facts import PEOPLE
from connector.base.json import JsonMap, JsonObject
from connector.base.settings import Settings
from connector.lifecycle.values import show_duration
from connector.mapping import CompiledMapping
from connector.pipeline.aging import AGING
from connector.pipeline.alerts import ALERTS
from connector.pipeline.approval import APPROVED, HELD, held_back
from connector.pipeline.backfill import STATE as BACKFILL
from connector.pipeline.blind import BLIND, CANNOT_BE_READ
from connector.pipeline.currencies import CURRENCIES
from connector.pipeline.decisions import PROMISED, TURNS
from connector.pipeline.forgetting import FORGETTING
from connector.pipeline.hidden import HIDDEN_FIELDS
from connector.pipeline.object_reader import POLL_PAGE
from connector.pipeline.optional_fields import OPTIONAL_FIELDS as OPTIONAL
from connector.pipeline.owners import OWNERS
from connector.pipeline.reconcile import RECONCILE
from connector.pipeline.signed_in import SIGNED_IN
from connector.pipeline.source_health import HEALTH, failing_sources, not_understood
from connector.pipeline.source_sweep import SWEEP
from connector.reports.advice import advice
from connector.sources import switched_on
from connector.sources.kinds import KINDS
from connector.store import Store
from connector.store.apart import SAME_IDS
from connector.wiring import load_mapping, open_state

CYCLES_SHOWN = 5
DROPPED_SHOWN = 5
RECORD_ID = re.compile(r"\b[a-zA-Z0-9]{5}0[a-zA-Z0-9]{9}(?:[A-Z0-5]{3})?\b")
# Kept beside the cursors of objects and sources
_OF_CYCLES = {AGING, ALERTS, APPROVED, BACKFILL, HEALTH, HELD, OWNERS, PROMISED, SIGNED_IN, TURNS}
INTERNAL = frozenset(
    _OF_CYCLES | {BLIND, CANNOT_BE_READ, CURRENCIES, FORGETTING, HIDDEN_FIELDS, OPTIONAL, RECONCILE, SAME_IDS}
)


def read_status(settings: Settings) -> JsonObject:
    """JSON values: the document of ``connector status --json``."""
    clock = SystemClock()
    beat, mapping = heartbeat.read_heartbeat(heartbeat.beside(settings.state)), load_mapping_or_none(settings)
    tracks = _tracks(mapping)
    with open_state(settings, clock) as store:
        refused = store.set_aside(None)
        dropped, examples = store.opportunities_without_roles(DROPPED_SHOWN)
        return {
            "heartbeat": beat.as_dict(clock.now()) if beat else None,
            "held_back": held.said if (held := held_back(store)) else None,
            "mapping": store.mapping_version(),
            "mapping_since": store.mapping_since(),
            "people": {track: _in_order(store.people_by(track), order) for track, order in tracks.items()},
            "out_of_reports": _out_of_reports(mapping),
            "prospects": _in_order(store.people_by("stage", only_alone=True), tracks["stage"]),
            "hidden_fields": store.cursor(HIDDEN_FIELDS) or {},
            "never_seen": (store.cursor(BLIND) or {}).get("of", []),
            "counts": store.counts(),
            "opportunities_without_roles": {"count": dropped, "last_changed": examples},
            "waiting": store.dirty_count(),
            "refused": [{**each, "advice": advice(each["code"])} for each in grouped(refused)],
            "set_aside": refused,
            "rolled_back": store.rolled_back(),
            "api_calls_today": store.calls_on(clock.now().date()),
            "api_daily_budget": settings.api_daily_budget,
            "cursors": {name: value for name, value in store.cursors().items() if not is_internal(name)},
            "unknown_types": unknown_types(store, mapping),
            "not_understood": {
                what: bad for each in not_understood(store.cursors()).values() for what, bad in each.items()
            },
            "same_ids": {name: int(number) for name, number in (store.cursor(SAME_IDS) or {}).items()},
            "failing_sources": failing_sources(store.cursor(HEALTH), read_sources(settings, mapping)),
            "reconcile": _reconcile(store.cursor(RECONCILE) or {}),
            "refresh": _refresh(mapping, store.cursors()),
            "cycles": store.cycles(CYCLES_SHOWN),
        }


def is_internal(name: str) -> bool:
    return name in INTERNAL or name.startswith(SWEEP)


def read_sources(settings: Settings, mapping: CompiledMapping | None) -> list[str]:
    """The sources that settings turn on and the mapping does not switch off."""
    off = mapping.off if mapping else ()
    return [name for name in switched_on(settings) if name not in off]


def unknown_types(store: Store, mapping: CompiledMapping | None) -> list[JsonObject]:
    """Recorded activities of types of which neither we nor the mapping know what they are; with their source."""
    declared = mapping.types_known if mapping else frozenset()
    return store.types_beside(frozenset(KINDS) | declared)


def _reconcile(kept: JsonMap) -> JsonObject:
    """When all was compared with the org last, what that cost, and what was repaired; ``under_way``: objects left."""
    return {"last": kept.get("last"), "under_way": kept.get("left", [])}


def _refresh(mapping: CompiledMapping | None, cursors: JsonMap) -> dict[str, JsonObject]:
    """What is read again in full, how often, and what that costs."""
    return {
        name: {
            "every": show_duration(every),
            "rows": (rows := (cursors.get(name) or {}).get("full_rows", 0)),
            "calls": -(-rows // POLL_PAGE),
            "last": (cursors.get(name) or {}).get("full_at"),
        }
        for name, every in (mapping.model.refresh if mapping else {}).items()
    }


def grouped(refused: list[JsonObject]) -> list[JsonObject]:
    """The refused writes by code and message, the most frequent first. Messages that differ in nothing but the record
    they name are one."""
    groups: dict[tuple[str, str], list[JsonObject]] = {}
    for each in refused:
        groups.setdefault((each["code"], RECORD_ID.sub("...", each["message"])), []).append(each)
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return [
        {
            "code": code,
            "message": rows[0]["message"] if len(rows) == 1 else message,
            "count": len(rows),
            "records": [each["record_id"] for each in rows],
        }
        for (code, message), rows in ordered
    ]


def load_mapping_or_none(settings: Settings) -> CompiledMapping | None:
    """None: a mapping that does not load is ``check``'s to report."""
    try:
        return load_mapping(settings)
    except ConfigurationError:
        return None


def _tracks(mapping: CompiledMapping | None) -> dict[str, list[str]]:
    """Tracks with their values in the mapping's order."""
    if mapping is None:
        return {"stage": [], "status": []}
    found = {track.name: [step.name for step in track.steps] for track in mapping.model.tracks}
    return found | {"stage": [step.name for step in mapping.stages]}


def _out_of_reports(mapping: CompiledMapping | None) -> list[str]:
    """Salesforce's values of the stages that the mapping leaves out of reports (``reports: hidden``)."""
    steps = () if mapping is None else mapping.stages
    values = [step.value(name) for step in steps if step.reports == "hidden" for name in PEOPLE]
    return list(dict.fromkeys(values))


def _in_order(counts: dict[str, int], order: list[str]) -> dict[str, int]:
    """As the mapping orders them; then what it does not know, and nothing at the end."""
    others = [value for value in counts if value not in order]
    return {
        value: counts[value] for value in (*order, *sorted(others, key=lambda value: value == "")) if value in counts
    }
