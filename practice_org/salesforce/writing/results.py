"""How a write is asked for, and what came of one row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from practice_org.salesforce.problems import Problem


@dataclass(frozen=True, slots=True)
class Options:
    """``at`` is the transaction's stamp (None: now). ``transaction`` counts the rows of the whole HTTP request by
    object, for the governor limits of the org's own automation."""

    trusted: bool = False
    auto_assign: bool = True
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
