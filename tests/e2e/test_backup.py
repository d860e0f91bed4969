"""A copy of the state is a state."""

import json

import pytest

from tests.e2e.shell import Shell


@pytest.fixture
def known(site, shell: Shell):
    site.contacts(3)
    shell.env = site.practice.environment() | {"CONNECTOR_STATE": str(site.state)}
    assert shell("backfill").returncode == 0
    return shell


def test_a_copy_knows_all_that_the_state_knows_while_that_is_in_use(known, site):
    with site.pipeline():  # holds the state, as the daemon does
        done = known("backup", "copy.sqlite3", "--json")
    assert (done.returncode, json.loads(done.stdout)["file"]) == (0, "copy.sqlite3")
    states = (str(site.state), "copy.sqlite3")
    before, after = (json.loads(known("status", "--json", CONNECTOR_STATE=each).stdout) for each in states)
    assert after["people"] == before["people"] == {"stage": {"Suspect": 3}, "status": {"": 3}}
    assert json.loads(known("sync", "--json", CONNECTOR_STATE="copy.sqlite3").stdout)["written"] == 0


def test_nothing_is_overwritten_and_nothing_is_made_of_nothing(known, tmp_path):
    (tmp_path / "mine").write_text("mine")
    taken = known("backup", "mine")
    assert (taken.returncode, "is there already" in taken.stderr) == (2, True)
    assert (tmp_path / "mine").read_text() == "mine"
    none = known("backup", "copy", CONNECTOR_STATE=str(tmp_path / "nowhere.sqlite3"))
    assert (none.returncode, "no state to copy" in none.stderr) == (2, True)
    assert not (tmp_path / "copy").exists()
    lost = known("backup", "nowhere/copy")
    assert (lost.returncode, "there is no folder" in lost.stderr) == (2, True)
