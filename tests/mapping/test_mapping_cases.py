"""Situations that must hold, kept beside this checkout: each is a mapping whose own tests pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.mapping import load

FOLDER = Path(__file__).parents[3] / "shared" / "cases" / "mapping"
CASES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.skipif(not CASES, reason="there is no ../shared/cases/mapping beside this checkout")
def test_there_are_cases():
    assert len(CASES) >= 8


@pytest.mark.parametrize("case", CASES, ids=[case.stem for case in CASES])
def test_the_case_holds(case):
    load(str(case))  # raises with every test of it that fails
