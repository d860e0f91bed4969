"""Including: several files become one tree, before anything is read from it.

What a file says goes over what it includes. Sections are joined key by key; lists of named entries (stages, rules,
tags) name by name, new ones after the old, or where ``before`` or ``after`` says; ``drop: true`` takes one out. Any
other list is replaced. Within an entry what is said again replaces what was said: a new ``when`` is not added to the
old one. Name, description and tests stay with their file; the tests of what is included are run, too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from connector.mapping.mistakes import Notes, Place, did_you_mean
from connector.mapping.tree import Map, Scalar, Seq, Tree, parse_yaml

MAX_FILES = 20
OWN = ("name", "description", "tests", "include")  # what a file says of itself only
PLACES = ("drop", "before", "after")  # what an entry says of itself, and no other part of the mapping sees
_Read = Callable[[str, Notes, Place], str | bytes | None]


class Gathered(NamedTuple):
    """The joined tree; file -> text of everything it was made of, the main file first; file -> its tests, of those that
    are included."""

    tree: Map | None
    texts: dict[str, str]
    tests: dict[str, Tree]


def gather(file: str, read: _Read, notes: Notes) -> Gathered:
    """Every mistake is noted."""
    texts: dict[str, str] = {}
    tests: dict[str, Tree] = {}
    return Gathered(_gather(file, read, notes, Place(file, 0), [], texts, tests), texts, tests)


def _gather(
    file: str,
    read: _Read,
    notes: Notes,
    place: Place,
    above: list[str],
    texts: dict[str, str],
    tests: dict[str, Tree],
) -> Map | None:
    if file in above:
        notes.add(place, "files include each other: " + " -> ".join([*above, file]), "break the circle")
        return None
    if len(texts) >= MAX_FILES:
        notes.add(place, f"more than {MAX_FILES} files are included", "join some of them")
        return None
    text = read(file, notes, place)
    if text is None:
        return None
    tree = parse_yaml(text, file, notes)
    if tree is None:
        return None
    texts[file] = text.decode("utf-8-sig") if isinstance(text, bytes) else text
    base: Map | None = None
    for name in _included(tree.items.get("include")):
        part = _gather(name.text.strip(), read, notes, name.place, [*above, file], texts, tests)
        if part is not None:
            if "tests" in part.items:
                tests[name.text.strip()] = part.items["tests"]
            part = Map({key: each for key, each in part.items.items() if key not in OWN}, part.place, part.keys)
            base = part if base is None else _join(base, part, notes)
    return tree if base is None else _join(base, tree, notes)


def _included(tree: Tree | None) -> list[Scalar]:
    items = tree.items if isinstance(tree, Seq) else (tree,)
    return [item for item in items if isinstance(item, Scalar) and isinstance(item.value, str)]


def _join(base: Map, over: Map, notes: Notes) -> Map:
    items, keys = dict(base.items), dict(base.keys)
    for key, value in over.items.items():
        below = items.get(key)
        keys[key] = over.at(key)
        if isinstance(below, Map) and isinstance(value, Map):
            items[key] = _join(below, value, notes)
        elif isinstance(below, Seq) and isinstance(value, Seq):
            items[key] = _join_lists(key, below, value, notes)
        else:
            items[key] = value
    return Map(items, over.place, keys)


def _join_lists(section: str, base: Seq, over: Seq, notes: Notes) -> Seq:
    places = PLACES if section != "moves" else ("drop", "before")  # ``after`` is a move's grace period
    if not (_is_named(base) and _is_named(over)):
        return over
    entries: dict[str, Tree] = {_name(item): item for item in base.items}
    for item in over.items:
        name = _name(item)
        said = {key: item.items[key] for key in places if key in item.items} if isinstance(item, Map) else {}
        if "drop" in said:
            if not (isinstance(said["drop"], Scalar) and said["drop"].value is True):
                notes.add(said["drop"].place, f"drop of {name} is not true", "write drop: true, or leave drop out")
            elif entries.pop(name, None) is None:
                notes.add(item.place, f"there is no {name} to drop", did_you_mean(name, entries))
            elif isinstance(item, Map) and (more := sorted(item.items.keys() - {"name", "drop"})):
                notes.add(item.place, f"{name} is dropped, and says {', '.join(more)} too", "keep drop, or the rest")
            continue
        if len(said) > 1:
            notes.add(item.place, f"{name} is placed before one and after another", "keep before, or after")
        entries[name] = _replace(entries.get(name), item, said) if isinstance(item, Map) else item
        for where, other in said.items():
            entries = _moved(entries, name, where, other, notes)
    return Seq(tuple(entries.values()), over.place)


def _moved(entries: dict[str, Tree], name: str, where: str, other: Tree, notes: Notes) -> dict[str, Tree]:
    """The entries with one of them right before or after another."""
    wanted = other.text.strip() if isinstance(other, Scalar) else ""
    order = [each for each in entries if each != name]
    if wanted not in order:
        notes.add(other.place, f"there is no {wanted or 'such entry'} to stand {where}", did_you_mean(wanted, order))
        return entries
    order.insert(order.index(wanted) + (where == "after"), name)
    return {each: entries[each] for each in order}


def _replace(base: Tree | None, over: Map, without: Collection[str]) -> Map:
    """The entry, with what is said again in place of what was said."""
    said = {key: each for key, each in over.items.items() if key not in without}
    if not isinstance(base, Map):
        return Map(said, over.place, over.keys)
    return Map({**base.items, **said}, over.place, {**base.keys, **over.keys})


def _is_named(tree: Seq) -> bool:
    names = [_name(item) for item in tree.items]
    return all(names) and len(set(names)) == len(names)


def _name(tree: Tree) -> str:
    name = tree.items.get("name") if isinstance(tree, Map) else None
    return name.text.strip() if isinstance(name, Scalar) and name.value is not None else ""
