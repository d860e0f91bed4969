"""Rolling back: what we wrote is put back to what stood before, where it is still ours.

The permanent log says what was written; the org, read by ids right before, says what stands there now. A value that is
no longer what we wrote, or that a later run of ours wrote again, is left alone and listed. What is put back goes the
way of every write: journal, packs, answers, log. So it is a run itself, and can be rolled back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connector.base.errors import ConfigurationError
from connector.base.facts import Change, Decision, RecordChange, Row, TrackDecision
from connector.base.json import JsonMap, JsonObject
from connector.base.ports import Salesforce
from connector.lifecycle.ladder import Ladder
from connector.lifecycle.written import same
from connector.mapping import CompiledMapping
from connector.pipeline.by_ids import seen_by_ids
from connector.pipeline.cycle import Pipeline, calls_of, finish
from connector.pipeline.decisions import Decisions
from connector.pipeline.owners import known_owners
from connector.pipeline.planned import EMPTY, Planned, is_beside
from connector.pipeline.report import CycleReport
from connector.pipeline.unanswered import settle_unanswered
from connector.pipeline.writeback import Writer
from connector.store import UNDONE, Intent, KeptCursor, Settled, Store

ROLLBACK = "rollback"  # the kind of the run
_ACCOUNT = "Account"  # follows its people in the next cycle
_UNREAD = "cannot be read"  # how it is told of what is left for later
_UNKNOWN = "never answered; nobody can see whether it was written"
_FOLLOWS = "follows the stage, which is left alone"


@dataclass(frozen=True, slots=True)
class ToUndo:
    """What is rolled back: a run, what was written since a time, to these people; whatever is given."""

    run: int | None = None
    since: datetime | None = None
    people: Sequence[str] | None = None


@dataclass
class Undoing:
    """What a rollback would do: rows to write, and values that are left alone, with why. What cannot be seen now is
    left for later: ``unread`` objects, with why, and ``hidden`` fields."""

    planned: list[Planned] = field(default_factory=list)
    left: list[JsonObject] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    hidden: dict[str, list[str]] = field(default_factory=dict)

    def say_in(self, report: CycleReport) -> None:
        report.plan(self.planned)
        later = {(each["object"], each["id"]) for each in self.left if each["why"].startswith((_UNREAD, _UNKNOWN))}
        report.unread, report.hidden = dict(self.unread), dict(self.hidden)
        report.unseen = dict(Counter(name for name, _ in later if name in self.unread))


@dataclass(frozen=True, slots=True)
class _Written:
    """A track of a record as it was written: each field from its first old value to its last new one."""

    track: str
    old: str
    new: str
    fields: Mapping[str, tuple[Any, Any]]
    first_at: str
    last: int
    runs: tuple[int, ...]


def plan_rollback(
    salesforce: Salesforce, store: Store, mapping: CompiledMapping, wanted: ToUndo, now: datetime
) -> Undoing:
    """Asks the org what stands there now. Raises ConfigurationError where nothing was written."""
    entries = [each for each in store.written(wanted.run, wanted.since, wanted.people) if each["object"] != _ACCOUNT]
    unknown = [each.change for each in store.intents() if each.until is None and _is_wanted(each, wanted)]
    if not entries and not unknown:
        raise ConfigurationError(
            "the log has nothing written there", "connector status lists the last runs, connector explain a person's"
        )
    by_record: dict[str, list[JsonObject]] = {}
    for entry in entries:
        by_record.setdefault(entry["record_id"], []).append(entry)
    tracks = {record: _tracks(of) for record, of in by_record.items()}
    objects = {record: of[0]["object"] for record, of in by_record.items()}
    last = store.last_written(sorted({each["person_id"] for each in entries}))
    before = store.memories_before(
        {(record, each.track): each.first_at for record in tracks for each in tracks[record]}
    )
    undoing = Undoing()
    rows, unread = _read_now(salesforce, objects, tracks, unknown, undoing.hidden)
    undoing.unread = unread
    maker = _Maker(mapping, store.mapping_version() or mapping.version, now, before)
    for record in sorted(tracks):
        row, name = rows.get(record), objects[record]
        ours: list[_Written] = []
        for each in tracks[record]:
            why = _why_not(each, row, last.get((record, each.track), (each.last, 0)), unread.get(name))
            if why:
                undoing.left += _left(record, name, each.track, each.fields, row, why)
            else:
                ours.append(each)
        restored, follow = _with_their_stage(ours)
        for each in follow:
            undoing.left += _left(record, name, each.track, each.fields, row, _FOLLOWS)
        if restored and row is not None:
            undoing.planned.append(maker.planned(record, name, row, restored))
    for change in unknown:
        for one in change.changes:
            undoing.left += _left(change.id, change.object, one.track, {one.field: (one.old, one.new)}, None, _UNKNOWN)
    return undoing


def run_rollback(pipeline: Pipeline, wanted: ToUndo) -> tuple[CycleReport, Undoing]:
    """Writes what is to be put back. A run like every other: it is in the log, and ``max_changes`` holds."""
    store, now = pipeline.store, pipeline.clock.now()
    report = CycleReport(kind=ROLLBACK, dry_run=False, started_at=now, mapping=pipeline.mapping.version)
    calls = calls_of(pipeline)
    cycle_id = store.begin_cycle(ROLLBACK, now)
    try:
        report.org = pipeline.salesforce.identity()
        store.bind_org(report.org)
        learn_unanswered(pipeline.salesforce, store, pipeline.mapping, now, pipeline.overlap)
        undoing = plan_rollback(pipeline.salesforce, store, pipeline.mapping, wanted, now)
        undoing.say_in(report)
        if pipeline.max_changes is not None and report.to_change > pipeline.max_changes:
            raise too_many_undone(report, pipeline.max_changes)
        accounts = {each.id: each.change.account_id for each in undoing.planned if each.change is not None}

        def settling(settled: Sequence[Settled]) -> tuple[Sequence[KeptCursor], Sequence[str]]:
            for outcome in (outcome for each in settled for outcome in each.outcomes):
                report.outcome(outcome)
            people = {each.person_id for each in settled}
            return (), sorted(people | {accounts[each] for each in people if accounts.get(each)})

        writer = Writer(
            pipeline.salesforce,
            store,
            pack=pipeline.pack,
            cycle_id=cycle_id,
            mapping_version=pipeline.mapping.version,
            now=now,
            settling=settling,
        )
        writer.add(undoing.planned)
        writer.finish()
        report.result = "done"
    except Exception as error:
        report.fail(getattr(error, "what", f"unexpected {type(error).__name__}"), getattr(error, "hint", ""))
        raise
    finally:
        finish(pipeline, cycle_id, report, calls)
    return report, undoing


def learn_unanswered(
    salesforce: Salesforce, store: Store, mapping: CompiledMapping, now: datetime, overlap: timedelta
) -> None:
    """A run that was killed, or lost its answers, may have written what the log does not know yet."""
    settle_unanswered(salesforce, store, Decisions(mapping, store, known_owners(store, mapping), now), overlap)


def too_many_undone(report: CycleReport, limit: int) -> ConfigurationError:
    return ConfigurationError(
        f"this rollback would change {report.said_to_change}, more than the limit of {limit}; nothing was written",
        "look at it without --apply, then allow it with --max-changes",
    )


def _tracks(entries: Sequence[JsonMap]) -> list[_Written]:
    """The tracks of one record, from its entries in order."""
    by_track: dict[str, list[JsonMap]] = {}
    for each in entries:
        by_track.setdefault(each["track"], []).append(each)
    found = []
    for track, of in by_track.items():
        fields: dict[str, tuple[Any, Any]] = {}
        for change in (change for each in of for change in each["changes"]):
            fields[change["field"]] = (fields.get(change["field"], (change["old"],))[0], change["new"])
        runs = tuple(sorted({each["cycle_id"] for each in of}))
        old, new = of[0]["old"] or "", of[-1]["new"] or ""
        found.append(_Written(track, old, new, fields, of[0]["at"], of[-1]["id"], runs))
    return found


def _is_wanted(intent: Intent, wanted: ToUndo) -> bool:
    return (
        intent.change.object != _ACCOUNT
        and wanted.run in (None, intent.cycle_id)
        and (wanted.since is None or intent.at >= wanted.since)
        and (wanted.people is None or intent.change.person_id in wanted.people)
    )


def _read_now(
    salesforce: Salesforce,
    objects: Mapping[str, str],
    tracks: Mapping[str, Sequence[_Written]],
    unknown: Sequence[RecordChange],
    hidden: dict[str, list[str]],
) -> tuple[dict[str, Row], dict[str, str]]:
    """These records as they are, without those that are gone; and objects that cannot be read, with why."""
    asked: dict[str, dict[str, set[str]]] = {}  # object -> record -> fields
    for record, name in objects.items():
        asked.setdefault(name, {})[record] = {each for track in tracks[record] for each in track.fields}
    for change in unknown:
        asked.setdefault(change.object, {}).setdefault(change.id, set()).update(each.field for each in change.changes)
    found: dict[str, Row] = {}
    unread: dict[str, str] = {}
    for name, of in sorted(asked.items()):
        fields = set().union(*of.values())
        seen = seen_by_ids(salesforce, name, sorted({"IsConverted" if name == "Lead" else "AccountId", *fields}), [*of])
        found.update((row["Id"], row) for row in seen.rows if not row.get("IsConverted"))
        if gone := sorted(fields & {*seen.hidden}):
            hidden[name] = gone
        if seen.refused is not None:
            unread[name] = seen.refused.what
    return found, unread


def _why_not(each: _Written, row: Row | None, last: tuple[int, int], unread: str | None) -> str:
    """Why a track is left alone; "" where it is still as we wrote it."""
    if row is None and unread is None:
        return "the record is gone, or a converted lead"
    if last[0] > each.last:
        return f"written again by run {last[1]}"
    if row is None:
        return f"{_UNREAD}: {unread}"
    if hidden := [name for name in each.fields if name not in row]:
        return f"{hidden[0]} is hidden from the connector's user"
    changed = [name for name, (_, new) in each.fields.items() if not same(row.get(name), new)]
    return f"changed since: {changed[0]} is {_shown(row.get(changed[0]))}" if changed else ""


def _with_their_stage(restored: Sequence[_Written]) -> tuple[list[_Written], list[_Written]]:
    """Dates and what else is written beside the stage follow from it: they go back with it, or not at all."""
    if any(each.track == "stage" for each in restored):
        return list(restored), []
    beside = [each for each in restored if is_beside(each.track) or each.track == "highest_stage"]
    return [each for each in restored if each not in beside], beside


def _left(
    record: str, object_name: str, track: str, fields: Mapping[str, tuple[Any, Any]], row: Row | None, why: str
) -> Iterator[JsonObject]:
    for name, (old, new) in fields.items():
        now = row.get(name) if row is not None else None
        told = {"id": record, "object": object_name, "track": track, "field": name, "before": old, "written": new}
        yield {**told, "now": now, "why": why}


def _shown(value: Any) -> str:
    return EMPTY if value in (None, "") else str(value)


@dataclass
class _Maker:
    """Makes rows of what is to be put back."""

    mapping: CompiledMapping
    version: str  # of the mapping in force
    now: datetime
    before: Mapping[tuple[str, str], JsonMap]

    def __post_init__(self) -> None:
        self._tracks = {each.name: each for each in self.mapping.model.tracks}

    def planned(self, record: str, object_name: str, row: Row, restored: Sequence[_Written]) -> Planned:
        changes = [
            Change(each.track, name, row.get(name), old)
            for each in restored
            for name, (old, _) in each.fields.items()
            if not same(row.get(name), old)
        ]
        decided = tuple(
            self._decision(record, object_name, each) for each in restored if (record, each.track) in self.before
        )
        account = str(row.get("AccountId") or "")
        change = RecordChange(record, object_name, record, tuple(changes), account) if changes else None
        return Planned(record, 0, Decision(record, decided), change, object_name)

    def _decision(self, record: str, object_name: str, each: _Written) -> TrackDecision:
        runs = ", ".join(map(str, each.runs))
        memory = self.before[record, each.track] or self._stands(record, object_name, each)
        undone = {"value": each.new, "run": runs, "at": self.now.isoformat(), "mapping": self.version}
        undone["stands"] = each.old  # by hand, where it was overwritten before anything was decided of it
        return TrackDecision(
            each.track, each.old, each.new, "", "moves", f"rolls back run {runs}", (), {**memory, UNDONE: undone}
        )

    def _stands(self, record: str, object_name: str, each: _Written) -> JsonMap:
        """What is remembered of somebody of whom nothing was: they stand where they were found."""
        track = self._tracks.get(each.track)
        if track is None:
            return {}
        ladder = Ladder(track, object_name)
        position = ladder.position_of(each.old or None, {})
        since = self.now.isoformat() if position >= 0 else None
        return {
            "written": each.old or None,
            "at": ladder.names[position],
            "since": since,
            "rule": "",
            "record": record,
            "start": True,
        }
