"""The section ``sources:``: what counts of each source, how its people are found, what its score is called."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from connector.base.json import JsonObject
from connector.lifecycle.amounts import DEAL_KIND
from connector.lifecycle.compare import Ahead, Comparison, Every, IsNot, OlderThan, Within
from connector.lifecycle.score import ScoreSource
from connector.lifecycle.sources import FEEDS, MATCH, SALESFORCE, TAP, Declared, SourceScores
from connector.lifecycle.values import kind_of
from connector.mapping.comparison import COMPARISON
from connector.mapping.filters import KIND_LIST, Filters
from connector.mapping.kinds import KNOWN_KINDS, KNOWN_SOURCES, usual_direction
from connector.mapping.makers import OrNone
from connector.mapping.mistakes import Place, did_you_mean
from connector.mapping.shape import BAD, Block, Key, ListOf, NameOf, Reading, Shape, Text, Word
from connector.mapping.tree import Map, Scalar, Tree

NOT_OF_SALESFORCE = ("match", "score", "deals")  # its activities name their record, and its deals are opportunities
SOME = OrNone(KIND_LIST)
BUT = Block("kinds but", {"not": Key(KIND_LIST, "all kinds but these", required=True)}, doc="all kinds but some")


@dataclass(frozen=True)
class KindsShape(Shape):
    """A list, ``none``, or ``{not: list}``: read as (kinds, whether they are those that do not count)."""

    some: Shape = SOME
    but: Block = BUT
    words: str = f"{SOME.words}, or {{not: ...}}"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if isinstance(tree, Map):
            found = self.but.read(tree, reading)
            return BAD if found is BAD else (frozenset(found["not"]), True)
        found = self.some.read(tree, reading)
        return BAD if found is BAD else (frozenset(found), False)

    def schema(self) -> JsonObject:
        return {"anyOf": [self.some.schema(), self.but.schema()]}


@dataclass(frozen=True)
class MatchShape(Shape):
    """Some of the ways, in their order."""

    words: str = f"some of {', '.join(MATCH)}, in this order"

    def read(self, tree: Tree, reading: Reading) -> Any:
        found = ListOf(Word(MATCH)).read(tree, reading)
        if found is BAD:
            return BAD
        in_order = tuple(each for each in MATCH if each in found)
        hint = f"write [{', '.join(in_order)}]; the surest way always comes first"
        return in_order if found == in_order else reading.bad(tree.place, "match is in another order", hint)

    def schema(self) -> JsonObject:
        return ListOf(Word(MATCH)).schema()


TYPES_DOC = "what senders call activities -> the kind it is; also of what was recorded before"


@dataclass(frozen=True)
class TypesShape(Shape):
    """Their word -> our kind, read as ``Types``."""

    words: str = "a map of their words to kinds of activity"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if not isinstance(tree, Map):
            return self._mismatch(tree, reading, "write it like {Form Submitted on Website: form_submit}")
        found: dict[str, Any] = {}
        for word, value in tree.items.items():
            kind, meant = kind_of(word), NameOf("activity kind").read(value, reading)
            if not kind:
                meant = reading.bad(tree.at(word), f"{word} has no letter", "name the type as the sender writes it")
            elif kind in KNOWN_KINDS:
                meant = reading.bad(tree.at(word), f"{word} is a kind already, {kind}", "leave it out")
            elif kind in found:
                meant = reading.bad(tree.at(word), f"{word} is there twice, as {kind}", "keep one of them")
            found[kind] = meant if meant is BAD else (meant, usual_direction(meant))
        return BAD if any(each is BAD for each in found.values()) else found

    def schema(self) -> JsonObject:
        return {"type": "object", "additionalProperties": NameOf("activity kind").schema()}


_SOURCE = Block(
    "source",
    {
        "through": Key(
            ListOf(Word(tuple(FEEDS))),
            "for a sender of yours: it comes through a hook of this name, or in lines of files or a warehouse whose"
            " column source says this name",
            (),
        ),
        "kinds": Key(KindsShape(), "only these kinds of activity count; none: no activity does"),
        "name": Key(COMPARISON, "only what is named so counts", example="name: {not: {contains: test}}"),
        "where": Key(
            Filters(fields=False, priced=False),
            "only what has such attributes counts",
            example="where: {campaign: {not: Internal}}",
        ),
        "match": Key(
            MatchShape(),
            "how people are found: by the CRM id, through the source's own person, by e-mail address; an activity goes"
            " the first of these ways that it offers, and counts for nobody where that way is left out",
            MATCH,
        ),
        "types": Key(TypesShape(), f"{TYPES_DOC}; before activities: types:", {}),
        "score": Key(OrNone(Text()), "the attribute that is its score, for score: from:; none: it has none"),
        "deals": Key(
            Word(("opportunities", "activities")),
            "opportunities: its deals count as opportunities, in every condition on these",
            "activities",
        ),
    },
    short=Word(("off",)),
    short_key="use",
    doc="off: it is not read, and what it told before does not count",
)


@dataclass(frozen=True)
class SourcesShape(Shape):
    """Source -> what is declared of it."""

    source: Block = _SOURCE
    words: str = "a map of a source to off, or a map"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if not isinstance(tree, Map):
            return self._mismatch(tree, reading, "write it like {marketo: {kinds: [form_submit, email_click]}}")
        found = []
        for name, each in tree.items.items():
            if isinstance(each, Scalar) and each.value is None:
                found.append(reading.bad(tree.at(name), f"{name} has no value", "write off, or what counts of it"))
                continue
            values = self.source.read(each, reading)
            found.append(BAD if values is BAD else _declared(name, values, tree.at(name), reading))
        if any(each is BAD for each in found):
            return BAD
        _check_feeds(found, reading)
        return tuple(found)

    def schema(self) -> JsonObject:
        return {"type": "object", "additionalProperties": self.source.schema()}


def _declared(name: str, said: JsonObject, place: Place, reading: Reading) -> Any:
    is_source = name in KNOWN_SOURCES or name.startswith(TAP)
    if not is_source and not said["through"]:
        hint = did_you_mean(
            name,
            KNOWN_SOURCES,
            f"for a sender of yours say through: {', '.join(FEEDS)}, or some of them; a tap's name begins with {TAP}",
        )
        return reading.bad(place, f"there is no source {name}", hint)
    if is_source and said["through"]:
        return reading.bad(place, f"{name} is a source itself", "leave through out, or give the sender its own name")
    defaults = {key: _SOURCE.keys[key].default for key in NOT_OF_SALESFORCE}
    if name == SALESFORCE and (wrong := [key for key, usual in defaults.items() if said[key] != usual]):
        return reading.bad(place, f"{' and '.join(wrong)} means nothing for Salesforce itself", "leave it out")
    kinds, but = said["kinds"] or (None, False)
    is_deals = said["deals"] == "opportunities"
    if is_deals and kinds is not None and (DEAL_KIND in kinds) == but:
        return reading.bad(place, f"{name} counts deals as opportunities, and its kinds leave deals out", "add deal")
    for key, compare in (("name", said["name"]), *(said["where"] or ())):
        if compare is not None and _looks_at_clock(compare):
            return reading.bad(place, f"{name}: a filter of a source has no clock ({key})", "ask for it in a condition")
    return Declared(
        name=name,
        is_off=said["use"] == "off",
        through=said["through"],
        kinds=kinds,
        but=but,
        called=said["name"],
        where=said["where"] or (),
        match=MATCH if said["match"] == MATCH else said["match"],
        score="" if said["score"] == () else said["score"],
        deals=is_deals,
        types=said["types"],
        file=place.file,
        line=place.line,
    )


def _check_feeds(sources: Iterable[Declared], reading: Reading) -> None:
    off = {each.name for each in sources if each.is_off}
    for each in sources:
        if each.through and off.issuperset(each.through):
            what = f"{each.name} comes through {' and '.join(each.through)}, which is off"
            reading.bad(Place(each.file, each.line), what, "drop one of the two")


def _looks_at_clock(compare: Comparison) -> bool:
    if isinstance(compare, IsNot):
        return _looks_at_clock(compare.item)
    if isinstance(compare, Every):
        return any(_looks_at_clock(each) for each in compare.items)
    return isinstance(compare, Within | OlderThan | Ahead)


def score_source(said: JsonObject | None, sources: tuple[Declared, ...], reading: Reading) -> ScoreSource | None:
    """Where ``score:`` is taken from, with what the sources call theirs. What goes nowhere is noted."""
    taken: ScoreSource | None = said["from"] if said else None
    told = [each for each in sources if each.score]
    if taken is not None and taken.is_sources and not told:
        reading.bad(said["place"] if said else Place("", 0), "no source has a score", "say score: in sources:")
    if taken is not None and taken.fields is None:
        named = any(each.score is not None for each in sources)
        return SourceScores(taken.prospect, sources=sources) if named else taken
    for each in told:
        what = "is counted" if said and taken is None else "is taken from a field" if said else "is not there"
        hint = "say score: {from: sources}, or drop the source's score"
        reading.bad(Place(each.file, each.line), f"{each.name} has a score, and the score of the mapping {what}", hint)
    return taken
