"""What Account Engagement says later of what it told before: deletions, visitors who become known; over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.base.clock import FrozenClock
from connector.wiring import open_pipeline
from tests.sources.test_sources_together import Site

HOUR, DAY = 3600, 86_400
FORM = {"type": 4, "typeName": "Form"}


class Place(Site):
    """People go back where nothing holds them."""

    def __init__(self, state: Path, clock: FrozenClock) -> None:
        super().__init__(state, clock)
        self.mapping = state.parent / "both.yaml"
        self.mapping.write_text("include: lead-liaison\ngate: {stage: {direction: both}}\n")

    def stage_after(self, seconds: int) -> str | None:
        """Of Ann, one cycle later."""
        self.clock.sleep(seconds)
        self.cycle(mapping=str(self.mapping))
        return self.stage()

    def swept(self) -> Any:
        return self.cycle(mapping=str(self.mapping))[0].swept.get("pardot")

    def silently(self, sql: str, *values: Any) -> None:
        """A change that moves no ``updatedAt``."""
        with self.org.db.transaction():
            self.org.db.connection.execute(sql, values)


@pytest.fixture
def place(tmp_path: Path, clock: FrozenClock) -> Iterator[Place]:
    made = Place(tmp_path / "state.sqlite3", clock)
    yield made
    made.close()


def test_an_activity_that_is_deleted_counts_no_longer(place: Place) -> None:
    [form] = place.pardot.add_activities([{**FORM, "prospectId": place.prospect}])
    assert place.stage_after(HOUR) == "Engaged"
    place.pardot.delete_activities([form])
    assert place.stage_after(2 * HOUR) == "Suspect"
    with open_pipeline(place.practice.settings(state=str(place.state)), clock=place.clock) as pipeline:
        told = pipeline.store.history(place.ann)[0]
    assert (told["old"], told["new"]) == ("Engaged", "Suspect")


@pytest.mark.situation(15)
def test_a_prospect_that_is_deleted_keeps_what_they_did(place: Place) -> None:
    place.pardot.add_activities([{**FORM, "prospectId": place.prospect}])
    assert place.stage_after(HOUR) == "Engaged"
    place.pardot.delete_prospects([place.prospect])
    assert place.stage_after(2 * HOUR) == "Engaged"


def test_deletions_are_asked_for_once_an_hour(place: Place) -> None:
    asked = []
    for seconds in (0, 60, HOUR, 60):
        place.clock.sleep(seconds)
        asked.append(place.cycle()[0].source_calls["pardot"].get("deleted_visitor_activities", 0))
    assert asked == [0, 0, 1, 0]


def test_an_activity_of_a_visitor_who_becomes_known_counts_from_then_on(place: Place) -> None:
    [visit] = place.pardot.add_activities([{**FORM, "prospectId": None}])
    assert place.stage_after(HOUR) == "Suspect"
    place.pardot._change("visitor-activities", [{"id": visit, "prospectId": place.prospect}])
    assert place.stage_after(HOUR) == "Engaged"


def test_a_sweep_finds_what_nothing_told_of_and_tells_it(place: Place) -> None:
    [other] = place.pardot.add_prospects([{"email": "bob@example.com"}])
    visit, purged, _ = place.pardot.add_activities(
        [{**FORM, "prospectId": None}, {**FORM, "prospectId": other}, {"type": 6, "prospectId": other}]
    )
    assert place.stage_after(DAY) == "Suspect"
    tied = "UPDATE pardot_row SET prospect_id = ?, body = json_set(body, '$.prospectId', ?) WHERE id = ?"
    place.silently(tied, place.prospect, place.prospect, visit)
    place.silently("DELETE FROM pardot_row WHERE id = ?", purged)
    assert place.stage_after(5 * DAY) == "Suspect"
    place.clock.sleep(2 * DAY)
    found = place.swept()
    assert (found["missed"], found["gone"], found["unseen"], found["uncertain"]) == (1, 1, 0, 0)
    assert place.stage() == "Engaged"
    place.clock.sleep(DAY)
    assert place.swept() is None, "the next is in a week"
