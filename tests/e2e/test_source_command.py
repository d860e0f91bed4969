"""A source that cannot be read is told by `status` and `source`, with since when and why; over real HTTP."""

import json
import os

import pytest

from connector.base import heartbeat
from connector.pipeline.daemon import Daemon
from tests.e2e.conftest import serving

CALL = {"hs_call_direction": "INBOUND"}


@pytest.fixture
def site(tmp_path):
    with serving(tmp_path, systems=("pardot", "hubspot")) as made:
        yield made


@pytest.fixture
def told(site, shell):
    """The commands, with the environment of the practice org."""
    shell.env = {**site.practice.environment(), "CONNECTOR_STATE": str(site.state)}
    return shell


@pytest.mark.situation(23)
def test_a_source_that_fails_is_told_by_status_with_since_when_and_why(site, told):
    assert site.sync().exit_code == 0
    assert told("status").returncode == 0
    good, site.practice.hubspot.token = site.practice.hubspot.token, "pat-another"
    broken = {"hubspot_token": good}
    assert site.sync(**broken).exit_code == 4
    first = json.loads(told("status", "--json").stdout)["failing_sources"]["hubspot"]
    site.sync(**broken)
    done = told("status", CONNECTOR_HUBSPOT_TOKEN=good)
    assert done.returncode == 4
    assert f"the source hubspot cannot be read since {first['since'][:19]}; last read well" in done.stdout
    assert "401" in done.stdout
    assert "CONNECTOR_HUBSPOT_TOKEN" in done.stdout
    assert "done, but for hubspot" in " ".join(done.stdout.split()), "the cycle was not just done"
    site.practice.hubspot.token = good
    assert site.sync().exit_code == 0
    done = told("status", "--json")
    assert (done.returncode, json.loads(done.stdout)["failing_sources"]) == (0, {})
    over = json.loads(told("source", "hubspot", "--json").stdout)
    assert over["failing"] is None
    assert "401" in over["last_error"]["what"]


def test_a_source_that_is_switched_off_fails_no_more(site, told):
    site.practice.hubspot.token = "pat-another"
    site.sync(hubspot_token="pat-one")
    assert told("status").returncode == 4
    assert told("status", CONNECTOR_HUBSPOT_TOKEN="").returncode == 0


def test_the_daemon_is_not_ok_while_a_source_cannot_be_read(site, tmp_path):
    beats = tmp_path / "beats"
    with site.pipeline(hubspot_token="pat-wrong") as pipeline:
        Daemon(pipeline, beats=beats).tick()
    beat = heartbeat.read_heartbeat(beats)
    assert beat is not None
    assert (beat.status, beat.why) == ("partly", "not read: hubspot")
    assert beat.last_good is not None, "Salesforce was read and written: no restart would help"


def test_source_tells_account_kinds_and_whom_they_do_not_reach(site, told):
    hub = site.practice.hubspot
    site.contacts(1)
    [ann, eve] = hub.add_contacts([{"email": "p0@example.com"}, {"email": "eve@elsewhere.example"}])
    hub.add_engagements("calls", [{**CALL, "contacts": [ann, eve]}, {**CALL, "contacts": [eve]}])
    hub.add_property("hs_call_direction", object_name="calls")
    hub.add_engagements("calls", [{"hs_call_direction": "SIDEWAYS", "contacts": [ann]}])
    site.sync()
    found = json.loads(told("source", "hubspot", "--json").stdout)
    assert (found["source"], found["account"], found["read"]) == ("hubspot", str(hub.portal), True)
    assert {kind: each["count"] for kind, each in found["kinds"].items()} == {"call": 3, "other": 1}
    assert found["prospects"] == {"known": 2, "not_in_salesforce": 1}
    assert found["activities"] == {"matched": 2, "unmatched": 2}
    assert found["unmatched"] == [{"who": "eve@elsewhere.example", "activities": 2}]
    assert found["newest"] == max(each["newest"] for each in found["kinds"].values())
    assert 0 <= found["lag_seconds"] < 600
    assert found["calls"]["allowed"] == 250_000
    assert found["calls"]["whose"] == "as the system says"
    assert 0 < found["calls"]["today"] <= found["calls"]["account_used"]
    text = told("source", "hubspot").stdout
    assert "account 8900001" in text
    assert "eve@elsewhere.example" in text
    assert "of 250,000 a day" in text


def test_source_knows_only_sources(told):
    done = told("source", "hubspott")
    assert done.returncode == 2
    assert "there is no source hubspott" in done.stderr


def test_rows_of_files_that_were_not_understood_are_counted(site, told, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "form_submit.csv").write_text(
        "event_id,occurred_at,email,type\n1,2026-01-01T10:00:00Z,p0@example.com,form_submit\n2,yesterday,p1@example.com,form_submit\n"
    )
    os.utime(folder / "form_submit.csv", (0, 0))  # it rests
    site.contacts(1)
    site.sync(activity_folder=str(folder))
    found = json.loads(told("source", "files", "--json", CONNECTOR_ACTIVITY_FOLDER=str(folder)).stdout)
    assert (found["not_understood"], found["activities"]) == (1, {"matched": 1, "unmatched": 0})
    assert found["account"] is None


def test_what_is_not_there_is_not_said_to_be_read(site, told):
    """Without shared activities there are no relations of tasks."""
    site.backfill()
    [line] = [each for each in told("status").stdout.splitlines() if " TaskRelation " in each]
    assert "not read yet, or not there" in line
