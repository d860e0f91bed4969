"""Record ids: checksums as recorded from real orgs, and ids of the org's own making."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practice_org.salesforce import ids
from practice_org.salesforce.problems import Problem


@pytest.mark.parametrize(
    ("id15", "suffix"),
    [
        ("a0D30000001n7Pi", "EAI"),
        ("001M000000qfPyS", "IAU"),
        ("AbCdEfGhIjKlMnO", "VKV"),
        ("00Q4S000002sSac", "UAE"),
        ("0034S000005YJYw", "QAO"),
        ("0054S000000JFmh", "QAG"),
        ("012000000000000", "AAA"),
    ],
)
def test_the_checksum_is_salesforces(id15: str, suffix: str) -> None:
    assert ids.checksum(id15) == suffix
    assert ids.full(id15) == ids.full(id15 + suffix) == id15 + suffix


@given(st.integers(0, 62**5 - 1))
def test_generated_ids_are_valid_and_count_back(number: int) -> None:
    made = ids.generate("003", number)
    assert len(made) == 18
    assert ids.is_id(made)
    assert ids.number_of(made) == number


@pytest.mark.parametrize(
    "text", ["", "003", "0034S000005YJYwQAX", "0034S000005YJY!", "0034S000005YJYw\n", "003é" + "0" * 11]
)
def test_anything_else_is_malformed(text: str) -> None:
    with pytest.raises(Problem, match="MALFORMED_ID"):
        ids.full(text)
