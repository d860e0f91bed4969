"""Including: several files become one tree, before anything is read from it.

What a file says goes over what it includes. Sections are joined key by key; lists of named entries (stages, rules,
tags) name by name, new ones after the old; any other list is replaced. Within an entry what is said again replaces what
was said: a new ``when`` is not added to the old one. Name, description and tests stay with their file.
"""

from __future__ import annotations

from collections.abc import Callable

from connector.mapping.mistakes import Notes, Place
from connector.mapping.tree import Map, Scalar, Seq, Tree, parse_yaml

MAX_FILES = 20
OWN = ("name", "description", "tests", "include")  # what a file says of itself only
_Read = Callable[[str, Notes, Place], str | bytes | None]


def gather(file: str, read: _Read, notes: Notes) -> tuple[Map | None, dict[str, str]]:
    """The joined tree, and file -> text of everything it was made of, the main file first."""
    texts: dict[str, str] = {}
    tree = _gather(file, read, notes, Place(file, 0), [], texts)
    return tree, texts


def _gather(file: str, read: _Read, notes: Notes, place: Place, above: list[str], texts: dict[str, str]) -> Map | None:
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
        part = _gather(name.text.strip(), read, notes, name.place, [*above, file], texts)
        if part is not None:
            part = Map({key: each for key, each in part.items.items() if key not in OWN}, part.place, part.keys)
            base = part if base is None else _join(base, part)
    return tree if base is None else _join(base, tree)


def _included(tree: Tree | None) -> list[Scalar]:
    items = tree.items if isinstance(tree, Seq) else (tree,)
    return [item for item in items if isinstance(item, Scalar) and isinstance(item.value, str)]


def _join(base: Map, over: Map) -> Map:
    items, keys = dict(base.items), dict(base.keys)
    for key, value in over.items.items():
        below = items.get(key)
        keys[key] = over.at(key)
        if isinstance(below, Map) and isinstance(value, Map):
            items[key] = _join(below, value)
        elif isinstance(below, Seq) and isinstance(value, Seq):
            items[key] = _join_lists(below, value)
        else:
            items[key] = value
    return Map(items, over.place, keys)


def _join_lists(base: Seq, over: Seq) -> Seq:
    if not (_is_named(base) and _is_named(over)):
        return over
    entries: dict[str, Tree] = {_name(item): item for item in base.items}
    for item in over.items:
        below = entries.get(_name(item))
        entries[_name(item)] = _replace(below, item) if isinstance(below, Map) and isinstance(item, Map) else item
    return Seq(tuple(entries.values()), over.place)


def _replace(base: Map, over: Map) -> Map:
    """The entry, with what is said again in place of what was said."""
    return Map({**base.items, **over.items}, over.place, {**base.keys, **over.keys})


def _is_named(tree: Seq) -> bool:
    names = [_name(item) for item in tree.items]
    return all(names) and len(set(names)) == len(names)


def _name(tree: Tree) -> str:
    name = tree.items.get("name") if isinstance(tree, Map) else None
    return name.text.strip() if isinstance(name, Scalar) and name.value is not None else ""
