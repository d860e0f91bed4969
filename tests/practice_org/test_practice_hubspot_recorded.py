"""Searches that were recorded from a real HubSpot account get the same answers from the practice org's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.base.clock import FrozenClock
from practice_org.hubspot.gate import Switches
from practice_org.hubspot.system import HubSpot
from practice_org.hubspot.write import Backward
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server

RECORDED = Path(__file__).parents[3] / "shared/data/recorded/hubspot.jsonl"
pytestmark = pytest.mark.skipif(not RECORDED.exists(), reason=f"no recorded traffic at {RECORDED}")


def searches() -> list[dict[str, Any]]:
    rows = map(json.loads, RECORDED.read_text().splitlines())
    return [row for row in rows if row["path"].endswith("/search") and row["status"] == 200]


def archived_since(recorded: dict[str, Any]) -> list[dict[str, Any]]:
    """What a search without results was looking for: it was archived a moment before, and still counted."""
    filters = [each["filters"][0] for each in recorded["body"]["filterGroups"]]
    return [{"properties": {each["propertyName"]: each["value"]}} for each in filters]


def without_ids(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As they are, but for ids, which each service gives for itself; in the order of the ones that do not matter."""
    bare = []
    for each in results:
        properties = {key: value for key, value in each["properties"].items() if key != "hs_object_id"}
        bare.append({**each, "id": "", "properties": properties})
    return sorted(bare, key=json.dumps)


def test_recorded_searches_are_answered_alike(clock: FrozenClock) -> None:
    compared = 0
    for recorded in searches():
        org = PracticeOrg(clock=clock)
        hub = HubSpot(org)
        known = hub.objects["companies"].properties.keys() - {"hs_object_id"}
        results = recorded["response"]["results"] or archived_since(recorded)
        rows = [{key: value for key, value in each["properties"].items() if key in known} for each in results]
        made = hub.create("companies", rows, Backward.ALLOW)
        if len(recorded["response"]["results"]) < recorded["response"]["total"]:
            hub.switches = Switches(index_lag_seconds=30)
            clock.sleep(30)
            hub.archive([each.id for each in made], "companies")
        with Server(org, extra_routes=hub.routes) as server:
            answer = requests.post(
                server.url + recorded["path"],
                json=recorded["body"],
                headers={"Authorization": f"Bearer {hub.token}"},
                timeout=10,
            )
        org.close()
        assert answer.status_code == 200, answer.text
        found, expected = answer.json(), recorded["response"]
        assert without_ids(found["results"]) == without_ids(expected["results"])
        assert found.keys() == expected.keys()
        assert found["total"] == expected["total"]
        limits = {name.lower() for name in recorded["headers"] if "RateLimit" in name}
        shown = {name.lower() for name in answer.headers if "ratelimit" in name.lower()}
        assert limits in (shown, set())  # some recordings have no headers
        compared += len(expected["results"])
    assert compared >= 10
