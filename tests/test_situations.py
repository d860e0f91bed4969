"""Every situation with a service in it has a test over HTTP: which one says the mark on it."""

import re
from pathlib import Path

import pytest

ROWS = Path(__file__).parents[2] / "shared" / "cases" / "services.md"
MARKED = re.compile(r"^@pytest\.mark\.situation\(([\d, ]+)\)\n(?:@.*\n|[ )\]].*\n)*def (test_\w+)", re.MULTILINE)


def marked() -> dict[int, list[str]]:
    """Row -> the tests that hold it."""
    found: dict[int, list[str]] = {}
    for path in sorted(Path(__file__).parent.rglob("test_*.py")):
        for rows, name in MARKED.findall(path.read_text()):
            for row in rows.split(","):
                found.setdefault(int(row), []).append(f"{path.name}::{name}")
    return found


@pytest.mark.skipif(not ROWS.exists(), reason="there is no ../shared/cases/services.md beside this checkout")
def test_every_situation_has_a_test() -> None:
    rows = {int(number) for number in re.findall(r"^\| (\d+) \|", ROWS.read_text(), re.MULTILINE)}
    assert rows == marked().keys()
