from __future__ import annotations

import pytest
import structlog

from connector.base import logs


@pytest.fixture(autouse=True)
def restored():
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_traceback_in_the_log_shows_no_values(log_format, capsys):
    logs.configure(log_format, "INFO")
    secret = "-".join(("whsec", "nobody", "may", "see"))
    try:
        raise RuntimeError(f"{len(secret)} letters")
    except RuntimeError:
        structlog.get_logger().exception("cycle failed unexpectedly")
    said = capsys.readouterr().err
    assert "RuntimeError" in said
    assert "test_logs.py" in said
    assert secret not in said


def test_values_under_the_names_of_secrets_are_hidden(capsys):
    logs.configure("console", "INFO")
    structlog.get_logger().info("signed in", access_token="00D-secret", user="ann")
    said = capsys.readouterr().err
    assert "00D-secret" not in said
    assert "ann" in said
