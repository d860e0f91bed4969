"""Account Engagement's rows and errors, without HTTP: tables row by row, and rows as real accounts export them."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connector.base.facts import Direction
from connector.base.http import Reaction
from connector.sources.kinds import KINDS
from connector.sources.pardot import (
    PARDOT_CODES,
    PARDOT_KINDS,
    judge_pardot,
    pardot_kind,
    pardot_prospect,
    visitor_activity,
)

DATA = Path(__file__).parents[2].parent / "shared" / "data"


def data(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path


@pytest.mark.parametrize(
    ("type_", "type_name", "kind"),
    [
        (1, "Email", "email_click"),
        (1, "Custom Redirect", "link_click"),
        (2, "Form", "form_view"),
        (2, "Page View", "page_view"),
        (4, "Form Handler", "form_submit"),
        (6, "Email", "email_sent"),
        (8, "New Opportunity", "opportunity"),
        (11, "Email", "email_open"),
        (12, "Email", "unsubscribe"),
        (20, "Visit", "visit"),
        (36, "Email", "email_bounce"),
        (99, "Hologram", "other"),
    ],
)
def test_type_and_asset_together_give_the_kind(type_: int, type_name: str, kind: str) -> None:
    assert pardot_kind(type_, type_name) == kind


def test_each_kind_is_canonical_and_each_documented_type_known() -> None:
    assert set(PARDOT_KINDS.values()) <= KINDS.keys()
    assert {type_ for type_, name in PARDOT_KINDS if not name} == set(range(1, 38))


def test_only_what_a_person_did_is_inbound() -> None:
    inbound = {type_ for type_, name in PARDOT_KINDS if KINDS[pardot_kind(type_, name)] is Direction.INBOUND}
    engagement = {1, 2, 4, 7, 11, 17, 20, 21, 22, 24, 25, 26, 27, 28, 29, 30, 34}
    assert engagement <= inbound
    assert not inbound & {3, 6, 8, 9, 10, 12, 13, 14, 15, 16, 18, 19, 23, 35, 36, 37}


def test_an_activity_keeps_what_is_not_null() -> None:
    found = visitor_activity(
        {"id": 7, "type": 4, "typeName": "Form", "details": "Demo", "prospectId": 9, "formId": 3, "emailId": None,
         "createdAt": "2026-05-01T03:24:17-04:00"}
    )  # fmt: skip
    assert (found.id, found.prospect_id, found.name, found.kind) == ("7", "9", "Demo", "form_submit")
    assert found.occurred_at == datetime(2026, 5, 1, 7, 24, 17, tzinfo=UTC)
    assert found.attributes == {"type": 4, "typeName": "Form", "formId": 3}


def test_a_prospect_is_known_by_its_crm_id() -> None:
    row = {"id": 9, "email": " Ann@Example.com ", "score": 0, "grade": "B+", "salesforceId": "00Q000000000001EAA"}
    found = pardot_prospect({**row, "salesforceContactId": "003000000000001", "isDeleted": True, "company": None})
    assert (found.id, found.email, found.crm_id, found.deleted) == ("9", "ann@example.com", "003000000000001AAA", True)
    assert found.attributes == {"score": 0, "grade": "B+"}
    assert pardot_prospect(row).crm_id == "00Q000000000001EAA"
    assert pardot_prospect({"id": 9, "salesforceId": "[[redacted]]", "email": ""}).crm_id is None


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (200, None, Reaction.TAKE),
        (304, None, Reaction.REFUSE),
        (400, 66, Reaction.AGAIN),
        (400, 122, Reaction.LIMIT),
        (400, 183, Reaction.AGAIN),
        (401, 184, Reaction.RENEW),
        (400, 184, Reaction.RENEW),
        (400, 202, Reaction.AGAIN),
        (400, 214, Reaction.AGAIN),
        (400, 201, Reaction.REFUSE),
        (400, 46, Reaction.REFUSE),
        (404, 109, Reaction.REFUSE),
        (400, 224, Reaction.REFUSE),
        (429, None, Reaction.AGAIN),
        (500, None, Reaction.AGAIN),
        (503, 999, Reaction.AGAIN),
        (403, None, Reaction.REFUSE),
    ],
)
def test_the_code_decides_whatever_the_status(status: int, code: int | None, verdict: Reaction) -> None:
    judgement = judge_pardot(status, {"code": code, "message": "words"} if code else None)
    assert judgement.verdict is verdict
    assert judgement.code == (str(code) if code else "")


def test_each_refusal_says_what_to_try() -> None:
    assert all(each.hint for each in PARDOT_CODES.values() if each.verdict in {Reaction.REFUSE, Reaction.LIMIT})


def test_exported_activities_have_a_kind() -> None:
    with data("rows/pardot_visitor_activity_data.csv").open(newline="", encoding="utf-8") as lines:
        found = [visitor_activity(_as_v5(row)) for row in csv.DictReader(lines)]
    kinds = Counter(each.kind for each in found)
    assert kinds == {"opportunity": 52, "unsubscribe": 42, "email_bounce": 5, "spam_complaint": 1}


def test_exported_prospects_are_read() -> None:
    with data("rows/pardot_prospect_data.csv").open(newline="", encoding="utf-8") as lines:
        found = [pardot_prospect(_as_v5(row)) for row in csv.DictReader(lines)]
    assert len({each.id for each in found}) == len(found) > 50
    assert any(each.attributes.get("grade") for each in found)


def test_recorded_prospects_are_read() -> None:
    rows: list[dict[str, Any]] = []
    for line in data("recorded/pardot.jsonl").read_text("utf-8").splitlines():
        response = json.loads(line)["response"]
        if isinstance(response, dict) and (among := (response.get("result") or response).get("prospect")):
            rows += among if isinstance(among, list) else [among]  # version 4 gives a single row as an object
    found = [pardot_prospect(_as_v5(row)) for row in rows]
    assert len(found) > 100
    assert all(each.email for each in found)


def _as_v5(row: dict[str, Any]) -> dict[str, Any]:
    """Exports and version 4 write crm_contact_fid for salesforceContactId, created_at for createdAt, UTC in words."""
    renamed = {"crm_contact_fid": "salesforceContactId", "crm_lead_fid": "salesforceLeadId"}
    names = {key: renamed.get(key) or re.sub(r"_([a-z])", lambda at: at.group(1).upper(), key) for key in row}
    values = {names[key]: value for key, value in row.items() if value not in ("", None)}
    if "type" in values:
        values["type"] = int(values["type"])
    return {key: value.replace(" UTC", "+00:00") if key.endswith("At") else value for key, value in values.items()}
