"""The rest of ``documents.py``: people, checks, reports; and which document is which."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, JsonValue, create_model

from connector.commands import documents as of
from connector.commands.documents import Counts, CountsOf, DocumentPart, Lists, Texts, may_lack, says
from connector.commands.screen import JSON_FORMS


class EvidenceTold(DocumentPart):
    kind: str = says("field, activity, opportunity, ...")
    ref: str = says("the record's or activity's id")
    text: str = says("in words")
    at: str | None = says("when it happened; null where nothing says")


class FindingTold(DocumentPart):
    """A condition, and whether it holds."""

    condition: str = says("in words")
    matched: bool = says("whether it holds")
    found: str | None = may_lack("what was found instead")
    would_change: str | None = may_lack("what would make it hold")
    evidence: list[EvidenceTold] | None = may_lack("what it rests on, where it holds")
    parts: list[FindingTold] | None = may_lack("the conditions in it")


class RuleTold(FindingTold):
    to: str = says("where it leads")
    rule: str = says("its name")
    line: int = says("of the mapping's file")


class TrackTold(DocumentPart):
    """What the rules say of a track now."""

    track: str = says("stage, status, owner, score, ...")
    value: JsonValue = says("what they lead to")
    current: JsonValue = says("what stands")
    verdict: str = says("moves, stays, held, ...")
    rule: str = says("which one; empty for none")
    reason: str = says("in words")
    evidence: list[EvidenceTold] = says("what it rests on")
    rules: list[RuleTold] = says("every rule, the furthest first")
    moves: list[RuleTold] = says("those that lead out of where they stand")


class NowTold(DocumentPart):
    person: str = says("their id")
    at: str = says("the moment it is decided for")
    mapping: str = says("its name")
    review_at: str | None = says("when time alone changes it next")
    tracks: list[TrackTold] = says("each one")


class DecidedTold(DocumentPart):
    """The last decision of a track, and what became of it."""

    person_id: str = says("what they were called then")
    track: str = says("stage, status, owner, ...")
    value: JsonValue = says("what was decided")
    current: JsonValue = says("what stood before")
    stands: JsonValue = says("what stands since")
    rule: str | None = says("which one")
    reason: str = says("in words")
    evidence: list[EvidenceTold] = says("what it rests on")
    at: str = says("when")
    cycle_id: int | None = says("the run")
    mapping_version: str | None = says("with which mapping")
    verdict: str | None = may_lack("not with --at: moves, stays, held, ...")
    memory: dict[str, JsonValue] | None = may_lack("not with --at: what is remembered; ours, without a promise")
    since: str | None = may_lack("not with --at: since when it is so")
    in_salesforce: JsonValue = may_lack("what stands there, of what is written")
    outcome: Literal["written", "changed", "refused", "waiting"] | None = may_lack("of what is written")
    code: str | None = may_lack("Salesforce's, where it refused")
    message: str | None = may_lack("Salesforce's, where it refused")
    id: int | None = may_lack("with --at: of the log's entry")
    result: str | None = may_lack("with --at: applied or set_aside")
    old: JsonValue = may_lack("with --at: what stood before")
    new: JsonValue = may_lack("with --at: what was decided")
    object: str | None = may_lack("with --at: of Salesforce")
    record_id: str | None = may_lack("with --at: the record")
    changes: list[dict[str, JsonValue]] | None = may_lack("with --at: what was written with it")


class LogTold(DocumentPart):
    """An entry of the permanent log."""

    id: int = says("of the entry")
    person_id: str = says("what they were called then")
    track: str = says("stage, status, owner, ...")
    at: str = says("when")
    cycle_id: int | None = says("the run")
    mapping_version: str | None = says("with which mapping")
    result: str = says("applied or set_aside")
    old: JsonValue = says("what stood before")
    new: JsonValue = says("what was written, or refused")
    rule: str | None = says("which one")
    reason: str = says("in words")
    evidence: list[EvidenceTold] = says("what it rests on")
    object: str = says("of Salesforce")
    record_id: str = says("the record")
    changes: list[dict[str, JsonValue]] = says("every field that was written with it")
    code: str = says("Salesforce's, where it refused")
    message: str = says("Salesforce's, where it refused")


class Joined(DocumentPart):
    id: str = says("the record")
    object: str = says("Contact or Lead")


class Identifier(DocumentPart):
    """An id or an address that is theirs."""

    value: str = says("the id or the address")
    kind: str = says("record, prospect or address")
    whence: str = says("the object, source, field, record or prospect that says it, or former")
    since: str | None = says("ISO 8601; null: nobody knows")
    until: str | None = says("ISO 8601; null: still")


class FieldBeside(DocumentPart):
    field: str = says("by its API name")
    what: str = says("what is written to it")
    in_salesforce: JsonValue = says("what stands there")


class Happened(DocumentPart):
    at: str = says("when")
    source: str = says("who told it")
    kind: str = says("what it was")
    direction: str = says("inbound or outbound")
    name: str = says("of the mail, page or form")
    id: str = says("the source's")
    counts: bool = says("whether rules look at it")
    because: str = says("why not, where it does not")


class PersonTold(DocumentPart):
    """Of an account: person, object, name, decided, people, history."""

    person: str = says("the id")
    object: str = says("Contact, Lead, Prospect or Account")
    name: JsonValue = says("theirs")
    decided: list[DecidedTold] = says("the last decision of each track")
    history: list[LogTold] = says("the permanent log, newest first")
    email: JsonValue = may_lack("theirs")
    aliases: list[str] | None = may_lack("records that became this one")
    addresses: dict[str, JsonValue] | None = may_lack("further ones, by field")
    prospects: list[str] | None = may_lack("source and id")
    identifiers: list[Identifier] | None = may_lack("every id and address that is theirs, with since and until when")
    joined_by_email: list[Joined] | None = may_lack("records that count as this one")
    owners: Texts | None = may_lack("id: name, of those named here")
    further_fields: list[FieldBeside] | None = may_lack("what else is written")
    now: NowTold | None = may_lack("every rule as it is now, or was with --at")
    timeline: list[Happened] | None = may_lack("what happened, newest first")
    unknown_before: Texts | None = may_lack("with --at: object or field: when it was first read, where that was later")
    people: list[dict[str, JsonValue]] | None = may_lack("of an account: person, name, stage and rule of each")


class ExplainDocument(DocumentPart):
    """`explain PERSON`."""

    people: list[PersonTold] = says("everybody with that id or address")


class MistakeTold(DocumentPart):
    file: str = says("of the mapping")
    line: int = says("0 where it is about none")
    what: str = says("what is wrong")
    hint: str = says("what to try")


class CheckDocument(DocumentPart):
    """`check`."""

    mapping: str = says("its name")
    org: str | None = says("its id; null where none was asked")
    mistakes: list[MistakeTold] = says("what keeps it from running")
    warnings: list[str] = says("what is worth looking at")
    notes: list[str] = says("of the org: nothing is wrong")
    differs: list[str] = says("what tests of an included mapping say that is not so any more")
    reads: Lists = says("object: fields that are read")
    writes: dict[str, Texts] = says("track: object: the field that is written")
    sources: list[str] = says("those that are read beside Salesforce")
    amounts: list[str] = says("what is compared, in each currency of the org")


class CheckFilesDocument(DocumentPart):
    """`check FILE ...`."""

    mappings: list[CheckDocument] = says("each file; no org is asked")


class ProblemTold(DocumentPart):
    what: str = says("what is wrong")
    hint: str = says("what to try")


class SourceLooked(DocumentPart):
    source: str = says("its name")
    account: str | None = says("whose it is")
    problems: list[ProblemTold] = says("what is wrong")
    notes: list[str] = says("what is worth knowing")
    rows: Texts = says("what is read: one row of it, and whom it reaches")


class CheckSourcesDocument(DocumentPart):
    """`check --sources`."""

    sources: list[SourceLooked] = says("each one")


class SetupDocument(DocumentPart):
    """`setup`."""

    mapping: str = says("its name")
    org: str | None = says("its id; null where none was asked")
    adds: list[str] = says("what the org lacks and gets")
    by_hand: list[str] = says("what only a person can do")
    files: list[str] = says("with --out: what was written")
    out: str | None = says("with --out: the folder")
    deployed: str | None = says("with --deploy: what the org said last")
    problems: list[str] = says("what it refused")
    assigned_to: str | None = says("who got the permission set")


class FailureTold(DocumentPart):
    record_id: str = says("the record")
    object: str = says("of Salesforce")
    person_id: str = says("whose it is")
    fields: str = says("that are refused")
    code: str = says("Salesforce's, or ours: CONTESTED")
    message: str = says("Salesforce's")
    advice: str = says("what to do")
    attempts: int = says("how often it was tried")
    since: str = says("when it was refused first")
    last_at: str = says("when it was refused last")
    link: str = says("into Salesforce; empty where its address is not known")


class FailuresDocument(DocumentPart):
    """`failures list`."""

    failures: list[FailureTold] = says("a row a record, the latest first")


class RetryDocument(DocumentPart):
    """`failures retry`."""

    retried: int = says("records that are tried again in the next cycle")


class ApproveDocument(DocumentPart):
    """`approve`."""

    approved_up_to: int = says("changes that the next cycle may make")


class BackupDocument(DocumentPart):
    """`backup FILE`."""

    file: str = says("that was written")
    bytes: int = says("its size")


class ForgetDocument(DocumentPart):
    """`forget PERSON`."""

    records: list[str] = says("ids in Salesforce")
    prospects: list[str] = says("source and id")
    addresses: list[str] = says("theirs")
    addresses_of_others_too: list[str] = says("that stay")
    rows: Counts = says("table: rows of theirs")
    files: list[str] = says("beside the state that name them")
    result: Literal["preview", "asked", "forgotten"] = says("asked: the daemon that has the state does it next")


class Grown(DocumentPart):
    before: Counts = says("stage: people, in the org")
    after_backfill: Counts = says("the same")
    after_cycles: Counts = says("the same")


class DemoDocument(DocumentPart):
    """`demo`."""

    funnel: Grown = says("people by stage")
    happened: list[str] = says("between the cycles")
    changes: CountsOf = says("track: `from -> to`: people")
    explained: list[PersonTold] = says("three people of different stages")
    heard_of_everywhere: PersonTold = says("one whom four systems know")
    cycles: list[of.CycleTold] = says("the backfill, and those behind it")
    org_counted_calls: int = says("API calls, as the org counts")
    state: str = says("the file")


class ReportTold(DocumentPart):
    report: str = says("its name")
    tables: dict[str, list[dict[str, str | float | int | None]]] = says("table: a row each: column: figure or text")
    good: bool | None = may_lack("ledger: every week closes and all books agree")
    said: str | None = may_lack("ledger: the same in words")
    notes: list[str] | None = may_lack("what was asked for and the figures do not show: a filter that nobody meets")


class ReportDocument(DocumentPart):
    """`report`. What tables and columns there are is in `docs/reports.md`."""

    since: str = says("when the period begins")
    until: str = says("when it ends")
    reports: dict[str, ReportTold] = says("name: the report")


_SHAPES: dict[str, type[BaseModel]] = {
    "cycle": of.CycleDocument,
    "plan": of.PlanDocument,
    "rollback": of.RollbackDocument,
    "status": of.StatusDocument,
    "health": of.HealthDocument,
    "source": of.SourceDocument,
    "explain": ExplainDocument,
    "report": ReportDocument,
    "check": CheckDocument,
    "check_files": CheckFilesDocument,
    "check_sources": CheckSourcesDocument,
    "setup": SetupDocument,
    "failures": FailuresDocument,
    "retry": RetryDocument,
    "approve": ApproveDocument,
    "backup": BackupDocument,
    "forget": ForgetDocument,
    "demo": DemoDocument,
}


def documents() -> dict[str, type[BaseModel]]:
    """Document -> its shape, with what every one begins with."""
    return {name: _enveloped(name, shape, JSON_FORMS[name]) for name, shape in _SHAPES.items()}


def _enveloped(name: str, shape: type[BaseModel], form: int) -> type[BaseModel]:
    named: dict[str, Any] = {
        "document": (Literal[name], says("which document it is")),
        "form": (Literal[form], says("the version of its shape")),
    }
    return create_model(name, __base__=shape, __doc__=shape.__doc__, **named)
