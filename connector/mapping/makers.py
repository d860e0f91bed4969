"""What the sections of a mapping become, and the few shapes that only they use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connector.base.facts import PEOPLE
from connector.base.json import JsonObject
from connector.lifecycle.dates import DateFields
from connector.lifecycle.deals import DEFAULT_PRECEDENCE, DealPolicy
from connector.lifecycle.handoff import FREE, WORKED_ON, Handoff, OwnerRule
from connector.lifecycle.model import Identity, Manual
from connector.lifecycle.opportunity import WHICH
from connector.lifecycle.score import Points, ScoreSource
from connector.lifecycle.tags import Tag
from connector.mapping.mistakes import Place
from connector.mapping.shape import (
    BAD,
    FIELD,
    Block,
    Duration,
    FieldName,
    Key,
    MapOf,
    Reading,
    Shape,
    Text,
    Word,
    business_span,
    parse_duration,
)
from connector.mapping.tree import Map, Scalar, Seq, Tree


@dataclass(frozen=True)
class PerObject(Shape):
    """One value for Contact and Lead, or one for each."""

    item: Shape

    @property
    def words(self) -> str:  # type: ignore[override]  # computed, where the others have a constant
        return f"{self.item.words}, or a map with Contact and Lead"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if isinstance(tree, Map):
            return MapOf(self.item, PEOPLE).read(tree, reading)
        value = self.item.read(tree, reading)
        return BAD if value is BAD else dict.fromkeys(PEOPLE, value)

    def schema(self) -> JsonObject:
        return {"anyOf": [self.item.schema(), MapOf(self.item, PEOPLE).schema()]}


@dataclass(frozen=True)
class ManualShape(Shape):
    """How long a value that a person set stays."""

    words: str = "until_promotion, forever, ignored, or a length of time"

    def read(self, tree: Tree, reading: Reading) -> Any:
        text = tree.text.strip().replace(" ", "_") if isinstance(tree, Scalar) else ""
        if text in {"until_promotion", "forever", "ignored"}:
            return Manual(text)
        span = business_span(text.replace("_", " "), reading) or parse_duration(text.replace("_", " "))
        return (
            Manual("span", span)
            if span
            else self._mismatch(tree, reading, "write until_promotion, forever, ignored or 30d")
        )

    def schema(self) -> JsonObject:
        return {"anyOf": [{"enum": ["until_promotion", "forever", "ignored"]}, Duration().schema()]}


@dataclass(frozen=True)
class OrNone(Shape):
    """A list, or the word none for an empty one."""

    item: Shape

    @property
    def words(self) -> str:  # type: ignore[override]  # computed, where the others have a constant
        return f"{self.item.words}, or none"

    def read(self, tree: Tree, reading: Reading) -> Any:
        return () if isinstance(tree, Scalar) and tree.text.strip() == "none" else self.item.read(tree, reading)

    def schema(self) -> JsonObject:
        return {"anyOf": [{"const": "none"}, self.item.schema()]}


@dataclass(frozen=True)
class PatternShape(Shape):
    """A field name with ``{stage}`` in it."""

    words: str = "a pattern of field names, like '{stage}_Entered__c'"

    def read(self, tree: Tree, reading: Reading) -> Any:
        text = tree.text.strip() if isinstance(tree, Scalar) else ""
        if text.count("{stage}") == 1 and FIELD.fullmatch(text.replace("{stage}", "x")):
            return text
        return self._mismatch(tree, reading, "put {stage} where the stage's name goes")

    def schema(self) -> JsonObject:
        return {"type": "string", "pattern": "[{]stage[}]"}


@dataclass(frozen=True)
class PrecedenceShape(Shape):
    """``won > open > lost``, in some order, or one word for the only one that counts."""

    words: str = f"won, open and lost in an order, like 'open > won > lost', or one of primary, {', '.join(WHICH)}"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if isinstance(tree, Scalar):
            words = tuple(word.strip() for word in tree.text.split(">"))
        else:
            words = (
                tuple(item.text.strip() for item in tree.items if isinstance(item, Scalar))
                if isinstance(tree, Seq)
                else ()
            )
        if (len(words) == 1 and words[0] in {"primary", *WHICH}) or (
            set(words) == set(DEFAULT_PRECEDENCE) and len(words) == 3
        ):
            return words
        return self._mismatch(tree, reading, "name all three, like won > open > lost")

    def schema(self) -> JsonObject:
        return {"type": "string"}


def make_source(values: JsonObject, place: Place, reading: Reading) -> Any:
    if values["sources"]:
        return ScoreSource()
    if (values["prospect"] is None) == (values["field"] is None):
        return reading.bad(place, "from needs either prospect or field", "write from: {prospect: score}")
    return ScoreSource(values["prospect"] or "", values["field"])


SCORE_SOURCE = Block(
    "from",
    {
        "prospect": Key(Text(), "an attribute of the marketing system's prospect; of several, the largest"),
        "field": Key(PerObject(FieldName()), "a field of the record"),
    },
    make_source,
    short=Word(("sources",)),
    short_key="sources",
    doc="a number that another system keeps",
)


def make_points(values: JsonObject, place: Place, reading: Reading) -> Any:
    if (values["activity"] is None) == (values["when"] is None):
        return reading.bad(place, "points need either activity or when", "say what gives the points")
    if values["activity"] is not None and values["activity"].count != 1:
        return reading.bad(place, "each activity gives points, so count means nothing here", "use cap")
    if values["when"] is not None and values["cap"] is not None:
        return reading.bad(place, "cap is for points of activities", "leave it out")
    is_each = values["activity"] is not None
    return Points(values["activity"] if is_each else values["when"], values["points"], values["cap"], is_each)


def make_score(values: JsonObject, place: Place, reading: Reading) -> Any:
    if (values["from"] is None) == (values["points"] is None):
        return reading.bad(place, "a score is either taken (from) or counted (points)", "say one of them")
    fading = [key for key in ("half_life", "decay") if values.get(key)]
    if values["from"] is not None and fading:
        return reading.bad(place, f"a score that is taken from elsewhere has no {fading[0]}", "leave it out")
    if len(fading) > 1:
        return reading.bad(place, "points fade by half_life or by decay", "say one of them")
    if values["min"] >= values["max"]:
        return reading.bad(place, "min is not below max", "swap them")
    return {**values, "place": place}


def make_threshold(values: JsonObject, place: Place, reading: Reading) -> Any:
    below = values["at"] if values["again_below"] is None else values["again_below"]
    if below > values["at"]:
        return reading.bad(place, "again_below is above at: the threshold would go on and off by itself", "swap them")
    return {**values, "again_below": below, "place": place}


def make_owner_rule(values: JsonObject, place: Place, reading: Reading) -> Any:
    every = ("user", "queue", "round_robin", "weights", "capacity", "account_owner")
    ways = [way for way in every if values[way] is not None and values[way] is not False]
    if len(ways) != 1:
        return reading.bad(place, f"an owner rule names one of {', '.join(every)}", "say one")
    (way,) = ways
    if way == "account_owner":
        return OwnerRule(values["name"] or "account owner", (), values["when"], is_accounts=True, line=place.line)
    chosen = values[way]
    if isinstance(chosen, dict):
        shares = tuple(chosen.items())
    else:
        shares = tuple((owner, 1.0) for owner in ((chosen,) if isinstance(chosen, str) else chosen))
    if len({owner for owner, _ in shares}) != len(shares):
        return reading.bad(place, "an owner is named twice", "use weights for unequal parts")
    if not any(share for _, share in shares):
        return reading.bad(place, "nobody gets anybody: every number is 0", "give somebody more")
    name = values["name"] or f"{way.replace('_', ' ')} {', '.join(owner for owner, _ in shares)}"
    return OwnerRule(name, shares, values["when"], way == "queue", way == "capacity", line=place.line)


def make_handoff(values: JsonObject, place: Place, reading: Reading) -> Any:
    unless = WORKED_ON if values["unless"] is None else values["unless"]
    whose = tuple(values["reassign"])
    if whose != FREE and not values["owner"]:
        return reading.bad(place, "reassign says whose people get another owner, and no owner is named", "add owner:")
    return Handoff(values["name"], values["when"], values["owner"], unless, values["status"], whose, place.line)


def make_tag(values: JsonObject, place: Place, _reading: Reading) -> Any:
    return Tag(values["name"], values["when"], values["keep"], place.line)


def make_deals(values: JsonObject, place: Place, reading: Reading) -> Any:
    without, field = values["without_roles"], values["primary_contact_field"]
    if "ignore" in without and len(without) > 1:
        return reading.bad(place, "without_roles says ignore and something else", "drop ignore")
    if ("primary_contact" in without) != (field is not None):
        return reading.bad(place, "primary_contact and primary_contact_field go together", "say both, or neither")
    counts = values["counts"]
    if counts is not None and (counts.state in {"all_lost", "none"} or counts.count != 1):
        return reading.bad(place, "counts is asked of each opportunity by itself", "leave out all_lost, none and count")
    return DealPolicy(counts, values["precedence"], without, values["active_within"], field)


def make_dates(values: JsonObject, place: Place, reading: Reading) -> Any:
    patterns = [values[key] for key in ("entered", "exited", "days", "how") if values[key]]
    if not patterns or len(set(patterns)) != len(patterns):
        return reading.bad(place, "dates needs patterns, each different", "write entered: '{stage}_Entered__c'")
    return DateFields(values["entered"], values["exited"], values["days"], values["how"], values["as"] == "date")


def make_identity(values: JsonObject, _place: Place, _reading: Reading) -> Any:
    named = values["addresses"] or {}
    fields = tuple(f"{name}.{field}" for name in PEOPLE for field in named.get(name, ()) if field != "Email")
    return Identity(values["by_email"], tuple(values["prefer"]), values["then"], values["at_most"], fields)
