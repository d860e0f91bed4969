"""The whole connector against a practice org over real HTTP, in this process."""

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from connector.commands import practice
from connector.commands.practice import Practice
from connector.pipeline.backfill import Scope, run_backfill
from connector.pipeline.cycle import run_cycle
from connector.wiring import load_mapping, open_pipeline
from tests.e2e.shell import Shell


@dataclass
class Site:
    """A practice org and a state for it."""

    practice: Practice
    state: Path

    @property
    def org(self):
        return self.practice.org

    def settings(self, **others):
        return self.practice.settings(state=str(self.state), **others)

    @contextmanager
    def pipeline(self, **others):
        with open_pipeline(self.settings(**others)) as made:
            yield made

    def sync(self, **others):
        with self.pipeline(**others) as made:
            return run_cycle(made)

    def backfill(self, scope: Scope | None = None, **others):
        with self.pipeline(**others) as made:
            return run_backfill(made, scope or Scope())

    def contacts(self, count: int, **fields) -> list[str]:
        rows = [{"LastName": f"P{n}", "Email": f"p{n}@example.com", **fields} for n in range(count)]
        return self.org.create("Contact", rows)

    def stages(self, object_name: str = "Contact") -> dict[str, str | None]:
        rows = self.org.rows(f"SELECT Id, Lifecycle_Stage__c FROM {object_name}")
        return {row["Id"]: row["Lifecycle_Stage__c"] for row in rows}

    def calls_of(self, action) -> int:
        """What Salesforce bills for an action, by the org's own count."""
        before = self.org.calls["total"]
        action()
        return self.org.calls["total"] - before


@contextmanager
def serving(folder: Path, **options):
    with practice.serve(**options) as served:
        made = Site(served, folder / "state.sqlite3")
        practice.add_fields(served.org, load_mapping(made.settings()))
        yield made


@pytest.fixture
def site(tmp_path):
    with serving(tmp_path) as made:
        yield made


@pytest.fixture
def shell(tmp_path, monkeypatch, capfd):
    return Shell(tmp_path, monkeypatch, capfd)
