"""The practice org is served without the connector."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

ROOT = Path(__file__).parents[2]
WITHOUT = """
import runpy, sys
sys.modules["connector"] = None
sys.argv = ["practice_org", *sys.argv[1:]]
runpy.run_module("practice_org", run_name="__main__")
"""


def started(*words: str, before: str = "") -> subprocess.Popen[str]:
    """The module as a process in which the connector cannot be imported; ``before`` is run first."""
    command = [sys.executable, "-c", before + WITHOUT, *words]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ask(given: dict[str, str], path: str) -> Any:
    headers = {"Authorization": f"Bearer {given['access_token']}"}
    return requests.get(f"{given['url']}/services/data/v60.0{path}", headers=headers, timeout=10).json()


def test_it_serves_a_company_with_a_field_of_ones_own_until_it_is_told_to_stop() -> None:
    words = ("--sample", "small", "--field", "Contact.Level__c:picklist:Gold,Silver")
    with started(*words) as process:
        assert process.stdout is not None
        given = json.loads(process.stdout.readline())
        described = ask(given, "/sobjects/Contact/describe")
        (level,) = [each for each in described["fields"] if each["name"] == "Level__c"]
        assert [each["value"] for each in level["picklistValues"]] == ["Gold", "Silver"]
        assert ask(given, "/query?q=SELECT+COUNT()+FROM+Contact")["totalSize"] > 100
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("field", ["Contact", "Contact.Email:boolean", "Contact.Level:double", "Contact.A__c:colour"])
def test_a_field_that_is_not_understood_or_is_a_standard_one_is_told(field: str) -> None:
    with started("--field", field) as process:
        _, told = process.communicate(timeout=30)
    assert process.returncode == 2
    assert f"--field {field} is not understood" in told
    assert "Traceback" not in told


def test_standard_output_is_the_one_line_whatever_fails() -> None:
    with started(before="from practice_org.salesforce import describe\ndescribe.brief = None\n") as process:
        assert process.stdout is not None
        given = json.loads(process.stdout.readline())
        assert ask(given, "/sobjects")[0]["errorCode"] == "UNKNOWN_EXCEPTION"
        process.send_signal(signal.SIGTERM)
        rest, told = process.communicate(timeout=30)
    assert rest == ""
    assert "practice_org_failed" in told
