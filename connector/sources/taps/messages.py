"""A tap's lines as pages: what Singer's SCHEMA, RECORD, STATE and ACTIVATE_VERSION say.

A STATE speaks for the records before it. So the page that holds them carries it as its cursor, and what comes behind
the last STATE is recorded with the cursor of before: it is read again, and is what it was. A record of a stream with
``key_properties`` is one activity by its key, whatever else of it changes; of others, by ``event_id`` as in files, else
by content.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

from connector.base.errors import Refused
from connector.base.facts import Activity, Prospect, SourcePage
from connector.base.json import Json, JsonMap, JsonObject, strict_loads
from connector.sources.columns import Columns
from connector.sources.events import Bad, happened_once, of_epoch, read_event, unknown_type, visitors
from connector.sources.taps.declared import TapStream

TAP_PAGE = 1000
_DELETED = "_sdc_deleted_at"  # where taps that see deletions say when
_THEIRS = "_sdc_"  # what is the tap's own
_IGNORED = {"ACTIVATE_VERSION"}  # whole tables come again and again, and a fact is none less for it


@dataclass(frozen=True)
class Words:
    """What one stream's records say in our words."""

    said: TapStream
    columns: Columns
    deep: Mapping[str, str]

    @classmethod
    def of(cls, said: TapStream, declared: Collection[str]) -> Words:
        flat = Columns.of({theirs: ours for theirs, ours in said.columns.items() if "." not in theirs})
        deep = {theirs: ours for theirs, ours in said.columns.items() if "." in theirs}
        return cls(said, replace(flat, time_format=said.time_format, declared=declared), deep)

    def record(self, record: JsonMap) -> JsonObject:
        given = {name: value for name, value in record.items() if not name.startswith(_THEIRS)}
        values = {self.columns.name(name): value for name, value in given.items() if not self.columns.renames(name)}
        values |= {self.columns.name(name): value for name, value in given.items() if self.columns.renames(name)}
        for path, ours in self.deep.items():
            values[ours] = record[path] if path in record else _inside(record, path)
        if self.said.type is not None:
            theirs = {"their_type": values["type"]} if "type" in values else {}
            values = {**values, **theirs, "type": self.said.type}
        if (at := _moment(values.get("occurred_at"))) is not None:
            values["occurred_at"] = at
        return dict(self.columns.read(values, None))


def _inside(value: Json, path: str) -> Json:
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _moment(value: Json) -> str | None:
    """Of seconds or milliseconds since 1970; texts stay what they are."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return of_epoch(value).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


@dataclass
class TapPages:
    """Takes lines and gives pages. ``streams``: by name, what counts; ``state``: the tap's own, as far as it speaks for
    what was taken; ``quarantine``: is told of each line that cannot be understood."""

    source: str
    streams: Mapping[str, Words]
    zone: ZoneInfo | None
    declared: Collection[str]
    state: JsonMap | None
    quarantine: Callable[[JsonObject], None]
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by stream that was announced
    others: set[str] = field(default_factory=set)  # streams that nobody asked for
    lines: int = 0
    activities: dict[str, Activity] = field(default_factory=dict)  # by id
    loose: dict[str, Activity] = field(default_factory=dict)  # of streams without a key, by all they say
    prospects: dict[str, Prospect] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    unknown: Counter[str] = field(default_factory=Counter)
    bad: int = 0

    def take(self, line: bytes | None) -> None:
        """One line. Raises Refused for what we could only lose."""
        self.lines += 1
        if line is None or not line.strip():
            if line is None:
                self._reject("longer than a line may be", b"")
            return
        try:
            message = strict_loads(line)
        except ValueError as error:
            self._reject("not UTF-8" if isinstance(error, UnicodeDecodeError) else f"not JSON: {error}", line)
            return
        try:
            self._hear(message, line)
        except (AttributeError, KeyError, TypeError):
            self._reject("no message of a tap", line)

    def is_full(self) -> bool:
        taken = len(self.activities) + len(self.loose) + len(self.prospects) + len(self.removed) + len(self.gone)
        return taken + self.bad >= TAP_PAGE

    def page(self, cursor: JsonMap) -> SourcePage:
        """What was taken since the last one."""
        found = (*self.activities.values(), *self.loose.values())
        page = SourcePage(
            cursor,
            found,
            (*self.prospects.values(), *visitors(found)),
            removed=tuple(sorted(self.removed)),
            unknown=dict(self.unknown),
            gone=tuple(sorted(self.gone)),
            bad=self.bad,
            once=happened_once(self.loose.values()),
        )
        self.activities, self.loose, self.prospects = {}, {}, {}
        self.removed, self.gone = set(), set()
        self.unknown, self.bad = Counter(), 0
        return page

    def _hear(self, message: Any, line: bytes) -> None:
        kind = message["type"]
        if kind == "RECORD":
            self._record(message["stream"], message["record"], line)
        elif kind == "SCHEMA":
            keys = message.get("key_properties") or ()
            self.keys[message["stream"]] = tuple(map(str, keys))
        elif kind == "STATE":
            if not isinstance(message["value"], dict):
                raise TypeError
            self.state = message["value"]
        elif kind == "BATCH":
            raise Refused(
                f"{self.source} gives its records in batches, which are not read",
                "leave batch_config out of its config",
            )
        elif kind not in _IGNORED:
            self._reject(f"no message of a tap: {str(kind)[:40]}", line)

    def _record(self, stream: str, record: JsonMap, line: bytes) -> None:
        words = self.streams.get(stream)
        if words is None:
            self.others.add(stream)
            return
        values = words.record(record)
        key = self._key(stream, record)
        if key is not None and "event_id" not in values:
            values["event_id"] = key
        found = read_event(self.source, values, self.zone)
        if isinstance(found, Bad):
            self._reject(f"{stream}: {found.reason}", line)
            return
        is_deleted = record.get(_DELETED) is not None
        if isinstance(found, Prospect):
            self.prospects.pop(found.id, None)
            self.gone.discard(found.id)
            if is_deleted:
                self.gone.add(found.id)
            else:
                self.prospects[found.id] = found
            return
        found = replace(found, id=f"{stream}:{found.id if key is None else key}")
        self.activities.pop(found.id, None)  # the later one counts
        self.removed.discard(found.id)
        if is_deleted:
            self.removed.add(found.id)
            self.loose = {said: each for said, each in self.loose.items() if each.id != found.id}
            return
        if key is None:
            self.loose[json.dumps(values, sort_keys=True)] = found
        else:
            self.activities[found.id] = found
        if (unknown := unknown_type(found, self.declared)) is not None:
            self.unknown[unknown] += 1

    def _key(self, stream: str, record: JsonMap) -> str | None:
        """What the tap says makes a record one; None where it says nothing, or not all of it is there."""
        parts = [record.get(name) for name in self.keys.get(stream, ())]
        if not parts or any(each is None for each in parts):
            return None
        return ":".join(each if isinstance(each, str) else json.dumps(each, sort_keys=True) for each in parts)

    def _reject(self, reason: str, line: bytes) -> None:
        self.bad += 1
        self.quarantine({"line": self.lines, "reason": reason, "text": line.decode("utf-8", "replace")})
