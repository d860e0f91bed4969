"""Singer taps as they come from PyPI, not a line of them changed, as sources of ours.

They run in environments of their own (``make peers``). tap-marketo knows no host but https://<instance>.mktorest.com,
and is led to the practice org by a CONNECT proxy and a certificate authority in its environment.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.base.clock import SystemClock
from connector.base.facts import Activity
from connector.sources.taps.declared import read_taps
from connector.sources.taps.source import TapSource
from connector.store import Store
from practice_org.marketo.query import stamp
from practice_org.marketo.system import Marketo
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server
from tests.practice_org.connect_proxy import ConnectProxy
from tests.sources.source_suite import ANN

ROOT = Path(__file__).parents[2]
JSONL = ROOT / ".venv-peers-tap-jsonl/bin/tap-jsonl"
MARKETO = ROOT / ".venv-peers-tap-marketo/bin/tap-marketo"
CLOCK = SystemClock()


def tap(folder: Path, command: Path, config: dict[str, Any], said: str) -> TapSource:
    (folder / "config.json").write_text(json.dumps(config))
    file = folder / "taps.yaml"
    file.write_text(f"{command.name}:\n  command: {command}\n  config: config.json\n  limit: 100\n{said}")
    [(name, found)] = read_taps(file).items()
    return TapSource(name, found, CLOCK, folder / "quarantine")


def read(source: TapSource, store: Store) -> list[Activity]:
    """A poll that is recorded; gives its activities. Nothing in it was strange."""
    found: list[Activity] = []
    for page in source.poll(store.cursor(source.name), CLOCK.now()):
        store.record_page(source.name, page)
        assert not page.bad
        assert not page.unknown
        found += page.activities
    return found


FORMS = """  streams:
    forms: {type: form_submit, columns: {at: occurred_at, who.email: email}}
"""


@pytest.mark.skipif(not JSONL.exists(), reason="no .venv-peers-tap-jsonl: `make peers` installs tap-jsonl there")
def test_tap_jsonl_reads_files_and_what_is_added(tmp_path: Path, store: Store) -> None:
    store.record_rows("Contact", [ANN])
    drop = tmp_path / "drop"
    drop.mkdir()

    def write(name: str, numbers: range) -> None:
        rows = [
            {"id": n, "at": f"2026-05-01T10:00:{n:02}Z", "who": {"email": "A@example.com"}, "page": "Demo"}
            for n in numbers
        ]
        (drop / name).write_text("".join(json.dumps(each) + "\n" for each in rows))

    write("may.jsonl", range(30))
    source = tap(tmp_path, JSONL, {"path": f"{drop}/*.jsonl", "stream_name": "forms", "primary_keys": ["id"]}, FORMS)
    assert {each.id for each in read(source, store)} == {f"forms:{n}" for n in range(30)}
    write("june.jsonl", range(30, 35))
    assert {f"forms:{n}" for n in range(30, 35)} <= {each.id for each in read(source, store)}
    [ann] = store.facts_of([ANN["Id"]])
    assert {(each.id, each.kind, each.attributes["page"]) for each in ann.activities} == {
        (f"forms:{n}", "form_submit", "Demo") for n in range(35)
    }


LEADS_AND_ACTIVITIES = """  properties: true
  streams:
    leads:
      type: person
      columns: {sfdcContactId: sf_contact_id, leadScore: score}
    activities_fill_out_form:
      type: form_submit
      columns: {leadId: prospect_id, activityDate: occurred_at, primary_attribute_value: name}
    activities_click_email:
      type: email_click
      columns: {leadId: prospect_id, activityDate: occurred_at, primary_attribute_value: name}
"""
# Where it does not look into its environment, whom it trusts is what certifi says.
TRUST = "import certifi\ncertifi.where = lambda: {!r}\n"


@pytest.mark.skipif(not MARKETO.exists(), reason="no .venv-peers-tap-marketo: `make peers` installs tap-marketo there")
def test_tap_marketo_reads_leads_and_what_they_did(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person is found by the Salesforce id that Marketo has of her lead, though her address is another."""
    org = PracticeOrg()
    marketo = Marketo(org)
    begun = org.clock.now() - timedelta(days=3)
    leads = marketo.add_leads(
        [{"email": f"p{n}@practice.example", "createdAt": begun, "leadScore": n} for n in range(40)]
        + [{"email": "private@practice.example", "createdAt": begun, "sfdcContactId": ANN["Id"], "leadScore": 71}]
    )
    store.record_rows("Contact", [ANN])

    def act(type_: int, name: str, who: list[int]) -> list[dict[str, Any]]:
        return [
            {"leadId": one, "activityDate": begun, "activityTypeId": type_, "primaryAttributeValue": name}
            for one in who
        ]

    marketo.add_activities(act(2, "Demo", leads) + act(11, "Spring", leads[-3:]) + act(1, "Home", leads))
    with Server(org, tls=True, extra_routes=marketo.routes) as server, ConnectProxy(server.port) as proxy:
        (tmp_path / "sitecustomize.py").write_text(TRUST.format(server.ca_file))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.ca_file))
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        config = {
            "endpoint": "https://123-ABC-456.mktorest.com/rest", "client_id": marketo.client_id,
            "client_secret": marketo.client_secret, "start_date": stamp(marketo.epoch() - 20 * 86_400),
            "poll_interval": 1,
        }  # fmt: skip
        source = tap(tmp_path, MARKETO, config, LEADS_AND_ACTIVITIES)
        first = read(source, store)
        assert {each.lower() for each in proxy.asked} == {"123-abc-456.mktorest.com:443"}
        marketo.add_activities([{**each, "activityDate": org.clock.now()} for each in act(2, "Prices", leads[-1:])])
        second = read(source, store)
    org.close()
    assert sorted((each.kind, each.name) for each in first) == [("email_click", "Spring")] * 3 + [
        ("form_submit", "Demo")
    ] * len(leads)
    assert "Prices" in {each.name for each in second}
    [ann] = store.facts_of([ANN["Id"]])
    assert sorted((each.kind, each.name) for each in ann.activities) == [
        ("email_click", "Spring"), ("form_submit", "Demo"), ("form_submit", "Prices"),
    ]  # fmt: skip
    assert [each.attributes["score"] for each in ann.prospects if not each.is_sketch] == [71]
