"""Writing: every change gets exactly one outcome, locked rows are sent again, packs find their size."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.base.clock import FrozenClock
from connector.base.errors import LimitReached, Refused, Transient
from connector.base.facts import Change, Outcome, RecordChange, Result
from connector.base.http import TimedOut
from connector.salesforce.composite import Answer
from connector.salesforce.writes import GROWS_AFTER, LOCK_TRIES, Pack, ordered, write_rows

NO_LIMIT = 10_000


def change(number: int, account: str = "", object_name: str = "Contact") -> RecordChange:
    return RecordChange(f"p{number}", object_name, f"id{number:05}", (Change("stage", "Stage__c", None, "x"),), account)


def refused(code: str, message: str = "") -> dict[str, Any]:
    return {"success": False, "errors": [{"statusCode": code, "message": message, "fields": []}]}


@dataclass
class Org:
    """Answers collections; ``says`` maps an id to codes it answers before it succeeds; more than ``bears`` rows in a
    request are too many for its automation."""

    says: dict[str, list[str]] = field(default_factory=dict)
    bears: int = NO_LIMIT
    sent: list[list[str]] = field(default_factory=list)
    parts: list[list[int]] = field(default_factory=list)

    def __call__(self, collections: Sequence[Sequence[RecordChange]]) -> Sequence[Answer]:
        ids = [row.id for rows in collections for row in rows]
        assert len(ids) == len(set(ids)), "a request must not name a record twice"
        self.sent.append(ids)
        self.parts.append([len(rows) for rows in collections])
        return [Answer(200, [self._row(row.id, len(ids)) for row in rows]) for rows in collections]

    def _row(self, record_id: str, size: int) -> dict[str, Any]:
        if size > self.bears:
            return refused(
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "T: System.LimitException: Too many SOQL queries: 101"
            )
        codes = self.says.get(record_id)
        return refused(codes.pop(0), "words") if codes else {"id": record_id, "success": True, "errors": []}


def run(org: Any, changes: Sequence[RecordChange], clock: FrozenClock, size: int | Pack = 1000) -> list[Outcome]:
    pack = size if isinstance(size, Pack) else Pack(size)
    return [outcome for outcomes in write_rows(org, changes, pack, clock, lambda: 0.5) for outcome in outcomes]


def results(outcomes: Sequence[Outcome]) -> dict[str, tuple[str, str]]:
    return {outcome.change.id: (outcome.result, outcome.code) for outcome in outcomes}


def test_a_thousand_rows_are_three_requests_of_two_collections(clock: FrozenClock) -> None:
    org = Org()
    outcomes = run(org, [change(i) for i in range(1000)], clock)
    assert org.parts == [[200, 200], [200, 200], [200]]
    assert {outcome.result for outcome in outcomes} == {Result.APPLIED}
    assert len(outcomes) == 1000


def test_a_collection_is_of_one_object(clock: FrozenClock) -> None:
    org = Org()
    kinds = ["Account"] * 10 + ["Contact"] * 250 + ["Lead"] * 30
    run(org, [change(i, object_name=kind) for i, kind in enumerate(kinds)], clock)
    assert org.parts == [[10, 200], [50, 30]]


def test_what_somebody_set_before_the_write_came_is_told_with_it(clock: FrozenClock) -> None:
    def stood(value: Any, **more: Any) -> Outcome:
        answer = Answer(200, [{"success": True}], stood={"id00001": {"Id": "id00001", "Stage__c": value, **more}})
        [outcome] = run(lambda _parts: [answer], [change(1)], clock)
        return outcome

    told = stood("Disqualified", LastModifiedById="005000000000002AAA")
    assert told.change.changes == (Change("stage", "Stage__c", "Disqualified", "x"),)
    assert told.replaced == ("Stage__c",)
    assert told.message == "replaced what 005000000000002AAA set a moment before"
    for nothing_new in (None, "", "x"):  # as it was read, or as it is to be
        assert (stood(nothing_new).replaced, stood(nothing_new).message) == ((), "")


def test_what_stood_in_a_person_account_is_told_by_the_name_of_the_contacts_field(clock: FrozenClock) -> None:
    pack = Pack(400)
    pack.persons_by_account = True
    ada = several(1, "Stage__c", account_id="001", is_person_account=True)
    answer = Answer(200, [{"success": True}], stood={"001": {"Id": "001", "Stage__pc": "Disqualified"}})
    [told] = run(lambda _parts: [answer], [ada], clock, pack)
    assert (told.replaced, told.change.changes[0].old) == (("Stage__c",), "Disqualified")


def test_rows_travel_by_type_and_account() -> None:
    changes = [change(3, "B"), change(2, "A", "Lead"), change(1, "B"), change(0, "A")]
    assert [each.id for each in ordered(changes)] == ["id00000", "id00001", "id00003", "id00002"]


def test_one_record_is_never_named_twice_in_a_request(clock: FrozenClock) -> None:
    org = Org()
    outcomes = run(org, [change(1), change(1), change(2), change(1)], clock)
    assert len(outcomes) == 4
    assert org.sent == [["id00001", "id00002"], ["id00001"], ["id00001"]]


def test_only_the_locked_rows_are_sent_again_after_a_wait(clock: FrozenClock) -> None:
    org = Org({"id00001": ["UNABLE_TO_LOCK_ROW"] * 2})
    began = clock.now()
    outcomes = run(org, [change(i) for i in range(3)], clock)
    assert org.sent == [["id00000", "id00001", "id00002"], ["id00001"], ["id00001"]]
    assert {outcome.result for outcome in outcomes} == {Result.APPLIED}
    assert (clock.now() - began).total_seconds() == 1.5


def test_a_row_that_stays_locked_waits_for_the_next_cycle(clock: FrozenClock) -> None:
    org = Org({"id00001": ["UNABLE_TO_LOCK_ROW"] * 99})
    outcomes = run(org, [change(0), change(1)], clock)
    assert results(outcomes) == {"id00000": ("applied", ""), "id00001": ("waiting", "UNABLE_TO_LOCK_ROW")}
    assert len(org.sent) == LOCK_TRIES


def test_a_refused_row_is_set_aside_with_code_and_words_and_delays_nobody(clock: FrozenClock) -> None:
    org = Org({"id00001": ["FIELD_CUSTOM_VALIDATION_EXCEPTION"]})
    outcomes = run(org, [change(i) for i in range(3)], clock)
    [aside] = [outcome for outcome in outcomes if outcome.result is Result.SET_ASIDE]
    assert (aside.change.id, aside.code, aside.message) == ("id00001", "FIELD_CUSTOM_VALIDATION_EXCEPTION", "words")
    assert len(org.sent) == 1


def test_several_errors_of_one_row_are_kept_together(clock: FrozenClock) -> None:
    row = {"success": False, "errors": [{"statusCode": "A", "message": "one"}, {"statusCode": "B", "message": "two"}]}
    [outcome] = run(lambda _parts: [Answer(200, [row])], [change(1)], clock)
    assert (outcome.code, outcome.message) == ("A", "one; two")


def test_a_pack_halves_until_the_orgs_automation_bears_it_and_grows_back(clock: FrozenClock) -> None:
    org, pack = Org(bears=130), Pack(400)
    outcomes = run(org, [change(i) for i in range(1000)], clock, pack)
    assert {outcome.result for outcome in outcomes} == {Result.APPLIED}
    assert [len(ids) for ids in org.sent[:4]] == [400, 200, 100, 100]
    org.bears = NO_LIMIT
    for _ in range(4 * GROWS_AFTER):
        run(org, [change(1)], clock, pack)
    assert pack.size == 400


def test_a_row_that_is_too_much_by_itself_is_set_aside(clock: FrozenClock) -> None:
    outcomes = run(Org(bears=0), [change(i) for i in range(3)], clock)
    assert {outcome.result for outcome in outcomes} == {Result.SET_ASIDE}


def test_an_answer_that_takes_too_long_makes_the_pack_smaller(clock: FrozenClock) -> None:
    org = Org()

    def slow(parts: Sequence[Sequence[RecordChange]]) -> Sequence[Answer]:
        if sum(map(len, parts)) > 300:
            raise TimedOut("no answer in time")
        return org(parts)

    outcomes = run(slow, [change(i) for i in range(1000)], clock)
    assert len(outcomes) == 1000
    assert {outcome.result for outcome in outcomes} == {Result.APPLIED}
    assert max(map(len, org.sent)) == 200
    assert sum(outcome.again for outcome in outcomes) == 400, "what timed out may still come"


def test_what_was_answered_at_once_comes_once_and_what_was_sent_twice_is_told(clock: FrozenClock) -> None:
    org = Org({"id00001": ["UNABLE_TO_LOCK_ROW"]})
    assert not any(outcome.again for outcome in run(org, [change(i) for i in range(3)], clock))
    outcomes = run(lambda parts: [replace(each, again=True) for each in org(parts)], [change(0)], clock)
    assert [outcome.again for outcome in outcomes] == [True]


@pytest.mark.parametrize("fault", [TimedOut("no answer in time"), Transient("down")])
def test_what_nobody_answered_waits(clock: FrozenClock, fault: Exception) -> None:
    calls = 0

    def down(_parts: Any) -> Sequence[Answer]:
        nonlocal calls
        calls += 1
        raise fault

    outcomes = run(down, [change(i) for i in range(2500)], clock)
    assert len(outcomes) == 2500
    assert {outcome.result for outcome in outcomes} == {Result.WAITING}
    assert calls <= 3


def test_an_answer_that_does_not_fit_the_question_counts_as_none(clock: FrozenClock) -> None:
    outcomes = run(lambda _parts: [Answer(200, [{"success": True}])], [change(i) for i in range(3)], clock)
    assert [outcome.result for outcome in outcomes] == [Result.WAITING] * 3


def test_a_collection_refused_as_a_whole_speaks_for_its_rows_only(clock: FrozenClock) -> None:
    def half(parts: Sequence[Sequence[RecordChange]]) -> Sequence[Answer]:
        whole = Answer(400, [{"errorCode": "INVALID_TYPE", "message": "no such object"}])
        return [whole, *(Answer(200, [{"success": True} for _ in rows]) for rows in parts[1:])]

    outcomes = run(half, [change(i) for i in range(300)], clock)
    assert [outcome.result for outcome in outcomes] == [Result.SET_ASIDE] * 200 + [Result.APPLIED] * 100
    assert outcomes[0].code == "INVALID_TYPE"


@pytest.mark.parametrize("error", [Refused("no", code="API_DISABLED_FOR_ORG"), LimitReached("used up")])
def test_a_refusal_of_the_whole_request_stops_the_writing(clock: FrozenClock, error: Exception) -> None:
    def no(_parts: Any) -> Sequence[Answer]:
        raise error

    with pytest.raises(type(error)):
        run(no, [change(1)], clock)


def test_a_transaction_that_runs_too_long_makes_the_pack_smaller(clock: FrozenClock) -> None:
    org = Org()

    def long(parts: Sequence[Sequence[RecordChange]]) -> Sequence[Answer]:
        if sum(map(len, parts)) > 400:
            raise Refused("too long", code="REQUEST_RUNNING_TOO_LONG")
        return org(parts)

    assert {outcome.result for outcome in run(long, [change(i) for i in range(900)], clock)} == {Result.APPLIED}


HIDDEN = "No such column '{}' on sobject of type {}"


def several(number: int, *fields: str, **more: Any) -> RecordChange:
    changes = tuple(Change(name, name, None, "x") for name in fields)
    return RecordChange(f"p{number}", "Contact", f"id{number:05}", changes, **more)


class Refusing:
    """Refuses rows with one of these fields: field -> what is said of it. ``whole``: of the whole collection."""

    def __init__(self, says: dict[str, dict[str, Any]], *, whole: bool = False) -> None:
        self.says, self.whole = says, whole
        self.sent: list[list[tuple[str, ...]]] = []

    def __call__(self, collections: Sequence[Sequence[RecordChange]]) -> Sequence[Answer]:
        self.sent.append([tuple(row.values()) for rows in collections for row in rows])
        return [self._answer(rows) for rows in collections]

    def _answer(self, rows: Sequence[RecordChange]) -> Answer:
        said = [next((self.says[name] for name in row.values() if name in self.says), None) for row in rows]
        if self.whole and any(said):
            [error] = next(each for each in said if each)["errors"]
            return Answer(400, [{"errorCode": error["statusCode"], "message": error["message"]}])
        return Answer(200, [each or {"success": True, "errors": []} for each in said])


def told(outcomes: Sequence[Outcome]) -> set[tuple[str, tuple[str, ...], str, str]]:
    return {(each.change.id, tuple(each.change.values()), each.result.value, each.code) for each in outcomes}


@pytest.mark.parametrize("whole", [False, True])
def test_a_field_that_is_hidden_is_left_out_and_rows_without_it_are_not_blamed(clock: FrozenClock, whole: bool) -> None:
    org = Refusing({"Status__c": refused("INVALID_FIELD", HIDDEN.format("Status__c", "Contact"))}, whole=whole)
    outcomes = run(org, [several(1, "Stage__c", "Status__c"), several(2, "Stage__c")], clock)
    assert told(outcomes) == {
        ("id00001", ("Status__c",), "set_aside", "INVALID_FIELD"),
        ("id00001", ("Stage__c",), "applied", ""),
        ("id00002", ("Stage__c",), "applied", ""),
    }


def test_a_hidden_field_of_a_person_account_is_known_by_the_name_that_was_sent(clock: FrozenClock) -> None:
    org = Refusing({"Status__pc": refused("INVALID_FIELD", HIDDEN.format("Status__pc", "Account"))})
    ada = several(1, "Stage__c", "Status__c", "OwnerId", account_id="001", is_person_account=True)
    assert ("id00001", ("Stage__c", "OwnerId"), "applied", "") in told(run(org, [ada], clock))


def test_a_hidden_field_that_is_all_there_is_ends_as_refused(clock: FrozenClock) -> None:
    org = Refusing({"Stage__c": refused("INVALID_FIELD", HIDDEN.format("Stage__c", "Contact"))}, whole=True)
    outcomes = run(org, [several(1, "Stage__c"), several(2, "Title")], clock)
    assert told(outcomes) == {
        ("id00001", ("Stage__c",), "set_aside", "INVALID_FIELD"),
        ("id00002", ("Title",), "applied", ""),
    }
    assert len(org.sent) == 2


def test_whatever_is_refused_of_a_row_is_told(clock: FrozenClock) -> None:
    too_long = {"success": False, "errors": [{"statusCode": "STRING_TOO_LONG", "message": "long", "fields": ["Tags"]}]}
    hidden = refused("INVALID_FIELD", HIDDEN.format("Status__c", "Contact"))
    outcomes = run(
        Refusing({"Tags": too_long, "Status__c": hidden}), [several(1, "Stage__c", "Tags", "Status__c")], clock
    )
    [aside] = [each for each in outcomes if each.result is Result.SET_ASIDE]
    assert set(aside.change.values()) == {"Tags", "Status__c"}
    assert "long" in aside.message
    assert "Status__c" in aside.message


@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["Contact", "Lead"])), max_size=80),
    st.integers(1, 50),
    st.integers(1, 60),
    st.randoms(use_true_random=False),
)
def test_every_change_gets_exactly_one_outcome(
    rows: list[tuple[int, str]], size: int, bears: int, chance: random.Random
) -> None:
    clock = FrozenClock(datetime(2026, 5, 1, tzinfo=UTC))
    codes = ["UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "STRING_TOO_LONG"]
    says = {f"id{n:05}": chance.choices(codes, k=chance.randint(0, 9)) for n, _ in rows}
    changes = [change(n, object_name=kind) for n, kind in rows]
    org = Org(says, bears=bears)
    outcomes = run(org, changes, clock, size)
    assert sorted(id(outcome.change) for outcome in outcomes) == sorted(map(id, changes))
    assert all(len(ids) <= size for ids in org.sent)
