"""What other systems send and drop, to the end: hooks over real HTTP, files as they are saved, cycles, status."""

import os
import subprocess
import sys
from contextlib import closing, contextmanager

import pytest
import requests

from connector.base.clock import FrozenClock, SystemClock
from connector.commands.status import read_status
from connector.pipeline.cycle import run_cycle
from connector.sources.warehouse.source import WAITS
from connector.sources.webhook.server import serve_webhooks
from connector.wiring import open_pipeline

TOKEN = "a-token-of-more-than-twenty"
ONEFOCUS = "sources: {lead-liaison: {through: webhook, deals: opportunities}}\n"
BOTH = "gate: {stage: {direction: both}}\n"


@contextmanager
def load_job(path):
    """Holds a DuckDB file, as another process does that loads it."""
    held = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", held, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout.readline() == "held\n"
        yield
        job.communicate()


@pytest.fixture
def mine(tmp_path):
    """The settings of a mapping with these lines beside lead-liaison's own, and of the hooks."""

    def write(lines=ONEFOCUS, **others):
        path = tmp_path / "mine.yaml"
        path.write_text("include: lead-liaison\n" + lines)
        hooks = {"webhook_port": 0, "webhook_token": TOKEN, "webhook_inbox": str(tmp_path / "inbox.sqlite3")}
        return {"mapping": str(path), **hooks, **others}

    return write


@pytest.fixture
def lead_liaison(site, mine):
    """Its automations: the words behind the address, and a form in the body as they send it. Gives the status."""
    with serve_webhooks(site.settings(**mine()), SystemClock()) as url, requests.Session() as http:
        http.trust_env = False

        def send(query, body):
            address = f"{url}/hooks/v1/lead-liaison/{TOKEN}{query}"
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            sent = (body if isinstance(body, bytes) else body.encode()) + b"&occurred_at=2026-01-01T10:00:00Z"
            return http.post(address, data=sent, headers=form, timeout=10).status_code

        yield send


@pytest.mark.situation(18)
def test_a_form_by_an_address_that_salesforce_lacks_reaches_the_record_that_the_sender_named(site, mine, lead_liaison):
    ann, bob = site.contacts(2)
    assert lead_liaison("?type=person", f"event_id=17&email=ann@private.example&sf_contact_id={ann}&score=40") == 202
    assert lead_liaison("?type=form_submit", "email=ann@private.example&name=Demo&prospect_id=17") == 202
    site.sync(**mine())
    assert site.stages() == {ann: "Engaged", bob: "Suspect"}


@pytest.mark.situation(19)
@pytest.mark.parametrize("gate", ["", BOTH])
def test_a_won_deal_of_two_people_makes_both_customers(site, mine, lead_liaison, gate):
    ann, bob, eve = site.contacts(3)
    for email in ("p0@example.com", "p1@example.com"):
        assert lead_liaison("?type=deal&state=won", f"event_id=D-7&email={email}&name=Big&amount=12,000.50") == 202
    for _ in range(2):
        site.sync(**mine(ONEFOCUS + gate))
        assert site.stages() == {ann: "Customer", bob: "Customer", eve: "Suspect"}


@pytest.mark.situation(20)
@pytest.mark.parametrize("cycles", [1, 2])
def test_created_that_comes_after_won_takes_nobody_back(site, mine, lead_liaison, cycles):
    [ann] = site.contacts(1)
    lead_liaison("?type=deal&state=won", "event_id=D-7&email=p0@example.com&name=Big")
    if cycles == 2:
        site.sync(**mine(ONEFOCUS + BOTH))
        assert site.stages() == {ann: "Customer"}
    lead_liaison("?type=deal&state=open", "event_id=D-7&email=p0@example.com&name=Big")
    for _ in range(2):
        site.sync(**mine(ONEFOCUS + BOTH))
        assert site.stages() == {ann: "Customer"}


@pytest.mark.situation(21)
def test_two_exports_that_count_from_one_and_a_webinar_with_one_id_destroy_nothing(site, mine, tmp_path):
    people = site.contacts(5)
    folder = tmp_path / "inbound"
    folder.mkdir()
    at = "2026-05-01T10:00:00Z"
    exports = {
        "form_submit-May.csv": [("Event ID", "Email"), ("1", "p0@example.com"), ("2", "p1@example.com")],
        "email_bounce-May.csv": [("Event ID", "Email"), ("1", "p0@example.com"), ("2", "p1@example.com")],
        "event_attend-webinar.csv": [("Event ID", "Email"), *(("W-9", f"p{n}@example.com") for n in (2, 3, 4))],
    }
    for name, (head, *lines) in exports.items():
        rows = [",".join((*head, "occurred_at")), *(",".join((*line, at)) for line in lines)]
        (folder / name).write_text("\n".join(rows) + "\n")
        os.utime(folder / name, (0, 0))
    given = mine("", activity_folder=str(folder))
    report = site.sync(**given)
    assert report.exit_code == 0
    assert set(site.stages().values()) == {"Engaged"}
    with site.pipeline(**given) as pipeline:
        facts = pipeline.store.facts_of(people)
    assert sorted(each.kind for person in facts for each in person.activities) == (
        ["email_bounce"] * 2 + ["event_attend"] * 3 + ["form_submit"] * 2
    )


@pytest.mark.situation(27)
def test_forms_are_understood_or_refused_counted_and_told(site, mine, lead_liaison):
    [ann] = site.org.create("Contact", [{"LastName": "Ännchen", "Email": "ann+crm@x.example"}])
    [bob] = site.contacts(1)
    assert lead_liaison("?type=form_submit", "email=ann+crm@x.example&name=Demo") == 202
    assert lead_liaison("?type=form_submit", "email=a@x.example,b@x.example") == 400
    assert lead_liaison("?type=form_submit", "sf_contact_id=N/A&email=") == 400
    latin = "sf_contact_id=N/A&email=p0@example.com&name=Gespräch".encode("latin-1")
    assert lead_liaison("?type=form_submit", latin) == 202
    report = site.sync(**mine())
    assert site.stages() == {ann: "Engaged", bob: "Engaged"}
    assert report.exit_code == 3
    assert sum(report.not_understood.values()) == 2
    told = read_status(site.settings(**mine()))
    assert sum(told["not_understood"].values()) == 2
    assert site.sync(**mine()).exit_code == 0, "told once by the cycle, and by status until it is looked after"
    with site.pipeline(**mine()) as pipeline:
        names = [each.name for each in pipeline.store.facts_of([bob])[0].activities]
    assert names == ["Gespräch"]


@pytest.mark.situation(28)
def test_a_warehouse_that_its_load_job_has_locked_is_told_and_nothing_is_lost(site, mine, tmp_path):
    duckdb = pytest.importorskip("duckdb")
    [ann] = site.contacts(1)
    path, query = tmp_path / "warehouse.duckdb", tmp_path / "query.sql"
    query.write_text("SELECT * FROM activity\n")
    with closing(duckdb.connect(str(path))) as database:
        database.execute(
            "CREATE TABLE activity (event_id TEXT, type TEXT, email TEXT, occurred_at TEXT, updated_at TEXT)"
        )
        row = "'1', 'form_submit', 'p0@example.com', '2026-05-01T10:00:00Z', '2026-05-01T10:00:00Z'"
        database.execute(f"INSERT INTO activity VALUES ({row})")
    given = mine("", warehouse_url=f"duckdb:///{path}", warehouse_query_file=str(query))
    nobody_waits = FrozenClock(SystemClock().now())
    with load_job(path), open_pipeline(site.settings(**given), clock=nobody_waits) as pipeline:
        report = run_cycle(pipeline)
    assert (report.exit_code, site.stages()) == (4, {ann: "Suspect"})
    assert nobody_waits.monotonic() >= sum(WAITS), "it was waited for"
    told = read_status(site.settings(**given))
    assert "is locked" in told["failing_sources"]["warehouse"]["why"]
    assert site.sync(**given).exit_code == 0
    assert site.stages() == {ann: "Engaged"}
    assert read_status(site.settings(**given))["failing_sources"] == {}
