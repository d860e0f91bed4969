"""What reports ask of the state. See ``standing.py``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from connector.base.facts import Stay
from connector.base.json import JsonObject
from connector.store import reading, roleless, sourced, standing, views
from connector.store.transactions import Transactions, uncollected


class Reporting(Transactions):
    """See :class:`connector.store.Store`."""

    def stays(self, track: str = "stage") -> list[Stay]:
        """Everybody's stays at the steps of a track, in the order in which they were settled; of people who are there
        no longer, the last one ends when their record did."""
        with uncollected(), self._read() as connection:
            return standing.stays(connection, track)

    def stays_of(self, person: str) -> list[Stay]:
        """At stages, of one person, under whatever they were called."""
        with self._read() as connection:
            return standing.stays_of(connection, person, "stage")

    def moves_after(self, last: int | None) -> tuple[int, list[tuple[datetime, datetime]]]:
        """The newest stay's id; and of the moves by rules behind ``last`` that were seen to happen (None: of none)
        when the facts say it was so, and when it was settled."""
        with self._read() as connection:
            return standing.moves_after(connection, last)

    def people_rows(self) -> dict[str, JsonObject]:
        """Person -> their record's fields, with "object" and "account" (its name or id)."""
        with uncollected(), self._read() as connection:
            return standing.people_rows(connection)

    def view_rows(self, name: str) -> Iterator[tuple[Any, ...]]:
        """Of a view: the names of its columns, then its rows, as they are at one moment."""
        with self._read() as connection:
            yield from views.rows_of_view(connection, name)

    def tracks_now(self, track: str) -> dict[str, JsonObject]:
        """Person -> stands, value, current, memory of a track."""
        with self._read() as connection:
            return standing.tracks_now(connection, track)

    def existing(self) -> set[str]:
        """Ids of everybody."""
        with self._read() as connection:
            return standing.existing(connection)

    def hand_offs(self) -> list[JsonObject]:
        """Every hand-off: person, at, by, to (an owner's id)."""
        with self._read() as connection:
            return standing.hand_offs(connection)

    def people_who_did(self, since: datetime, until: datetime) -> list[str]:
        """Ids of the people who did something then, whether or not it counts."""
        with self._read() as connection:
            return reading.people_who_did(connection, since, until)

    def cycles_between(self, since: datetime, until: datetime) -> list[JsonObject]:
        """The cycles that started then, in order."""
        with self._read() as connection:
            return standing.cycles_between(connection, since, until)

    def deals_without_roles(self) -> list[JsonObject]:
        """All opportunities that have no contact role, as rows."""
        with self._read() as connection:
            return standing.deals_without_roles(connection, roleless.LONELY)

    def stages_told(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """Person -> their stages in order: as the stays have it, and as it follows from what is remembered of them."""
        with self._read() as connection:
            return standing.stages_told(connection)

    def stages_logged(self) -> list[tuple[str, str, str, str]]:
        """(person, at, old, new) of every stage that Salesforce took, in order."""
        with self._read() as connection:
            return standing.logged(connection)

    def told_by(self, source: str, most: int = 10) -> JsonObject:
        """What one marketing source told: account, kinds, newest, prospects, activities and whom they do not reach."""
        with self._read() as connection:
            return sourced.told_by(connection, source, most)
