"""What every test starts from."""

import pytest
import structlog

from tests.postgres import Server, server


@pytest.fixture(autouse=True)
def _logging_as_at_the_start():
    """A command run in this process sets logging up; the next test starts without that."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres() -> Server:
    return server()
