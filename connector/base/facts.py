"""The values every layer shares: what was observed, what is decided, what is written, what came of it.

Plain frozen values that pickle. Times are aware UTC datetimes, Salesforce ids have 18 characters, e-mail addresses are
stripped and lower case. A *row* is one Salesforce record as a dict of API field name -> value: str, bool, int, float,
None; times and dates stay the strings Salesforce sent inside rows (``2026-01-31T23:01:01.000+0000``, ``2026-01-31``)
and are parsed where they are needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from connector.base.json import JsonMap, JsonObject

Row = JsonMap
NOTHING: JsonMap = {}
PEOPLE = ("Contact", "Lead")  # objects whose records are people


class Direction(StrEnum):
    """Who acted: the person (inbound: engagement) or us (outbound)."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True)
class Activity:
    """A marketing or sales event of a person, keyed by (source, id), of a canonical kind (``sources/kinds.py``)."""

    source: str  # "pardot", "files", "salesforce"
    id: str
    kind: str  # "email_click", "form_submit", "call" ...
    direction: Direction
    occurred_at: datetime
    name: str = ""  # the form's, mail's, task's name
    attributes: JsonMap = field(default_factory=dict)  # JSON values
    # How the person is found: the CRM id the source carries, else the source's own person, else the e-mail.
    crm_id: str | None = None
    prospect_id: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Prospect:
    """A person as a marketing source knows them, keyed by (source, id). ``addresses``: further ones of theirs.
    ``is_sketch``: all that is known is what they did; it takes nothing away from what a source said of them."""

    source: str
    id: str
    email: str | None = None
    crm_id: str | None = None  # Contact or Lead id
    attributes: JsonMap = field(default_factory=dict)  # "score", "grade" ...
    deleted: bool = False
    addresses: tuple[str, ...] = ()
    is_sketch: bool = False


@dataclass(frozen=True, slots=True)
class SourcePage:
    """One page of a source. The store commits it together with ``cursor``, from which the next poll goes on.

    ``removed``: ids of activities that the source took back. ``unknown``: type -> how many rows had a type the source's
    table does not know (they are kept, as kind "other"). ``gone``: ids of prospects that the source has deleted and
    says nothing more of: those that are known become ``deleted`` and stay who they were. ``bad``: rows that could not
    be understood, and were not taken. ``whole``: beginnings of ids ("calls:12") of which this page has every activity:
    others that were known under them are taken back. ``once``: ids of activities that happen once: with
    other words at another time, or days away, one is another fact, and both stay. ``together``: ids of which the
    source has several rows at once, each a fact of its own.
    """

    cursor: JsonMap
    activities: tuple[Activity, ...] = ()
    prospects: tuple[Prospect, ...] = ()
    removed: tuple[str, ...] = ()
    unknown: Mapping[str, int] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    bad: int = 0
    whole: tuple[str, ...] = ()
    once: frozenset[str] = frozenset()
    together: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class OpportunityRole:
    """An opportunity seen through one contact role of the person."""

    role_id: str
    opportunity_id: str
    role: Row  # the OpportunityContactRole row: Role, IsPrimary, CreatedDate ...
    opportunity: Row  # the Opportunity row: StageName, IsWon, IsClosed, CloseDate ...


@dataclass(frozen=True, slots=True)
class LinkedRecord:
    """A record of another object that the mapping links to people (``records:``), as read. ``via``: by which of the
    link's ways it is this person's: "person", "email" or "account"."""

    object: str
    id: str
    row: Row
    via: str = "person"


class Circle(tuple["Person", ...]):
    """Everybody of one account: the same value for each of them, so that ``known``, what was found out about all of
    them, is found out once. Large accounts would else cost the square of their size."""

    known: dict[Any, Any]

    def __new__(cls, people: Iterable[Person] = ()) -> Circle:
        made = super().__new__(cls, people)
        made.known = {}
        return made


NO_CIRCLE = Circle()


@dataclass(frozen=True, slots=True)
class Person:
    """Everything recorded of one human: what ``decide`` looks at.

    ``id`` is the Contact's, the unconverted Lead's, or ``source:id`` of a prospect without a CRM record.
    ``aliases`` are ids that became this person (converted Leads, merge losers) or follow it for their e-mail address.
    ``activities`` are in order of ``occurred_at``. ``memory`` is what ``decide`` asked to be remembered the last time:
    track -> JSON object.

    ``account_opportunities`` are opportunities without any contact role that may concern this person, with ``role_id``
    "": those of the account (``role`` is ``{"Via": "account"}``) and those made by converting one of the person's leads
    (``{"Via": "conversion"}``); and all others of the account (``{"Via": "colleagues"}``). ``colleagues`` are the
    people of the account, the person among them. ``former`` is what is remembered of those who became this person: id
    -> track -> JSON object. ``account_stage`` is the furthest stage that the other people of the account reached by
    rules of their own. All this is only looked at where a mapping asks for it. ``former_prospects`` are those that the
    source has deleted: they say nothing any more, but what they did counts. ``addresses`` are those beside the Email:
    address -> the field, the prospect, or "former". ``records`` are those that the mapping links to people, by object
    and id. ``stood`` is what stood there when what was decided was not written: track -> value, "" where it was empty.
    """

    id: str
    object: str  # "Contact" | "Lead" | "Prospect"
    fields: Row
    account: Row = field(default_factory=dict)
    opportunities: tuple[OpportunityRole, ...] = ()
    activities: tuple[Activity, ...] = ()
    prospects: tuple[Prospect, ...] = ()
    aliases: tuple[str, ...] = ()
    memory: Mapping[str, JsonMap] = field(default_factory=dict)
    account_opportunities: tuple[OpportunityRole, ...] = ()
    account_stage: str | None = None
    former: Mapping[str, Mapping[str, JsonMap]] = field(default_factory=dict)
    former_prospects: tuple[Prospect, ...] = ()
    colleagues: Circle = NO_CIRCLE
    addresses: Mapping[str, str] = field(default_factory=dict)
    records: tuple[LinkedRecord, ...] = ()
    stood: Mapping[str, str] = field(default_factory=dict)


class Evidence(NamedTuple):
    """One fact that a rule rests on. ``ref`` is a record id or ``source:id``; ``text`` is one short line for people.

    What is made anew for everybody, this and the decisions, are named tuples: a quarter of the cost of a dataclass."""

    kind: str  # "field" | "opportunity" | "role" | "activity" | "prospect" | "record" | "manual" | ...
    ref: str
    text: str
    at: datetime | None = None


Verdict = Literal["moves", "stays", "held"]


class TrackDecision(NamedTuple):
    """What one track of a person should be, and why.

    ``value`` is what should stand in Salesforce (None: nothing to say, leave it), ``current`` what stood there when
    read. ``verdict`` is the gate's word: "moves", "stays", "held" (manual, lock, or backward). ``rule`` names the rule
    that won, "" when none did. ``evidence`` is told of what is new; it is empty where a rule keeps somebody where it
    brought them. ``memory`` is handed back with the person's facts the next time.
    """

    track: str
    value: str | None
    current: str | None
    rule: str
    verdict: Verdict
    reason: str  # one sentence
    evidence: tuple[Evidence, ...] = ()
    memory: JsonMap = NOTHING  # JSON values


class Decision(NamedTuple):
    """All tracks of one person, and the earliest time at which time alone could change the answer (None: never)."""

    person_id: str
    tracks: tuple[TrackDecision, ...]
    review_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One field write. ``old`` is what was read; a field is only written when it differs."""

    track: str
    field: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class RecordChange:
    """The changes of one record, written as one row. ``account_id`` orders writes so that rows of one account, which
    lock each other in Salesforce, travel together. ``is_person_account``: the Contact is one with its Account."""

    person_id: str
    object: str
    id: str
    changes: tuple[Change, ...]
    account_id: str = ""
    is_person_account: bool = False

    def values(self) -> JsonObject:
        return {change.field: change.new for change in self.changes}


class Result(StrEnum):
    APPLIED = "applied"
    UNCHANGED = "unchanged"
    SET_ASIDE = "set_aside"  # Salesforce refused this row; only a new fact, mapping or request retries it
    WAITING = "waiting"  # a passing fault outlived its retries, or the cycle stopped: tried again next cycle


CONTESTED = "CONTESTED"  # our own code, of a field that somebody else sets back again and again


@dataclass(frozen=True, slots=True)
class Outcome:
    """What Salesforce said of one :class:`RecordChange`. ``again``: it was sent before, and was never answered: that
    sending may still come. ``overtaken``: it was not sent, since somebody changed the record since it was read.
    ``replaced``: fields that somebody set after they were read, right before they were written; what stood there is the
    ``old`` of their changes."""

    change: RecordChange
    result: Result
    code: str = ""  # Salesforce's status code, "" when it went well
    message: str = ""  # Salesforce's words; may quote the record, so kept in the state, never logged
    again: bool = False
    overtaken: bool = False
    replaced: tuple[str, ...] = ()


class Stay(NamedTuple):
    """One person at one step of a track, from when to when. ``stage`` is the step's name, a value that the mapping does
    not know, or "" for nothing. ``how``: "observed", or "inferred" from evidence. ``by``: "rule", "person" (by hand),
    "first sight", or "taken over" from a record that became this one. ``line`` is what the person was called first;
    it stays when a lead becomes a contact."""

    person: str
    line: str
    stage: str
    entered: datetime
    left: datetime | None
    how: str
    by: str
    rule: str = ""
    became: str | None = None  # who goes on from here
    seen: datetime | None = None  # when it was settled
