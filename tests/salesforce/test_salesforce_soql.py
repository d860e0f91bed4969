"""SOQL is built so that no value can become syntax."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.base.errors import ConfigurationError
from connector.base.ids import id18
from connector.base.soql import among, keyset, literal, name, select

NOW = datetime(2026, 5, 1, 12, 0, 30, 999, tzinfo=UTC)


@pytest.mark.parametrize("text", ["Id", "Lifecycle_Stage__c", "Account.Industry", "A.B.C.D.E.Name"])
def test_api_names_pass(text: str) -> None:
    assert name(text) == text


@pytest.mark.parametrize("text", ["", "a b", "Id,Name", "Id FROM Lead--", "1a", "a.", "a'b", "A.B.C.D.E.F.Name", "Idé"])
def test_anything_else_is_no_api_name(text: str) -> None:
    with pytest.raises(ConfigurationError, match="API name"):
        name(text)


def test_times_are_utc_to_the_second() -> None:
    assert literal(NOW) == "2026-05-01T12:00:30Z"
    assert literal(datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))) == "2026-05-01T10:00:00Z"
    assert literal(date(2026, 5, 1)) == "2026-05-01"


def test_other_values() -> None:
    assert [literal(value) for value in (None, True, False, 7, 1.5)] == ["null", "true", "false", "7", "1.5"]


@given(st.text())
def test_a_quoted_text_ends_only_at_its_end(text: str) -> None:
    quoted = literal(text)
    assert re.fullmatch(r"'(?:[^'\\]|\\.)*'", quoted, re.DOTALL)


def test_the_keyset_condition_takes_up_where_rows_share_a_second() -> None:
    assert keyset(NOW, "003000000000001AAA") == (
        "(SystemModstamp > 2026-05-01T12:00:30Z"
        " OR (SystemModstamp = 2026-05-01T12:00:30Z AND Id > '003000000000001AAA'))"
    )


def test_a_statement_is_put_together() -> None:
    assert select("Lead", ["Id", "Owner.Name"], "IsConverted = false", ["Id"]) == (
        "SELECT Id, Owner.Name FROM Lead WHERE IsConverted = false ORDER BY Id"
    )


def test_a_condition_names_each_value() -> None:
    assert among("Owner.Email", ["a'b@x.com", "c"]) == r"Owner.Email IN ('a\'b@x.com', 'c')"


@pytest.mark.parametrize(
    ("fifteen", "suffix"),
    [
        ("a0D30000001n7Pi", "EAI"),
        ("001M000000qfPyS", "IAU"),
        ("AbCdEfGhIjKlMnO", "VKV"),
        ("00Q4S000002sSac", "UAE"),
        ("012000000000000", "AAA"),
    ],
)
def test_ids_get_their_checksum(fifteen: str, suffix: str) -> None:
    assert id18(fifteen) == fifteen + suffix
    assert id18(fifteen + suffix) == fifteen + suffix
    assert id18(fifteen + suffix.lower()) == fifteen + suffix


@pytest.mark.parametrize("text", ["", "003", "003000000000001AAB", "00300000000000!", "003000000000001A"])
def test_what_is_no_id_is_none(text: str) -> None:
    assert id18(text) is None
