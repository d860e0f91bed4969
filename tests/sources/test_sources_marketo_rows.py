"""Marketo's rows, errors and cursors without HTTP: tables row by row, and rows as real instances gave them."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.base.facts import Direction
from connector.base.http import Reaction
from connector.sources.kinds import KINDS
from connector.sources.marketo.api import MARKETO_CODES, judge_marketo, judge_sign_in
from connector.sources.marketo.chains import ANEW, LATE, MOST_TYPES, moved, plan_chains, without_token
from connector.sources.marketo.history import EXTRACT_COLUMNS, read_piece, whole_lines
from connector.sources.marketo.rows import (
    DELETE,
    LEAD_FIELDS,
    MARKETO_KINDS,
    NOT_READ,
    PERSON_ONLY,
    Batch,
    lead,
    lead_fields,
    merged_away,
    read_rows,
    type_names,
)

DATA = Path(__file__).parents[2].parent / "shared" / "data"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
TYPES = {1: "Visit Webpage", 2: "Fill Out Form", 11: "Click Email", 100001: "Attended Roadshow"}


def data(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path


def row(type_: int, **more: Any) -> dict[str, Any]:
    return {"id": 7, "marketoGUID": "7", "leadId": 9, "activityDate": "2026-05-01T11:00:00Z",
            "activityTypeId": type_, "attributes": [], **more}  # fmt: skip


def attributes(**values: Any) -> list[dict[str, Any]]:
    return [{"name": name.replace("_", " "), "value": value} for name, value in values.items()]


def read(*rows: Any, declared: tuple[str, ...] = ()) -> Batch:
    return read_rows(rows, TYPES, declared)


def test_an_activity_keeps_what_is_not_empty() -> None:
    [found] = read(
        row(1, primaryAttributeValue="example.com/pricing", primaryAttributeValueId=71, campaignId=None,
            attributes=attributes(Webpage_URL="/pricing", Referrer_URL=""))
    ).activities  # fmt: skip
    assert (found.id, found.prospect_id, found.name, found.kind) == ("7", "9", "example.com/pricing", "page_view")
    assert found.occurred_at == datetime(2026, 5, 1, 11, tzinfo=UTC)
    assert found.attributes == {"type": "Visit Webpage", "primaryAttributeValueId": 71, "Webpage URL": "/pricing"}


@pytest.mark.parametrize(
    ("status", "success", "kind"),
    [
        ("Attended", True, "event_attend"),
        ("Attended On-demand", True, "event_attend"),
        ("Registered", False, "event_register"),
        ("Invited", False, "event_invite"),
        ("Filled-out Form", True, "campaign_response"),
        ("Filled-out Form", "true", "campaign_response"),
        ("Member", False, "status_change"),
        ("Unregistered", False, "status_change"),
        (None, None, "status_change"),
    ],
)
def test_a_programs_status_says_what_a_person_did(status: str | None, success: object, kind: str) -> None:
    [found] = read(row(104, attributes=attributes(New_Status=status, Success=success))).activities
    assert found.kind == kind


@pytest.mark.parametrize(("changed", "kinds"), [("Lead Status", ["status_change"]), ("Phone Number", [])])
def test_a_changed_value_is_a_fact_where_it_is_a_status_and_concerns_the_lead_always(
    changed: str, kinds: list[str]
) -> None:
    batch = read(row(13, primaryAttributeValue=changed))
    assert [each.kind for each in batch.activities] == kinds
    assert set(batch.leads) == {"9"}


@pytest.mark.parametrize(
    ("type_", "kind"), [(131, "form_submit"), (147, "form_submit"), (132, "link_click"), (405, "social_click")]
)
def test_what_a_person_does_elsewhere_than_on_a_form_page_counts_as_such(type_: int, kind: str) -> None:
    batch = read(row(type_))
    assert ([each.kind for each in batch.activities], dict(batch.unknown)) == ([kind], {})
    assert batch.activities[0].direction is Direction.INBOUND


def test_what_marketo_takes_for_a_mail_scanner_is_no_engagement() -> None:
    by_bot, by_person = (
        read(row(11, attributes=attributes(Bot_Activity=bot))).activities[0].direction for bot in (True, False)
    )
    assert (by_bot, by_person) == (Direction.OUTBOUND, Direction.INBOUND)


def test_a_custom_type_is_other_unless_the_mapping_declares_a_kind_of_its_name() -> None:
    batch = read(row(100001))
    assert (batch.activities[0].kind, batch.activities[0].direction) == ("other", Direction.OUTBOUND)
    assert batch.unknown == {"100001 Attended Roadshow": 1}
    batch = read(row(100001), declared=("attended_roadshow",))
    assert (batch.activities[0].kind, batch.activities[0].direction) == ("attended_roadshow", Direction.INBOUND)
    assert not batch.unknown


def test_merges_and_deletions_are_no_activities() -> None:
    batch = read(row(32, attributes=attributes(Merge_IDs="[11, 12]")), row(DELETE, leadId=13))
    assert (batch.merged, batch.deleted, batch.activities) == ({"11": "9", "12": "9"}, ["13"], [])
    assert set(batch.leads) == {"9"}, "a deleted lead cannot be read"


@pytest.mark.parametrize("spoilt", [{"leadId": None}, {"activityDate": "soon"}, {"attributes": [3]}, {"leadId": "x"}])
def test_a_row_that_cannot_be_read_is_counted_and_takes_no_other_with_it(spoilt: dict[str, Any]) -> None:
    batch = read(row(2, **spoilt), None, row(2))
    assert batch.unknown == {"unreadable": 2}
    assert len(batch.activities) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)


@given(st.lists(JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(row(1), JSON)), max_size=5))
def test_no_answer_is_a_crash(rows: list[Any]) -> None:
    batch = read(*rows)
    assert sum(batch.unknown.values()) <= len(rows)
    assert not [each for each in batch.activities if each.kind not in KINDS]


def test_each_kind_is_canonical_and_no_type_is_both_read_and_not() -> None:
    assert set(MARKETO_KINDS.values()) - {PERSON_ONLY} <= KINDS.keys()
    assert not MARKETO_KINDS.keys() & NOT_READ


def test_a_lead_is_known_by_its_contact_before_its_lead() -> None:
    given_row = {"id": 9, "email": " Ann@Example.com ", "sfdcLeadId": "00Q000000000001", "leadScore": 0, "title": None}
    found = lead({**given_row, "sfdcContactId": "003000000000001AAA", "leadStatus": "MQL"})
    assert (found.id, found.email, found.crm_id) == ("9", "ann@example.com", "003000000000001AAA")
    assert found.attributes == {"score": 0, "leadStatus": "MQL"}
    assert lead(given_row).crm_id == "00Q000000000001EAA"
    assert lead({"id": 9, "sfdcContactId": "nonsense", "email": ""}).crm_id is None


def test_a_merged_lead_is_found_where_its_winner_is() -> None:
    loser = merged_away("11", lead({"id": 9, "email": "ann@example.com", "sfdcContactId": "003000000000001AAA"}))
    assert (loser.id, loser.email, loser.crm_id, loser.deleted) == ("11", "ann@example.com", "003000000000001AAA", True)


def test_only_fields_that_the_instance_has_are_asked() -> None:
    described = [{"rest": {"name": name}} for name in ("id", "email", "phone", "leadScore", "productScore__c")]
    assert lead_fields([*described, {}, None]) == ["id", "email", "leadScore", "productScore__c"]


def test_a_recorded_instance_without_salesforce_is_asked_for_no_salesforce_ids() -> None:
    with data("recorded/marketo.jsonl").open(encoding="utf-8") as lines:
        answers = [json.loads(line) for line in lines]
    [described] = [each["response"]["result"] for each in answers if each["path"].endswith("describe.json")]
    fields = lead_fields(described)
    assert set(LEAD_FIELDS) - set(fields) == {"sfdcContactId", "sfdcLeadId"}
    assert len(",".join(fields)) < 2500, "an address takes 8 KB, and 300 ids are in it too"


def test_recorded_leads_and_verdicts_are_read() -> None:
    with data("recorded/marketo.jsonl").open(encoding="utf-8") as lines:
        answers = [json.loads(line) for line in lines]
    verdicts = Counter(judge_marketo(each["status"], each["response"]).verdict for each in answers)
    assert verdicts[Reaction.TAKE] > 100
    assert set(verdicts) <= {Reaction.TAKE, Reaction.REFUSE}
    asked = [each for each in answers if each["path"].endswith("/leads.json") and each["method"] == "GET"]
    found = [lead(one) for each in asked for one in each["response"]["result"]]
    assert len(found) > 20
    assert all(each.email for each in found)


EXPORTED = {
    "change_data_value": {"status_change": 1}, "click_email": {"email_click": 100}, "delete_lead": {"other": 31},
    "merge_leads": {}, "open_email": {"email_open": 100}, "send_email": {"email_sent": 100},
}  # fmt: skip


@pytest.mark.parametrize("name", EXPORTED)
def test_exported_activities_are_read(name: str) -> None:
    with data(f"rows/marketo_activity_{name}_data.csv").open(newline="", encoding="utf-8-sig") as lines:
        rows = [_as_answered(each) for each in csv.DictReader(lines)]
    batch = read(*rows)
    assert Counter(each.kind for each in batch.activities) == EXPORTED[name]
    assert "unreadable" not in batch.unknown
    assert len(batch.leads) > 5
    assert len(batch.merged) == (99 if name == "merge_leads" else 0)


def _as_answered(exported: dict[str, str]) -> dict[str, Any]:
    """The exports' tool wrote columns in snake case, and UTC without saying so."""
    names = {
        "id": "id", "activity_date": "activityDate", "activity_type_id": "activityTypeId", "lead_id": "leadId",
        "campaign_id": "campaignId", "primary_attribute_value": "primaryAttributeValue",
        "primary_attribute_value_id": "primaryAttributeValueId",
    }  # fmt: skip
    others = {"merge_ids": "Merge IDs"}
    more = {others.get(name, name): value for name, value in exported.items() if name not in names}
    return {"attributes": more} | {names[name]: value for name, value in exported.items() if name in names}


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (200, None, Reaction.TAKE),
        (200, "601", Reaction.RENEW),
        (200, "602", Reaction.RENEW),
        (200, "603", Reaction.REFUSE),
        (200, "604", Reaction.AGAIN),
        (200, "606", Reaction.AGAIN),
        (200, "607", Reaction.LIMIT),
        (200, "608", Reaction.AGAIN),
        (200, "611", Reaction.AGAIN),
        (200, "615", Reaction.AGAIN),
        (200, "713", Reaction.AGAIN),
        (200, "719", Reaction.AGAIN),
        (200, "1003", Reaction.REFUSE),
        (200, "9999", Reaction.REFUSE),
        (413, None, Reaction.REFUSE),
        (404, None, Reaction.AGAIN),
        (200, "1029", Reaction.REFUSE),
        (502, None, Reaction.AGAIN),
        (429, None, Reaction.AGAIN),
    ],
)
def test_the_code_decides_inside_a_success(status: int, code: str | None, verdict: Reaction) -> None:
    errors = [{"code": code, "message": "words"}]
    judgement = judge_marketo(status, {"requestId": "1#2", "success": False, "errors": errors} if code else None)
    assert judgement.verdict is verdict
    assert judgement.code == (code or "")


def test_a_success_may_carry_empty_errors_and_warnings_and_a_failure_without_words_is_none() -> None:
    assert judge_marketo(200, {"success": True, "errors": [], "warnings": [{"code": "1"}]}).verdict is Reaction.TAKE
    assert judge_marketo(200, {"success": False, "errors": []}).verdict is Reaction.REFUSE
    assert judge_marketo(200, {"success": False}).verdict is Reaction.REFUSE


def test_each_refusal_says_what_to_try() -> None:
    assert all(
        each.hint
        for each in MARKETO_CODES.values()
        if each.verdict in {Reaction.REFUSE, Reaction.LIMIT, Reaction.RENEW}
    )
    refused = judge_sign_in(401, {"error": "unauthorized"})
    assert refused.verdict is Reaction.REFUSE
    assert "CONNECTOR_MARKETO_CLIENT_SECRET" in refused.hint
    assert judge_sign_in(503, None).verdict is Reaction.AGAIN


def test_ten_types_make_a_chain_and_deletions_their_own_the_last() -> None:
    chains = plan_chains((), range(1, 25), DELETE, NOW, NOW)
    assert [len(each["types"]) for each in chains] == [10, 10, 4, 1]
    assert chains[-1]["types"] == [DELETE]


@given(st.lists(st.sets(st.integers(1, 60).filter(lambda each: each != DELETE)), min_size=1, max_size=6))
def test_each_type_is_in_one_chain_whatever_comes_and_goes(instances: list[set[int]]) -> None:
    chains: list[dict[str, Any]] = []
    for wanted in instances:
        chains = plan_chains(chains, wanted, DELETE, NOW, NOW)
        covered = [type_ for each in chains for type_ in each["types"]]
        assert Counter(covered) == Counter([*wanted, DELETE])
        assert all(1 <= len(each["types"]) <= MOST_TYPES for each in chains)


def test_a_new_type_is_read_from_the_beginning_and_the_others_go_on() -> None:
    [one, *_] = plan_chains((), [1, 2], DELETE, NOW, NOW)
    done = moved(one, "T2", more=False, latest=NOW - timedelta(hours=1))
    long_ago = NOW - timedelta(days=700)
    first, second, _ = plan_chains([done], [1, 2, 100001], DELETE, NOW, long_ago)
    assert first == done
    assert (second["types"], second["token"], second["since"]) == ([100001], None, (long_ago - LATE).isoformat())


def test_a_chain_that_is_done_begins_anew_now_and_then_but_never_in_the_middle() -> None:
    [one, _] = plan_chains((), [1], DELETE, NOW, NOW)
    later = NOW + ANEW
    middle, done = (moved(one, "T2", more=more, latest=NOW) for more in (True, False))
    assert plan_chains([middle], [1], DELETE, later, NOW)[0] == middle
    assert plan_chains([done], [1], DELETE, later - timedelta(seconds=1), NOW)[0] == done
    anew = plan_chains([done], [1], DELETE, later, NOW)[0]
    assert (anew["token"], anew["since"]) == (None, (NOW - LATE).isoformat())


def test_a_refused_token_is_replaced_from_a_little_before_the_last_row() -> None:
    [one, _] = plan_chains((), [1], DELETE, NOW, NOW)
    replaced = without_token(moved(one, "T2", more=True, latest=NOW))
    assert (replaced["token"], replaced["since"], replaced["done"]) == (None, (NOW - LATE).isoformat(), False)


def test_types_without_a_name_are_types() -> None:
    assert type_names([{"id": 1, "name": "Visit Webpage"}, {"id": "2"}, None]) == {1: "Visit Webpage", 2: ""}


CELLS = st.text(alphabet='ab",\n é', max_size=8).filter(lambda text: text != "null")


@given(st.lists(st.tuples(*[CELLS] * len(EXTRACT_COLUMNS)), min_size=1, max_size=9), st.integers(150, 400))
def test_a_file_in_pieces_is_the_file(records: list[tuple[str, ...]], size: int) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([EXTRACT_COLUMNS, *records])
    file, offset, rows = text.getvalue().encode(), 0, []
    while offset < len(file):
        piece = file[offset : offset + size]
        taken = whole_lines(piece, is_last=offset + len(piece) >= len(file))
        rows += read_piece(piece[:taken], has_header=offset == 0)
        offset += taken
    assert [tuple(each.values()) for each in rows] == records


def test_a_record_that_is_no_csv_is_counted() -> None:
    rows = read_piece(b'7,9,"' + b"x" * 200_000, has_header=False)
    assert read(*rows).unknown == {"unreadable": 1}


def test_null_in_a_file_is_no_value_and_attributes_are_json() -> None:
    line = b'8,9,2026-05-01T11:00:00Z,2,null,71,Demo,"{""Form Fields"":""x"",""Referrer"":null}"\n'
    [found] = read(*read_piece(line, has_header=False)).activities
    assert found.attributes == {"type": "Fill Out Form", "primaryAttributeValueId": "71", "Form Fields": "x"}
