"""CumulusCI, as it comes from PyPI, on the practice org: one flow that loads, reads, changes and removes rows.

It runs in an environment of its own (``make peers``), signs in by JWT, and goes by Bulk API 1.0, which it knows alone,
Collections and single rows.
"""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from practice_org.clock import SystemClock
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server

CCI = Path(__file__).parents[2] / ".venv-peers-cumulusci/bin/cci"
KEYCHAIN = "cumulusci.core.keychain.environment_project_keychain.EnvironmentProjectKeychain"
PROJECT = """
project:
  name: practice
  package: {name: practice, api_version: '60.0'}
flows:
  tries:
    description: what a loader of data does
    steps:
      1: {task: load_dataset, options: {mapping: mapping.yml, sql_path: data.sql}}
      2: {task: query, options: {object: Contact, query: "SELECT LastName, Account.Name FROM Contact ORDER BY LastName",
                                 result_file: found.csv}}
      3: {task: extract_dataset, options: {mapping: mapping.yml, database_url: "sqlite:///read.db", sql_path: null}}
      4: {task: insert_record, options: {object: Lead, values: "LastName:Lee,Company:Acme"}}
      5: {task: snowfakery, options: {recipe: recipe.yml}}
      6: {task: delete_data, options: {objects: Contact, where: "LastName = 'P0'"}}
"""
MAPPING = """
Accounts: {sf_object: Account, table: accounts, api: rest, fields: {Name: Name, Industry: Industry}}
People:
  sf_object: Contact
  table: people
  api: bulk
  fields: {FirstName: FirstName, LastName: LastName, Email: Email}
  lookups: {AccountId: {table: accounts, key_field: account_id}}
"""
RECIPE = """
- object: Account
  count: 2
  fields: {Name: Made}
  friends:
    - object: Contact
      fields: {LastName: Generated, AccountId: {reference: Account}}
"""
TABLES = """
CREATE TABLE accounts (id INTEGER PRIMARY KEY, Name TEXT, Industry TEXT);
CREATE TABLE people (id INTEGER PRIMARY KEY, FirstName TEXT, LastName TEXT, Email TEXT, account_id TEXT);
"""

pytestmark = pytest.mark.skipif(
    not CCI.exists(), reason="no .venv-peers-cumulusci: `make peers` installs CumulusCI there"
)


@pytest.fixture
def org() -> Iterator[PracticeOrg]:
    """On the machine's clock: the client goes by it."""
    org = PracticeOrg()
    yield org
    org.close()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of CumulusCI with a data set of two accounts and thirty people."""
    made = tmp_path / "project"
    made.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=made, check=True, timeout=10)
    for name, text in (("cumulusci.yml", PROJECT), ("mapping.yml", MAPPING), ("recipe.yml", RECIPE)):
        (made / name).write_text(text)
    with sqlite3.connect(":memory:") as db:
        db.executescript(TABLES)
        db.executemany("INSERT INTO accounts VALUES (?, ?, 'Banking')", [(1, "Acme"), (2, "Bolt")])
        people = [(n, "Ada", f"P{n - 1}", f"p{n - 1}@practice.example", str(1 + n % 2)) for n in range(1, 31)]
        db.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?)", people)
        db.commit()
        (made / "data.sql").write_text("\n".join(db.iterdump()))
    known = tmp_path / "home/.cumulusci/cumulus_timestamp"
    known.parent.mkdir(parents=True)
    known.write_text(str(SystemClock().now().timestamp()))  # when it last looked for a newer version of itself
    return made


def surroundings(server: Server, home: Path) -> dict[str, str]:
    keys, org = server.org.credentials, server.org
    user = {"instance_url": server.url, "access_token": "", "username": keys.username,
            "id": f"{server.url}/id/{org.organization_id}/{org.user_id}"}  # fmt: skip
    return {
        "HOME": str(home),
        "PATH": os.environ["PATH"],  # noqa: TID251 - a child's
        "HTTPS_PROXY": "http://127.0.0.1:9",  # nothing but the org is asked
        "NO_PROXY": "127.0.0.1",
        "REQUESTS_CA_BUNDLE": server.ca_file,
        "CUMULUSCI_KEY": "0123456789abcdef",
        "CUMULUSCI_KEYCHAIN_CLASS": KEYCHAIN,
        "CUMULUSCI_ORG_practice": json.dumps(user),
        "SFDX_CLIENT_ID": keys.client_id,
        "SFDX_HUB_KEY": Path(keys.private_key_file).read_text(),
    }


@pytest.mark.timeout(300)  # a dozen seconds of CPU, most of it its own start
def test_cumulusci_loads_reads_changes_and_removes(org: PracticeOrg, project: Path) -> None:
    with Server(org, tls=True) as server:
        command = [str(CCI), "flow", "run", "tries", "--org", "practice", "--no-prompt"]
        env = surroundings(server, project.parent / "home")
        done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    with (project / "found.csv").open() as file:
        found = list(csv.DictReader(file))
    assert len(found) == 30
    assert {row["Account.Name"] for row in found} == {"Acme", "Bolt"}
    with sqlite3.connect(project / "read.db") as db:
        assert db.execute("SELECT COUNT(*) FROM people WHERE Email LIKE 'p%@practice.example'").fetchone() == (30,)
    assert org.rows("SELECT LastName, Company FROM Lead") == [{"LastName": "Lee", "Company": "Acme"}]
    made = org.rows("SELECT Account.Name FROM Contact WHERE LastName = 'Generated'")
    assert [row["Account"]["Name"] for row in made] == ["Made"] * 2
    assert org.rows("SELECT Id FROM Contact WHERE LastName = 'P0'") == []
    assert {"job", "composite/sobjects", "sobjects"} <= org.calls.keys()
