"""Backfill: read everything again, decide everybody from the full history, write what differs.

It is a cycle with two steps before it: every object's cursor is turned into a full read, and everybody in scope is
marked. It survives an interruption: a full read goes on at the row it reached, and the marks of people already settled
are gone. Because a full read removes what it no longer sees, a backfill is also the reconcile that finds deletions
which Salesforce's delete log has forgotten; what only rights or filters can have hidden stays (``sight.py``). Sources
are read from their beginning, too, which finds what was tied to somebody later without a change of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.base.errors import ConfigurationError
from connector.base.facts import PEOPLE
from connector.pipeline.cycle import Pipeline, run_cycle
from connector.pipeline.object_cursor import full_read
from connector.pipeline.planned import Listing
from connector.pipeline.report import CycleReport
from connector.store import Store

STATE = "backfill"  # the cursor that remembers an unfinished backfill


@dataclass(frozen=True, slots=True)
class Scope:
    """Who is decided: everybody, people with facts since a date, people of one object, or these. ``sources``: which are
    read from their beginning; () for all, and for none where only some people are decided."""

    since: datetime | None = None
    object_name: str | None = None
    ids: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        return {
            "since": self.since.isoformat() if self.since else None,
            "object": self.object_name,
            "ids": list(self.ids),
            "sources": list(self.sources),
        }


def run_backfill(
    pipeline: Pipeline, scope: Scope, *, dry_run: bool = False, listing: Listing | None = None, gone: bool = False
) -> CycleReport:
    """``gone``: what is no longer seen is deleted, whatever Salesforce's delete log says. Raises ConfigurationError for
    a person nobody knows; otherwise as ``run_cycle``."""
    if scope.object_name and scope.object_name not in PEOPLE:
        raise ConfigurationError(
            f"people are Contacts and Leads; {scope.object_name} is neither", "use --object Contact or --object Lead"
        )
    names = [each.name for each in pipeline.sources]
    if wrong := [name for name in scope.sources if name not in names]:
        raise ConfigurationError(f"no source {', '.join(wrong)} is read", f"read are: {', '.join(names) or 'none'}")
    store = pipeline.store
    begun = store.cursor(STATE)
    if begun is None or begun["scope"] != scope.as_dict():
        for each in pipeline.objects:
            store.set_cursor(each.name, full_read(store.cursor(each.name), each.fields, believed=gone).as_json())
        for name in scope.sources or (each.name for each in pipeline.sources if not scope.ids):
            store.set_cursor(name, None)
        store.set_cursor(STATE, {"scope": scope.as_dict(), "marked": False})

    def mark() -> Sequence[str] | None:
        return _mark(store, scope)

    report = run_cycle(pipeline, kind="backfill", scope=mark, dry_run=dry_run, listing=listing)
    if not pipeline.stop():
        store.set_cursor(STATE, None)
        if not dry_run:
            store.defragment()
    return report


def _mark(store: Store, scope: Scope) -> Sequence[str] | None:
    """Marks the people in scope, once a backfill; returns who they are, None for everybody."""
    people = _people(store, scope)
    begun = store.cursor(STATE) or {}
    if not begun.get("marked"):
        if people is None:
            store.mark_all_dirty()
        else:
            store.mark_dirty(people)
        store.set_cursor(STATE, {**begun, "marked": True})
    return people


def _people(store: Store, scope: Scope) -> list[str] | None:
    if scope.ids:
        found = {given: store.find_people(given) for given in scope.ids}
        if unknown := sorted(given for given, people in found.items() if not people):
            raise ConfigurationError(
                f"no person has the id or e-mail {', '.join(unknown)}",
                "give the id of a Contact or Lead that the integration user can read",
            )
        return sorted({person for people in found.values() for person in people})
    if scope.object_name or scope.since:
        return store.people_in(object_name=scope.object_name, since=scope.since)
    return None
