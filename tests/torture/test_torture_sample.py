"""A sample of `make torture`: whatever breaks, nothing is lost, doubled or invented."""

import pytest

from tests.torture.apart import apart
from tests.torture.trials import PARTS, tried

SAMPLE = {"crash": 3, "fault": 2, "storm": 1, "input": 3}


def sample(part):
    said: list[str] = []
    told = tried(part, seed=1, count=SAMPLE[part], tell=said.append)
    return told.tried, said


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", PARTS)
def test_whatever_breaks_nothing_is_lost_doubled_or_invented(part):
    assert apart(sample, part) == (SAMPLE[part], [])
