"""The tables of the reference page, made from the table of keys.

``python -m connector.mapping.reference docs/mapping.md mappings/mapping.schema.json`` renews the tables in a page,
between ``<!-- table: NAME -->`` and ``<!-- end -->``, and the JSON Schema. A test sees to it that they are up to date.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from connector.lifecycle.model import Manual
from connector.lifecycle.values import show_duration
from connector.mapping.comparison import FORMS
from connector.mapping.kinds import INBOUND, OUTBOUND
from connector.mapping.language import ATTRIBUTES, CONDITIONS
from connector.mapping.schema import blocks, json_schema
from connector.mapping.shape import Key

MARK = re.compile(r"(<!-- table: ([^>]+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str) -> str:
    """The page with its tables as they should be. Raises KeyError for a table there is not."""
    tables = all_tables()
    return MARK.sub(lambda found: f"{found[1]}{tables[found[2]]}\n{found[3]}", page)


def all_tables() -> dict[str, str]:
    found = {block.name: _keys(block.keys) for block in blocks()}
    found["conditions"] = _table(
        ("key", "holds", "means", "example"),
        ((f"`{key}`", spec.shape.words, spec.doc, f"`{spec.example}`") for key, (spec, _) in CONDITIONS.items()),
    )
    found["comparisons"] = _table(
        ("key", "holds", "means", "example"),
        ((f"`{key}`", spec.shape.words, spec.doc, f"`{spec.example}`") for key, (spec, _) in FORMS.items()),
    )
    found["attributes"] = _table(
        ("attribute", "Contact", "Lead", "Prospect"),
        (
            (f"`{name}`", *(f"`{fields[each]}`" if each in fields else "" for each in ("Contact", "Lead", "Prospect")))
            for name, fields in ATTRIBUTES.items()
        ),
    )
    found["kinds"] = _table(("inbound", "outbound"), ((_words(INBOUND), _words(OUTBOUND)),))
    return found


def schema_text() -> str:
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def _keys(keys: Mapping[str, Key]) -> str:
    rows = ((f"`{key}`", spec.shape.words, _means(spec), _default(spec)) for key, spec in keys.items())
    return _table(("key", "holds", "means", "without it"), rows)


def _means(spec: Key) -> str:
    return f"{spec.doc}; `{spec.example}`" if spec.example else spec.doc


def _default(spec: Key) -> str:
    return "a mistake" if spec.required else _shown(spec.default)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, timedelta):
        return show_duration(value)
    if isinstance(value, Manual):
        return f"`{value.kind}`"
    if isinstance(value, dict):
        return ", ".join(f"{key}: `{each}`" for key, each in value.items())
    if isinstance(value, tuple):
        return ", ".join(f"`{each}`" for each in value)
    return f"`{value}`" if isinstance(value, str | int | float) and value != "" else ""


def _words(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _table(head: tuple[str, ...], rows: Iterable[Iterable[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def write_pages(files: Iterable[str]) -> None:
    for name in files:
        file = Path(name)
        text = schema_text() if file.suffix == ".json" else filled(file.read_text(encoding="utf-8"))
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_pages(sys.argv[1:])
