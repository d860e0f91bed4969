"""What HubSpot's rows mean, on recorded ones and on any others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.base.facts import Activity, Prospect
from connector.base.http import Reaction
from connector.sources.hubspot.api import judge_hubspot
from connector.sources.hubspot.rows import CALL_OUTCOMES, ENGAGEMENTS, Kept, contact, email_event, engagement
from connector.sources.kinds import KINDS
from practice_org.hubspot.objects import CALL_DISPOSITIONS, OBJECTS

RECORDED = Path(__file__).parents[3] / "shared/data/recorded/hubspot.jsonl"
recorded = pytest.mark.skipif(not RECORDED.exists(), reason=f"no recorded traffic at {RECORDED}")

texts = st.one_of(
    st.none(), st.text(max_size=12), st.sampled_from(["SENT", "STATUSCHANGE", "NO_SHOW", "INBOUND", "2026-05-01", "17"])
)
values = st.one_of(texts, st.integers(), st.booleans(), st.lists(texts, max_size=2))
names = st.sampled_from([*Kept().asked, *(name for form in ENGAGEMENTS.values() for name in form.asked), "unheard_of"])


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    properties = draw(st.dictionaries(names, texts, max_size=8))
    return {"id": str(draw(st.integers(1, 10**12))), "properties": properties, "createdAt": draw(texts), "new": 1}


@recorded
def test_recorded_contacts_are_people() -> None:
    """The old contacts API had the same properties, each in an object of its own."""
    answers = [row for row in map(json.loads, RECORDED.read_text().splitlines()) if row["status"] == 200]
    profiles = [
        row["response"] for row in answers if "vid" in (row.get("response") or {}) and "properties" in row["response"]
    ]
    assert len(profiles) > 50
    for profile in profiles:
        flat = {name: each["value"] for name, each in profile["properties"].items()}
        [own, *merged] = contact({"id": str(profile["vid"]), "properties": flat, "archived": False}, Kept())
        assert own.email == flat.get("email")
        assert own.attributes.get("lifecyclestage") == flat.get("lifecyclestage")
        assert {each.id for each in merged} == {str(each) for each in profile["merged-vids"]} - {own.id}


@recorded
def test_recorded_refusals_are_judged() -> None:
    verdicts = set()
    for row in map(json.loads, RECORDED.read_text().splitlines()):
        if row["status"] >= 400:
            verdict = judge_hubspot(row["status"], row.get("response"))
            assert verdict.verdict is Reaction.REFUSE
            verdicts.add(verdict.code)
    assert "OBJECT_NOT_FOUND" in verdicts


@pytest.mark.parametrize(
    ("status", "body", "verdict", "wait"),
    [
        (207, {"status": "COMPLETE"}, Reaction.TAKE, None),
        (401, {"category": "EXPIRED_AUTHENTICATION"}, Reaction.REFUSE, None),
        (403, {"category": "MISSING_SCOPES", "errors": [{"context": None}, None]}, Reaction.REFUSE, None),
        (423, {}, Reaction.AGAIN, 2),
        (429, {"message": "You have reached your secondly limit."}, Reaction.AGAIN, 1),
        (429, {"policyName": "TEN_SECONDLY_ROLLING"}, Reaction.AGAIN, 10),
        (429, {"policyName": "DAILY"}, Reaction.LIMIT, None),
        (429, None, Reaction.AGAIN, 1),
        (477, None, Reaction.AGAIN, None),
        (502, None, Reaction.AGAIN, None),
        (524, None, Reaction.AGAIN, None),
    ],
)
def test_answers_are_judged_by_status_and_policy(status: int, body: Any, verdict: Reaction, wait: float | None) -> None:
    found = judge_hubspot(status, body)
    assert (found.verdict, found.wait) == (verdict, wait)


@given(rows())
def test_any_contact_is_a_prospect(row: dict[str, Any]) -> None:
    found = contact(row, Kept())
    assert found[0].id == row["id"]
    assert all(isinstance(each, Prospect) and each.id for each in found)


@given(st.sampled_from(sorted(ENGAGEMENTS)), rows(), st.lists(st.text("123", min_size=1), max_size=2, unique=True))
def test_any_engagement_is_an_activity_of_each_contact_or_told(name: str, row: dict[str, Any], ids: list[str]) -> None:
    found, _ = engagement(name, row, ids)
    assert len(found) in (0, len(ids))
    for each in found:
        assert each.kind in KINDS
        assert each.occurred_at.utcoffset() is not None
        json.dumps(dict(each.attributes))


@given(
    st.dictionaries(st.sampled_from(["id", "created", "type", "recipient", "filteredEvent", "subscriptions"]), values)
)
def test_any_event_is_an_activity_or_nothing(row: dict[str, Any]) -> None:
    found = email_event(row)
    assert found is None or (isinstance(found, Activity) and found.kind in KINDS and found.email)


def test_the_practice_org_has_every_property_that_is_asked_for() -> None:
    assert set(Kept().asked) - OBJECTS["contacts"].properties.keys() == {"hs_all_contact_vids"}
    for name, form in ENGAGEMENTS.items():
        assert {each for each in form.asked if each} <= OBJECTS[name].properties.keys(), name
    assert dict(CALL_DISPOSITIONS) == CALL_OUTCOMES


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "1_000", "1e999"])
def test_a_score_that_is_no_number_is_kept_as_the_text_it_is(text: str) -> None:
    [known] = contact({"id": "1", "properties": {"email": "a@example.com", "hubspotscore": text}}, Kept())
    assert known.attributes["score"] == text
