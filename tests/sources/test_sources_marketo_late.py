"""What Marketo takes back or tells late, seen in Salesforce's stage, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.base.clock import FrozenClock
from tests.sources.test_sources_together import Site

HOUR = 3600


@pytest.fixture
def site(tmp_path: Path, clock: FrozenClock) -> Iterator[Site]:
    made = Site(tmp_path / "state.sqlite3", clock)
    yield made
    made.close()


def both_ways(site: Site) -> dict[str, Any]:
    """A mapping by which people go back where the facts do."""
    path = site.state.parent / "both.yaml"
    path.write_text("include: lead-liaison\ngate: {stage: {direction: both}}\n")
    return {"mapping": str(path)}


@pytest.mark.parametrize("change", ["deleted", "merged"])
def test_a_lead_that_is_deleted_or_merged_away_keeps_what_they_did(site: Site, change: str) -> None:
    told = both_ways(site)
    site.act("marketo")
    site.cycle(**told)
    assert site.stage() == "Engaged"
    if change == "deleted":
        site.marketo.delete_leads([site.lead])
    else:
        [winner] = site.marketo.add_leads([{"email": "ann@example.com", "sfdcContactId": site.ann}])
        site.marketo.merge_leads(winner, [site.lead])
    site.clock.sleep(HOUR)
    known = site.cycle(**told)[1]
    assert (known["marketo"] >= 1, site.stage()) == (True, "Engaged")


def test_what_marketo_says_of_opportunities_is_kept_and_moves_nobody(site: Site) -> None:
    told = both_ways(site)
    for type_ in (34, 36, 35):
        site.marketo.add_activities([{"leadId": site.lead, "activityTypeId": type_, "primaryAttributeValue": "Big"}])
    known = site.cycle(**told)[1]
    assert (known, site.stage()) == ({"marketo": 3}, "Suspect")


def test_an_activity_that_is_shown_late_counts(site: Site) -> None:
    site.cycle()
    site.org.faults.on("late_commits", times=1, path="/rest/v1/activities.json", seconds=300)
    site.act("marketo")
    site.clock.sleep(60)
    site.marketo.add_activities([{"leadId": site.lead, "activityTypeId": 6}])  # the token goes on behind it
    assert (site.cycle()[1], site.stage()) == ({"marketo": 1}, "Suspect")
    site.clock.sleep(HOUR)
    assert site.cycle()[1] == {"marketo": 2}
    assert site.stage() == "Engaged"
