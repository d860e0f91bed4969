"""Reading: what changed at Salesforce and at the marketing sources becomes facts in the store.

Salesforce objects are read by (SystemModstamp, Id). A cursor says up to which server time an object is known
(``through``); the next read goes back behind it by the overlap, because Salesforce stamps a row when its transaction
writes it and shows it when the transaction commits, up to ten minutes later. Re-reads are harmless: the store keeps one
row an id and marks a person only when the content differs.

A cursor moves in the transaction that stores its page. While a read of many pages is under way the cursor also holds
the place reached (``at``) and the server time at which the read began (``started``): an interrupted read goes on from
there, and only its end moves ``through``, to ``started``. A *full* read has no lower bound, stamps what it sees with
a generation, and removes what it did not see: it is the first read of an object, the backfill's read, and how a field
that a new mapping needs is fetched.

Where more rows than a page changed within the overlap (after a backfill these are our own writes), re-reading them in
every cycle would cost calls for nothing. Then the read leaves out of the overlap what our own user changed last, and
a COUNT() of the overlap travels along: only when Salesforce counts another number of rows there than the store, which a
row of our user that commits late brings about, is all of it read again. A count alone would see no late change of a
known row.

All first pages travel together: five queries fit one Composite request, and the getDeleted calls ride in the second
one, so a cycle in which nothing happened costs two API calls; beyond ten queries see ``waiting.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from connector.base.errors import ConnectorError
from connector.base.ports import (
    Answers,
    DeletedSince,
    PolledObject,
    Progress,
    Salesforce,
    Source,
)
from connector.lifecycle.sources import FEEDS
from connector.pipeline.by_ids import is_slow
from connector.pipeline.object_cursor import ObjectCursor, prepare_cursor
from connector.pipeline.object_reader import ROLES, Polled, Reader
from connector.pipeline.patience import Patience, StillRefused
from connector.pipeline.reconcile import DELETE_LOG, Rhythm, compare_with_org
from connector.pipeline.sight import end_full_read
from connector.pipeline.source_health import SourceHealth, same_ids
from connector.pipeline.source_sweep import SourceSweep
from connector.pipeline.waiting import waiting, windows
from connector.store import Store

log = structlog.get_logger(__name__)


def poll_salesforce(
    salesforce: Salesforce,
    store: Store,
    objects: Sequence[PolledObject],
    *,
    now: datetime,
    overlap: timedelta,
    progress: Progress,
    rhythm: Rhythm | None = None,
) -> tuple[Polled, Mapping[str, ObjectCursor]]:
    """Brings every object up to date; returns the cursors, too. ``now`` is the local clock's and only bounds the
    getDeleted window. ``rhythm``: how often what is known is compared with the org (None: never)."""
    cursors = {each.name: prepare_cursor(store.cursor(each.name), each.fields, each.absent) for each in objects}
    for each in objects:
        if cursors[each.name].is_due(each.refresh, now):
            cursors[each.name].begin_again()
    asked = objects
    deleted = _deleted_reads({each.name: cursors[each.name] for each in objects if each.logs_deletions}, now)
    roles = next((each for each in objects if each.name == ROLES), None)
    rereads = roles is not None and not cursors[ROLES].full  # a full read sees what was removed
    reader = Reader(salesforce, store, overlap, progress, Polled(), rereads)
    counted = {each.name: cursors[each.name] for each in objects if reader.is_crowded(each, cursors[each.name])}
    slow = [each for each in objects if cursors[each.name].window]
    waits = waiting([each for each in objects if each not in slow], cursors, len(counted))
    at_once = [each for each in objects if each not in waits and each not in slow]
    reads = [reader.ask(each, cursors[each.name], skip_echo=each.name in counted) for each in at_once]
    reads += [reader.count(name, cursor) for name, cursor in counted.items()]
    answers = salesforce.read(reads, [*windows(waits, cursors, overlap, now), *deleted])
    answers = reader.read_what_changed(waits, cursors, answers)
    objects, answers = reader.without_hidden_fields(objects, cursors, answers)
    slow += [each for each in objects if is_slow(answers.refused.get(each.name))]
    reader.set_apart(answers, slow, cursors)
    objects = [each for each in objects if each.name not in reader.polled.unread]
    reader.polled.server_time = answers.server_time
    full = [each.name for each in objects if cursors[each.name].full]
    for each in (each for each in objects if each.name in answers.pages):
        cursor = cursors[each.name]
        if not reader.read_at_once(each, cursor, answers, is_counted=each.name in counted):
            slow.append(each)
        elif each.name in answers.updated:
            reader.keep_quiet(each.name, cursor, answers)
    for each in slow:
        reader.read_in_windows(each, cursors[each.name], answers.server_time)
    _take_deleted(store, cursors, answers)
    for name in (each for each in full if each not in reader.polled.unread):
        found = answers.deleted.get(name)
        is_told = found is not None and found.complete
        end_full_read(store, name, cursors, reader.polled.read.get(name, 0), is_told=is_told)
    if rhythm is not None:
        compare_with_org(reader, objects, cursors, rhythm, answers.server_time)
    reader.polled.unseen = {name: cursor.unseen for name, cursor in cursors.items() if cursor.unseen}
    roles = next((each for each in objects if each.name == ROLES), None)
    if roles is not None and ROLES not in reader.polled.unread:
        reader.reread_roles(roles)
    return reader.polled, {each.name: cursors[each.name] for each in asked if not each.may_lack}


def poll_sources(
    sources: Iterable[Source],
    store: Store,
    polled: Polled,
    *,
    now: datetime,
    progress: Progress,
    stop: Callable[[], bool],
    sweep_every: timedelta | None = None,
    patience: Patience,
) -> None:
    """Brings every source up to date, or as far as it came when asked to stop; one that is down is reported and delays
    nobody else."""
    health = SourceHealth(store, now)
    try:
        for source in sources:
            sweep = SourceSweep(source, store, sweep_every, now)
            try:
                patience.ask(source.name, now)
                if not _poll_source(source, store, polled, health, sweep, now=now, progress=progress, stop=stop):
                    return
                patience.over(source.name)
            except ConnectorError as refused:
                error = patience.noted(source.name, refused, now)
                polled.failed[source.name] = error
                health.failed(source.name, error)
                tell = log.debug if isinstance(error, StillRefused) else log.warning
                tell("source failed", source=source.name, error=error.what, code=getattr(error, "code", ""))
            health.allowed(source)
    finally:
        health.keep()


def _poll_source(
    source: Source,
    store: Store,
    polled: Polled,
    health: SourceHealth,
    sweep: SourceSweep,
    *,
    now: datetime,
    progress: Progress,
    stop: Callable[[], bool],
) -> bool:
    """Whether to go on with the others."""
    if (account := source.account()) is not None:
        store.bind_source(source.name, account)
    sweep.begin()
    known = same_ids(store, source.name)
    for page in source.poll(store.cursor(source.name), now):
        changed = store.record_page(source.name, page, generation=sweep.number)
        health.read(source.name, page)
        polled.add(source.name, len(page.activities) + len(page.prospects), changed)
        for kind, count in page.unknown.items():
            polled.unknown_types[kind] = polled.unknown_types.get(kind, 0) + count
            polled.unmapped += count if source.name in FEEDS else 0
        if page.bad:
            polled.bad[source.name] = polled.bad.get(source.name, 0) + page.bad
        if page.activities and (more := same_ids(store, source.name) - known):
            if more != polled.same_ids.get(source.name):
                log.warning("activities with an id that another has, both are kept", source=source.name, count=more)
            polled.same_ids[source.name] = more
        progress(source.name, polled.read[source.name], None)
        if stop():
            return False
    if found := sweep.go_on(stop):
        polled.swept[source.name] = found
    health.went_well(source.name)
    return True


def _deleted_reads(cursors: Mapping[str, ObjectCursor], now: datetime) -> list[DeletedSince]:
    """Deletions since the last look; of an object in a full read, too, to tell what was deleted from what is hidden.
    Where the last look is longer ago than Salesforce's log reaches, the read becomes a full one."""
    reads = []
    for name, cursor in cursors.items():
        start = cursor.deleted_through or cursor.through
        if start is None:
            continue
        if now - start > DELETE_LOG:
            if not cursor.full:
                cursor.begin_again()
                log.info("delete log too old, reading all", object=name)
            cursor.deleted_through = None
            continue
        reads.append(DeletedSince(name, name, start, max(now, start + timedelta(minutes=1))))
    return reads


def _take_deleted(store: Store, cursors: Mapping[str, ObjectCursor], answers: Answers) -> None:
    for name, deleted in answers.deleted.items():
        cursor = cursors[name]
        cursor.deleted_through = deleted.covered_until
        if not deleted.complete and not cursor.full:
            log.info("delete log incomplete, next poll reads all", object=name)
            cursor.begin_again()
        store.remove_rows(name, deleted.ids, cursor=(name, cursor.as_json()))
