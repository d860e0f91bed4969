"""All that is read of Salesforce is read alike: the org's own objects that a mapping names as well as opportunities."""

from datetime import timedelta
from typing import Any

import pytest

from connector.base.errors import Transient
from connector.pipeline.backfill import Scope, run_backfill
from tests.pipeline.test_records import MAPPING

FIELDS: dict[str, dict[str, Any]] = {
    "Opportunity": {"Name": "Deal", "StageName": "New", "IsWon": False, "IsClosed": False},
    "Subscription__c": {"Contact__c": "003000000000001AAA", "Status__c": "Active"},
    "Trial__c": {"Email__c": "ada@example.com"},
    "Order": {"AccountId": "001000000000001AAA", "Status": "Draft"},
}
everything = pytest.mark.parametrize("name", FIELDS)


class Ended(BaseException):
    """The process ends."""


@pytest.fixture
def place(world):
    world.mapping = MAPPING
    world.org.page_size = 7
    world.contact("ada@example.com", AccountId="001000000000001AAA")
    return world


def put(world, name, number, **changed):
    return world.org.put(name, {"Id": f"a0X{number:012d}AAA", **FIELDS[name]}, **changed)


def known(world, ids):
    return set(world.store.records(ids))


@everything
def test_more_rows_than_a_page_with_one_stamp_are_all_read(place, name):
    rows = [put(place, name, number) for number in range(50)]
    place.cycle()
    assert known(place, rows) == set(rows)


@everything
def test_rows_that_share_a_stamp_with_the_last_one_read_are_read_later(place, name):
    rows = [put(place, name, number) for number in range(10)]
    place.cycle()
    place.clock.sleep(-60)
    place.org.pass_time(-60)
    rows += [put(place, name, number) for number in range(10, 13)]
    place.wait(60)
    place.cycle()
    assert known(place, rows) == set(rows)


@everything
def test_a_row_that_commits_late_is_read_though_others_of_then_were(place, name):
    late = put(place, name, 99, visible_in=timedelta(minutes=8))
    early = [put(place, name, number) for number in range(20)]
    for _ in range(8):
        place.cycle()
    assert known(place, [late, *early]) == set(early)
    place.cycle()
    assert known(place, [late]) == {late}


@everything
@pytest.mark.parametrize("hard", [False, True])
def test_what_is_deleted_is_known_no_more(place, name, hard):
    rows = [put(place, name, number) for number in range(3)]
    place.cycle()
    place.org.remove(name, rows[1], hard=hard)
    place.cycle()
    assert known(place, rows) == {rows[0], rows[2]}


@everything
@pytest.mark.parametrize("how", [Transient("it timed out"), Ended()], ids=["timed out", "ended"])
def test_a_read_that_ends_between_two_pages_goes_on_there(place, state, name, how):
    rows = [put(place, name, number) for number in range(60)]
    calls = iter([False] * 3)

    def fail(kind):
        if kind == "query_more" and next(calls, True):
            raise how
        return False

    place.org.fail = fail
    with pytest.raises(type(how)):
        place.cycle()
    assert known(place, rows) != set(rows)
    place.org.fail = lambda _kind: False
    place.restart(state)
    report = place.cycle()
    assert known(place, rows) == set(rows)
    assert report.read[name] < 60, "from where it was"


@everything
def test_a_page_that_salesforce_forgot_is_asked_for_anew(place, name):
    rows = [put(place, name, number) for number in range(40)]
    calls = iter([False, False])

    def forget(kind):
        if kind == "query_more" and next(calls, True):
            place.org.forget_locators()
            place.org.fail = lambda _kind: False
        return False

    place.org.fail = forget
    place.cycle()
    assert known(place, rows) == set(rows)


@everything
def test_a_backfill_finds_what_nothing_told_of(place, name):
    rows = [put(place, name, number) for number in range(30)]
    place.cycle()
    place.wait(3600)
    place.cycle()
    there = place.org.rows[name]
    quiet = {**there[rows[0]], "Id": "a0X000000000077AAA"}
    there[quiet["Id"]] = quiet
    place.cycle()
    assert known(place, [quiet["Id"]]) == set()
    run_backfill(place.pipeline, Scope())
    assert known(place, [*rows, quiet["Id"]]) == {*rows, quiet["Id"]}


@everything
def test_what_is_hidden_stays_as_it_was_and_is_told(place, name):
    rows = [put(place, name, number) for number in range(9)]
    place.cycle()
    place.org.hidden.add(name)
    report = place.cycle()
    assert (list(report.unread), report.exit_code, known(place, rows)) == ([name], 3, set(rows))
    rows.append(put(place, name, 9))
    place.org.hidden.clear()
    report = place.cycle()
    assert (report.unread, known(place, rows)) == ({}, set(rows))
