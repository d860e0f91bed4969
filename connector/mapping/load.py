"""Loading: from a file, a shipped mapping's name or a text to the compiled mapping, or to all its mistakes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from connector.lifecycle.mapping import CompiledMapping
from connector.mapping.analysis import analyse
from connector.mapping.build import build
from connector.mapping.examples import run_examples
from connector.mapping.include import Gathered, gather
from connector.mapping.mistakes import MappingInvalid, Mistake, Notes, Place, did_you_mean
from connector.mapping.names import collect, read_ahead
from connector.mapping.sections import ROOT, TESTS
from connector.mapping.shape import BAD, Reading
from connector.mapping.tree import Map as TreeMap
from connector.mapping.tree import Tree, plain

LANGUAGE = 2  # raised when the same mapping comes to mean something else
NOT_DECIDING = ("name", "description", "tests", "include")  # sections that do not change a decision
PACKAGE = Path(__file__).resolve().parent.parent
SHIPPED = (PACKAGE / "shipped_mappings", PACKAGE.parent / "mappings")  # in the wheel, in a checkout


def load(name_or_path: str | Path, seen: dict[Path, bytes] | None = None) -> CompiledMapping:
    """The mapping in a file, or the shipped one of that name. Raises MappingInvalid with every mistake. ``seen``: takes
    what was read, of each file."""
    path = find_mapping(name_or_path)
    texts: dict[str, str | bytes] = {}
    places: dict[str, Path] = {}  # where each file was found: what it includes is beside it

    def read(file: str, notes: Notes, place: Place) -> str | bytes | None:
        if file not in texts:
            folder = places[place.file].parent if place.file in places else None
            try:
                places[file] = find_mapping(file, folder)
                texts[file] = content = places[file].read_bytes()
                if seen is not None:
                    seen[places[file]] = content
            except (MappingInvalid, OSError) as error:
                hint = (
                    error.mistakes[0].hint
                    if isinstance(error, MappingInvalid)
                    else "check the path and its permissions"
                )
                notes.add(place, f"cannot read {file}", hint)
                return None
        return texts[file]

    return _compile(str(path), read)


def loads(
    text: str | bytes, file: str = "<text>", included: Mapping[str, str | bytes] | None = None
) -> CompiledMapping:
    """The mapping in a text. ``included``: file -> text of what it includes; shipped mappings are found by name."""
    texts: dict[str, str | bytes] = {file: text, **(included or {})}

    def read(name: str, notes: Notes, place: Place) -> str | bytes | None:
        if name not in texts:
            found = shipped(name)
            if found is None:
                notes.add(place, f"cannot read {name}", did_you_mean(name, [*texts, *shipped_names()]))
                return None
            texts[name] = found.read_bytes()
        return texts[name]

    return _compile(file, read)


def from_texts(texts: Mapping[str, str]) -> CompiledMapping:
    """The mapping that was made of these texts, again; the first one includes the others."""
    file = next(iter(texts))
    return loads(texts[file], file, {name: text for name, text in texts.items() if name != file})


def _compile(file: str, read: Any) -> CompiledMapping:
    notes = Notes()
    found = gather(file, read, notes)
    if found.tree is None:
        raise MappingInvalid(notes.mistakes)
    return compile_tree(found, file, notes)


def compile_tree(found: Gathered, file: str, notes: Notes) -> CompiledMapping:
    """The mapping that a tree says. Raises MappingInvalid with what was noted before, and now."""
    assert found.tree is not None  # noqa: S101 - asked only then
    tree, reading = found.tree, Reading(notes)
    collect(tree, reading)
    read_ahead(tree, reading)
    values = ROOT.read(tree, reading)
    model = build(values, reading) if values is not BAD and values["stages"] else None
    warnings = analyse(model, notes, file) if model is not None else ()
    if notes.mistakes or model is None:
        raise MappingInvalid(notes.mistakes)
    name = values["name"] or Path(file).stem
    mapping = CompiledMapping(name, version_of(tree), model, found.texts, from_texts, warnings)
    mapping.attributes = {name.casefold(): fields for name, fields in reading.attributes.items()}
    run_examples(values["tests"], mapping, reading)
    if notes.mistakes:
        raise MappingInvalid(notes.mistakes)
    mapping.examples = tuple((each["name"], each["place"].file, each["place"].line) for each in values["tests"])
    mapping.differs = tuple(_differs(found.tests, mapping, reading))
    return mapping


def _differs(tests: Mapping[str, Tree], mapping: CompiledMapping, reading: Reading) -> Iterator[str]:
    """What the tests of included files say that is not so any more. That may be meant, so it is told and no mistake."""
    for file, tree in tests.items():
        notes = Notes()
        examples = TESTS.read(tree, replace(reading, notes=notes))
        if examples is not BAD:
            run_examples([each for each in examples if each is not BAD], mapping, replace(reading, notes=notes))
        yield from (f"{file}: {each.what}" for each in notes.mistakes)


def version_of(tree: TreeMap) -> str:
    """Changes with what may be decided, not with comments, layout, names of the file or tests."""
    deciding = {key: value for key, value in plain(tree).items() if key not in NOT_DECIDING}
    text = json.dumps([LANGUAGE, deciding], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def find_mapping(name_or_path: str | Path, folder: Path | None = None) -> Path:
    """The file. Raises MappingInvalid when there is none."""
    path = Path(name_or_path)
    if folder is not None and not path.is_absolute() and _is_file(folder / path):
        return folder / path
    if _is_file(path):
        return path
    if found := shipped(str(name_or_path)):
        return found
    hint = did_you_mean(str(name_or_path), shipped_names()) or "give the path of a YAML file"
    if _is_so(path.is_dir):
        hint = "this is a folder; name a YAML file in it"
    raise MappingInvalid([Mistake(str(name_or_path), 0, "there is no such mapping", hint)])


def shipped(name: str) -> Path | None:
    """The shipped mapping of a bare name. A name with ``.yaml`` is that of somebody's own file, which may well be an
    edited copy: where that is missing, the shipped one must not stand in for it."""
    if Path(name).name != name:
        return None
    return next((file for folder in SHIPPED if _is_file(file := folder / f"{name}.yaml")), None)


def _is_file(path: Path) -> bool:
    return _is_so(path.is_file)


def _is_so(ask: Callable[[], bool]) -> bool:
    """A name that no file can have is that of no file."""
    try:
        return ask()
    except OSError:
        return False


def shipped_names() -> list[str]:
    return sorted({file.stem for folder in SHIPPED if folder.is_dir() for file in folder.glob("*.yaml")})
