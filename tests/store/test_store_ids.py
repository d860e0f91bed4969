"""A SQLite state has ids and refs as numbers; nobody who reads it sees that."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from connector.base.clock import FrozenClock
from connector.store import Store, open_store
from connector.store.dialect import run_many
from connector.store.ids import DIGITS, begins_ids, between, id_number, id_text, ids_meant, with_check
from connector.store.redacting import Redactor
from connector.store.schema import STAY, UNREAD_ROLES
from connector.store.texts import in_text
from connector.store.types import Vocabulary
from connector.store.unsaid import forget_words
from tests.cases import cases
from tests.store.store_facts import START, click, older_state, page, prospect, row, rows_of
from tests.store.test_store_types import broken_write, words_in

ADA, BOB, LEAD = "003Hs00000A1b2CIAR", "003Hs00000zzzzzIAA", "00QHs00000A1b2CMAR"

_BEGINNINGS = st.sampled_from(["003Hs0000", "00QHs0000", "001aB00ZZ", "0010X0000"])
_DIGITS = st.text(DIGITS, min_size=6, max_size=6)
IDS = st.builds(lambda beginning, digits: with_check(beginning + digits), _BEGINNINGS, _DIGITS)
REFS = st.builds(
    lambda source, number: f"{source}:{number}",
    st.sampled_from(["pardot", "hubspot", "a b", "x:y", "a#", ""]),
    st.from_regex("[0-9]{1,14}", fullmatch=True),
)
TEXTS = IDS | IDS.map("salesforce:{}".format) | REFS | st.text(max_size=30)


def with_words() -> Vocabulary:
    words = Vocabulary()
    words.write()
    return words


@settings(max_examples=cases(500))
@given(TEXTS)
def test_what_is_written_is_read(text: str) -> None:
    words = with_words()
    assert id_text(words, id_number(words, text)) == text


@pytest.mark.parametrize(
    "text", [ADA, f"salesforce:{ADA}", "pardot:1", "pardot:0012345", "hubspot:123456789012", "x:012345678901", ":7"]
)
def test_what_has_the_shape_of_most_takes_six_bytes(text: str) -> None:
    words = with_words()
    assert isinstance(number := id_number(words, text), int)
    assert number < 2**47
    assert all(begins_ids(word) for _, word in words.added())
    assert id_text(words, number) == text


@pytest.mark.parametrize(
    "text", ["C1", ADA[:15], ADA[:15] + "AAA", "pardot:", ":", "pardot:١٢", "hs:1234567890123", "é" * 18, f"x:{ADA}"]
)
def test_what_has_another_shape_stays_a_text(text: str) -> None:
    words = with_words()
    assert id_number(words, text) == text
    assert words.added() == []


@settings(max_examples=cases(200))
@given(st.lists(TEXTS | st.none(), max_size=20))
def test_sql_shows_an_id_as_it_is_read(texts: list[str | None]) -> None:
    words = with_words()
    with closing(sqlite3.connect(":memory:")) as other:
        query = select(in_text("sqlite", STAY.c.became)).select_from(STAY).order_by(STAY.c.id)
        other.execute("CREATE TABLE stay (id INTEGER PRIMARY KEY, became BLOB)")
        other.executemany("INSERT INTO stay (became) VALUES (?)", [(id_number(words, each),) for each in texts])
        other.execute("CREATE TABLE word (number INTEGER PRIMARY KEY, text TEXT)")
        other.executemany("INSERT INTO word VALUES (?, ?)", words.added())
        shown = other.execute(str(query.compile(compile_kwargs={"literal_binds": True}))).fetchall()
    assert shown == [(each,) for each in texts]


def put(store: Store, names: Iterable[str]) -> None:
    with store._write() as connection:
        connection.execute(UNREAD_ROLES.delete())
        run_many(connection, UNREAD_ROLES.insert(), [{"opportunity_id": each} for each in names])


def found(store: Store, after: str, upto: str) -> list[str]:
    column = UNREAD_ROLES.c.opportunity_id
    with store._read() as connection:
        return sorted(connection.execute(select(column).where(between(connection, column, after, upto))).scalars())


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterable[Store]:
    path = tmp_path_factory.mktemp("ids") / "state.sqlite3"
    with open_store(f"sqlite:///{path}", clock=FrozenClock(START), exclusive=True) as store:
        yield store


_PLAIN = TEXTS.filter(lambda text: text.isprintable() and text != "")
_BOUNDS = _PLAIN | st.sampled_from(["", "~", "001", "002", "pardot:", "pardot;", "salesforce:", "salesforce;", "003Hs"])


@settings(max_examples=cases(100), deadline=None)
@given(st.sets(_PLAIN, max_size=25), _BOUNDS, _BOUNDS)
def test_between_two_texts_is_what_sorts_there(bench: Store, names: set[str], after: str, upto: str) -> None:
    put(bench, names)
    assert found(bench, after, upto) == sorted(each for each in names if after < each <= upto)


def test_a_mark_in_the_name_of_a_source_is_no_digit(bench: Store) -> None:
    put(bench, ["a#:5", "a#:12"])
    assert found(bench, "a#:4", "a#:6") == ["a#:5"]
    assert found(bench, "a#:", "a#:2") == ["a#:12"]


def test_a_place_between_two_rows_belongs_to_the_one_behind(bench: Store) -> None:
    names = [with_check(f"003Hs0000{each}") for each in ("000000", "000001", "zzzzzz")]
    put(bench, names)
    for number, name in enumerate(names):
        assert found(bench, name, "~") == names[number + 1 :]
        assert found(bench, "", name) == names[: number + 1]


def test_an_id_that_is_new_is_looked_for_in_vain_and_adds_nothing(sqlite_store: Store, path: Path) -> None:
    sqlite_store.record_rows("Contact", [row(ADA)])
    before = words_in(path)
    assert sqlite_store.find_people(LEAD) == []
    assert sqlite_store.find_people("pardot:7") == []
    assert sqlite_store.find_people(ADA) == [ADA]
    assert words_in(path) == before


def test_what_was_not_written_begins_nothing(sqlite_store: Store, path: Path) -> None:
    before = words_in(path)
    with broken_write(sqlite_store) as connection:
        connection.execute(UNREAD_ROLES.insert().values(opportunity_id=ADA))
    assert words_in(path) == before
    sqlite_store.record_rows("Lead", [row(LEAD)])
    sqlite_store.record_rows("Contact", [row(ADA)])
    assert [sqlite_store.find_people(each) for each in (LEAD, ADA)] == [[LEAD], [ADA]]


def test_where_no_word_can_be_told_any_longer_ids_are_texts_and_are_found() -> None:
    words = Vocabulary()
    words.learn([(20_000, "the last")])
    words.write()
    assert id_number(words, ADA) == ADA == id_text(words, ADA)


def test_what_ids_begin_with_is_not_forgotten_with_whoever_is_called_like_it(sqlite_store: Store) -> None:
    sqlite_store.record_page("pardot", page(prospect("7", "ada@x.com")))
    with sqlite_store._write() as connection:
        forget_words(connection, Redactor({"pardot"}))
    assert sqlite_store.find_people("pardot:7") == ["pardot:7"]


def test_an_id_of_15_characters_means_the_one_of_18_that_goes_with_it() -> None:
    assert ids_meant(ADA[:15]) == [ADA[:15], ADA]
    assert ids_meant(ADA) == [ADA]
    assert ids_meant("pardot:12345678") == ["pardot:12345678"]


def test_people_are_gone_through_page_by_page_whatever_they_are_called(sqlite_store: Store) -> None:
    sqlite_store.record_rows("Contact", [row(ADA), row(BOB), row("C1")])
    sqlite_store.record_rows("Lead", [row(LEAD)])
    sqlite_store.record_page("pardot", page(prospect("7"), prospect("x")))
    seen: list[str] = []
    while found := sqlite_store.next_dirty(2, after=seen[-1] if seen else ""):
        seen += [each for each, _ in found]
    assert sorted(seen) == sorted([ADA, BOB, "C1", LEAD, "pardot:7", "pardot:x"])


def test_an_older_state_says_the_same_with_numbers(sqlite_store: Store, tmp_path: Path, clock: FrozenClock) -> None:
    sqlite_store.record_rows("Contact", [row(ADA, Email="ada@x.com", AccountId="001Hs00000A1b2CIAR"), row("C1")])
    sqlite_store.record_rows("Lead", [row(LEAD, IsConverted=True, ConvertedContactId=ADA)])
    sqlite_store.record_page("pardot", page(prospect("7", crm_id=ADA), click("9", prospect_id="7"), click("x")))
    with sqlite_store._write() as connection:
        connection.execute(UNREAD_ROLES.insert().values(opportunity_id="006Hs00000A1b2CIAR"))
    told, old = rows_of(sqlite_store), tmp_path / "old.sqlite3"
    older_state(f"sqlite:///{old}", "0020", told)
    with open_store(f"sqlite:///{old}", clock=clock, exclusive=True) as store:
        assert rows_of(store) == told
        assert store.find_people(LEAD) == [ADA]
    with closing(sqlite3.connect(old)) as raw:
        kinds = raw.execute("SELECT typeof(id), count(*) FROM record GROUP BY 1 ORDER BY 1").fetchall()
    assert kinds == [("integer", 2), ("text", 1)]
