"""Third-party data, end to end: loaded, backfilled over real HTTP with the shipped mapping, compared with the oracle.

A second backfill and a sync behind it write nothing: the practice org counts the calls, not the connector.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connector.base.settings import Settings, explicit
from connector.pipeline.backfill import Scope, run_backfill
from connector.pipeline.cycle import run_cycle
from connector.pipeline.report import CycleReport
from connector.wiring import open_pipeline
from practice_org.company.loader import load_folder
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server
from tests.data.data_leadforge import leadforge
from tests.data.data_npsp import npsp
from tests.data.data_olist import olist
from tests.data.data_workshop import workshop
from tests.data.datasets import Dataset, Key, write_activities, write_tables

BUILDERS: dict[str, Callable[[], Dataset]] = {
    "npsp qa_org": lambda: npsp("qa_org"),
    "npsp dev_org": lambda: npsp("dev_org"),
    "npsp qa_org redrawn": lambda: npsp("qa_org", seed=11),
    "npsp dev_org redrawn": lambda: npsp("dev_org", seed=12),
    "workshop": workshop,
    "workshop redrawn": lambda: workshop(seed=13),
    "olist with quiet leads": lambda: olist(seed=14),
    "leadforge": leadforge,
}


@dataclass
class Loaded:
    """A data set in a practice org that is being served."""

    dataset: Dataset
    org: PracticeOrg
    ids: dict[Key, str]
    settings: dict[str, Any]

    def stages(self) -> dict[Key, str | None]:
        """What stands in the org, by raw key."""
        shown = {
            row["Id"]: row["Lifecycle_Stage__c"]
            for name in ("Contact", "Lead")
            for row in self.org.rows(f"SELECT Id, Lifecycle_Stage__c FROM {name}")
        }
        return {key: shown[self.ids[key]] for key in self.dataset.expected}


Load = Callable[[Dataset], Loaded]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    org, serving = PracticeOrg(), ExitStack()

    def loader(dataset: Dataset) -> Loaded:
        folder, inbox = tmp_path / "tables", tmp_path / "inbox"
        folder.mkdir()
        inbox.mkdir()
        write_tables(dataset, folder)
        report = load_folder(org, folder)
        write_activities(dataset, inbox, report.ids)
        for file in inbox.iterdir():
            os.utime(file, (1, 1))  # long finished
        server = serving.enter_context(Server(org))
        settings = {
            "state": f"sqlite:///{tmp_path / 'state.sqlite3'}",
            "salesforce_instance_url": server.url,
            "salesforce_access_token": org.credentials.access_token,
            "activity_folder": str(inbox),
        }
        return Loaded(dataset, org, report.ids, settings)

    with closing(org), serving:
        yield loader


def backfill(settings: Settings) -> CycleReport:
    with open_pipeline(settings) as pipeline:
        return run_backfill(pipeline, Scope())


def sync(settings: Settings) -> CycleReport:
    with open_pipeline(settings) as pipeline:
        return run_cycle(pipeline)


@pytest.mark.parametrize("name", BUILDERS)
def test_everybody_ends_where_the_oracle_says_and_stays_there(name: str, load: Load) -> None:
    loaded = load(BUILDERS[name]())
    settings = explicit(**loaded.settings)
    first = backfill(settings)
    assert loaded.stages() == loaded.dataset.expected
    assert (first.set_aside, first.waiting, first.unknown_types) == ({}, 0, {})
    assert first.written > 0
    assert set_on_converted_leads(loaded.org) == set()  # they refuse writes; their contacts have the stage
    stamps = modified(loaded.org)
    assert backfill(settings).written == 0
    assert sync(settings).written == 0
    assert modified(loaded.org) == stamps


def set_on_converted_leads(org: PracticeOrg) -> set[str]:
    soql = "SELECT Lifecycle_Stage__c FROM Lead WHERE IsConverted = true AND Lifecycle_Stage__c != null"
    return {row["Lifecycle_Stage__c"] for row in org.rows(soql)}


def modified(org: PracticeOrg) -> dict[str, str]:
    """When each person was last changed, as the org knows it."""
    return {
        row["Id"]: row["SystemModstamp"]
        for name in ("Contact", "Lead")
        for row in org.rows(f"SELECT Id, SystemModstamp FROM {name}")
    }


def test_the_command_does_the_same(load: Load, tmp_path: Path) -> None:
    loaded = load(npsp("qa_org", seed=16))
    variables = {f"CONNECTOR_{key.upper()}": value for key, value in loaded.settings.items()}
    command = [sys.executable, "-m", "connector", "backfill", "--json"]
    done = subprocess.run(
        command,
        env=variables,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["set_aside"] == {}
    assert loaded.stages() == loaded.dataset.expected
