"""YAML text becomes a tree of plain values that know their line. Third-party exceptions stop here.

Only what a mapping needs is accepted: one document of maps, lists, texts, numbers, yes/no and dates. Aliases are
followed, but not for ever; a key said twice is a mistake.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from connector.mapping.mistakes import Notes, Place

MAX_BYTES = 1_000_000
MAX_NODES = 50_000  # after following aliases
MAX_DEPTH = 40
CORE = "tag:yaml.org,2002:"
BOOLS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text, number, true/false or null. Dates stay texts."""

    value: str | int | float | bool | None
    place: Place
    text: str = ""  # as written


@dataclass(frozen=True, slots=True)
class Seq:
    items: tuple[Tree, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Map:
    items: dict[str, Tree]
    place: Place
    keys: dict[str, Place] = field(default_factory=dict)  # where each key stands

    def at(self, key: str) -> Place:
        return self.keys.get(key, self.place)


Tree = Scalar | Seq | Map


def plain(tree: Tree) -> Any:
    """Without places: JSON values."""
    if isinstance(tree, Map):
        return {key: plain(value) for key, value in tree.items.items()}
    if isinstance(tree, Seq):
        return [plain(item) for item in tree.items]
    return tree.value


def parse_yaml(text: str | bytes, file: str, notes: Notes) -> Map | None:
    """The document as a map; None when there is none to go on with. Every mistake is noted."""
    top = Place(file, 1)
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            notes.add(Place(file, line), "the file is not UTF-8 text", "save it as UTF-8")
            return None
    if len(text) > MAX_BYTES:
        notes.add(top, f"the file is larger than {MAX_BYTES:,} characters", "a mapping is a few pages of YAML")
        return None
    node = _compose(text, file, notes)
    if node is None:
        return None
    tree = _Converter(file, notes).convert(node, 0)
    if isinstance(tree, Scalar) and tree.value is None:
        notes.add(top, "the file is empty", "start with stages:, or copy a shipped mapping")
    elif tree is not None and not isinstance(tree, Map):
        notes.add(tree.place, "a mapping file is a list of keys with values", "start with stages:")
    return tree if isinstance(tree, Map) else None


def _compose(text: str, file: str, notes: Notes) -> Node | None:
    depth = _indentation_depth(text)
    try:
        if depth > MAX_DEPTH * 4:
            raise RecursionError
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReusedAnchorWarning)  # the later anchor counts, as YAML says
            node: Node | None = YAML(pure=True).compose(text)
    except RecursionError:
        notes.add(Place(file, 1), "the file is nested too deeply", f"use at most {MAX_DEPTH} levels")
        return None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(str(part) for part in (error.context, error.problem) if part)
        if "single document" in what:
            what = "a mapping file is one document, and this one has a second (---)"
        line = mark.line if mark else 0
        notes.add(Place(file, line + 1), f"not valid YAML: {what}", _yaml_hint(text.splitlines()[line : line + 1]))
        return None
    except (YAMLError, ValueError, AttributeError, TypeError, IndexError, KeyError) as error:
        # ruamel.yaml raises bare Python errors on some broken input
        line = getattr(error, "line", None)
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        notes.add(Place(file, (line or 0) + 1), f"not valid YAML: {what}", "check the file with a YAML editor")
        return None
    if node is None:
        notes.add(Place(file, 1), "the file is empty", "start with stages:, or copy a shipped mapping")
    return node


def _yaml_hint(line: Sequence[str]) -> str:
    """What somebody will have meant who wrote such a line."""
    written = line[0] if line else ""
    if "\t" in written[: len(written) - len(written.lstrip())] or written.startswith("\t"):
        return "indent with spaces, not with tabs"
    if found := re.search(r":\s*([>|@%&*!][^'\"]*)$", written):
        return f"quote it: '{found[1].strip()}'"
    return "check indentation, colons and quotes on this line and the one before"


def _indentation_depth(text: str) -> int:
    """An upper bound of how deep flow brackets nest, before a recursive parser meets them."""
    deepest = depth = 0
    for char in re.findall(r"[\[\]{}]", text):
        depth += 1 if char in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


class _Converter:
    def __init__(self, file: str, notes: Notes) -> None:
        self._file, self._notes, self._left = file, notes, MAX_NODES
        self._is_told = False

    def convert(self, node: Node, depth: int) -> Tree | None:
        place = Place(self._file, node.start_mark.line + 1)
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            if not self._is_told:
                what = "nested too deeply" if depth > MAX_DEPTH else "too large once its aliases are followed"
                self._notes.add(place, f"the file is {what}", "write it out with fewer anchors and levels")
                self._is_told = True
            return None
        if isinstance(node, ScalarNode):
            return self._scalar(node, place)
        if isinstance(node, SequenceNode):
            items = (self.convert(item, depth + 1) for item in node.value)
            return Seq(tuple(item for item in items if item is not None), place)
        if isinstance(node, MappingNode):
            return self._map(node, place, depth)
        return None

    def _map(self, node: MappingNode, place: Place, depth: int) -> Map:
        items: dict[str, Tree] = {}
        keys: dict[str, Place] = {}
        merged: list[Tree | None] = []
        for key_node, value_node in node.value:
            key_place = Place(self._file, key_node.start_mark.line + 1)
            if not isinstance(key_node, ScalarNode):
                self._notes.add(key_place, "a key must be a plain word", "write key: value")
                continue
            key = str(key_node.value)
            value = self.convert(value_node, depth + 1)
            if key == "<<" and key_node.tag == CORE + "merge":
                merged.append(value)
                continue
            if key in items:
                first = keys[key].line
                self._notes.add(key_place, f"the key {key} is said twice (first in line {first})", "keep one of them")
                continue
            if value is not None:
                items[key], keys[key] = value, key_place
        for source in _merge_sources(merged):
            for key, value in source.items.items():
                items.setdefault(key, value)
                keys.setdefault(key, source.at(key))
        return Map(items, place, keys)

    def _scalar(self, node: ScalarNode, place: Place) -> Scalar:
        text = str(node.value)
        kind = str(node.tag).removeprefix(CORE)
        if kind == "null":
            return Scalar(None, place, text)
        if kind == "bool":
            return Scalar(BOOLS.get(text.lower(), text), place, text)
        if kind in {"int", "float"}:
            return Scalar(_number(text), place, text)
        if kind not in {"str", "timestamp", "value", "merge"}:
            hint = f"quote it: '{node.tag} {text}'" if str(node.tag).startswith("!=") else "leave it out"
            self._notes.add(place, f"the tag {node.tag} means nothing here", hint)
        return Scalar(text, place, text)


def _merge_sources(merged: list[Tree | None]) -> Iterator[Map]:
    for each in merged:
        if isinstance(each, Map):
            yield each
        elif isinstance(each, Seq):
            yield from (item for item in each.items if isinstance(item, Map))


def _number(text: str) -> int | float | str:
    """The number, or the text where Python reads it differently (0o17, 1_000, .inf)."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return number if abs(number) < 1e15 else text  # infinities and nan are no numbers of a mapping
