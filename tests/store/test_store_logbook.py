"""The logbook beside the state: numbered lines, in files of bounded size; a crash may have cut off the last."""

from dataclasses import replace

import pytest

from connector.base.errors import StateError
from connector.base.facts import Change, Outcome, Result
from connector.store import Logbook, Settled, logbook_beside
from connector.store.settling import Books
from tests.store.store_facts import START, answered, decided

RUN = Books(1, "v1", START.isoformat())


@pytest.fixture
def took(store):
    """What Salesforce took of a person, as it is settled."""
    return lambda person: answered(store, person, decided("Engaged", "Suspect"), result=Result.APPLIED)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "made" / "state.written"


def test_what_was_taken_is_read_again_as_it_was_settled(file, took):
    assert Logbook(file).note([took("C1"), took("C2")], RUN, [("turns", {"anna": 1})], after=0) == 1
    assert Logbook(file).note([took("C3")], RUN, [], after=1) == 2
    first, second = Logbook(file).after(0)
    assert (first.number, first.at, first.cursors) == (1, START, (("turns", {"anna": 1}),))
    assert first.settled == tuple(replace(took(each), seq=0) for each in ("C1", "C2"))
    assert [each.person_id for each in second.settled] == ["C3"]
    assert [each.number for each in Logbook(file).after(1)] == [2]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_track_that_alone_was_refused_is_read_again_as_such(file, took):
    tags = replace(took("C1").outcomes[0].change, changes=(Change("tags", "Tags__c", "warm", "hot"),))
    stage = Outcome(took("C1").outcomes[0].change, Result.SET_ASIDE, "INVALID_FIELD_FOR_INSERT_UPDATE")
    settled = replace(took("C1"), outcomes=(Outcome(tags, Result.APPLIED), stage))
    Logbook(file).note([settled], RUN, [], after=0)
    [[again]] = [each.settled for each in Logbook(file).after(0)]
    assert (again.missed, again.outcomes) == (frozenset({"stage"}), (Outcome(tags, Result.APPLIED),))


def test_nothing_is_noted_where_nothing_was_taken(file, store, took):
    refused = answered(store, "C1", decided("Engaged", None), result=Result.SET_ASIDE)
    assert Logbook(file).note([refused, Settled("C2", 1, took("C2").decision)], RUN, [], after=0) is None
    assert not file.exists()


def test_a_line_that_was_cut_off_is_passed_over_and_the_next_one_is_read(file, took):
    Logbook(file).note([took("C1")], RUN, [], after=0)
    with file.open("a") as opened:
        opened.write("2 eJxTYW")
    assert Logbook(file).last == 1
    assert Logbook(file).note([took("C3")], RUN, [], after=1) == 2
    assert [each.settled[0].person_id for each in Logbook(file).after(0)] == ["C1", "C3"]


def test_it_is_bounded_and_knows_that_something_is_missing(file, took):
    book = Logbook(file, largest=1500)
    for number in range(40):
        book.note([took(f"C{number}")], RUN, [], after=number)
    assert sum(each.stat().st_size for each in file.parent.iterdir()) < 6000
    assert sorted(each.name for each in file.parent.iterdir()) == ["state.written", "state.written.1"]
    again = Logbook(file)
    assert (again.last, again.has_all_after(39), again.has_all_after(40)) == (40, True, True)
    assert not again.has_all_after(0), "the oldest are gone"
    assert not again.has_all_after(41), "the state knows more than the file"


def test_somebody_is_taken_out_and_what_others_have_stays(file, took):
    book = Logbook(file)
    book.note([took("C1"), took("C2")], RUN, [], after=0)
    book.note([took("C1")], RUN, [], after=1)
    assert book.naming(lambda row: row["person_id"] == "C9") == []
    assert book.take_out(lambda row: row["person_id"] == "C1") == [file]
    assert [[one.person_id for one in each.settled] for each in Logbook(file).after(0)] == [["C2"], []]
    assert Logbook(file).has_all_after(0)
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_written_stops_nothing_and_is_known_to_be_missing(file, took):
    book = Logbook(file)
    book.note([took("C1")], RUN, [], after=0)
    file.rename(file.with_suffix(".away"))
    file.mkdir()
    assert book.note([took("C2")], RUN, [], after=1) == 2
    assert not Logbook(file).has_all_after(2)
    file.rmdir()
    file.with_suffix(".away").rename(file)
    assert book.note([took("C3")], RUN, [], after=2) == 3
    again = Logbook(file)
    assert ([each.number for each in again.after(0)], again.has_all_after(0)) == ([1, 3], False)
    assert again.has_all_after(2)


def test_a_damaged_file_is_told(file):
    file.parent.mkdir(exist_ok=True)
    file.write_text("1 nonsense .\n")
    with pytest.raises(StateError, match="is damaged"):
        list(Logbook(file).after(0))


def test_states_on_a_server_have_each_their_own(tmp_path):
    beat = tmp_path / "connector.heartbeat"
    one, other = (logbook_beside(beat, f"postgresql+psycopg://me:secret@host/{name}") for name in ("one", "other"))
    assert one != other
    assert one == logbook_beside(beat, "postgresql+psycopg://me:changed@host/one")
    assert logbook_beside(tmp_path / "s.sqlite3.heartbeat", "sqlite:///s.sqlite3").name == "s.sqlite3.written"
