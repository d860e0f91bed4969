"""What an operator says of taps: the YAML file that ``CONNECTOR_TAPS_FILE`` names. ``docs/sources.md`` shows one.

A tap's name begins with ``tap-``: so it is no other source's, and mappings know it by that. Paths count from the file's
own folder. A tap's configuration holds its secrets, so it is a file of its own, or the tap's own environment variables.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from connector.base.errors import ConfigurationError

TAPS_SETTING = "CONNECTOR_TAPS_FILE"
FROM_ENVIRONMENT = "ENV"  # what taps take instead of a configuration file
_NAME = re.compile(r"tap-[a-z0-9][a-z0-9_-]*")


def _words(value: Any) -> Any:
    return shlex.split(value) if isinstance(value, str) else value


class TapStream(BaseModel):
    """``type``: of all its records, unless a column says each one's. ``columns``: theirs -> ours; theirs may be a path
    into an object or list, as in ``contact.email`` and ``emails.0.value``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str | None = None
    columns: Mapping[str, str] = Field(default_factory=dict)
    time_format: str | None = None


class DeclaredTap(BaseModel):
    """``properties``: old taps are handed their catalog by ``--properties``. ``every``: seconds between two runs.
    ``limit``: seconds that a run may take; it goes on behind its last STATE in the next one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: Annotated[tuple[str, ...], BeforeValidator(_words)] = Field(min_length=1)
    config: Path | Literal["ENV"] | None = None
    catalog: Path | None = None
    properties: bool = False
    streams: Mapping[str, TapStream] = Field(min_length=1)
    time_zone: str | None = None
    every: float = Field(0, ge=0)
    limit: float = Field(300, gt=0)

    def zone(self) -> ZoneInfo | None:
        return ZoneInfo(self.time_zone) if self.time_zone else None


def read_taps(path: Path) -> dict[str, DeclaredTap]:
    """By name, in the file's order. Raises ConfigurationError that says where it is wrong."""
    try:
        found = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(f"{path} cannot be read: {why}", f"check {TAPS_SETTING}") from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it is no YAML"
        raise ConfigurationError(f"{path}{line}: {problem}", "see Taps in docs/sources.md") from None
    if not isinstance(found, dict) or not found:
        raise ConfigurationError(f"{path} names no tap", "write tap-NAME: {command: ..., streams: ...}")
    return {str(name): _tap(path, str(name), each) for name, each in found.items()}


def _tap(path: Path, name: str, said: Any) -> DeclaredTap:
    where = f"{path}: {name}"
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{where} is no name of a tap", "write it like tap-webinars, in small letters")
    if isinstance(said, dict) and isinstance(said.get("config"), dict):
        raise ConfigurationError(
            f"{where}: config holds values", "write them into a JSON file of their own and name it, or say ENV"
        )
    try:
        tap = DeclaredTap.model_validate(said)
        tap.zone()
    except ValidationError as error:
        wrong = [
            f"{'.'.join(str(part) for part in item['loc'] if part != 'constrained-str') or name}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise ConfigurationError(f"{where}: {'; '.join(wrong)}", "see Taps in docs/sources.md") from None
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigurationError(f"{where}: {tap.time_zone} is no time zone", "write it like Europe/Berlin") from None
    return _with_paths(tap, path.absolute().parent)


def _with_paths(tap: DeclaredTap, folder: Path) -> DeclaredTap:
    """With paths that do not depend on where we are. A command with a slash is a path, too; any other is looked for."""
    first, *rest = tap.command
    command = (str(folder / first) if "/" in first else first, *rest)
    config = folder / tap.config if isinstance(tap.config, Path) else tap.config
    catalog = folder / tap.catalog if tap.catalog else None
    return tap.model_copy(update={"command": command, "config": config, "catalog": catalog})
