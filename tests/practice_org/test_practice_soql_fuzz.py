"""Whatever is asked, the answer is rows or a refusal: queries made from the grammar, and spoiled, never a failure."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from practice_org.salesforce.org import PracticeOrg
from tests.cases import cases
from tests.practice_org.soql_queries import Maker, answer, small_org

QUERIES = 10  # of one seed; `make long` tries ten times as many seeds, `make fuzz` a million queries


@pytest.fixture(scope="module")
def asked() -> Iterator[PracticeOrg]:
    org = small_org()
    yield org
    org.close()


@settings(max_examples=cases(100), derandomize=True)
@given(seed=st.integers(0, 1 << 40))
def test_any_query_is_answered_or_refused(asked: PracticeOrg, seed: int) -> None:
    maker = Maker(random.Random(seed))  # noqa: S311
    searched = maker.searched()
    status = answer(asked, searched, "search")
    assert status == 200 or 400 <= status < 500, searched
    for _ in range(QUERIES):
        text = maker.one()
        for resource in ("query", "queryAll"):
            status = answer(asked, text, resource)
            assert status == 200 or 400 <= status < 500, text


def test_the_queries_that_are_made_are_worth_asking(asked: PracticeOrg) -> None:
    maker = Maker(random.Random(7))  # noqa: S311
    texts = [maker.one() for _ in range(600)]
    answered = [answer(asked, text) == 200 for text in texts]
    assert sum(answered) > len(texts) // 4
    found = [answer(asked, maker.searched(), "search") == 200 for _ in range(200)]
    assert sum(found) > len(found) // 4
