"""What a mapping is once it is checked: frozen values, without a line of YAML.

A :class:`Track` is something with ordered steps that a person stands at: the stage, the lead status. Both are decided
by the same code (``gate.py``); what differs is in these values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from connector.lifecycle.calendar import Span
from connector.lifecycle.conditions import Condition


@dataclass(frozen=True)
class Rule:
    """Says that a person belongs to a step when a condition holds. ``line`` is where the mapping says so."""

    name: str
    when: Condition
    file: str = ""
    line: int = 0

    @cached_property
    def reason(self) -> str:
        return f"{self.name}: {self.when.said}"


@dataclass(frozen=True)
class Step:
    """One stage or status. ``values``: object -> what Salesforce calls it there (its name, unless said otherwise).
    ``funnel`` False: beside the order of the others. Rules move nobody out of there, nor out of one that is
    ``terminal``; out of one that is ``forever``, moves neither. ``reports`` is for what reports show."""

    name: str
    rules: tuple[Rule, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    set_by: str = "rules"  # "rules" | "people"
    reports: str = "shown"  # "shown" | "hidden"
    funnel: bool = True
    terminal: bool = False
    forever: bool = False
    description: str = ""

    def value(self, object_name: str) -> str:
        return self.values.get(object_name, self.name)


@dataclass(frozen=True)
class Manual:
    """How long a value that a person set stays: ``until_promotion``, ``forever``, ``ignored`` (not at all), or for
    ``span``."""

    kind: str = "until_promotion"
    span: Span | None = None


@dataclass(frozen=True)
class Move:
    """A named exception of the gate: from one of ``origins`` (empty: from anywhere) to ``to`` while ``when`` holds,
    once it has held for ``after`` and the person has stood there for ``cool_off``. ``status``: the lead status that
    goes with it. ``restart``: a fresh start; the score counts from then on, and hand-offs are forgotten."""

    name: str
    origins: tuple[str, ...]
    to: str
    when: Condition
    after: Span | None = None
    cool_off: Span | None = None
    status: str | None = None
    restart: bool = False
    file: str = ""
    line: int = 0

    @cached_property
    def reason(self) -> str:
        return f"{self.name}: {self.when.said}"


@dataclass(frozen=True)
class Track:
    """Ordered steps. ``forward``: rules never move anybody back, but for ``moves``. ``stages``: it is only decided for
    people at one of these stages (None: for all); ``outside`` says what happens to the value of the others.
    ``migrate``: what steps were called before -> their names."""

    name: str  # "stage" | "status"
    steps: tuple[Step, ...]
    fields: Mapping[str, str]  # object -> API field name
    forward: bool = True
    manual: Manual = Manual()
    moves: tuple[Move, ...] = ()
    stages: tuple[str, ...] | None = None
    outside: str = "leave"  # "leave" | "clear"
    migrate: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Segment:
    """People with a ladder of their own: those for whom ``when`` holds. A track that is None is everybody's."""

    name: str
    when: Condition
    stage: Track | None = None
    status: Track | None = None
    line: int = 0


@dataclass(frozen=True)
class Identity:
    """When records are one human besides conversion and merge. ``by_email``: records with the same e-mail address are,
    unless more than ``at_most`` have it; the one of the first object in ``prefer`` leads, and among those the
    ``oldest`` or ``newest``. ``addresses``: further fields with an address of theirs, like Contact.Work_Email__c."""

    by_email: bool = False
    prefer: tuple[str, ...] = ("Contact", "Lead")
    then: str = "oldest"
    at_most: int = 20
    addresses: tuple[str, ...] = ()

    @property
    def fields_of(self) -> dict[str, list[str]]:
        """Object -> its fields in ``addresses``."""
        found: dict[str, list[str]] = {}
        for each in self.addresses:
            name, _, api_name = each.partition(".")
            found.setdefault(name, []).append(api_name)
        return found


@dataclass(frozen=True)
class RecordLink:
    """How records of an object are people's: by a lookup to Contact or Lead, by an e-mail address, by the account whose
    people they are; the first of these that is filled. ``dated_by``: the field that says when one counts from."""

    person: str = ""
    email: str = ""
    account: str = ""
    dated_by: str = "CreatedDate"

    @property
    def fields(self) -> tuple[str, ...]:
        """Those that are read for it."""
        return tuple(each for each in (self.person, self.email, self.account, self.dated_by) if each)
