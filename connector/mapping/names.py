"""The names a mapping defines, collected before anything refers to them."""

from __future__ import annotations

from connector.lifecycle.program import OBJECTS
from connector.lifecycle.sources import TAP
from connector.mapping.business import CALENDAR
from connector.mapping.kinds import KNOWN_KINDS, KNOWN_SOURCES
from connector.mapping.language import ATTRIBUTES, CONDITIONS
from connector.mapping.mistakes import Place
from connector.mapping.records import LINKED_OBJECT, RecordsShape
from connector.mapping.sections import FIELDS_SECTION, THRESHOLD
from connector.mapping.shape import BAD, PATH, MapOf, Reading
from connector.mapping.tree import Map, Scalar, Seq, Tree

DEFAULT_IGNORED = ("email_open",)
NAMED_LISTS = {"stages": "stage", "statuses": "status", "handoff": "hand-off"}


def collect(tree: Map, reading: Reading) -> None:
    """Fills ``reading`` with names; two of one name are a mistake."""
    for section, kind in NAMED_LISTS.items():
        reading.names[kind] = _names(tree.items.get(section), kind, reading)
    reading.ladders = [_in_order(tree.items.get("stages"), reading.names["stage"])]
    segments = tree.items.get("segments")
    for segment in segments.items if isinstance(segments, Seq) else ():
        if isinstance(segment, Map):
            theirs = _names(segment.items.get("stages"), "stage", reading)
            reading.ladders.append(_in_order(segment.items.get("stages"), theirs))
            reading.names["stage"] = theirs | reading.names["stage"]
            statuses = _names(segment.items.get("statuses"), "status", reading)
            reading.names["status"] = statuses | reading.names["status"]
    reading.names["stage or status"] = reading.names["stage"] | reading.names["status"]
    conditions = tree.items.get("conditions")
    if isinstance(conditions, Map):
        reading.named = dict(conditions.items)
        reading.names["condition"] = {name: conditions.at(name) for name in conditions.items}
    for section, kind in (("thresholds", "threshold"), ("records", LINKED_OBJECT)):
        names = tree.items.get(section)
        reading.names[kind] = {name: names.at(name) for name in names.items} if isinstance(names, Map) else {}
    reading.names["number"] = {name: tree.at(name) for name in ("score", "fit") if name in tree.items}
    records = tree.items.get("records")
    reading.names[LINKED_OBJECT] = (
        {name: records.at(name) for name in records.items} if isinstance(records, Map) else {}
    )
    sources = tree.items.get("sources")
    if isinstance(sources, Map):
        senders = [name for name in sources.items if name not in KNOWN_SOURCES and not name.startswith(TAP)]
        reading.names["sender"] = {name: sources.at(name) for name in senders}
    _pipeline(tree.items.get("opportunities"), reading)
    _attributes(tree.items.get("attributes"), reading)
    _kinds(tree.items.get("activities"), reading)


def read_ahead(tree: Map, reading: Reading) -> None:
    """What conditions need to know of other sections."""
    calendar = reading.quietly(CALENDAR, tree.items.get("calendar"))
    if calendar is not BAD:
        reading.calendar = calendar
    fields = reading.quietly(FIELDS_SECTION, tree.items.get("fields"))
    if fields is not BAD:
        reading.tag_fields, reading.tag_separator = fields["tags"], fields["tag_separator"]
    records = reading.quietly(RecordsShape(), tree.items.get("records"))
    reading.records = {} if records is BAD else records
    thresholds = reading.quietly(MapOf(THRESHOLD), tree.items.get("thresholds"))
    reading.thresholds = {} if thresholds is BAD else thresholds


def _pipeline(tree: Tree | None, reading: Reading) -> None:
    stages = tree.items.get("pipeline") if isinstance(tree, Map) else None
    items = stages.items if isinstance(stages, Seq) else ()
    reading.names["opportunity stage"] = {item.text.strip(): item.place for item in items if isinstance(item, Scalar)}


def _names(tree: Tree | None, kind: str, reading: Reading) -> dict[str, Place]:
    found: dict[str, Place] = {}
    items = tree.items if isinstance(tree, Seq) else (tree,) if isinstance(tree, Map) else ()
    for item in items:
        name = item.items.get("name") if isinstance(item, Map) else item
        if not isinstance(name, Scalar) or name.value is None:
            continue
        text = name.text.strip()
        if text in found:
            line = found[text].line
            reading.bad(name.place, f"two {kind} entries are called {text} (the first in line {line})", "rename one")
        found.setdefault(text, name.place)
    return found


def _in_order(tree: Tree | None, names: dict[str, Place]) -> list[str]:
    """Without the stages beside the funnel: nothing is before or behind those."""
    beside = set()
    for item in tree.items if isinstance(tree, Seq) else ():
        funnel, name = (item.items.get(key) if isinstance(item, Map) else None for key in ("funnel", "name"))
        if isinstance(funnel, Scalar) and funnel.value is False and isinstance(name, Scalar):
            beside.add(name.text.strip())
    return [name for name in names if name not in beside]


def _attributes(tree: Tree | None, reading: Reading) -> None:
    reading.attributes = {name: dict(fields) for name, fields in ATTRIBUTES.items()}
    for name, fields in tree.items.items() if isinstance(tree, Map) else ():
        if name in CONDITIONS:
            place = tree.at(name) if isinstance(tree, Map) else tree.place if tree else Place("", 0)
            reading.bad(place, f"{name} is a word of the language already", "give the attribute another name")
        elif isinstance(fields, Map):
            reading.attributes[name] = {
                key: value.text
                for key, value in fields.items.items()
                if key in OBJECTS and isinstance(value, Scalar) and PATH.fullmatch(value.text)
            }


def _kinds(tree: Tree | None, reading: Reading) -> None:
    kinds = dict.fromkeys(KNOWN_KINDS, Place("", 0))
    ignored: tuple[str, ...] = DEFAULT_IGNORED
    if isinstance(tree, Map):
        for kind in _texts(tree.items.get("kinds")):
            kinds[kind] = tree.at("kinds")
        if "ignore" in tree.items:
            ignored = tuple(each for each in _texts(tree.items["ignore"]) if each != "none")
    reading.names["activity kind"] = kinds
    reading.ignored_kinds = frozenset(ignored)


def _texts(tree: Tree | None) -> list[str]:
    items = tree.items if isinstance(tree, Seq) else (tree,)
    return [item.text.strip() for item in items if isinstance(item, Scalar) and item.value is not None]
