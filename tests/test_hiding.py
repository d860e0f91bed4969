"""What is secret leaves no edge, however it is written."""

from __future__ import annotations

import base64
import json
import logging
from urllib.parse import quote

import pytest
import structlog

from connector.base import logs, settings
from connector.base.errors import Refused
from connector.base.hiding import UNSHOWN, hidden, keep_hidden, secret_parts
from connector.base.http import Judgement, Reaction, describe

SECRET = 'can"ary/6+f1 pä55'


@pytest.mark.parametrize(
    "written",
    [SECRET, quote(SECRET, safe=""), quote(SECRET), json.dumps(SECRET), base64.b64encode(SECRET.encode()).decode()],
)
def test_a_secret_is_hidden_however_it_is_written(written):
    keep_hidden([SECRET])
    assert hidden(f"you sent <{written}>!") in {f"you sent <{UNSHOWN}>!", f'you sent <"{UNSHOWN}">!'}


def test_a_short_one_is_looked_for_as_a_word():
    keep_hidden(["postgres", "x"])
    assert hidden("postgresql+psycopg://u:postgres@x/x") == f"postgresql+psycopg://u:{UNSHOWN}@x/x"


@pytest.mark.parametrize(
    ("address", "is_whole", "found"),
    [
        ("postgresql+psycopg://u:p@ss/w?o%23rd@host/name?sslmode=require", False, {"p@ss/w?o%23rd", "p@ss/w?o#rd"}),
        ("postgresql://host/name?user=u&password=sesame-1&sslmode=require", False, {"sesame-1"}),
        ("http://user:sesame-1@proxy.example:3128", False, {"sesame-1"}),
        ("sqlite:///state/connector.sqlite3", False, set()),
        ("https://hooks.example/T0/sesame-sesame", True, {"/T0/sesame-sesame", "sesame-sesame"}),
        ("hook:whsec_sesame other:whsec_open", True, {"whsec_sesame", "whsec_open", "hook:whsec_sesame"}),
    ],
)
def test_what_is_secret_in_an_address_is_known(address, is_whole, found):
    parts = {each for each in secret_parts(address, is_whole=is_whole) if each}
    assert found <= parts
    assert is_whole or parts == found


def test_errors_and_what_services_answer_say_no_secret_back():
    settings.explicit(hubspot_token="sesame-0123456789")
    error = Refused("you sent sesame-0123456789", "try sesame-0123456789", code="sesame-0123456789")
    assert "sesame" not in repr((str(error), error.args, error.hint, error.code))
    judged = Judgement(Reaction.REFUSE, "C", "x" * 290 + " sesame-0123456789")
    assert "sesame" not in describe(403, judged)


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_no_line_of_a_log_holds_a_secret_whoever_wrote_it(log_format, capsys):
    keep_hidden([SECRET])
    logs.configure(log_format, "INFO")
    try:
        raise RuntimeError(f"driver says {SECRET}")
    except RuntimeError:
        structlog.get_logger().exception(f"about {SECRET}", what={"deep": [SECRET]}, error=SECRET)
    said = capsys.readouterr().err
    assert "driver says" in said
    assert hidden(said) == said
    assert "6+f1" not in said


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_what_libraries_log_is_a_line_of_ours(log_format, capsys, monkeypatch):
    monkeypatch.setattr(logging, "lastResort", None)
    keep_hidden(["sesame-0123456789"])
    logs.configure(log_format, "INFO")
    record = logging.LogRecord("urllib3", logging.WARNING, "x.py", 1, "cannot read %s", ("/sesame-0123456789\n",), None)
    assert logging.lastResort is not None
    logging.lastResort.handle(record)
    said = capsys.readouterr().err
    assert (said.count("\n"), "sesame" in said, "cannot read" in said) == (1, False, True)


def test_a_text_forges_no_line_of_a_log_and_commands_no_terminal(capsys):
    logs.configure("console", "INFO")
    hostile = "a\nstage: Customer\x1b[2J\x9b31m\u202eb\x00\u200b"
    try:
        raise RuntimeError(hostile)
    except RuntimeError:
        structlog.get_logger().exception("failed", error=hostile, many=[hostile])
    said = capsys.readouterr().err
    assert [each for each in said if not each.isprintable() and each != "\n"] == []
    assert not [line for line in said.split("\n")[1:] if line and not line.startswith("    ")]
