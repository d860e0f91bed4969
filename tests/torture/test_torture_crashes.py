"""A sample of `make torture`: a command that is killed anywhere leaves nothing lost, doubled or invented."""

import pytest

from tests.torture.crash import SCENARIOS, crash, unbroken

SAMPLE = (0.4, 0.9)  # how far on its way it dies: while reading, while writing


@pytest.mark.timeout(600)  # sixteen commands, each a process
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_command_that_is_killed_anywhere_leaves_nothing_wrong(name):
    expected = unbroken(SCENARIOS[name])
    for part in SAMPLE:
        dies_at = round(part * len(expected.boundaries))
        assert crash(SCENARIOS[name], dies_at, expected) == [], f"{name}:{dies_at}"
