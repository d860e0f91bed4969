"""What ``--json`` prints, as shapes: ``docs/json.md`` and the JSON Schemas in ``docs/json/`` are made of them
(``docs/generate.py``), and every document that a test of a command sees is held against them. Nothing loads this at
work.

Another key is the same form; one that goes, or means something else, is a new one (``JSON_FORMS`` in ``screen.py``).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Counts = dict[str, int]
CountsOf = dict[str, dict[str, int]]
Lists = dict[str, list[str]]
Texts = dict[str, str]


def says(what: str, **more: Any) -> Any:
    return Field(description=what, **more)


def may_lack(what: str) -> Any:
    """The key is there only sometimes; ``what`` says when."""
    return Field(None, description=what)


class DocumentPart(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)


class CycleTold(DocumentPart):
    """One cycle. Times are ISO 8601 in UTC."""

    kind: str = says("sync, backfill, reconcile or rollback")
    dry_run: bool = says("nothing was written")
    started_at: str = says("when it began")
    duration: float = says("seconds")
    mapping: str = says("the version of the mapping")
    org: str = says("the org's id; empty until it has told it")
    read: Counts = says("object or source: rows read")
    facts_changed: Counts = says("object or source: rows that said something new")
    unknown_types: Counts = says("type of activity that nothing says what it is: how many")
    not_understood: Counts = says("source: rows that were not taken")
    same_ids: Counts = says("source: facts that came with the id of another")
    sources_failed: Texts = says("source that could not be read: why")
    swept: dict[str, dict[str, JsonValue]] = says("source that was compared to the end: what was found")
    unseen: Counts = says("object: rows that are hidden now, it seems")
    unread: Texts = says("object that could not be read: why")
    hidden_fields: Lists = says("object: fields that are hidden from the user")
    never_seen: list[str] = says("what was never seen, for which nobody is moved back")
    kept_in_part: str | None = says("the mapping looks at activities before this, of which only some were kept")
    drift: CountsOf = says("object: what differed from the org and was repaired, by how")
    people_decided: int = says("people looked at")
    people_to_change: int = says("people of whom something is, or would be, written")
    accounts_to_change: int = says("accounts of which something is, or would be, written")
    changes: CountsOf = says("track: `from -> to`: people")
    rules: CountsOf = says("track: rule: people changed by it")
    held: Counts = says("track: people whom the gate held")
    written: int = says("records that Salesforce took")
    unchanged: int = says("people with nothing to write")
    waiting: int = says("records that are tried again in the next cycle")
    refused: int = says("records that Salesforce refused")
    left: int = says("decided, and not come to")
    set_aside: Counts = says("Salesforce's code: records refused with it")
    api_calls: Counts = says("kind of call to Salesforce: how many; `total`")
    source_calls: CountsOf = says("source: kind of call: how many")
    result: Literal["done", "held", "interrupted", "failed"] = says("how it went; `held`: above --max-changes")
    held_back: str | None = says("what is held back, in words")
    error: str = says("why it failed; else empty")


class ChangeListed(DocumentPart):
    """One change of one person, or why it is held."""

    id: str = says("the record")
    object: str = says("Contact, Lead, Prospect or Account")
    name: str = says("theirs")
    track: str = says("stage, status, owner, ...")
    from_: str = says("what stands", alias="from")
    to: str = says("what would, or does, stand")
    verdict: str = says("moves, held, ...")
    rule: str = says("by its name")
    reason: str = says("in words")
    link: str = says("into Salesforce; empty where its address is not known")


class CycleDocument(CycleTold):
    """`sync`, `backfill` and `reconcile`, also with `--dry-run`."""

    people_held: int | None = may_lack("with --dry-run: people whom the gate holds")
    who: list[ChangeListed] | None = may_lack("with --dry-run: who is changed, the first 20 people; all with --list")
    who_is_held: list[ChangeListed] | None = may_lack("with --dry-run: who is held, as many")


class PlanDocument(DocumentPart):
    """`plan`: what a mapping would change."""

    mapping: str = says("the version of the mapping")
    people_decided: int = says("people looked at")
    people_to_change: int = says("people of whom something would be written")
    accounts_to_change: int = says("accounts of which something would be written")
    unchanged: int = says("people with nothing to write")
    changes: CountsOf = says("track: `from -> to`: people")
    rules: CountsOf = says("track: rule: people changed by it")
    held: Counts = says("track: people whom the gate holds")
    people_held: int | None = may_lack("people whom the gate holds")
    owners: Counts = says("new owner: people")
    missing_fields: Lists = says("object: fields that the mapping looks at and that were not read yet")
    kept_in_part: str | None = says("the mapping looks at activities before this, of which only some were kept")
    owners_not_looked_up: list[str] = says("owners named by the mapping, taken as being there")
    write_calls: int = says("API calls that writing it would cost")
    who: list[ChangeListed] | None = may_lack("who is changed, the first 20 people; all with --list")
    who_is_held: list[ChangeListed] | None = may_lack("who is held, as many")


class LeftAlone(DocumentPart):
    """A value that a rollback does not put back."""

    id: str = says("the record")
    object: str = says("of Salesforce")
    track: str = says("stage, status, owner, ...")
    field: str = says("by its API name")
    before: JsonValue = says("what stood before we wrote")
    written: JsonValue = says("what we wrote")
    now: JsonValue = says("what stands")
    why: str = says("why it is left alone")


class RollbackDocument(CycleTold):
    """`rollback`, also with `--apply`."""

    people: list[str] = says("ids of the records that are put back")
    left_alone: list[LeftAlone] = says("what is not")
    run: int | None = may_lack("with --apply: the id of this run")


class Beat(DocumentPart):
    """The daemon's sign of life."""

    status: str = says("working, ok, partly (a source is down), held, parked, failed or stopped")
    seconds_ago: float = says("when it was given")
    last_good: str | None = says("when the last cycle that went well ended")
    last_good_seconds_ago: float | None = says("the same in seconds")
    why: str = says("what keeps it from going well")
    mapping_broken: str = says("what is wrong with an edited mapping that was not taken")


class HealthDocument(DocumentPart):
    """`status --max-age`."""

    healthy: bool = says("a cycle went well in so many seconds")
    because: str = says("why, or why not")
    daemon: Beat | None = says("null where none has run here")


class SetAside(DocumentPart):
    """A record whose write Salesforce refuses."""

    person_id: str = says("whose it is")
    object: str = says("of Salesforce")
    record_id: str = says("the record")
    changes: list[dict[str, JsonValue]] = says("field, old and new of each value")
    code: str = says("Salesforce's")
    message: str = says("Salesforce's")
    since: str = says("when it was refused first")
    last_at: str = says("when it was refused last")
    attempts: int = says("how often it was tried")


class RefusedGroup(DocumentPart):
    """Refused records with one code and message."""

    code: str = says("Salesforce's")
    message: str = says("Salesforce's, with ... for ids where they differ")
    count: int = says("records")
    records: list[str] = says("their ids")
    advice: str = says("what to do")


class DealNamed(DocumentPart):
    id: str = says("the opportunity")
    name: str = says("its name")
    stage: str = says("its stage")


class DealsWithoutRoles(DocumentPart):
    count: int = says("how many there are")
    last_changed: list[DealNamed] = says("some of them")


class StateCounts(DocumentPart):
    """Rows of the state."""

    people: int = says("everybody: contacts, leads that are not converted, prospects without a record")
    records: Counts = says("object: live records")
    prospects: int = says("of marketing systems")
    prospects_alone: int = says("those without a record in Salesforce")
    activities: int = says("of all sources")
    aliases: int = says("records that became others")
    joined_by_email: int = says("live records that count as another with their address")
    crowded_addresses: int = says("addresses of more records than the mapping joins")
    dirty: int = says("people who wait to be decided")
    set_aside: int = says("records whose write is refused")
    logged_changes: int = says("entries of the permanent log")


class CycleKept(DocumentPart):
    id: int = says("of the run; `rollback` takes it")
    kind: str = says("sync, backfill, reconcile or rollback")
    started_at: str = says("when it began")
    ended_at: str | None = says("null: under way, or it died")
    report: dict[str, JsonValue] | None = says("as the document `cycle` of the version that ran it")


class SourceDown(DocumentPart):
    since: str | None = says("since when")
    why: str | None = says("what it said")
    hint: str | None = says("what to try")
    good: str | None = says("when it was last read well")


class Refresh(DocumentPart):
    every: str = says("how often, as in the mapping")
    rows: int = says("what that reads")
    calls: int = says("what that costs")
    last: str | None = says("when it was last read in full")


class Reconciled(DocumentPart):
    at: str = says("when it was done")
    calls: int = says("what it cost")
    drift: CountsOf = says("object: what was repaired, by how")
    refused: Texts = says("object that could not be compared: why")


class Reconciling(DocumentPart):
    last: Reconciled | None = says("the last comparison with the org; null before the first")
    under_way: list[str] = says("objects that are still to compare")


class UnknownType(DocumentPart):
    source: str = says("who sent it")
    type: str = says("as the sender writes it")
    count: int = says("activities")


class StatusDocument(DocumentPart):
    """`status`."""

    heartbeat: Beat | None = says("of the daemon; null where none has run here")
    held_back: str | None = says("the plan that is held back, in words")
    mapping: str | None = says("the version of the mapping that decided last")
    mapping_since: str | None = says("since when it is in force")
    people: CountsOf = says("track: value: people")
    out_of_reports: list[str] = says("values that reports leave out")
    prospects: Counts = says("stage: people who are only prospects")
    hidden_fields: dict[str, dict[str, JsonValue]] = says("object: field that is hidden: since when, and more")
    never_seen: list[str] = says("what was never seen, for which nobody is moved back")
    counts: StateCounts = says("rows of the state")
    opportunities_without_roles: DealsWithoutRoles = says("they move nobody")
    waiting: int = says("people who wait to be decided and written")
    refused: list[RefusedGroup] = says("what Salesforce refuses, by code and message")
    set_aside: list[SetAside] = says("the same, a row a record")
    rolled_back: int = says("values that were rolled back and are kept so")
    api_calls_today: CountsOf = says("API: kind of call: how many today (UTC)")
    api_daily_budget: int | None = says("of Salesforce")
    cursors: dict[str, JsonValue] = says("object or source: how far it was read; ours, without a promise of its shape")
    unknown_types: list[UnknownType] = says("activities that nothing says what they are")
    not_understood: Counts = says("file, hook or source: rows that were not taken")
    same_ids: Counts = says("source: facts that came with the id of another")
    failing_sources: dict[str, SourceDown] = says("sources that could not be read the last time")
    reconcile: Reconciling = says("the comparison with the org")
    refresh: dict[str, Refresh] = says("object that is read again in full: how often")
    cycles: list[CycleKept] = says("the last ones, newest first")


class KindTold(DocumentPart):
    count: int = says("activities")
    newest: str = says("when the newest happened")


class PeopleOfSource(DocumentPart):
    known: int = says("whom it knows")
    not_in_salesforce: int = says("those of them whom Salesforce does not have")


class ReachedOfSource(DocumentPart):
    matched: int = says("that reach somebody in Salesforce")
    unmatched: int = says("that do not")


class Unmatched(DocumentPart):
    who: str = says("as the source calls them")
    activities: int = says("how many of theirs reach nobody")


class SourceCalls(DocumentPart):
    today: int = says("ours, UTC")
    account_used: int | None = says("of the whole account, where the system tells")
    allowed: int | None = says("a day")
    whose: str = says("who says so")


class Failing(DocumentPart):
    since: str = says("since when")
    why: str = says("what it said")
    hint: str = says("what to try")


class LastError(DocumentPart):
    at: str = says("when")
    what: str = says("what it said")
    hint: str = says("what to try")


class SourceDocument(DocumentPart):
    """`source NAME`."""

    source: str = says("its name")
    read: bool = says("settings and mapping have it read")
    begun: bool = says("it was read before")
    account: str | None = says("whose it is")
    last_good: str | None = says("when it was last read well")
    lag_seconds: int | None = says("how long ago that is")
    newest: str | None = says("when the newest activity happened")
    failing: Failing | None = says("while it cannot be read")
    last_error: LastError | None = says("also one that is over")
    last_sweep: dict[str, JsonValue] | None = says("when all of it was compared last, and what was found")
    kinds: dict[str, KindTold] = says("kind of activity: how many")
    prospects: PeopleOfSource = says("its people")
    activities: ReachedOfSource = says("whom they reach")
    unmatched: list[Unmatched] = says("those whose activities reach nobody, the busiest first")
    unknown_types: Counts = says("type that nothing says what it is: how many")
    not_understood: int = says("rows that were not taken")
    same_ids: int = says("facts that came with the id of another")
    calls: SourceCalls = says("calls of its API")
