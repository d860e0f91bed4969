"""`make mutants` breaks what runs, and nothing else."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SOURCE = '''"""Text."""
import os
WORDS: dict[str, int] = {"é": 1}
def f(a: int, b: int = 2) -> bool:
    """Text."""
    for each in range(a):
        if each < b and not a:
            continue
        print("é", f"{a + 1}")
    return a + b in WORDS
'''


@pytest.fixture(scope="module")
def mutants() -> ModuleType:
    path = Path(__file__).parent.parent / "tools" / "mutants.py"
    spec = importlib.util.spec_from_file_location("mutants", path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules["mutants"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_place_that_runs_can_be_broken(mutants: ModuleType) -> None:
    assert [(each.line, each.before, each.after) for each in mutants.mutants_of("f.py", SOURCE)] == [
        (3, "1", "2"),
        (4, "2", "3"),
        (7, "each < b and not a", "(each < b or not a)"),
        (7, "each < b", "(each <= b)"),
        (7, "not a", "(a)"),
        (8, "continue", "break"),
        (9, 'print("é", f"{a + 1}")', "pass"),
        (10, "return a + b in WORDS", "return None"),
        (10, "a + b in WORDS", "(a + b not in WORDS)"),
        (10, "a + b", "(a - b)"),
    ]


def test_a_mutant_is_the_module_with_one_place_broken(mutants: ModuleType) -> None:
    (broken,) = [each for each in mutants.mutants_of("f.py", SOURCE) if each.after == "pass"]
    assert broken.applied(SOURCE.encode()).decode() == SOURCE.replace('print("é", f"{a + 1}")', "pass")


def test_a_seed_says_which_places_are_tried(mutants: ModuleType) -> None:
    first, again, other = (mutants.sample("connector/lifecycle", seed, 20) for seed in (1, 1, 2))
    assert first == again != other
    assert len(first) == 20
