"""What the page shows, computed from the state: each report, and who there is.

``Here`` does it in this process. The daemon has it done in a process of its own (``apart.py``).
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Protocol

from connector.base.settings import Settings
from connector.commands.ground import Ground
from connector.commands.reporting import Reporter, Wanted
from connector.mapping import CompiledMapping
from connector.reports.paths import by_whom, stands_now
from connector.reports.table import Report
from connector.store import Store


class Listed(NamedTuple):
    """What lists say of a person."""

    name: str
    email: str
    object: str
    stage: str
    since: str
    by: str
    owner: str


UNLISTED = Listed("", "", "", "", "", "", "")


Everybody = dict[str, Listed]


class Task(NamedTuple):
    """``moment`` is another one after each change of the state; ``need``: a report, or "" for who there is. ``now``: as
    of when; its clock is the one who asks."""

    moment: int
    wanted: Wanted
    need: str
    now: datetime


class Computing(Protocol):
    """One task at a time."""

    def compute(self, mapping: CompiledMapping, task: Task) -> Report | Everybody:
        """Raises what computing it raises."""
        ...

    def rest(self) -> None:
        """Nobody has looked for a while."""
        ...


class Here:
    """What was read of the state stays for the next task of the same moment."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings
        self._ground: Ground | None = None
        self._moment: int | None = None

    def compute(self, mapping: CompiledMapping, task: Task) -> Report | Everybody:
        if self._ground is None or task.moment != self._moment:
            self._ground, self._moment = None, task.moment  # what was read before goes first
            self._ground = Ground(self._store, mapping)
        if not task.need:
            return all_listed(self._ground)
        reporter = Reporter(self._store, mapping, self._settings, task.wanted, task.now, self._ground)
        return reporter.report(task.need)

    def rest(self) -> None:
        self._ground = None


def all_listed(ground: Ground) -> Everybody:
    """Also those who are there no longer."""
    found: Everybody = {}
    same: dict[str, str] = {}
    one = same.setdefault  # what many people share is kept once
    for person in dict.fromkeys([*ground.rows, *ground.path_of]):
        row, path = ground.rows.get(person, {}), ground.path_of.get(person)
        last = path.stays[-1] if path else None
        email = str(row.get("Email") or "")
        since, by = (f"{last.entered:%Y-%m-%d}", by_whom(last)) if last else ("", "")
        found[person] = Listed(
            str(row.get("Name") or "") or email,
            email,
            str(row.get("object") or ""),
            stands_now(last),
            one(since, since),
            one(by, by),
            str(row.get("owner") or ""),
        )
    return found
