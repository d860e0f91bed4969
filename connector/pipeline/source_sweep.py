"""Now and then a source is compared with what is known of it: what nothing told of, and what is no more.

Beside its ordinary reading it is read from its beginning, a few pages a cycle; whatever either of them sees has the
sweep's number from then on. At the end what has an older one is gone. Only a few are believed to be: more were hidden,
it may be, and stay (see ``sight.py``), as does everything where a row was not certain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import structlog

from connector.base.facts import SourcePage
from connector.base.json import JsonObject
from connector.base.ports import Source, Sweepable
from connector.pipeline.sight import believed_gone
from connector.store import Store

log = structlog.get_logger(__name__)

SWEEP_PAGES = 20  # of a sweep in one cycle
SWEEP = "sweep of "


class SourceSweep:
    """Of one source. Its cursor: ``next`` (when one is due), ``number``, ``place`` (None: none is under way), what it
    found so far, and ``last``, what the last one did."""

    def __init__(self, source: Source, store: Store, every: timedelta | None, now: datetime) -> None:
        self._source, self._store, self._every, self._now = source, store, every, now
        self._name = f"{SWEEP}{source.name}"
        self._kept: JsonObject = {}
        if every and isinstance(source, Sweepable):
            known = store.cursor(self._name)
            self._kept = known or {"next": (now + every).isoformat(), "number": 0, "place": None}
            if known is None:
                self._keep()

    @property
    def number(self) -> int | None:
        """What is seen has it; None while none is under way."""
        return self._kept["number"] if self._kept.get("place") is not None else None

    def begin(self) -> None:
        """Where one is due."""
        if self._kept and self.number is None and self._now >= datetime.fromisoformat(self._kept["next"]):
            begun = {"place": {}, "number": self._kept["number"] + 1, "missed": 0, "uncertain": 0, "rows": 0}
            self._kept = {**self._kept, **begun}
            self._keep()

    def go_on(self, stop: Callable[[], bool]) -> JsonObject | None:
        """Reads some pages; returns what was found where it came to its end. Raises as ``poll``."""
        if self.number is None or not isinstance(self._source, Sweepable):
            return None
        for done, page in enumerate(self._pages(self._source), 1):
            changed = self._store.record_page(self._source.name, page, generation=self.number, cursor=self._name)
            self._kept["missed"] += changed
            if done == SWEEP_PAGES or stop():
                return None
        return self._end(self._source)

    def _pages(self, source: Sweepable) -> Iterator[SourcePage]:
        """Each with what is kept of the sweep for its cursor."""
        for page in source.sweep(self._kept["place"] or None, self._now):
            self._kept["place"] = dict(page.cursor)
            self._kept["uncertain"] += page.bad
            self._kept["rows"] += len(page.activities) + len(page.prospects)
            yield SourcePage(
                self._kept, page.activities, page.prospects, page.removed, whole=page.whole, once=page.once
            )

    def _end(self, source: Sweepable) -> JsonObject:
        store, kept = self._store, self._kept
        unseen, known = store.unseen_of(self._source.name, source.listed, kept["number"])
        is_believed = believed_gone(unseen, known) and not kept["uncertain"]
        gone = store.sweep_source(self._source.name, source.listed, kept["number"]) if is_believed and unseen else 0
        found = {"at": self._now.isoformat(timespec="seconds"), "rows": kept["rows"], "missed": kept["missed"]}
        found |= {"gone": gone, "unseen": unseen - gone, "uncertain": kept["uncertain"]}
        following = (self._now + (self._every or timedelta())).isoformat()
        self._kept = {"next": following, "number": kept["number"], "place": None, "last": found}
        self._keep()
        tell = log.warning if found["unseen"] else log.info
        tell("source compared with what is known of it", source=self._source.name, **found)
        return found

    def _keep(self) -> None:
        self._store.set_cursor(self._name, self._kept)
