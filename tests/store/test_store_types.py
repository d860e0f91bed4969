"""A SQLite state has times as numbers and tells a text that comes again once; nobody who reads it sees that."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select, update

from connector.base.clock import FrozenClock
from connector.base.errors import StateError
from connector.base.facts import Result
from connector.store import Store, open_store
from connector.store.redacting import Redactor
from connector.store.schema import LOG, RECORD, STAY, TRACK, WORD
from connector.store.texts import in_text
from connector.store.types import Vocabulary, moment, seconds
from connector.store.unsaid import forget_words
from tests.cases import cases
from tests.store.store_facts import answered, decided, row, settle

_SECONDS = st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0))
_FRACTIONS = st.datetimes(datetime(1900, 1, 1), datetime(2106, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
TIMES = (_SECONDS | _FRACTIONS).map(datetime.isoformat) | st.just("")


def stand_at(store: Store, person: str, stage: str) -> None:
    store.record_rows("Contact", [row(person)])
    settle(store, answered(store, person, decided(stage), result=Result.APPLIED))


@contextmanager
def broken_write(store: Store) -> Iterator[Connection]:
    """A transaction that fails at its end."""
    with suppress(ZeroDivisionError), store._write() as connection:
        yield connection
        _ = 1 / 0


def words_in(path: Path) -> dict[int, str]:
    with closing(sqlite3.connect(path)) as other:
        return dict(other.execute("SELECT number, text FROM word").fetchall())


@settings(max_examples=cases(300))
@given(TIMES, TIMES)
def test_times_are_read_as_they_were_and_keep_their_order(one: str, another: str) -> None:
    assert moment(seconds(one)) == one
    a, b = seconds(one), seconds(another)
    assert not isinstance(a, str | None)
    assert not isinstance(b, str | None)
    assert (a < b, a == b) == (one < another, one == another)


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2026-02-30T00:00:00+00:00",
        "2026-01-01",
        "2026-01-01T00:00:00+02:00",
        "2300-01-01T00:00:00.000001+00:00",
    ],
)
def test_what_is_no_such_time_stays_a_text(text: str) -> None:
    assert seconds(text) == text == moment(text)


@settings(max_examples=cases(100))
@given(TIMES | st.just("yesterday") | st.none())
def test_sql_shows_a_time_as_it_is_read(time: str | None) -> None:
    with closing(sqlite3.connect(":memory:")) as other:
        query = select(in_text("sqlite", STAY.c.left_at)).select_from(STAY)
        other.execute("CREATE TABLE stay (left_at INTEGER)")
        other.execute("INSERT INTO stay VALUES (?)", (seconds(time),))
        assert other.execute(str(query.compile(compile_kwargs={"literal_binds": True}))).fetchall() == [(time,)]


def test_a_text_is_told_once(sqlite_store: Store, path: Path) -> None:
    for person in ("C1", "C2", "C3"):
        stand_at(sqlite_store, person, "Engaged")
    assert sorted(words_in(path).values()).count("Engaged") == 1
    with closing(sqlite3.connect(path)) as other:
        assert other.execute(
            "SELECT count(*) FROM track WHERE typeof(stands) = 'text' AND stands <> ''"
        ).fetchone() == (0,)


def test_what_was_not_written_is_no_word(sqlite_store: Store, path: Path) -> None:
    before = words_in(path)
    with broken_write(sqlite_store) as connection:
        connection.execute(update(TRACK).values(stands="Nowhere"))
    assert words_in(path) == before
    stand_at(sqlite_store, "C1", "Engaged")
    stand_at(sqlite_store, "C2", "Customer")
    assert [sqlite_store.latest(each)[0]["value"] for each in ("C1", "C2")] == ["Engaged", "Customer"]
    assert "Nowhere" not in words_in(path).values()


def test_who_asks_for_a_text_that_nobody_said_finds_nothing_and_adds_nothing(sqlite_store: Store, path: Path) -> None:
    stand_at(sqlite_store, "C1", "Engaged")
    before = words_in(path)
    assert sqlite_store.moved_to("stage", "1", 10) == []  # nor the text of a number
    assert sqlite_store.moved_to("stage", "Nowhere", 10) == []
    stand_at(sqlite_store, "C2", "Engaged")
    assert words_in(path) == before


def test_a_reader_knows_the_words_that_others_added_meanwhile(
    sqlite_store: Store, path: Path, clock: FrozenClock
) -> None:
    with open_store(f"sqlite:///{path}", clock=clock) as reader:
        assert reader.latest("C1") == []
        stand_at(sqlite_store, "C1", "Engaged")
        assert reader.latest("C1")[0]["value"] == "Engaged"


def test_beyond_a_number_of_words_texts_are_written_out() -> None:
    words = Vocabulary()
    words.learn([(20_000, "the last")])
    words.write()
    assert words.number("one more") == "one more" == words.text("one more")
    assert words.number("the last") == 20_000
    assert words.number("x" * 201) == "x" * 201


def test_a_word_that_is_missing_is_said_and_no_traceback() -> None:
    with pytest.raises(StateError, match="missing"):
        Vocabulary().text(7)


def test_a_word_that_names_somebody_goes_with_the_last_row_that_says_it(
    sqlite_store: Store, path: Path, clock: FrozenClock
) -> None:
    store = sqlite_store
    for person, stage in (("C1", "Friend of Ada Lovelace"), ("C2", "Friend of Ada Lovelace"), ("C3", "Customer")):
        stand_at(store, person, stage)
    told = Redactor({"Ada Lovelace"})
    with store._write() as connection:
        forget_words(connection, told)
    assert "Friend of Ada Lovelace" in words_in(path).values()
    with store._write() as connection:
        connection.execute(update(TRACK).where(TRACK.c.value == "Friend of Ada Lovelace").values(value="", stands=""))
        connection.execute(update(STAY).where(STAY.c.stage == "Friend of Ada Lovelace").values(stage=""))
        connection.execute(update(LOG).where(LOG.c.new == "Friend of Ada Lovelace").values(new=""))
        forget_words(connection, told)
    assert "Friend of Ada Lovelace" not in words_in(path).values()
    stand_at(store, "C4", "Friend of Ada Lovelace")
    with open_store(f"sqlite:///{path}", clock=clock) as reader:
        assert [reader.latest(each)[0]["value"] for each in ("C3", "C4")] == ["Customer", "Friend of Ada Lovelace"]


def test_a_forgetting_that_failed_leaves_the_word(sqlite_store: Store, path: Path) -> None:
    store = sqlite_store
    stand_at(store, "C1", "Friend of Ada Lovelace")
    with broken_write(store) as connection:
        connection.execute(update(TRACK).values(value="", stands=""))
        connection.execute(update(STAY).values(stage=""))
        connection.execute(update(LOG).values(new=""))
        forget_words(connection, Redactor({"Ada Lovelace"}))
    stand_at(store, "C2", "Friend of Ada Lovelace")
    assert [*words_in(path).values()].count("Friend of Ada Lovelace") == 1
    assert [store.latest(each)[0]["value"] for each in ("C1", "C2")] == ["Friend of Ada Lovelace"] * 2


def test_a_row_without_a_stamp_is_before_every_time(sqlite_store: Store) -> None:
    sqlite_store.record_rows("Contact", [{"Id": "C1"}, row("C2")])
    with sqlite_store._read() as connection:
        query = select(RECORD.c.id).where(RECORD.c.stamp < "0001-01-01T00:00:00+00:00")
        assert [*connection.execute(query).scalars()] == ["C1"]
        assert connection.execute(select(func.min(RECORD.c.stamp))).scalar() == ""
    assert sqlite_store.count_stamped("Contact", datetime(1, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)) == 1


def test_the_words_of_a_state_are_known_to_each_that_opens_it(
    sqlite_store: Store, path: Path, clock: FrozenClock
) -> None:
    stand_at(sqlite_store, "C1", "Engaged")
    with open_store(f"sqlite:///{path}", clock=clock) as other, other._read() as connection:
        assert "Engaged" in {*connection.execute(select(WORD.c.text)).scalars()}
        assert other.latest("C1")[0]["value"] == "Engaged"
