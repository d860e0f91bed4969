"""An org nobody here made up: duplicate contact roles and several primaries change nobody's stage."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from connector.base.facts import OpportunityRole
from connector.lifecycle import decide
from connector.mapping import load, loads
from tests.lifecycle.someone import NOW, person, stage_of, track

DUMP = Path(__file__).parents[3] / "shared" / "data" / "npsp" / "dev_org.sql"
MORE = """
include: lead-liaison
stages:
  - {name: Sales Qualified, set_by: rules, when: {opportunity: {state: any, count: 3}}}
  - {name: Evangelist, set_by: rules, when: {opportunity: {state: won, count: 12}}}
moves: [{from: Opportunity, to: Engaged, when: {opportunity: all_lost}}]
"""


@pytest.fixture(scope="module")
def people():
    if not DUMP.is_file():
        pytest.skip(f"the data set is not here: {DUMP}")
    raw = sqlite3.connect(":memory:")
    raw.executescript(DUMP.read_text(encoding="utf-8"))
    # Stages redrawn by a fixed rule, so that not everybody is a customer.
    deals = {
        key: {
            "Name": name,
            "StageName": stage,
            "IsWon": number % 40 == 0,
            "IsClosed": number % 40 < 30,
            "CloseDate": close,
        }
        for number, (key, name, stage, close) in enumerate(
            raw.execute("SELECT id, name, stage_name, close_date FROM Opportunity ORDER BY id")
        )
    }
    roles = defaultdict(list)
    for key, role, primary, contact, deal in raw.execute(
        "SELECT id, Role, IsPrimary, ContactId, OpportunityId FROM OpportunityContactRole ORDER BY id"
    ):
        row = {"Role": role, "IsPrimary": primary == "True"}
        roles[contact].append(OpportunityRole(f"00K{key:09d}", f"006{deal}", row, deals[int(deal)]))
    found = [
        replace(person(email=email or None), id=f"003{key:09d}", opportunities=tuple(roles[str(key)]))
        for key, email in raw.execute("SELECT id, Email FROM Contact ORDER BY id")
    ]
    raw.close()
    return found


def without_duplicates(someone):
    once = {each.opportunity_id: each for each in reversed(someone.opportunities)}
    return replace(someone, opportunities=tuple(once.values()))


def with_one_primary(someone):
    roles = [replace(each, role={**each.role, "IsPrimary": False}) for each in someone.opportunities]
    return replace(someone, opportunities=tuple(roles))


@pytest.mark.parametrize("mapping", [load("lead-liaison"), loads(MORE)], ids=["as shipped", "counting deals"])
def test_duplicate_roles_and_several_primaries_change_nothing(people, mapping):
    assert sum(len(each.opportunities) for each in people) > 900
    assert len(without_duplicates(people[0]).opportunities) <= len(people[0].opportunities)
    stages = [stage_of(each, mapping) for each in people]
    assert [stage_of(without_duplicates(each), mapping) for each in people] == stages
    assert [stage_of(with_one_primary(each), mapping) for each in people] == stages
    assert len(set(stages)) > 1


def test_a_deal_is_named_once_as_evidence(people):
    mapping, most = load("lead-liaison"), 0
    for someone in people:
        refs = [each.ref for each in track(decide(someone, mapping, NOW)).evidence]
        assert len(refs) == len(set(refs))
        most = max(most, len(refs))
    assert most > 0, "somebody's deals are evidence"
