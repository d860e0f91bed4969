"""A mapping made ready: the checked values, and one compiled program an object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property

from connector.base.facts import PEOPLE, Person
from connector.lifecycle.activity import HasActivity
from connector.lifecycle.compare import Comparison
from connector.lifecycle.conditions import Condition, Test, everything_read
from connector.lifecycle.dates import DateFields
from connector.lifecycle.deals import DealPolicy
from connector.lifecycle.handoff import Handoff, Handoffs
from connector.lifecycle.ladder import Ladder
from connector.lifecycle.measures import HandedOff, ResponseTime
from connector.lifecycle.model import Identity, RecordLink, Segment, Step, Track
from connector.lifecycle.noise import Noise
from connector.lifecycle.opportunity import HasOpportunity
from connector.lifecycle.records import HasRecord
from connector.lifecycle.score import Score, Scorer, Threshold
from connector.lifecycle.sources import Declared, Sieve, Types
from connector.lifecycle.tags import Labeller, Tag
from connector.lifecycle.view import View
from connector.lifecycle.whereabouts import OwnedBy, StandsAt, StandsFor
from connector.lifecycle.written import FieldsBeside, Written

OBJECTS = (*PEOPLE, "Prospect")
OWNER_FIELDS = dict.fromkeys(PEOPLE, "OwnerId")


@dataclass(frozen=True)
class Model:
    """Everything a mapping says, checked. Compiles from values alone."""

    stage: Track
    status: Track | None = None
    lock: Condition | None = None
    scores: tuple[Score, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    handoffs: tuple[Handoff, ...] = ()
    tags: tuple[Tag, ...] = ()
    tag_fields: Mapping[str, str] = field(default_factory=dict)
    tag_separator: str = ";"
    deals: DealPolicy = field(default_factory=DealPolicy)
    dates: DateFields | None = None
    highest: Mapping[str, str] = field(default_factory=dict)
    account_field: str | None = None  # of Account, for the furthest stage of its people
    account_people: Condition | None = None  # who of them counts for that
    leads_by_domain: bool = False  # leads are of the account with the domain of their address
    identity: Identity = field(default_factory=Identity)
    sources: tuple[Declared, ...] = ()
    types: Types = field(default_factory=dict)  # what senders call activities
    own_kinds: tuple[str, ...] = ()  # beside the canonical ones
    noise: Noise = field(default_factory=Noise)
    written: tuple[Written, ...] = ()
    away: tuple[tuple[str, Comparison], ...] = ()  # of fields of User: who is away
    segments: tuple[Segment, ...] = ()
    refresh: Mapping[str, timedelta] = field(default_factory=dict)  # object -> how often all of it is read again
    records: Mapping[str, RecordLink] = field(default_factory=dict)  # object -> how its records are people's

    @property
    def tracks(self) -> tuple[Track, ...]:
        own = [track for each in self.segments for track in (each.stage, each.status) if track is not None]
        return (self.stage, *own) if self.status is None else (self.stage, *own, self.status)

    @cached_property
    def stages(self) -> tuple[Step, ...]:
        """Of all ladders, each name once; those of the general one first."""
        found: dict[str, Step] = {}
        for track in self.tracks:
            for step in track.steps if track.name == "stage" else ():
                found.setdefault(step.name, step)
        return tuple(found.values())

    def conditions(self) -> Iterator[Condition]:
        """Every condition, outermost only."""
        optional = [self.lock, self.deals.counts, self.account_people, *(each.when for each in self.segments)]
        for track in self.tracks:
            yield from (rule.when for step in track.steps for rule in step.rules)
            yield from (move.when for move in track.moves)
        yield from (points.when for score in self.scores for points in score.points)
        for handoff in self.handoffs:
            yield handoff.when
            optional += [handoff.unless, *(rule.when for rule in handoff.owners)]
        yield from (tag.when for tag in self.tags)
        yield from (each.touch for each in self.written if each.touch is not None)
        yield from (each for each in optional if each is not None)

    def walk(self) -> Iterator[Condition]:
        """Every condition, inner ones too."""
        for outermost in self.conditions():
            yield from outermost.walk()

    def reads(self) -> dict[str, frozenset[str]]:
        """Object -> API field names that deciding looks at or writes."""
        pairs = {pair for condition in self.conditions() for pair in everything_read(condition)}
        pairs |= {(name, each) for fields in self.writes().values() for name, each in fields.items()}
        for score in self.scores:
            if score.source is not None and score.source.fields is not None:
                pairs |= {(name, each) for name, each in score.source.fields.items() if name in PEOPLE}
        if self.deals.precedence == ("largest",):
            pairs.add(("Opportunity", "Amount"))
        if any(rule.is_accounts for handoff in self.handoffs for rule in handoff.owners):
            pairs |= {("Account", "OwnerId"), ("Contact", "AccountId")}
        pairs |= {(name, each) for name, fields in self.identity.fields_of.items() for each in fields}
        if self.leads_by_domain:
            pairs.add(("Account", "Website"))
        if self.deals.primary_contact_field:
            pairs |= {("Account", self.deals.primary_contact_field), ("Contact", "AccountId")}
        names = sorted({name for name, _ in pairs})
        return {name: frozenset(each for owner, each in pairs if owner == name) for name in names}

    def writes(self) -> dict[str, dict[str, str]]:
        """Track -> object -> the field it is written to. Stage dates are tracks of their own, one a field."""
        found = {track.name: dict(track.fields) for track in self.tracks}
        found |= {score.name: dict(score.fields) for score in self.scores if score.fields}
        if any(handoff.owners for handoff in self.handoffs):
            found["owner"] = dict(OWNER_FIELDS)
        found |= {"tags": dict(self.tag_fields), "highest_stage": dict(self.highest)}
        if self.dates is not None:
            for step in self.stages:
                for what, name in self.dates.fields(step.name).items():
                    found[f"{what} {step.name}"] = dict.fromkeys(self.stage.fields, name)
        for each in self.written:
            found[each.track] = {**found.get(each.track, {}), **each.fields}
        if self.account_field:
            found["account_stage"] = {"Account": self.account_field}
        return {track: fields for track, fields in found.items() if fields}

    @cached_property
    def asks_whose(self) -> bool:
        """Whether owners matter beside those that hand-offs name."""
        return any(isinstance(each, OwnedBy) for each in self.walk())

    def owners(self) -> dict[str, bool]:
        """Name of every owner people can go to -> whether it is a queue."""
        rules = [rule for handoff in self.handoffs for rule in handoff.owners_named]
        return {owner: rule.is_queue for rule in rules for owner, _ in rule.shares}


@dataclass
class Program:
    """A model compiled for the people of one object. ``segments``: the programs of those who have a ladder of their
    own, with the test that says who they are."""

    model: Model
    object_name: str

    def __post_init__(self) -> None:
        model, name = self.model, self.object_name
        self.stage = Ladder(model.stage, name, model.dates is not None, bool(model.highest), model.account_people)
        self.status = Ladder(model.status, name) if model.status else None
        self.ladders = (self.stage,) if self.status is None else (self.stage, self.status)
        self.lock: Test | None = model.lock.compile(name) if model.lock else None
        self.scorers = tuple(
            Scorer(score, tuple(each for each in model.thresholds if each.of == score.name), name)
            for score in model.scores
        )
        self.handoffs = Handoffs(model.handoffs, name, OWNER_FIELDS.get(name)) if model.handoffs else None
        tag_field = model.tag_fields.get(name)
        self.labeller = Labeller(model.tags, name, tag_field, model.tag_separator) if model.tags else None
        self.beside = FieldsBeside(model.written, name, model.stage.steps) if model.written else None
        self.is_intertwined = any(looks_ahead(condition) for condition in stage_conditions(model))
        self.deals = None if model.deals.is_default else model.deals
        self.sieve = Sieve(model.sources, model.types) if model.sources or model.types else None
        self.noise = model.noise
        self.segments = tuple(
            (
                each.when.compile(name),
                Program(
                    replace(model, stage=each.stage or model.stage, status=each.status or model.status, segments=()),
                    name,
                ),
            )
            for each in model.segments
        )
        every = [ladder for each in (self, *(own for _, own in self.segments)) for ladder in each.ladders]
        for ladder in every if self.segments else ():
            ladder.know(other for other in every if other is not ladder and other.name == ladder.name)

    def counting(self, person: Person) -> Person:
        """The person with only what counts at all, of what they and their systems did."""
        person = self.noise.sift(self.in_our_words(person))
        return person if self.sieve is None else self.sieve.sift(person)

    def in_our_words(self, person: Person) -> Person:
        return person if self.sieve is None else self.sieve.in_our_words(person)

    def of(self, view: View) -> Program:
        """The program that decides this person: of the first segment they are in."""
        return next((program for test, program in self.segments if test(view)), self)


def stage_conditions(model: Model) -> Iterator[Condition]:
    yield from (rule.when for step in model.stage.steps for rule in step.rules)
    yield from (move.when for move in model.stage.moves)


def looks_ahead(condition: Condition) -> bool:
    """Whether a condition of the stage looks at what is decided after it: the status, or the hand-off."""
    for each in condition.walk():
        if isinstance(each, StandsAt | StandsFor) and each.track == "status":
            return True
        if isinstance(each, HandedOff | ResponseTime):
            return True
        if isinstance(each, HasActivity | HasOpportunity | HasRecord) and each.since in {"handoff", "start", "status"}:
            return True
    return False


def compile_programs(model: Model) -> Mapping[str, Program]:
    return {name: Program(model, name) for name in OBJECTS}
