"""Readers of Marketo that others wrote, as they come from PyPI, read the same rows from the practice org.

They run in environments of their own (``make peers``). marketorestpython knows no host but
https://<instance>.mktorest.com and is led to the practice org by a CONNECT proxy and a certificate authority in its
environment; not a line of either is changed. It is spared 606, 608 and 615: it asks again, but without its token.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.base.clock import SystemClock
from connector.base.facts import Prospect
from connector.base.ids import id18
from connector.sources.marketo.rows import MARKETO_KINDS
from connector.sources.marketo.source import MarketoSource
from practice_org.marketo.gate import Switches
from practice_org.marketo.query import stamp
from practice_org.marketo.system import Marketo
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server
from tests.practice_org.connect_proxy import ConnectProxy

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-peers-marketing/bin/python"
AIRBYTE = ROOT / ".venv-peers-airbyte-marketo/bin/source-marketo"
LEADS = 330
Row = tuple[str, str, datetime, str, str]  # id, lead, time, kind, name

# What the first one is asked; it answers with one JSON object.
SCRIPT = """
import json, sys
from marketorestpython.client import MarketoClient
asked = json.load(sys.stdin)
client = MarketoClient("practice", asked["client_id"], asked["client_secret"])
ask = client.execute
job = ask("create_activities_export_job", filters=asked["filter"])[0]["exportId"]
ask("enqueue_activities_export_job", job)
since = asked["since"]
json.dump({
    "types": ask("get_activity_types"),
    "activities": ask("get_lead_activities", activityTypeIds=["2", "11"], sinceDatetime=since),
    "changes": ask("get_lead_changes", fields=["leadStatus"], sinceDatetime=since),
    "deleted": ask("get_deleted_leads", sinceDatetime=since),
    "leads": ask("get_multiple_leads_by_filter_type", "id", asked["ids"], fields=["email", "sfdcContactId"]),
    "lead": ask("get_lead_by_id", asked["ids"][0]),
    "synced": ask("create_update_leads", [{"email": "NEW@practice.example"}]),
    "fields": ask("describe"),
    "job": ask("get_activities_export_job_status", job),
    "file": ask("get_activities_export_job_file", job).decode(),
    "usage": ask("get_daily_usage"),
}, sys.stdout)
"""
# The second one looks after its exports once a minute: the minute is a moment here.
SHORT_MINUTES = "import time\n_sleep = time.sleep\ntime.sleep = lambda seconds: _sleep(min(seconds, 0.01))\n"


@pytest.fixture
def marketo() -> Iterator[Marketo]:
    """A few hundred leads on the machine's clock, by which the readers go."""
    org = PracticeOrg()
    marketo = Marketo(org)
    begun = org.clock.now() - timedelta(days=3)
    ids = marketo.add_leads(
        [
            {
                "email": f"p{n}@practice.example",
                "createdAt": begun,
                "leadStatus": "Open",
                "sfdcContactId": id18(f"003{n:012d}") if n % 3 else None,
            }
            for n in range(LEADS)
        ]
    )
    rows = [{"leadId": one, "activityDate": begun + timedelta(seconds=n // 7)} for n, one in enumerate(ids)]
    form = {"activityTypeId": 2, "primaryAttributeValue": "Demo", "attributes": {"Form Fields": 'a:"ü"\u2028;b, c'}}
    marketo.add_activities([row | form for row in rows] + [row | {"activityTypeId": 11} for row in rows])
    marketo.update_leads([{"id": one, "leadStatus": "MQL"} for one in ids[:5]])
    marketo.merge_leads(ids[0], [ids[1]])
    marketo.delete_leads(ids[-2:])
    yield marketo
    org.close()


def output(command: list[str], folder: Path, given: str = "", **variables: str) -> str:
    """What a reader prints, run in a folder of its own."""
    path = {name: os.environ[name] for name in ("PATH",) if name in os.environ}  # noqa: TID251 - a child's
    done = subprocess.run(
        command, input=given, env={**path, "HOME": str(folder), **variables}, cwd=folder,
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]
    return done.stdout


def read_by_us(server: Server, marketo: Marketo) -> tuple[list[Row], dict[str, Prospect], set[str]]:
    """What our own source reads: activities as rows to compare, leads by id, and leads that are gone."""
    trusted = Path(server.ca_file) if server.certificates else None
    source = MarketoSource(server.url, marketo.client_id, marketo.client_secret, SystemClock(), trusted, extracts=False)
    pages = list(source.poll(None, SystemClock().now()))
    found = [each for page in pages for each in page.activities]
    rows = [(each.id, str(each.prospect_id), each.occurred_at, each.kind, each.name) for each in found]
    people = {each.id: each for page in pages for each in page.prospects}
    return sorted(rows), people, {gone for page in pages for gone in page.gone}


def as_rows(answered: list[dict[str, Any]]) -> list[Row]:
    """Activities of another reader in the same form."""
    return sorted(
        (
            str(each["marketoGUID"]),
            str(each["leadId"]),
            datetime.fromisoformat(each["activityDate"]).astimezone(UTC),
            MARKETO_KINDS[int(each["activityTypeId"])],
            str(each.get("primaryAttributeValue") or each.get("primary_attribute_value") or ""),
        )
        for each in answered
    )


def logged(marketo: Marketo, *kinds: int) -> list[str]:
    return [str(body["id"]) for body in marketo.activities() if body["activityTypeId"] in kinds]


@pytest.mark.skipif(not PYTHON.exists(), reason="no .venv-peers-marketing: `make peers` installs marketorestpython")
def test_marketorestpython_reads_what_is_there(marketo: Marketo, tmp_path: Path) -> None:
    marketo.switches = Switches(scan_rows=500)  # short and empty pages with more behind them
    marketo.tokens.issue(marketo.org.clock.now(), 30)  # near its end: renewed again and again
    marketo.org.faults.on("stale_session", times=1, path="/activities.json")
    people = marketo.leads()
    begun, now = (stamp(at) for at in (people[0]["createdAt"], marketo.epoch() + 600))
    given = {"client_id": marketo.client_id, "client_secret": marketo.client_secret, "since": begun,
             "ids": [str(each["id"]) for each in people[:300]],
             "filter": {"createdAt": {"startAt": begun, "endAt": now}}}  # fmt: skip
    with Server(marketo.org, tls=True, extra_routes=marketo.routes) as server, ConnectProxy(server.port) as proxy:
        trust = {"REQUESTS_CA_BUNDLE": str(server.ca_file), "HTTPS_PROXY": proxy.url}
        read = json.loads(output([str(PYTHON), "-c", SCRIPT], tmp_path, json.dumps(given), **trust))
        assert set(proxy.asked) == {"practice.mktorest.com:443"}
        rows, ours, gone = read_by_us(server, marketo)

    assert as_rows(read["activities"]) == [row for row in rows if row[3] in ("form_submit", "email_click")]
    assert {str(each["leadId"]) for each in read["deleted"]} == gone
    for each in read["leads"]:
        assert (ours[str(each["id"])].email, ours[str(each["id"])].crm_id) == (each["email"], each["sfdcContactId"])

    assert {each["id"] for each in read["types"]} == marketo.types.keys()
    assert [each["marketoGUID"] for each in read["activities"]] == logged(marketo, 2, 11)
    changed = [each["fields"][0]["newValue"] for each in read["changes"] if each["activityTypeId"] == 13]
    assert changed == ["MQL"] * 5
    assert [each["marketoGUID"] for each in read["deleted"]] == logged(marketo, 37)
    assert [each["email"] for each in read["leads"]] == [each["email"] for each in people[:300]]
    assert read["lead"][0]["createdAt"] == begun
    assert [each["status"] for each in read["synced"]] == ["created"]
    assert {each["rest"]["name"] for each in read["fields"]} == marketo.fields.keys()
    exported = [line.partition(",")[0] for line in read["file"].rstrip("\n").split("\n")]
    assert exported == ["marketoGUID", *logged(marketo, *(marketo.types.keys() - {37}))]
    assert read["job"][0]["fileSize"] == len(read["file"].encode())
    assert read["usage"][0]["total"] > 10


@pytest.mark.skipif(
    not AIRBYTE.exists(), reason="no .venv-peers-airbyte-marketo: `make peers` installs airbyte-source-marketo there"
)
def test_airbyte_reads_everything_then_what_changed(marketo: Marketo, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SHORT_MINUTES)
    names = ("activity_types", "leads", "activities_fill_out_form")
    with Server(marketo.org, extra_routes=marketo.routes) as server:

        def run(command: str, **files: object) -> list[dict[str, Any]]:
            arguments = [str(AIRBYTE), command]
            for name, content in files.items():
                (tmp_path / name).write_text(json.dumps(content))
                arguments += [f"--{name}", str(tmp_path / name)]
            printed = output(arguments, tmp_path, PYTHONPATH=str(tmp_path)).split("\n")
            return [json.loads(line) for line in printed if line.startswith("{")]

        config = {"client_id": marketo.client_id, "client_secret": marketo.client_secret, "domain_url": server.url,
                  "start_date": stamp(marketo.epoch() - 40 * 86_400)}  # fmt: skip
        [checked] = [m["connectionStatus"] for m in run("check", config=config) if m["type"] == "CONNECTION_STATUS"]
        assert checked["status"] == "SUCCEEDED"
        [catalog] = [m["catalog"] for m in run("discover", config=config) if m["type"] == "CATALOG"]
        chosen = [_chosen(stream) for stream in catalog["streams"] if stream["name"] in names]
        messages = run("read", config=config, catalog={"streams": chosen})
        read = _read(messages, *names)
        assert {each["id"] for each in read["activity_types"]} == marketo.types.keys()
        assert {each["email"] for each in read["leads"]} == {each["email"] for each in marketo.leads()}
        forms = read["activities_fill_out_form"]
        assert [each["marketoGUID"] for each in forms] == logged(marketo, 2)
        assert {each["form_fields"] for each in forms} == {'a:"ü"\u2028;b, c'}
        rows, ours, _ = read_by_us(server, marketo)
        assert as_rows(forms) == [row for row in rows if row[3] == "form_submit"]
        leads = {str(each["id"]): each for each in read["leads"]}
        alive = {one: each for one, each in ours.items() if not each.deleted}
        assert {one: each.email for one, each in alive.items()} == {one: leads[one]["email"] for one in alive}

        marketo.update_leads([{"id": marketo.leads()[7]["id"], "leadStatus": "SQL"}])
        last = {m["state"]["stream"]["stream_descriptor"]["name"]: m["state"] for m in messages if m["type"] == "STATE"}
        again = _read(run("read", config=config, catalog={"streams": chosen}, state=list(last.values())), *names)
        assert "SQL" in {each["leadStatus"] for each in again["leads"]}
        assert len(again["leads"]) < LEADS / 2  # what changed, and no more


def _chosen(stream: dict[str, Any]) -> dict[str, Any]:
    mode = "incremental" if "incremental" in stream["supported_sync_modes"] else "full_refresh"
    cursor = stream.get("default_cursor_field") or []
    return {"stream": stream, "sync_mode": mode, "destination_sync_mode": "append", "cursor_field": cursor}


def _read(messages: list[dict[str, Any]], *names: str) -> dict[str, list[dict[str, Any]]]:
    records = [message["record"] for message in messages if message["type"] == "RECORD"]
    return {name: [each["data"] for each in records if each["stream"] == name] for name in names}
