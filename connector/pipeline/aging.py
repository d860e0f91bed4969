"""A state does not grow with time: activities leave that are old, and that no rule can tell from others that stay.

Once a week all old ones are looked at, a page a cycle. Which may leave is said by ``connector.lifecycle.folding``, of
every person who has them; what is nobody's stays. What is older than ``before`` is no longer all there: it is not
compared with the org, and where a mapping looks further back, that is said.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import structlog

from connector.base.facts import Person
from connector.lifecycle.folding import both_relied_on, looks_further
from connector.mapping import CompiledMapping
from connector.pipeline.by_ids import chunks
from connector.store import Store

log = structlog.get_logger(__name__)

AGING = "aging"  # where it is kept how far it came
_EVERY = timedelta(days=7)
_PAGE = 2000  # activities in a cycle
_BATCH = 500  # people at a time


def let_go_of_old(store: Store, mapping: CompiledMapping, keep: timedelta | None, now: datetime) -> int:
    """``keep``: for how long every activity stays (None: for ever). Returns how many left."""
    kept = dict(store.cursor(AGING) or {})
    if keep is None or (not kept.get("after") and kept.get("done_at") and now < _time(kept["done_at"]) + _EVERY):
        return 0
    before = mapping.folding.before(now, keep)
    page = store.old_activities(kept.get("after", ""), before, _PAGE)
    leave = set(page.refs) & _superfluous(store, mapping, page.people, before)
    gone = store.let_go(sorted(leave)) if leave else 0
    if gone:
        kept["before"] = max(kept.get("before", ""), before.isoformat())
        said = mapping.folding.said
        kept["said"] = both_relied_on(kept["said"], said) if kept.get("said") else said
    kept |= {"after": page.last or ""} | ({} if page.last else {"done_at": now.isoformat()})
    store.set_cursor(AGING, kept)
    return gone


def _superfluous(store: Store, mapping: CompiledMapping, people: Iterable[str], before: datetime) -> set[str]:
    """Refs of what may leave, for all of these people who have it."""
    leave: set[str] = set()
    stay: set[str] = set()
    for ids in chunks(sorted(people), _BATCH):
        for each in store.facts_of(ids):
            theirs = _of(each, mapping, before)
            leave |= theirs
            stay |= {f"{one.source}:{one.id}" for one in each.activities} - theirs
    return leave - stay


def _of(person: Person, mapping: CompiledMapping, before: datetime) -> set[str]:
    found = mapping.folding.superfluous(mapping.programs[person.object], person, before)
    return {f"{source}:{name}" for source, name in found}


def whole_since(store: Store) -> datetime | None:
    """From when on all activities are there; None: all that were ever read."""
    kept = store.cursor(AGING) or {}
    return _time(kept["before"]) if kept.get("before") else None


def gone_before(store: Store, mapping: CompiledMapping) -> str | None:
    """A mapping may look at what is no longer there: the time before which only some activities were kept."""
    kept = store.cursor(AGING) or {}
    looks_at_gone = kept.get("said") and looks_further(mapping.folding.said, kept["said"])
    return str(kept["before"]) if looks_at_gone else None


def said_of_gone(before: str) -> str:
    return (
        f"the mapping looks at activities before {before[:10]}, of which only some were kept"
        " (CONNECTOR_EVIDENCE_DAYS); a backfill reads again what Salesforce has"
    )


def warn_of_gone(store: Store, mapping: CompiledMapping) -> None:
    """When a mapping comes into force."""
    if before := gone_before(store, mapping):
        log.warning(said_of_gone(before), older_than=before)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
