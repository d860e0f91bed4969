"""The JSON Schema of a mapping, for editors: completion, and red lines while typing. Made from the table of keys.

Put ``# yaml-language-server: $schema=mapping.schema.json`` into the first line of a mapping to use it.
"""

from __future__ import annotations

from collections.abc import Iterator

from connector.base.json import JsonObject
from connector.mapping import comparison
from connector.mapping.language import CONDITIONS, CONSTANT
from connector.mapping.sections import ROOT
from connector.mapping.shape import Block, Key, Shape

NAMED = ("stage", "status", "rule", "move", "tag", "hand-off")  # entries that an including file can place and drop
_PLACES: JsonObject = {
    "drop": {"const": True, "description": "true: takes the included entry of this name out"},
    "before": {"type": "string", "description": "places it right before this entry of the included file"},
    "after": {"type": "string", "description": "places it right after this entry of the included file"},
}


def json_schema() -> JsonObject:
    """JSON Schema 2020-12."""
    definitions = {block.ref: block.definition() for block in blocks() if block is not ROOT}
    for name in NAMED:
        forms = definitions[name].get("anyOf", [definitions[name]])
        next(each for each in forms if "properties" in each)["properties"] |= {
            key: spec for key, spec in _PLACES.items() if name != "move" or key != "after"
        }
    definitions |= {"condition": _condition(), "comparison": comparison.definition()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Lifecycle mapping",
        **ROOT.definition(),
        "$defs": dict(sorted(definitions.items())),
    }


def blocks() -> list[Block]:
    """Every kind of map that a mapping has, in the order they are met."""
    found: dict[str, Block] = {}

    def visit(shape: Shape) -> None:
        if isinstance(shape, Block):
            if shape.name in found:
                return
            found[shape.name] = shape
        for inner in _inside(shape):
            visit(inner)

    visit(ROOT)
    for spec, _ in CONDITIONS.values():
        visit(spec.shape)
    return list(found.values())


def _inside(shape: Shape) -> Iterator[Shape]:
    for value in vars(shape).values():
        if isinstance(value, Shape):
            yield value
        elif isinstance(value, dict):
            yield from (each.shape for each in value.values() if isinstance(each, Key))


def _condition() -> JsonObject:
    """Known keys have their shapes; any other is an attribute with a comparison."""
    properties = {key: {**spec.shape.schema(), "description": spec.doc} for key, (spec, _) in CONDITIONS.items()}
    block = {
        "type": "object",
        "properties": properties,
        "additionalProperties": {"$ref": "#/$defs/comparison"},
        "minProperties": 1,
    }
    return {"anyOf": [{"enum": sorted(CONSTANT)}, block]}
