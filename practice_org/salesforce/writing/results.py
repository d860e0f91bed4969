"""How a write is asked for, what is written of one row, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from practice_org.salesforce.problems import Problem

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Options:
    """``at`` is the transaction's stamp (None: now). ``transaction`` counts the rows of the whole HTTP request by
    object, for the governor limits of the org's own automation."""

    trusted: bool = False
    auto_assign: bool = True
    allow_duplicates: bool = False  # saves in spite of duplicate rules that only warn
    all_or_none: bool = False
    at: datetime | None = None
    transaction: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class RowResult:
    id: str | None = None
    problems: list[Problem] = field(default_factory=list)
    created: bool = False

    @property
    def success(self) -> bool:
        return not self.problems


@dataclass(slots=True)
class Written:
    """One row of a transaction: ``old`` is None on create; ``new`` holds the values that are written."""

    id: str
    old: Row | None
    new: Row

    def now(self, name: str) -> Any:
        return self.new[name] if name in self.new else (self.old or {}).get(name)

    def changed(self, name: str) -> bool:
        return name in self.new and (self.old is None or self.old.get(name) != self.new[name])
