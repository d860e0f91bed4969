"""What counts as setting back what was written, and how often it was: over values."""

import pytest

from connector.base.facts import Change
from connector.pipeline.contested import set_back


def wrote(*pairs):
    return [(f"t{number}", old, new) for number, (old, new) in enumerate(pairs)]


@pytest.mark.parametrize(
    ("written", "change", "times"),
    [
        (wrote(), Change("stage", "S", None, "A"), []),
        (wrote((None, "A"), (None, "A")), Change("stage", "S", None, "A"), ["t0", "t1"]),
        (wrote((None, "A"), ("x", "A"), ("y", "A")), Change("stage", "S", "z", "A"), ["t0", "t1", "t2"]),
        # people move a stage on, and so do rules
        (wrote((None, "A"), ("B", "C"), ("D", "E")), Change("stage", "S", "F", "G"), []),
        # it stayed as it was written in between: what was before that is another story
        (wrote((None, "A"), ("x", "A"), ("A", "B")), Change("stage", "S", "x", "B"), ["t2"]),
        # numbers and dates are ours alone: whatever else stands there is no wish
        (wrote((None, 10), (0, 20), (0, 30)), Change("score", "N", 0, 40), ["t0", "t1", "t2"]),
        (wrote((None, 10), (10.0, 20), (20.0, 30)), Change("score", "N", 30.0, 40), []),
        (wrote((None, "2026-01-01")), Change("date_of D", "D", None, "2026-01-02"), ["t0"]),
        # of tags our own count
        (wrote(("a", "a;warm"), ("b", "b;warm")), Change("tags", "T", "c", "c;warm"), ["t0", "t1"]),
        (wrote(("a;cold", "a"), ("b;Cold", "b")), Change("tags", "T", "cold", ""), ["t0", "t1"]),
        (wrote(("a", "a;warm"), ("warm;x", "warm;x;hot")), Change("tags", "T", "warm;hot;y", "warm;hot;y;new"), []),
    ],
)
def test_what_counts_as_set_back(written, change, times):
    assert set_back(written, change) == times
