"""What people ask of the state: the half of the store's verbs that commands and pages use, and no cycle needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from connector.base.facts import Person
from connector.base.json import JsonMap, JsonObject
from connector.lifecycle.model import RecordLink
from connector.store import accounts, books, contesting, journal, links, reading, roleless, undoing
from connector.store.history import fields_since
from connector.store.identifiers import identifiers
from connector.store.past import people_at
from connector.store.reporting import Reporting


class Answering(Reporting):
    """See :class:`connector.store.Store`."""

    def people_by(self, track: str, *, only_alone: bool = False) -> dict[str, int]:
        """Number of people (or of prospects without a CRM record) by the value that stands, "" for none."""
        with self._read() as connection:
            return reading.people_by(connection, track, only_alone=only_alone)

    def types_beside(self, known: Collection[str]) -> list[JsonObject]:
        """Types of activities of marketing sources that are none of these kinds: source, type, count."""
        with self._read() as connection:
            return reading.types_beside(connection, known)

    def told_of_activities(self, ids: Sequence[str]) -> dict[str, JsonObject]:
        """What is kept of activities of Salesforce, by id, as the rows had it."""
        with self._read() as connection:
            return reading.told_of_activities(connection, ids)

    def followers(self, person_id: str) -> list[dict[str, str]]:
        """Live records that count as this person for their e-mail address: id, object."""
        with self._read() as connection:
            return reading.followers(connection, person_id)

    def identifiers(self, person: Person) -> list[JsonObject]:
        """Every id and address that is theirs: value, kind, whence, since and until."""
        with self._read() as connection:
            return identifiers(connection, person)

    def record_links(self) -> Mapping[str, RecordLink]:
        """How the mapping in force links records of other objects to people."""
        with self._read() as connection:
            return books.record_links(connection)

    def find_account(self, query: str) -> str | None:
        """An account by record id of 15 or 18 characters."""
        with self._read() as connection:
            return accounts.find_account(connection, query)

    def find_people(self, query: str, *, ever: bool = False) -> list[str]:
        """By record id (15 or 18 characters; also of converted leads and merge losers), ``source:id``, or e-mail.
        ``ever``: also those who are there no longer."""
        with self._read() as connection:
            return reading.find_ever(connection, query) if ever else reading.find_people(connection, query)

    def moved_to(self, track: str, value: str, limit: int = 10) -> list[str]:
        """People who were moved to this value and stand there, the latest first."""
        with self._read() as connection:
            return reading.moved_to(connection, track, value, limit)

    def latest(self, person_id: str) -> list[JsonObject]:
        """Latest decision of each track: track, value, current, stands, rule, verdict, reason, evidence, memory, at,
        cycle_id, mapping_version."""
        with self._read() as connection:
            return reading.latest(connection, person_id)

    def fields_since(self) -> dict[str, dict[str, str]]:
        """Object -> field -> since when it is read."""
        with self._read() as connection:
            return fields_since(connection)

    def recall(self, past: Answering, person_ids: Sequence[str], at: datetime) -> list[str]:
        """Fills an empty state with what was known of these people then; returns who of them was there."""
        with self._read() as connection, past._write() as writing:
            return people_at(connection, writing, person_ids, at)

    def history(self, person_id: str, limit: int | None = None) -> list[JsonObject]:
        """The permanent log of a person and of those who became it, newest first: at, track, old, new, rule, reason,
        evidence, result, code, message, object, record_id, changes, cycle_id, mapping_version."""
        with self._read() as connection:
            return reading.history(connection, person_id, limit)

    def set_aside(self, limit: int | None = 100) -> list[JsonObject]:
        """Refused writes: person_id, object, record_id, changes, code, message, since, last_at, attempts."""
        with self._read() as connection:
            return reading.set_aside(connection, limit)

    def retry_set_aside(self, ids: Sequence[str] | None = None) -> int:
        """Marks these (None: all) people and accounts with refused writes, so that the next cycle tries again; returns
        how many."""
        with self._write() as connection:
            found = reading.refused_ids(connection, ids)
            contesting.let_go(connection, found)
            links.mark(connection, found)
            return len(found)

    def wrote_lately(self, people: Sequence[str], since: datetime) -> dict[tuple[str, str], list[contesting.Wrote]]:
        """(record, field) of these people -> (when, from, to) of what was written, in order, since it was contested."""
        with self._read() as connection:
            return contesting.lately(connection, people, since)

    def contested(self, people: Sequence[str]) -> dict[tuple[str, str], str]:
        """(record, field) of these people that is set aside as contested -> what was said of it."""
        with self._read() as connection:
            return contesting.standing(connection, people)

    def noted(self) -> int | None:
        """The last number of the logbook that the state knows; None: of none yet."""
        with self._read() as connection:
            return books.noted(connection)

    def set_noted(self, number: int) -> None:
        with self._write() as connection:
            books.set_setting(connection, books.LOGBOOK, str(number))

    def take_as_ours(self, standing: Mapping[tuple[str, str], str | None]) -> None:
        """(person, track) -> what stands there, and was written by us."""
        with self._write() as connection:
            journal.take_as_ours(connection, standing)

    def written(
        self, run: int | None = None, since: datetime | None = None, people: Sequence[str] | None = None
    ) -> list[JsonObject]:
        """Entries of the log that Salesforce took, in order: of a run, since a time, of these people."""
        with self._read() as connection:
            return undoing.written(connection, run, since, people)

    def last_written(self, people: Sequence[str]) -> dict[tuple[str, str], tuple[int, int]]:
        """(record, track) of these people -> the last entry of the log that Salesforce took, and its run."""
        with self._read() as connection:
            return undoing.last_written(connection, people)

    def memories_before(self, first: Mapping[tuple[str, str], str]) -> dict[tuple[str, str], JsonMap]:
        """(person, track) -> what was remembered until it was written at this time; tracks that are decided only."""
        with self._read() as connection:
            return undoing.memories_before(connection, first)

    def rolled_back(self) -> int:
        """How many values were rolled back and are kept so."""
        with self._read() as connection:
            return undoing.rolled_back(connection)

    def opportunities_without_roles(self, limit: int) -> tuple[int, list[JsonObject]]:
        """How many there are, and the last changed of them: id, name, stage."""
        with self._read() as connection:
            return roleless.without_roles(connection, limit)

    def counts(self) -> JsonObject:
        with self._read() as connection:
            return reading.counts(connection)
