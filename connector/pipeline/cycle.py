"""One cycle, and the table of contents of the connector: its body is the way the data takes.

    poll      what changed at Salesforce and the sources becomes facts      connector.pipeline.poll
    recognise what was sent before, and never answered                      connector.pipeline.unanswered
    notice    a new mapping, or a date that passed, makes people dirty      connector.store
    decide    every dirty person, from everything recorded of them          connector.pipeline.decisions
    plan      the fields that differ, all of them, before the first write   connector.pipeline.decisions
    write     in packs of 1,200 rows, 400 a call                            connector.pipeline.writeback
    settle    what Salesforce answered, in one transaction a pack           connector.store

It decides nothing itself. A crash between any two lines loses nothing: facts and cursors commit together, and a person
stays dirty until Salesforce answered for them.

A plan of up to 10,000 people is kept between being counted and being written. A larger one is made twice, so that
memory stays flat with 500,000; deciding is pure and fast, and nothing that it looks at moves in between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from connector.base.clock import Clock
from connector.base.errors import ConfigurationError, ConnectorError
from connector.base.ports import PolledObject, Progress, Salesforce, Source
from connector.mapping import CompiledMapping
from connector.pipeline.aging import gone_before, let_go_of_old, warn_of_gone
from connector.pipeline.approval import hold_back
from connector.pipeline.blind import keep_blindness, keep_waiting, never_seen
from connector.pipeline.currencies import find_currencies, with_codes
from connector.pipeline.decisions import Decisions, adopt
from connector.pipeline.forgetting import InFiles, forget_due, no_files
from connector.pipeline.object_reader import Polled
from connector.pipeline.optional_fields import with_optional_fields
from connector.pipeline.owners import find_owners
from connector.pipeline.patience import Patience
from connector.pipeline.planned import Listing, Planned
from connector.pipeline.poll import poll_salesforce, poll_sources
from connector.pipeline.reconcile import Rhythm
from connector.pipeline.report import CycleReport
from connector.pipeline.restored import tell_apart
from connector.pipeline.sight import tell_unread
from connector.pipeline.signed_in import keep_sign_in
from connector.pipeline.unanswered import settle_unanswered
from connector.pipeline.unwritable import look_again
from connector.pipeline.writeback import Writer
from connector.store import KeptCursor, Settled, Store

log = structlog.get_logger(__name__)

SALESFORCE_CALLS = "salesforce"
SETTLING = "settling"  # the second pass over the plan, which writes


def calls_spent(store: Store, now: datetime) -> int:
    """Calls of Salesforce's daily budget that are spent today."""
    return sum(store.calls_on(now.date()).get(SALESFORCE_CALLS, {}).values())


def calls_forecast(spent: int, now: datetime) -> int:
    """What a day's calls come to, if its rest is like the day so far."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return round(spent * (timedelta(days=1) / max(now - midnight, timedelta(minutes=1))))


def silent(_what: str, _done: int, _total: int | None) -> None:
    """Tells nobody of the progress."""


Chosen = Callable[[], Sequence[str] | None]  # the people to decide; None: everybody who is dirty


def whoever_is_dirty() -> None:
    """The scope of an ordinary cycle."""


@dataclass(frozen=True)
class Pipeline:
    """What a cycle works with; ``connector.wiring`` puts it together."""

    mapping: CompiledMapping
    store: Store
    salesforce: Salesforce
    sources: Sequence[Source]
    objects: Sequence[PolledObject]
    clock: Clock
    overlap: timedelta
    pack: int
    rounds: int = 3  # how often somebody must set a field back before it is left to them; 0: it is never
    max_changes: int | None = None
    rhythm: Rhythm | None = None  # of the reconcile
    sweep_every: timedelta | None = None
    progress: Progress = silent
    stop: Callable[[], bool] = lambda: False
    forget_after: float | None = None  # days since a deletion
    in_files: InFiles = no_files
    evidence: timedelta | None = None  # for how long every activity is kept; None: for ever
    patience: Patience = field(default_factory=Patience)


def run_cycle(
    pipeline: Pipeline,
    *,
    kind: str = "sync",
    scope: Chosen = whoever_is_dirty,
    dry_run: bool = False,
    holds_back: bool = False,
    listing: Listing | None = None,
) -> CycleReport:
    """One cycle. ``scope`` may mark people once the facts are read, and says who is decided. ``dry_run`` stops before
    the first write: the caller hands it a pipeline over a copy of the store. ``holds_back``: a plan above the limit is
    held back and told in the report; otherwise it raises ConfigurationError. ``listing``: takes who it is. Raises what
    stops everybody (see ``connector.base.errors``)."""
    store, clock = pipeline.store, pipeline.clock
    report = CycleReport(kind=kind, dry_run=dry_run, started_at=clock.now(), mapping=pipeline.mapping.version)
    report.listing = listing
    calls = calls_of(pipeline)
    cycle_id = None
    try:
        cycle_id = store.begin_cycle(kind, report.started_at)
        report.org = pipeline.salesforce.identity()
        store.bind_org(report.org)
        keep_sign_in(pipeline.salesforce, store, report.started_at)
        forget_due(store, pipeline.mapping, pipeline.forget_after, pipeline.in_files, clock.now())
        polled = poll(pipeline)
        report.read_from(polled)
        now = polled.server_time or clock.now()
        look_again(pipeline.salesforce, store, now)
        notice(pipeline, now)
        report.kept_in_part = gone_before(store, pipeline.mapping)
        owners = find_owners(pipeline.mapping, pipeline.salesforce, store, now)
        decisions = Decisions(pipeline.mapping, store, owners, now)
        if settle_unanswered(pipeline.salesforce, store, decisions, pipeline.overlap, polled.waiting):
            decisions = decisions.afresh()
        tell_apart(pipeline.salesforce, store, pipeline.mapping)
        only = scope()
        count_plan(pipeline, decisions, only, report)
        if not dry_run and not pipeline.stop():  # a count that was cut short says nothing of the limit
            report.held_back = hold_back(store, report.to_change, pipeline.max_changes, now)
            if report.held_back is None:
                write_plan(pipeline, decisions.again(), cycle_id, only, report)
            elif not holds_back:
                raise too_many(report)
            let_go_of_old(store, pipeline.mapping, pipeline.evidence, now)
        report.result = "held" if report.held_back else "interrupted" if pipeline.stop() else "done"
    except ConnectorError as error:
        report.fail(error.what, error.hint)
        raise
    except Exception as error:
        report.fail(f"unexpected {type(error).__name__}")
        raise
    finally:
        finish(pipeline, cycle_id, report, calls)
    return report


def too_many(report: CycleReport) -> ConfigurationError:
    return ConfigurationError(
        f"this cycle would change {report.said_to_change}, more than the limit of {report.limit}; nothing was written",
        "look at the plan with --dry-run --list, then allow it with --max-changes, CONNECTOR_MAX_CHANGES or"
        " connector approve",
    )


def poll(pipeline: Pipeline) -> Polled:
    now, store = pipeline.clock.now(), pipeline.store
    currencies = find_currencies(pipeline.mapping, pipeline.salesforce, store, now)
    objects = with_optional_fields(pipeline.objects, pipeline.salesforce, store, now)
    polled, cursors = poll_salesforce(
        pipeline.salesforce,
        store,
        with_codes(objects, currencies),
        now=now,
        overlap=pipeline.overlap,
        progress=pipeline.progress,
        rhythm=pipeline.rhythm,
    )
    keep_waiting(pipeline.store, polled.waiting)
    tell_unread(pipeline.store, polled.unread)
    now = polled.server_time or pipeline.clock.now()
    poll_sources(
        pipeline.sources,
        store,
        polled,
        now=now,
        progress=pipeline.progress,
        stop=pipeline.stop,
        sweep_every=pipeline.sweep_every,
        patience=pipeline.patience,
    )
    polled.blind = never_seen(store, pipeline.mapping, cursors, [each.name for each in pipeline.sources])
    keep_blindness(store, polled.blind)
    return polled


def notice(pipeline: Pipeline, now: datetime) -> None:
    """People whose answer may have changed without a new fact: another mapping, or time."""
    if pipeline.store.mapping_version() != pipeline.mapping.version:
        adopt(pipeline.store, pipeline.mapping)
        warn_of_gone(pipeline.store, pipeline.mapping)
    pipeline.store.mark_due(now)


def plan_dirty(
    pipeline: Pipeline, decisions: Decisions, only: Sequence[str] | None, what: str
) -> Iterator[list[Planned]]:
    """Every dirty person, decided and planned, in batches; stops between two of them when asked to."""
    store, done = pipeline.store, 0
    total = store.dirty_count() if only is None else len(only)
    for marks, batch in decisions.dirty(None if only is None else frozenset(only)):
        if gone := marks.keys() - {each.id for each in batch}:
            store.drop_dirty([(person_id, marks[person_id]) for person_id in gone])
        done += len(marks)
        pipeline.progress(what, done, total)
        yield batch
        if pipeline.stop():
            return


def count_plan(pipeline: Pipeline, decisions: Decisions, only: Sequence[str] | None, report: CycleReport) -> None:
    """Counts the whole plan before the first write."""
    report.owners = decisions.assigner.owners.names
    if report.listing is not None:
        report.listing.of_org(pipeline.salesforce.address(), report.owners)
    for batch in plan_dirty(pipeline, decisions, only, "deciding"):
        report.plan(batch)
    for batch in decisions.rollup.to_come(account for marks in decisions.rollup.dirty() for account in marks):
        report.plan_accounts(batch)


def write_plan(
    pipeline: Pipeline, decisions: Decisions, cycle_id: int, only: Sequence[str] | None, report: CycleReport
) -> None:
    total, done = report.to_change, 0

    def settling(settled: Sequence[Settled]) -> tuple[Sequence[KeptCursor], Sequence[str]]:
        nonlocal done
        for outcome in (outcome for each in settled for outcome in each.outcomes):
            done += 1
            report.outcome(outcome)
            pipeline.progress("writing", done, total)
        return decisions.settle(settled)

    writer = Writer(
        pipeline.salesforce,
        pipeline.store,
        pack=pipeline.pack,
        cycle_id=cycle_id,
        mapping_version=pipeline.mapping.version,
        now=decisions.now,
        settling=settling,
        rounds=pipeline.rounds,
    )
    for batch in plan_dirty(pipeline, decisions, only, SETTLING):
        writer.add(batch)
    writer.finish()
    for marks in decisions.rollup.dirty():
        writer.add(decisions.rollup.take(marks))
    writer.finish()


def finish(pipeline: Pipeline, cycle_id: int | None, report: CycleReport, before: Mapping[str, Counter[str]]) -> None:
    """Says how it went, counts the calls and closes the books, whatever happened; there are none of a cycle that the
    state did not let begin."""
    now = pipeline.clock.now()
    made = {name: +(after - before[name]) for name, after in calls_of(pipeline).items()}
    salesforce_calls = made.pop(SALESFORCE_CALLS)  # counted in the store as they were made, for the daily budget
    report.finish(now, salesforce_calls, made)
    log_it = {"failed": log.error, "held": log.warning, "interrupted": log.warning}.get(report.result, log.info)
    log_it(f"cycle {report.result}", cycle=cycle_id, org=report.org, mapping=report.mapping, **report.summary())
    if cycle_id is not None:
        for name, calls in made.items():
            pipeline.store.add_calls(now.date(), calls, source=name)
        pipeline.store.end_cycle(cycle_id, now, report.as_dict())


def calls_of(pipeline: Pipeline) -> dict[str, Counter[str]]:
    """Made so far: of Salesforce, and of each source."""
    return {
        SALESFORCE_CALLS: Counter(pipeline.salesforce.calls()),
        **{source.name: Counter(source.calls()) for source in pipeline.sources},
    }
