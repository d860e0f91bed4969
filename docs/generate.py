"""Writes the pages that are made from code: ``python docs/generate.py``. A test fails while they differ."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from connector.base.settings import Settings, secrets, variable_of
from connector.commands.documents_more import documents

DOCS = Path(__file__).parent


def settings_page() -> str:
    lines = [
        "# Settings",
        "",
        "<!-- made by docs/generate.py from connector/base/settings.py -->",
        "",
        "From the environment, or from a `.env` file in the working directory; the environment comes first. A variable",
        "in `.env` that is not listed here is a mistake; one in the environment is told once and ignored, since others",
        "set such: Kubernetes does, for a Service called `connector`.",
        "",
        "Secrets belong here, or in a file named here, and nowhere else: never in a mapping, never in a log line,",
        "never in the state. Each setting that holds one may be in a file instead, as Docker and Kubernetes mount",
        "them: the second name then holds its path, and a line break at the end of the file does not count.",
        "",
        "| variable | default | what |",
        "|---|---|---|",
    ]
    for name, each in Settings.model_fields.items():
        given = each.get_default(call_default_factory=True)
        unset = given is None or given is PydanticUndefined
        default = "" if unset else f"`{given:g}`" if isinstance(given, float) else f"`{given}`"
        names = f"`{variable_of(name)}`" + (f" or `{variable_of(name)}_FILE`" if name in secrets() else "")
        lines.append(f"| {names} | {default} | {each.description} |")
    lines += [
        "",
        "Signing in takes exactly one of: a private key file with client id and username (JWT bearer), a client secret",
        "with client id (client credentials, on your My Domain), or an access token with the instance URL. Plain",
        "`http` is accepted for this machine only.",
        "",
    ]
    return "\n".join(lines)


def json_schemas() -> dict[str, str]:
    """File -> JSON Schema of a document that ``--json`` prints."""
    begun = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {
        f"{name}.schema.json": json.dumps({**begun, **shape.model_json_schema()}, indent=2) + "\n"
        for name, shape in documents().items()
    }


_JSON = """# What `--json` prints

<!-- made by docs/generate.py from connector/commands/documents.py -->

One document on stdout, and nothing else there; logs and progress go to stderr. Every document begins with `document`,
which one it is, and `form`, the version of its shape, a number. A key that comes along is the same form; one that goes
or means something else is a new one. So take what you know and leave the rest. Times are ISO 8601 in UTC.
[json/](json) has a JSON Schema of each; tests of the commands hold what they print against them.

Where a command fails there is no document: stderr has the error, as one JSON line with `CONNECTOR_LOG_FORMAT=json`,
and the exit code says what kind it is. `?` marks keys that are there only sometimes. What `/readyz` answers, notices
and log lines are in [operations.md](operations.md); views and files of `export` in [reports.md](reports.md).
"""


def json_page() -> str:
    lines = [_JSON]
    parts: dict[str, Mapping[str, Any]] = {}
    for name, shape in documents().items():
        schema = shape.model_json_schema()
        parts |= {key: part for key, part in schema.get("$defs", {}).items() if "properties" in part}
        lines += [f"## {name}", "", schema["description"], "", *_keys(schema)]
    lines += ["# Parts of these", ""]
    for name, part in sorted(parts.items()):
        lines += [f"## {name}", "", *([part["description"], ""] if "description" in part else []), *_keys(part)]
    return "\n".join(lines)


def _keys(schema: Mapping[str, Any]) -> Iterator[str]:
    yield from ("| key | holds | what |", "|---|---|---|")
    for key, told in schema["properties"].items():
        if key not in ("document", "form"):
            optional = "" if key in schema.get("required", ()) else "?"
            yield f"| `{key}`{optional} | {_type(told)} | {told.get('description', '')} |"
    yield ""


def _type(told: Mapping[str, Any]) -> str:
    if name := told.get("$ref", "").rpartition("/")[2]:
        return "anything" if name == "JsonValue" else f"[{name}](#{name.lower()})"
    if choices := told.get("anyOf"):
        return " or ".join(dict.fromkeys(_type(each) for each in choices))
    if values := told.get("enum"):
        return ", ".join(f"`{each}`" for each in values)
    kind = told.get("type", "anything")
    if kind == "array":
        return f"list of {_type(told['items'])}"
    if kind == "object":
        return f"key: {_type(told.get('additionalProperties', {}))}"
    return {"string": "text", "boolean": "true, false"}.get(kind, str(kind))


if __name__ == "__main__":
    (DOCS / "settings.md").write_text(settings_page())
    (DOCS / "json.md").write_text(json_page())
    for file, text in json_schemas().items():
        (DOCS / "json" / file).write_text(text)
