"""The tables. Migrations under ``migrations/`` bring an older file here; a test holds the two together.

Times are ISO 8601 texts in UTC, and JSON has sorted keys; SQLite has both, and words, shorter (``types.py``). Names of
records: an *id* is Salesforce's, a *ref* is ``source:id`` of something a marketing source told us.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Index, Table
from sqlalchemy.sql import text
from sqlmodel import Field, SQLModel

from connector.base.json import JsonObject
from connector.store.ids import IdOrRef
from connector.store.types import Moment, Packed, Plain, Repeated

HEAD = "0022"  # the newest migration; a file with another one unknown to us is newer than this program


def _where(column: str) -> JsonObject:
    """Most rows have no such link; they stay out of the index."""
    return {"sqlite_where": text(f"{column} IS NOT NULL"), "postgresql_where": text(f"{column} IS NOT NULL")}


class StoredRecord(SQLModel, table=True):
    """One Salesforce record as last read. Never removed: what was deleted, merged or converted is not ``live``."""

    __tablename__ = "record"
    __table_args__ = (
        Index("record_stamp", "object", "stamp", "live"),
        *(
            Index(f"record_{name}", name, **_where(name))
            for name in ("email", "alias_of", "account_id", "contact_id", "opportunity_id")
        ),
    )

    id: str = Field(sa_type=IdOrRef, primary_key=True)
    object: str = Field(sa_type=Repeated)
    stamp: str = Field(sa_type=Moment)  # SystemModstamp; "" when the row came without one
    fields: str = Field(sa_type=Packed)  # JSON of the whole row, with our own writes folded in
    live: bool  # neither deleted nor merged nor a converted Lead
    generation: int  # the full read that saw it last
    email: str | None = Field(sa_type=Plain)  # people only; stripped, lower case
    name: str | None = Field(sa_type=Plain)  # people only; for the views, as the next one
    owner_id: str | None = Field(sa_type=Repeated)
    moved_to: str | None = Field(sa_type=IdOrRef)  # people only: MasterRecordId, or ConvertedContactId
    alias_of: str | None = Field(sa_type=IdOrRef)  # end of the chain of moved_to, which may not have been read yet
    account_id: str | None = Field(sa_type=IdOrRef)
    contact_id: str | None = Field(sa_type=IdOrRef)  # of a role: the contact; of others see ``linked.py``
    opportunity_id: str | None = Field(sa_type=IdOrRef)  # of a role; of a relation the activity, see ``related.py``


class StoredActivity(SQLModel, table=True):
    __tablename__ = "activity"
    __table_args__ = (
        Index("activity_crm_id", "crm_id", **_where("crm_id")),
        Index("activity_prospect", "prospect", **_where("prospect")),
        Index(  # an e-mail address counts only where the source says nothing better
            "activity_email",
            "email",
            sqlite_where=text("email IS NOT NULL AND crm_id IS NULL AND prospect IS NULL"),
            postgresql_where=text("email IS NOT NULL AND crm_id IS NULL AND prospect IS NULL"),
        ),
    )

    ref: str = Field(sa_type=IdOrRef, primary_key=True)
    kind: str = Field(sa_type=Repeated)
    direction: str = Field(sa_type=Repeated)
    occurred_at: str = Field(sa_type=Moment)
    name: str = Field(sa_type=Plain)
    attributes: str = Field(sa_type=Packed)  # JSON object
    crm_id: str | None = Field(sa_type=IdOrRef)
    prospect: str | None = Field(sa_type=IdOrRef)  # ref of the prospect
    email: str | None = Field(sa_type=Plain)
    feed: str | None = Field(sa_type=Repeated)  # Salesforce object it was read from, None for marketing sources
    generation: int  # as in record


class StoredProspect(SQLModel, table=True):
    """A prospect that belongs to no live Contact or Lead is a person by itself, called by its ref."""

    __tablename__ = "prospect"
    __table_args__ = (
        Index("prospect_crm_id", "crm_id", **_where("crm_id")),
        Index("prospect_email", "email", **_where("email")),
    )

    ref: str = Field(sa_type=IdOrRef, primary_key=True)
    email: str | None = Field(sa_type=Plain)
    crm_id: str | None = Field(sa_type=IdOrRef)
    attributes: str = Field(sa_type=Packed)  # JSON object
    deleted: bool  # its activities still count, it does not
    recorded_at: str = Field(sa_type=Moment)
    since: str | None = Field(sa_type=Moment)  # when it was first heard of; None: nobody knows


class KnownAddress(SQLModel, table=True):
    """An address of somebody beside their Email. See ``addresses.py``."""

    __tablename__ = "address"
    __table_args__ = (Index("address_address", "address"), {"sqlite_with_rowid": False})

    owner: str = Field(sa_type=IdOrRef, primary_key=True)  # id of a record, or ref of a prospect
    address: str = Field(sa_type=Plain, primary_key=True)
    whence: str = Field(sa_type=Repeated)  # the field, the source, or "former"
    since: str | None = Field(sa_type=Moment)  # None: nobody knows
    until: str | None = Field(sa_type=Moment)  # None: still


class Superseded(SQLModel, table=True):
    """What a record said, or what was remembered of a track, until it said something else. See ``history.py``."""

    __tablename__ = "history"
    __table_args__ = (Index("history_ref", "ref", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    ref: str = Field(sa_type=IdOrRef)  # of the record, or of the person whose track it is
    track: str = Field(sa_type=Repeated)  # "" for a record
    until: str = Field(sa_type=Moment)
    live: bool  # whether the record was
    said: str = Field(sa_type=Packed)  # JSON object: of a record the fields that changed, of a track its memory


class DirtyPerson(SQLModel, table=True):
    """People to be decided. ``seq`` tells a mark from a later one that came while the person was being written."""

    __tablename__ = "dirty"
    __table_args__ = {"sqlite_with_rowid": False}

    person_id: str = Field(sa_type=IdOrRef, primary_key=True)
    seq: int


class SettledPerson(SQLModel, table=True):
    __tablename__ = "settled"
    __table_args__ = (Index("settled_review_at", "review_at", **_where("review_at")), {"sqlite_with_rowid": False})

    person_id: str = Field(sa_type=IdOrRef, primary_key=True)
    review_at: str | None = Field(sa_type=Moment)  # when time alone may change the answer; None once it was marked
    settled_at: str = Field(sa_type=Moment)
    cycle_id: int
    mapping_version: str = Field(sa_type=Repeated)


class SettledTrack(SQLModel, table=True):
    """The latest decision of a person's track. Written only when something in it changed."""

    __tablename__ = "track"
    __table_args__ = (
        Index("track_stands", "track", "stands").ddl_if(dialect="sqlite"),  # too long for PostgreSQL's
        {"sqlite_with_rowid": False},
    )

    person_id: str = Field(sa_type=IdOrRef, primary_key=True)
    track: str = Field(sa_type=Repeated, primary_key=True)
    value: str | None = Field(sa_type=Repeated)
    current: str | None = Field(sa_type=Repeated)  # what stood in Salesforce when it was decided
    stands: str = Field(sa_type=Repeated)  # what stands there now, as far as we know; "" for nothing
    rule: str = Field(sa_type=Repeated)
    verdict: str = Field(sa_type=Repeated)
    reason: str = Field(sa_type=Repeated)
    evidence: str = Field(sa_type=Packed)  # JSON list
    memory: str = Field(sa_type=Packed)  # JSON object; of the last decision that Salesforce has, not of refused ones
    at: str = Field(sa_type=Moment)
    cycle_id: int
    mapping_version: str = Field(sa_type=Repeated)
    since: str | None = Field(sa_type=Moment)  # when it was first decided; None: before the second migration


class LoggedChange(SQLModel, table=True):
    """The permanent decision log: why every value is what it is. Rows are never changed and never removed."""

    __tablename__ = "log"
    __table_args__ = (Index("log_person", "person_id", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    person_id: str = Field(sa_type=IdOrRef)  # as the person was called then
    track: str = Field(sa_type=Repeated)
    at: str = Field(sa_type=Moment)
    cycle_id: int
    mapping_version: str = Field(sa_type=Repeated)
    result: str = Field(sa_type=Repeated)  # applied | set_aside
    old: str | None = Field(sa_type=Repeated)
    new: str | None = Field(sa_type=Repeated)
    rule: str = Field(sa_type=Repeated)
    reason: str = Field(sa_type=Repeated)
    evidence: str = Field(sa_type=Packed)
    object: str = Field(sa_type=Repeated)
    record_id: str = Field(sa_type=IdOrRef)
    changes: str = Field(sa_type=Packed)  # JSON list of {field, old, new}
    code: str = Field(sa_type=Repeated)  # Salesforce's reply
    message: str = Field(sa_type=Plain)


class Stayed(SQLModel, table=True):
    """How long a person stood at a step of a track, and what brought them there. See ``stays.py``."""

    __tablename__ = "stay"
    __table_args__ = (Index("stay_person", "person_id"),)

    id: int | None = Field(default=None, primary_key=True)
    person_id: str = Field(sa_type=IdOrRef)  # as the person was called then
    track: str = Field(sa_type=Repeated)
    stage: str = Field(sa_type=Repeated)  # the step's name; a value that the mapping does not know; "" for nothing
    entered_at: str = Field(sa_type=Moment)
    left_at: str | None = Field(sa_type=Moment)
    how: str = Field(sa_type=Repeated)  # observed | inferred
    by: str = Field(sa_type=Repeated)  # rule | person | first sight | taken over
    rule: str = Field(sa_type=Repeated)
    line: str | None = Field(sa_type=IdOrRef)  # what the person was called first; None: the same
    became: str | None = Field(sa_type=IdOrRef)  # who they were from then on
    seen_at: str = Field(sa_type=Moment)  # when it was settled


class PutAside(SQLModel, table=True):
    """Records whose write Salesforce refused, until it takes one or nothing is left to write."""

    __tablename__ = "set_aside"

    person_id: str = Field(sa_type=IdOrRef, primary_key=True)
    record_id: str = Field(sa_type=IdOrRef, primary_key=True)
    object: str = Field(sa_type=Plain)
    changes: str = Field(sa_type=Plain)  # JSON list of {track, field, old, new}
    code: str = Field(sa_type=Plain)
    message: str = Field(sa_type=Plain)
    since: str = Field(sa_type=Plain)
    last_at: str = Field(sa_type=Plain)
    attempts: int


class Intended(SQLModel, table=True):
    """What was about to be written to a record, from before it was sent until the answer was settled; where none came,
    until Salesforce can no longer take it. Of one record there may be several."""

    __tablename__ = "intent"
    __table_args__ = (Index("intent_record", "record_id"),)

    id: int | None = Field(default=None, primary_key=True)
    record_id: str = Field(sa_type=IdOrRef)
    object: str = Field(sa_type=Plain)
    person_id: str = Field(sa_type=IdOrRef)
    seq: int  # the dirty mark that the decision answers
    changes: str = Field(sa_type=Plain)  # JSON list of {track, field, old, new}
    decision: str = Field(sa_type=Plain)  # JSON object
    cycle_id: int
    mapping_version: str = Field(sa_type=Plain)
    at: str = Field(sa_type=Plain)
    until: str | None = Field(sa_type=Plain)  # when it can no longer come; None: it was not looked for yet


class UnreadRoles(SQLModel, table=True):
    """Opportunities whose contact roles are to be read again."""

    __tablename__ = "unread_roles"

    opportunity_id: str = Field(sa_type=IdOrRef, primary_key=True)


class Forgotten(SQLModel, table=True):
    """Who was forgotten, or is to be. See ``forgetting.py``."""

    __tablename__ = "forgotten"

    key: str = Field(sa_type=IdOrRef, primary_key=True)  # id of a record, ref of a prospect, or keyed hash
    asked_at: str = Field(sa_type=Plain)
    done_at: str | None = Field(sa_type=Plain)


class Cycle(SQLModel, table=True):
    __tablename__ = "cycle"

    id: int | None = Field(default=None, primary_key=True)
    kind: str = Field(sa_type=Plain)
    started_at: str = Field(sa_type=Plain)
    ended_at: str | None = Field(sa_type=Plain)  # None: under way, or the process died in it
    report: str = Field(sa_type=Packed)  # JSON object


class CountedCalls(SQLModel, table=True):
    __tablename__ = "calls"

    day: str = Field(sa_type=Plain, primary_key=True)  # UTC
    source: str = Field(sa_type=Plain, primary_key=True)
    kind: str = Field(sa_type=Plain, primary_key=True)
    count: int


class UsedMapping(SQLModel, table=True):
    """Every mapping that was ever in force, so that a log entry's version can be read."""

    __tablename__ = "mapping"

    version: str = Field(sa_type=Plain, primary_key=True)
    text: str = Field(sa_type=Plain)
    first_used_at: str = Field(sa_type=Plain)


class Setting(SQLModel, table=True):
    """What there is one of: ``org``, ``mapping_version``, ``seq`` (the last dirty mark)."""

    __tablename__ = "setting"

    name: str = Field(sa_type=Plain, primary_key=True)
    value: str = Field(sa_type=Plain)


class Cursor(SQLModel, table=True):
    __tablename__ = "cursor"

    name: str = Field(sa_type=Plain, primary_key=True)  # an object's or a source's
    value: str = Field(sa_type=Plain)  # JSON object


class StoredWord(SQLModel, table=True):
    """Texts that come again and again, on SQLite. See ``types.py``."""

    __tablename__ = "word"

    number: int | None = Field(default=None, primary_key=True)
    text: str = Field(sa_type=Plain)


def _table(name: str) -> Table:
    return SQLModel.metadata.tables[name]


def columns_of(kind: type[Plain]) -> list[Column[Any]]:
    """The columns of a type, of all tables."""
    return [
        each for table in SQLModel.metadata.tables.values() for each in table.columns if isinstance(each.type, kind)
    ]


RECORD, ACTIVITY, PROSPECT, DIRTY = _table("record"), _table("activity"), _table("prospect"), _table("dirty")
SETTLED, TRACK, LOG, SET_ASIDE = _table("settled"), _table("track"), _table("log"), _table("set_aside")
CYCLE, CALLS, MAPPING = _table("cycle"), _table("calls"), _table("mapping")
INTENT, UNREAD_ROLES = _table("intent"), _table("unread_roles")
SETTING, CURSOR, HISTORY, FURTHER = _table("setting"), _table("cursor"), _table("history"), _table("address")
STAY, FORGOTTEN, WORD = _table("stay"), _table("forgotten"), _table("word")
