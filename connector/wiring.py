"""The composition root: settings become a pipeline. Nothing else builds adapters."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from connector import mapping as mappings
from connector.base import heartbeat
from connector.base.clock import Clock, SystemClock
from connector.base.ports import Progress
from connector.base.settings import Settings
from connector.mapping import CompiledMapping
from connector.pipeline.cycle import SALESFORCE_CALLS, Pipeline, calls_spent, silent
from connector.pipeline.decisions import adopt
from connector.pipeline.forgetting import no_files
from connector.pipeline.reconcile import Rhythm
from connector.pipeline.restored import catch_up
from connector.salesforce import SalesforceClient, open_salesforce
from connector.salesforce.objects import polled_objects
from connector.sources import open_sources
from connector.sources.keeping import KeptFiles, Named
from connector.store import (
    Footprint,
    Logbook,
    Redactor,
    Store,
    Upgrade,
    copy_state,
    logbook_beside,
    open_store,
)


def load_mapping(settings: Settings) -> CompiledMapping:
    return mappings.load(settings.mapping)


def state_url(settings: Settings) -> str:
    """The state as a SQLAlchemy URL; a plain path means a SQLite file."""
    return settings.state if "://" in settings.state else f"sqlite:///{settings.state}"


def state_file(settings: Settings) -> Path | None:
    """Where the state is, if it is a file."""
    kind, _, path = state_url(settings).partition(":///")
    return Path(path) if kind == "sqlite" and path else None


@contextmanager
def open_pipeline(
    settings: Settings,
    *,
    clock: Clock | None = None,
    progress: Progress = silent,
    stop: Callable[[], bool] = lambda: False,
    dry_run: bool = False,
    mapping: CompiledMapping | None = None,
) -> Iterator[Pipeline]:
    """Everything a cycle needs. The mapping and the credentials are checked before the state is touched; a dry run
    works on a copy of the state that is thrown away."""
    clock = clock or SystemClock(stop)
    mapping = mapping or load_mapping(settings)
    settings.sign_in()  # says what is missing before anything is opened
    with _open_state(settings, clock, dry_run) as store, open_client(settings, clock, store) as salesforce:
        yield Pipeline(
            mapping=mapping,
            store=store,
            salesforce=salesforce,
            sources=open_sources(settings, salesforce.auth, clock, mapping.types_known, mapping.off),
            objects=polled_objects(mapping),
            clock=clock,
            overlap=timedelta(seconds=settings.overlap),
            pack=settings.write_pack,
            rounds=settings.contested_rounds,
            max_changes=settings.max_changes,
            rhythm=_rhythm(settings),
            sweep_every=timedelta(days=settings.sweep_days) if settings.sweep_days else None,
            evidence=timedelta(days=settings.evidence_days) if settings.evidence_days else None,
            progress=progress,
            stop=stop,
            forget_after=settings.forget_deleted_days,
            in_files=no_files if dry_run else beside_the_state(settings).forget,
        )


def _rhythm(settings: Settings) -> Rhythm | None:
    every = timedelta(seconds=settings.reconcile_interval)
    return Rhythm(every, settings.reconcile_calls) if every else None


def reconciling(pipeline: Pipeline) -> Pipeline:
    """The same, which compares everything with the org at once."""
    return replace(pipeline, rhythm=Rhythm(timedelta(0), None, now=True))


def with_mapping(settings: Settings, pipeline: Pipeline, mapping: CompiledMapping) -> Pipeline:
    """A pipeline of :func:`open_pipeline`, with another mapping."""
    changed = replace(pipeline, mapping=mapping, objects=polled_objects(mapping))
    before = pipeline.mapping
    if (mapping.types_known, mapping.off) == (before.types_known, before.off):
        return changed
    salesforce = pipeline.salesforce
    assert isinstance(salesforce, SalesforceClient)  # noqa: S101 - it was opened here
    sources = open_sources(settings, salesforce.auth, pipeline.clock, mapping.types_known, mapping.off)
    return replace(changed, sources=sources)


@contextmanager
def open_client(settings: Settings, clock: Clock, store: Store | None = None) -> Iterator[SalesforceClient]:
    """A client that signs in when first used. With a store, each call is counted there as it is made, so that the daily
    budget also holds over restarts and crashes."""

    def left() -> int | None:
        if settings.api_daily_budget is None or store is None:
            return None
        return settings.api_daily_budget - calls_spent(store, clock.now())

    def made(kind: str) -> None:
        if store is not None:
            store.add_calls(clock.now().date(), {kind: 1}, source=SALESFORCE_CALLS)

    salesforce = open_salesforce(settings, clock, budget=left, on_call=made)
    try:
        yield salesforce
    finally:
        salesforce.close()


@contextmanager
def open_state(settings: Settings, clock: Clock | None = None, *, writes: bool = False) -> Iterator[Store]:
    """The state as it is; never creates one. One that an older connector made is brought up to date where the caller
    ``writes``."""
    upgrade: Upgrade = "with a copy" if writes else "never"
    with open_store(state_url(settings), clock=clock or SystemClock(), create=False, upgrade=upgrade) as store:
        yield store


@contextmanager
def _open_state(settings: Settings, clock: Clock, dry_run: bool) -> Iterator[Store]:
    url = state_url(settings)
    if not dry_run:
        with open_store(url, clock=clock, exclusive=True) as store:
            store.logbook = logbook_of(settings)
            catch_up(store, store.logbook, clock.now())
            yield store
        return
    with tempfile.TemporaryDirectory(prefix="connector-dry-run-") as folder:
        copy = Path(folder) / "state.sqlite3"
        copy_state(url, copy)
        with open_store(f"sqlite:///{copy}", clock=clock, upgrade="quietly") as store:
            catch_up(store, logbook_of(settings), clock.now())
            yield store


@dataclass(frozen=True, slots=True)
class BesideTheState:
    """Where people are named beside the state."""

    files: KeptFiles
    logbook: Logbook

    def mentioning(self, who: Footprint) -> list[str]:
        named = _named(who)
        return [*self.files.naming(named), *map(str, self.logbook.naming(named.is_in))]

    def forget(self, who: Footprint) -> list[str]:
        named = _named(who)
        return [*self.files.take_out(named), *map(str, self.logbook.take_out(named.is_in))]


def _named(who: Footprint) -> Named:
    return Named(Redactor(who.texts), who.keys)


def beside_the_state(settings: Settings) -> BesideTheState:
    file, folder = state_file(settings), settings.activity_folder
    copies = tuple(sorted(file.parent.glob(f"{file.name}.schema-*"))) if file else ()
    quarantines = (settings.taps_quarantine, *((folder / "quarantine",) if folder else ()))
    beats = heartbeat.beside(settings.state)
    files = KeptFiles(settings.webhook_inbox, quarantines, copies, (beats,), folder)
    return BesideTheState(files, logbook_of(settings))


def logbook_of(settings: Settings) -> Logbook:
    return Logbook(logbook_beside(heartbeat.beside(settings.state), state_url(settings)))


def copied_state(settings: Settings, clock: Clock) -> AbstractContextManager[Store]:
    """A copy of the state, thrown away afterwards."""
    return _open_state(settings, clock, dry_run=True)


@contextmanager
def open_state_under(mapping: CompiledMapping, settings: Settings, clock: Clock) -> Iterator[Store]:
    """The state, to look at what this mapping decides. Where it joins or links records otherwise than the one in force,
    a copy in which it does, thrown away afterwards."""
    with open_state(settings, clock) as store:
        if store.joins() == mapping.identity and store.record_links() == mapping.model.records:
            yield store
            return
    with copied_state(settings, clock) as store:
        adopt(store, mapping)
        yield store
