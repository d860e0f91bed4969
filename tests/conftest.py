"""What every test starts from."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings
from sqlmodel import SQLModel

from connector.base.clock import SystemClock
from connector.store import open_store
from tests.postgres import Server, plain, run, server

# Two busy cores make any example slow. Tests that say how many cases they want say it with ``cases``.
settings.register_profile("quick", deadline=None, max_examples=100)
settings.register_profile("long", deadline=None, max_examples=1000)
settings.load_profile("quick")


_function = re.compile(r"(\[.*\])?(@[\w-]+)?\Z", re.DOTALL)  # behind it: its parameters, and xdist's group


@pytest.fixture(autouse=True)
def _logging_as_at_the_start():
    """A command run in this process sets logging up; the next test starts without that."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres() -> Server:
    return server()


@pytest.fixture(scope="session")
def used_state(postgres: Server) -> Iterator[str]:
    """The address of a state on PostgreSQL: one for all tests, since making one takes longer than most of them."""
    with postgres.database() as url:
        open_store(plain(url), clock=SystemClock()).close()
        yield plain(url)


@pytest.fixture
def emptied_state(used_state: str) -> str:
    """As that, with empty tables."""
    numbers = ("ALTER SEQUENCE log_id_seq RESTART", "ALTER SEQUENCE cycle_id_seq RESTART")
    run(used_state, "; ".join((*(f"DELETE FROM {name}" for name in SQLModel.metadata.tables), *numbers)))
    return used_state


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--skipped-to", type=Path, help="a file that names, a line each, the tests that were skipped")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was skipped, a line a reason."""
    if (to := config.getoption("--skipped-to")) is not None:
        names = {_function.sub("", each.nodeid) for each in terminalreporter.stats.get("skipped", ())}
        to.write_text("".join(f"{name}\n" for name in sorted(names)))
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", ()):
        said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[said.removeprefix("Skipped: ")] += 1
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} skipped: {reason}")
