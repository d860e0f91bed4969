"""What an org is made of: its rows, its schema and what is counted. Everything that reads and writes rows stands on it.

What a loader, a test or a living company works with is :class:`practice_org.salesforce.org.PracticeOrg`.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from practice_org.clock import Clock, SystemClock
from practice_org.salesforce import ids, values
from practice_org.salesforce.faults import Faults
from practice_org.salesforce.problems import Problem, no_such_field
from practice_org.salesforce.schema import FieldSpec, ObjectSpec, Schema, Value, completed
from practice_org.salesforce.storage import Statement, Storage, quoted

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """A validation rule: refuses a write for which ``when(old, new)`` holds; ``old`` is None on create."""

    message: str
    when: Callable[[Mapping[str, Any] | None, Mapping[str, Any]], bool]
    field: str | None = None

    def broken(self, old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> str | None:
        return self.message if self.when(old, new) else None


@dataclass(frozen=True, slots=True)
class Metadata:
    """The rows of OpportunityStage, LeadStatus or TaskStatus by lower case label."""

    rows: Mapping[str, Row]
    default: str | None

    def first(self, flag: str) -> str | None:
        return next((row["MasterLabel"] for row in self.rows.values() if row[flag]), None)


def _nothing(object_name: str, condition: str, wanted: Sequence[str]) -> set[str]:
    return set()


class OrgCore:
    """``path`` keeps the org in an SQLite file; reopening it goes on where it stopped. ``seed`` makes ids of secrets
    and everything random repeatable."""

    def __init__(self, path: str = ":memory:", *, clock: Clock | None = None, seed: int = 0) -> None:
        self.clock = clock or SystemClock()
        self.db = Storage(path, self.clock)
        self.schema = Schema()
        self.faults = Faults()
        self.calls: Counter[str] = Counter()
        self.random = random.Random(seed)
        self.rules: dict[str, list[Rule]] = defaultdict(list)
        # which of some records a SOQL condition holds for; the org fills it in, because queries stand beside writing
        self.matching: Callable[[str, str, Sequence[str]], set[str]] = _nothing
        self.record_types: dict[str, dict[str, tuple[str, ...]]] = {}  # id -> picklist -> its values for these records
        self.assignment: dict[str, str] = {}  # object -> the owner its active assignment rule gives
        self.role_removals_listed = True  # getDeleted lists removed contact roles (UNCONFIRMED on a live org)
        self.daily_limit = 15000
        self.deleted_log_from = datetime.min.replace(tzinfo=UTC)  # getDeleted knows nothing from before
        self.schema_changed = self.clock.now()
        self._used: deque[datetime] = deque()
        self._numbers: Counter[str] = Counter()
        self._metadata: dict[str, Metadata] = {}
        self._open()

    # -- schema and rules ----------------------------------------------------------------------------------------

    def define(self, object_name: str, fields: Iterable[FieldSpec] = (), *, prefix: str = "") -> ObjectSpec:
        """Adds fields to an object; an unknown name ending in ``__c`` becomes a custom object. Kept with the org."""
        made = tuple(fields)
        if self.schema.find(object_name) is None and not object_name.endswith("__c"):
            raise Problem(400, "INVALID_TYPE", f"a new object's name must end in __c: {object_name}")
        spec = self._apply(object_name, made, prefix)
        position = self.db.read("SELECT COUNT(*) FROM _custom WHERE object = ?", (spec.name,))[0][0]
        rows = [(spec.name, position, json.dumps({"prefix": spec.prefix, "fields": [asdict(f) for f in made]}))]
        self.db.write([("INSERT INTO _custom VALUES (?, ?, ?)", rows)])
        return spec

    def _apply(self, object_name: str, fields: Iterable[FieldSpec], prefix: str) -> ObjectSpec:
        self.schema_changed = self.clock.now()
        spec = self.schema.define(object_name, fields, prefix=prefix)
        self.db.table(spec)
        return spec

    def set_field_access(self, object_name: str, field: str, *, visible: bool = True, updateable: bool = True) -> None:
        """Field-level security of the user the API runs as."""
        spec = self.schema.get(object_name)
        found = spec.find(field)
        if found is None:
            raise no_such_field(field, spec.name)
        spec.add(replace(found, visible=visible, updateable=updateable, createable=updateable))
        self.schema_changed = self.clock.now()

    def set_validation(self, object_name: str, rule: Rule) -> None:
        """Adds a validation rule; several may refuse one row."""
        self.rules[self.schema.get(object_name).name].append(rule)

    # -- what the other modules of the practice org use ------------------------------------------------------------

    def stamp(self, at: datetime | None = None) -> str:
        return values.stamp(at or self.clock.now())

    def number(self, name: str) -> int:
        self._numbers[name] += 1
        return self._numbers[name]

    def new_id(self, object_name: str) -> str:
        prefix = self.schema.get(object_name).prefix
        return ids.generate(prefix, self.number(prefix))

    def seen_id(self, id18: str) -> str:
        """A given id; one of this org's own making moves the counter past it."""
        number = ids.number_of(id18)
        if number is not None and number > self._numbers[id18[:3]]:
            self._numbers[id18[:3]] = number
        return id18

    def counters(self) -> Statement:
        """Keeps which ids were given."""
        return self.db.set_meta("numbers", json.dumps(self._numbers))

    def commit(self, spec: ObjectSpec, statements: list[Statement]) -> None:
        """One transaction; later, when commits are late."""
        late = self.faults.take("late_commits") if statements else None
        due = self.clock.now() + timedelta(seconds=late.values.get("seconds", 60)) if late else None
        try:
            self.db.write([*statements, self.counters()], due=due)
        except sqlite3.IntegrityError as error:
            raise Problem(400, "DUPLICATE_VALUE", f"duplicate id in {spec.name}: {error}", ()) from error
        if self._metadata.pop(spec.name, None) is not None:
            self.schema_changed = self.clock.now()  # its rows are a picklist's values

    def metadata(self, object_name: str) -> Metadata:
        found = self._metadata.get(object_name)
        if found is None:
            spec = self.schema.get(object_name)
            names = [f.name for f in spec.fields.values()]
            sql = f"SELECT {', '.join(map(quoted, names))} FROM {quoted(spec.name)} WHERE IsDeleted = 0"
            rows = [dict(zip(names, row, strict=True)) for row in self.db.read(f"{sql} ORDER BY SortOrder")]
            default = next(
                (r["MasterLabel"] for r in rows if r.get("IsDefault")), rows[0]["MasterLabel"] if rows else None
            )
            found = Metadata({str(r["MasterLabel"]).lower(): r for r in rows}, default)
            self._metadata[object_name] = found
        return found

    def count(self, resource: str) -> None:
        """One API call."""
        self.calls[resource] += 1
        self.calls["total"] += 1
        self._used.append(self.clock.now())

    def used_today(self) -> int:
        """API calls of the last 24 hours."""
        horizon = self.clock.now() - timedelta(hours=24)
        while self._used and self._used[0] < horizon:
            self._used.popleft()
        return len(self._used)

    def limit_info(self) -> str:
        """``Sforce-Limit-Info``: servers of one org do not agree on the count, and further parts may follow."""
        used = self.used_today()
        text = f"api-usage={max(0, used - (9 if used % 4 == 3 else 0))}/{self.daily_limit}"
        return text if used % 5 else f"{text}; per-app-api-usage={used}/{self.daily_limit}(appName=practice)"

    def reset_calls(self) -> None:
        self.calls.clear()

    def close(self) -> None:
        self.db.commit_due(everything=True)
        self.db.close()

    # -- opening ---------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        for spec in self.schema.objects.values():
            self.db.table(spec)
        sql = "SELECT object, definition FROM _custom ORDER BY rowid"
        for name, definition in self.db.read(sql):
            kept = json.loads(definition)
            self._apply(name, (_field_of(one) for one in kept["fields"]), kept["prefix"])
        self._numbers.update(json.loads(self.db.meta("numbers") or "{}"))
        self.user_id = ids.generate("005", 1)


def _field_of(kept: Mapping[str, Any]) -> FieldSpec:
    """A kept definition as the FieldSpec it was."""
    known = {**kept, "values": tuple(Value(**value) for value in kept["values"])}
    return completed(FieldSpec(**{**known, "reference_to": tuple(kept["reference_to"])}))
