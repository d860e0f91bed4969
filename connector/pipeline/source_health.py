"""How the marketing sources do: when each was last read well, and if not, since when not and why.

Kept with the state in one value beside the cursors, and written once a cycle, so that ``status`` tells it also when the
process that saw it is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from connector.base.errors import ConnectorError
from connector.base.facts import SourcePage
from connector.base.json import JsonMap, JsonObject
from connector.base.ports import Metered, Source
from connector.store import Store
from connector.store.apart import SAME_IDS

HEALTH = "health of sources"  # where it is kept
FILES = "files"


class SourceHealth:
    """Of one cycle. A source's value has ``good`` (the last read that went well), ``newest`` (the newest activity that
    was read), ``bad`` (rows that were never understood), ``used`` and ``allowed`` calls of the day as the system tells
    them, and while it fails ``since``, ``why``, ``hint``; ``last_error`` stays when it is over, with ``at``."""

    def __init__(self, store: Store, now: datetime) -> None:
        self._store, self._now = store, now.isoformat(timespec="seconds")
        self._known: dict[str, JsonObject] = dict(store.cursor(HEALTH) or {})
        self._newest: dict[str, datetime] = {}

    def read(self, name: str, page: SourcePage) -> None:
        if page.bad:
            self._known[name] = {**self._of(name), "bad": self._of(name).get("bad", 0) + page.bad}
        times = [each.occurred_at for each in page.activities]
        if times:
            self._newest[name] = max(times) if name not in self._newest else max(self._newest[name], *times)

    def allowed(self, source: Source) -> None:
        """Notes what the system says of the day's calls, where it does."""
        if isinstance(source, Metered) and (told := source.allowance()):
            self._known[source.name] = {**self._of(source.name), "used": told[0], "allowed": told[1]}

    def went_well(self, name: str) -> None:
        known = {key: value for key, value in self._of(name).items() if key not in ("since", "why", "hint")}
        self._known[name] = {**known, "good": self._now}

    def failed(self, name: str, error: ConnectorError) -> None:
        known = self._of(name)
        last = {"at": self._now, "what": error.what, "hint": error.hint}
        since = known.get("since") or self._now
        self._known[name] = {**known, "since": since, "why": error.what, "hint": error.hint, "last_error": last}

    def keep(self) -> None:
        if self._known:
            self._store.set_cursor(HEALTH, self._known)

    def _of(self, name: str) -> JsonObject:
        known = dict(self._known.get(name, {}))
        if at := self._newest.get(name):
            known["newest"] = max(at.isoformat(), str(known.get("newest", "")))
        return known


def not_understood(cursors: JsonMap) -> dict[str, dict[str, int]]:
    """Source -> which of it -> rows that were not understood: of files by file, those that are in quarantine now; of
    every other source all that ever came, under its own name."""
    files = (cursors.get(FILES) or {}).get("files", {})
    others = {name: {name: int(each.get("bad", 0))} for name, each in (cursors.get(HEALTH) or {}).items()}
    found = {**others, FILES: {name: int(place.get("bad", 0)) for name, place in files.items()}}
    return {name: {which: bad for which, bad in each.items() if bad} for name, each in found.items()}


def same_ids(store: Store, name: str) -> int:
    """How many facts of the source ever came with the id of another, and were kept beside it."""
    return int((store.cursor(SAME_IDS) or {}).get(name, 0))


def failing_sources(known: JsonMap | None, names: Mapping[str, object] | list[str]) -> dict[str, JsonObject]:
    """Of these sources those that could not be read the last time, with ``since``, ``why``, ``hint`` and ``good``."""
    return {
        name: {key: each.get(key) for key in ("since", "why", "hint", "good")}
        for name, each in (known or {}).items()
        if name in names and each.get("since")
    }
