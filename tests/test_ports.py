"""What the pipeline may rely on of Salesforce: the client over a practice org and the fake pass the same suite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any, Protocol

import pytest

from connector.base.clock import FrozenClock
from connector.base.errors import Refused
from connector.base.facts import Change, RecordChange, Result
from connector.base.ports import DeletedSince, LocatorExpired, Page, Read, Salesforce
from connector.base.settings import Settings
from connector.base.soql import among, keyset, select
from connector.salesforce import open_salesforce
from practice_org.salesforce.core import Rule
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server
from tests.fakes import START, FakeSalesforce, sf_time

FIELDS = ("Id", "SystemModstamp", "IsDeleted", "Email", "LastName")
STAGE = "Lifecycle_Stage__c"
REFUSAL = "FIELD_CUSTOM_VALIDATION_EXCEPTION"


class Bench(Protocol):
    """An org with a handle: contacts can be put in, changed and taken away, and the org made to refuse."""

    port: Salesforce
    clock: FrozenClock
    page_size: int

    def contacts(self, count: int) -> list[str]: ...

    def change(self, record: str, **fields: Any) -> None: ...

    def remove(self, record: str, *, hard: bool) -> None: ...

    def refuse(self, record: str) -> None: ...

    def pass_time(self, seconds: float) -> None: ...

    def forget_locators(self) -> None: ...


class RealBench:
    page_size = 2000

    def __init__(self, org: PracticeOrg, port: Salesforce, clock: FrozenClock) -> None:
        self.org, self.port, self.clock = org, port, clock

    def contacts(self, count: int) -> list[str]:
        return self.org.create("Contact", [{"LastName": f"P{n}", "Email": f"p{n}@example.com"} for n in range(count)])

    def change(self, record: str, **fields: Any) -> None:
        self.org.update("Contact", [{"Id": record, **fields}])

    def remove(self, record: str, *, hard: bool) -> None:
        self.org.delete("Contact", [record], hard=hard)

    def refuse(self, record: str) -> None:
        self.org.set_validation("Contact", Rule("not now", lambda _old, new: new["Id"] == record))

    def pass_time(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    def forget_locators(self) -> None:
        self.org.locators.clear()


class FakeBench:
    def __init__(self, clock: FrozenClock) -> None:
        self.fake, self.clock, self.page_size = FakeSalesforce(), clock, 5
        self.port: Salesforce = self.fake
        self.fake.page_size = self.page_size
        self._made = 0

    def contacts(self, count: int) -> list[str]:
        made = []
        for number in range(count):
            self._made += 1
            row = {"Id": f"003{self._made:012d}AAA", "LastName": f"P{number}", "Email": f"p{number}@example.com"}
            made.append(self.fake.put("Contact", {**row, STAGE: None}))
        return made

    def change(self, record: str, **fields: Any) -> None:
        self.fake.put("Contact", {"Id": record, **fields})

    def remove(self, record: str, *, hard: bool) -> None:
        self.fake.remove("Contact", record, hard=hard)

    def refuse(self, record: str) -> None:
        self.fake.refuse[record] = REFUSAL

    def pass_time(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        self.fake.pass_time(seconds)

    def forget_locators(self) -> None:
        self.fake.forget_locators()


@contextmanager
def real(clock: FrozenClock) -> Iterator[Bench]:
    with closing(PracticeOrg(clock=clock)) as org, Server(org) as server:
        own = org.credentials
        signed = Settings(
            salesforce_login_url=server.url,
            salesforce_client_id=own.client_id,
            salesforce_client_secret=own.client_secret,
        )
        with closing(open_salesforce(signed, clock)) as port:
            yield RealBench(org, port, clock)


@contextmanager
def fake(clock: FrozenClock) -> Iterator[Bench]:
    yield FakeBench(clock)


@pytest.fixture(params=[real, fake], ids=["client", "fake"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with request.param(FrozenClock(START)) as made:
        yield made


def asked(where: str = "", name: str = "Contact", *, all_rows: bool = True) -> Read:
    return Read(name, select("Contact", FIELDS, where, ("SystemModstamp", "Id")), all_rows=all_rows)


def page(bench: Bench, read: Read) -> Page:
    return bench.port.read([read]).pages[read.name]


def ids(rows: Sequence[Any]) -> list[str]:
    return [row["Id"] for row in rows]


def changed(record: str, value: str | None, field: str = STAGE) -> RecordChange:
    return RecordChange(record, "Contact", record, (Change("stage", field, None, value),))


def outcomes(bench: Bench, changes: Sequence[RecordChange]) -> dict[str, tuple[Result, str]]:
    return {each.change.id: (each.result, each.code) for part in bench.port.update(changes) for each in part}


def test_a_read_has_the_asked_fields_in_the_order_of_stamp_and_id(bench: Bench) -> None:
    first = bench.contacts(2)
    bench.pass_time(60)
    later = bench.contacts(1)
    bench.pass_time(60)
    bench.change(first[0], Email="new@example.com")
    rows = page(bench, asked()).rows
    assert ids(rows) == [first[1], later[0], first[0]]
    assert {name for name in rows[0] if name != "attributes"} == set(FIELDS)
    assert (rows[2]["Email"], rows[0]["IsDeleted"]) == ("new@example.com", False)


def test_several_reads_come_by_name_with_the_server_s_time(bench: Bench) -> None:
    made = bench.contacts(2)
    answers = bench.port.read([asked(name="all"), asked(among("Id", made[:1]), name="one")])
    assert (len(answers.pages["all"].rows), ids(answers.pages["one"].rows)) == (2, made[:1])
    assert abs(answers.server_time - bench.clock.now()) <= timedelta(seconds=1)


def test_a_long_answer_goes_on_by_its_locator_and_tells_its_whole_length(bench: Bench) -> None:
    made = bench.contacts(bench.page_size + 3)
    first = page(bench, asked())
    assert (len(first.rows), first.total) == (bench.page_size, len(made))
    assert first.next is not None
    rest = bench.port.more(first.next)
    assert rest.next is None
    assert sorted(ids(first.rows) + ids(rest.rows)) == sorted(made)


def test_a_locator_that_was_forgotten_is_told_as_such(bench: Bench) -> None:
    bench.contacts(bench.page_size + 1)
    first = page(bench, asked())
    bench.forget_locators()
    with pytest.raises(LocatorExpired):
        bench.port.more(first.next or "")


def test_a_keyset_resumes_behind_the_row_reached_also_among_equal_stamps(bench: Bench) -> None:
    made = sorted(bench.contacts(4))
    rows = page(bench, asked()).rows
    where = keyset(bench.clock.now().replace(microsecond=0), rows[1]["Id"])
    assert ids(page(bench, asked(where)).rows) == made[2:]


def test_deleted_rows_come_where_they_are_asked_for(bench: Bench) -> None:
    kept, gone = bench.contacts(2)
    bench.pass_time(60)
    bench.remove(gone, hard=False)
    assert ids(page(bench, asked(all_rows=False)).rows) == [kept]
    assert {row["Id"]: row["IsDeleted"] for row in page(bench, asked()).rows} == {kept: False, gone: True}


def test_the_delete_log_names_what_was_deleted_for_good(bench: Bench) -> None:
    _, gone = bench.contacts(2)
    start = bench.clock.now()
    bench.pass_time(120)
    bench.remove(gone, hard=True)
    bench.pass_time(120)
    deleted = bench.port.read([asked()], [DeletedSince("gone", "Contact", start, bench.clock.now())]).deleted["gone"]
    assert (deleted.ids, deleted.complete) == ((gone,), True)
    assert deleted.covered_until <= bench.clock.now()


def test_a_count_is_a_total_without_rows(bench: Bench) -> None:
    bench.contacts(3)
    bench.pass_time(60)
    bench.contacts(2)
    where = f"SystemModstamp >= {sf_time(START)} AND SystemModstamp < {sf_time(START + timedelta(seconds=30))}"
    counted = page(bench, Read("n", f"SELECT COUNT() FROM Contact WHERE {where}", all_rows=True))
    assert (counted.rows, counted.total) == ((), 3)


def test_what_is_written_stands_there_and_moves_the_stamp(bench: Bench) -> None:
    made = bench.contacts(3)
    bench.pass_time(60)
    found = outcomes(bench, [changed(each, "Suspect") for each in made])
    assert found == dict.fromkeys(made, (Result.APPLIED, ""))
    read = Read("Contact", select("Contact", ("Id", STAGE, "SystemModstamp"), "", ("SystemModstamp", "Id")))
    rows = page(bench, read).rows
    assert {row[STAGE] for row in rows} == {"Suspect"}
    assert len({row["SystemModstamp"] for row in rows}) == 1


def test_a_refused_row_has_salesforce_s_code_and_words_and_delays_nobody(bench: Bench) -> None:
    one, other = bench.contacts(2)
    bench.refuse(one)
    (part,) = bench.port.update([changed(one, "Suspect"), changed(other, "Suspect")])
    by_id = {each.change.id: each for each in part}
    assert (by_id[one].result, by_id[one].code, bool(by_id[one].message)) == (Result.SET_ASIDE, REFUSAL, True)
    assert by_id[other].result is Result.APPLIED


def test_a_record_that_is_gone_is_refused_and_not_made(bench: Bench) -> None:
    (gone,) = bench.contacts(1)
    bench.remove(gone, hard=True)
    result, code = outcomes(bench, [changed(gone, "Suspect")])[gone]
    assert result is Result.SET_ASIDE
    assert code in {"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"}
    assert page(bench, asked()).rows == ()


def test_describe_tells_the_fields_there_are(bench: Bench) -> None:
    bench.contacts(1)
    described = bench.port.describe("Contact")
    assert described["name"] == "Contact"
    assert {"Id", "Email", STAGE} <= {each["name"] for each in described["fields"]}
    with pytest.raises(Refused) as refused:
        bench.port.describe("Nothing__c")
    assert refused.value.code in {"NOT_FOUND", "INVALID_TYPE"}


def test_the_org_has_an_id_and_an_address(bench: Bench) -> None:
    assert len(bench.port.identity()) == 18
    assert bench.port.identity().startswith("00D")
    assert bench.port.address().startswith("http")


def test_who_signs_in_is_known(bench: Bench) -> None:
    user = bench.port.user()
    assert user is not None
    assert len(user) == 18
    assert user.startswith("005")


def test_calls_are_counted_by_kind(bench: Bench) -> None:
    bench.contacts(1)
    before = sum(bench.port.calls().values())
    page(bench, asked())
    assert sum(bench.port.calls().values()) == before + 1
    assert set(bench.port.calls()) <= {"query", "query_more", "composite", "collections", "describe", "limits"}
