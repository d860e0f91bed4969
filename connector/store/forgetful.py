"""The verbs of forgetting: people who are to be forgotten, and what is too old to matter."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlmodel import SQLModel

from connector.store import aging, forgetting
from connector.store.aging import OldOnes
from connector.store.answering import Answering
from connector.store.compacting import compact, give_room_back
from connector.store.faults import FAULTS, translate
from connector.store.forgetting import Footprint


class Forgetting(Answering):
    """See :class:`connector.store.Store`."""

    def footprint(self, person_ids: Sequence[str]) -> Footprint:
        """What is kept of the human to whom these ids belong."""
        with self._read() as connection:
            return forgetting.footprint(connection, person_ids)

    def forget(self, who: Footprint, keep: Collection[str], now: datetime) -> None:
        """Names, addresses and texts leave every table. ``keep``: fields that hold stages and the like."""
        with self._write() as connection:
            forgetting.erase(connection, who, keep, now)

    def compact(self) -> None:
        """The bytes of what was forgotten leave the file; takes about as long as a copy of it."""
        try:
            compact(self._writer, [*SQLModel.metadata.tables])
        except FAULTS as error:
            raise translate(error, self._where) from error

    def defragment(self) -> None:
        """Rows that were written one after the other leave pages half empty. A server sees to that by itself."""
        if self._writer.dialect.name == "sqlite":
            give_room_back(self._writer, self._where)

    def ask_to_forget(self, person_ids: Sequence[str], now: datetime) -> None:
        """Leaves it to the next cycle."""
        with self._write() as connection:
            forgetting.ask_to_erase(connection, person_ids, now)

    def asked_to_forget(self) -> list[str]:
        with self._read() as connection:
            return forgetting.asked(connection)

    def deleted_before(self, now: datetime, days: float) -> list[str]:
        """People whom Salesforce deleted so many days ago and who are not forgotten yet."""
        with self._read() as connection:
            return forgetting.deleted_before(connection, now, days)

    def old_activities(self, after: str, before: datetime, limit: int) -> OldOnes:
        """A page of those that happened before a time, behind a ref."""
        with self._read() as connection:
            return aging.old_ones(connection, after, before, limit)

    def let_go(self, refs: Sequence[str]) -> int:
        """Activities without which everybody is decided alike; returns how many left."""
        with self._write() as connection:
            return aging.leave(connection, refs)
