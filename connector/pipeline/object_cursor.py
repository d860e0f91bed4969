"""How far a Salesforce object was read: kept in the state, moved in the transaction that stores a page."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.base.json import JsonMap, JsonObject

LOOK_AGAIN = timedelta(days=1)


@dataclass(slots=True)
class ObjectCursor:
    """``fields`` are read of each row. ``full``: everything is read, and rows not seen in this ``generation`` are gone.
    ``through``: server time up to which the object is known. ``started``: server time at which the read under way
    began; ``at``: SystemModstamp and Id that it reached. ``deleted_through``: up to when its deletions are known.
    ``full_at``: when all of it was read last, and ``full_rows`` how many rows that were. ``unseen``: how many rows it
    no longer showed although nothing tells that they were deleted, ``unseen_since`` when; ``believed``: somebody said
    that what the full read under way does not see is gone. ``window``: how many seconds one query asks for, where more
    takes too long (0: all at once). ``quiet_until``: up to when nothing of it changed, or what did was read."""

    fields: list[str]
    full: bool = True
    generation: int = 1
    through: datetime | None = None
    started: datetime | None = None
    at: tuple[str, str] | None = None
    deleted_through: datetime | None = None
    full_at: datetime | None = None
    full_rows: int = 0
    unseen: int = 0
    unseen_since: datetime | None = None
    believed: bool = False
    quiet_until: datetime | None = None
    window: int = 0

    def as_json(self) -> JsonObject:
        return {
            "fields": self.fields,
            "full": self.full,
            "generation": self.generation,
            "through": _text(self.through),
            "started": _text(self.started),
            "at": list(self.at) if self.at else None,
            "deleted_through": _text(self.deleted_through),
            "full_at": _text(self.full_at),
            "full_rows": self.full_rows,
            "unseen": self.unseen,
            "unseen_since": _text(self.unseen_since),
            "believed": self.believed,
            "quiet_until": _text(self.quiet_until),
            "window": self.window,
        }

    @classmethod
    def of(cls, stored: JsonMap) -> ObjectCursor:
        return cls(
            fields=list(stored["fields"]),
            full=stored["full"],
            generation=stored["generation"],
            through=_time(stored["through"]),
            started=_time(stored["started"]),
            at=(stored["at"][0], stored["at"][1]) if stored["at"] else None,
            deleted_through=_time(stored["deleted_through"]),
            full_at=_time(stored.get("full_at")),
            full_rows=stored.get("full_rows", 0),
            unseen=stored.get("unseen", 0),
            unseen_since=_time(stored.get("unseen_since")),
            believed=stored.get("believed", False),
            quiet_until=_time(stored.get("quiet_until")),
            window=stored.get("window", 0),
        )

    def begin_again(self, fields: Sequence[str] | None = None) -> None:
        """From here on everything is read."""
        self.fields = list(self.fields if fields is None else fields)
        self.full, self.generation = True, self.generation + 1
        self.deleted_through = self.deleted_through or self.through
        self.through = self.started = self.at = self.quiet_until = None

    def is_due(self, refresh: timedelta | None, now: datetime) -> bool:
        """Whether everything is to be read again, because that was too long ago."""
        if self.unseen:  # what is shown again is as it was: no change tells of it
            refresh = min(refresh or LOOK_AGAIN, LOOK_AGAIN)
        if refresh is None or self.full:
            return False
        return self.full_at is None or now >= self.full_at + refresh

    def end_full(self, rows: int, unseen: int) -> None:
        """All of it was read: ``rows``; so many known ones it did not show."""
        self.full, self.full_at, self.full_rows, self.believed = False, self.through, rows, False
        self.unseen, self.unseen_since = unseen, (self.unseen_since or self.through) if unseen else None

    def end(self) -> None:
        """The read under way has come to its end."""
        self.through, self.started, self.at, self.quiet_until, self.window = self.started, None, None, None, 0


def prepare_cursor(stored: JsonMap | None, fields: Sequence[str], absent: Collection[str] = ()) -> ObjectCursor:
    """The cursor to read with: the stored one, or a full read when there is none or the mapping needs more fields.
    ``absent``: fields that are not there any more."""
    wanted = sorted(fields)
    if stored is None:
        return ObjectCursor(wanted)
    cursor = ObjectCursor.of(stored)
    cursor.fields = [name for name in cursor.fields if name not in absent]
    if not set(wanted) <= set(cursor.fields):
        cursor.begin_again(sorted({*wanted, *cursor.fields}))
    return cursor


def full_read(stored: JsonMap | None, fields: Sequence[str], *, believed: bool = False) -> ObjectCursor:
    """A cursor that reads the object from the beginning; a full read already under way goes on instead."""
    cursor = prepare_cursor(stored, fields)
    if not cursor.full:
        cursor.begin_again()
    cursor.believed = believed
    return cursor


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
