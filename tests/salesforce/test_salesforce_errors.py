"""Salesforce's errors, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from connector.base.http import Verdict
from connector.salesforce.errors import (
    BY_CODE,
    first_error,
    is_governed_row,
    is_passing_row,
    judge,
    judge_token,
)


def error(code: str, message: str = "words") -> list[dict[str, str]]:
    return [{"errorCode": code, "message": message}]


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, {}, Verdict.TAKE),
        (204, None, Verdict.TAKE),
        (401, error("INVALID_SESSION_ID", "Session expired or invalid"), Verdict.RENEW),
        (401, error("INVALID_SESSION_ID", "This session is not valid for use with the REST API"), Verdict.REFUSE),
        (401, error("INVALID_AUTH_HEADER"), Verdict.REFUSE),
        (401, None, Verdict.REFUSE),
        (403, error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), Verdict.LIMIT),
        (403, error("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests Limit exceeded."), Verdict.AGAIN),
        (403, error("API_DISABLED_FOR_ORG"), Verdict.REFUSE),
        (403, error("SOMETHING_NEW"), Verdict.REFUSE),
        (400, error("MALFORMED_QUERY"), Verdict.REFUSE),
        (400, error("QUERY_TIMEOUT"), Verdict.AGAIN),
        (500, error("UNABLE_TO_LOCK_ROW"), Verdict.AGAIN),
        (400, error("UNABLE_TO_LOCK_ROW"), Verdict.AGAIN),
        (500, error("UNKNOWN_EXCEPTION"), Verdict.AGAIN),
        (500, None, Verdict.AGAIN),
        (503, error("SERVER_UNAVAILABLE"), Verdict.AGAIN),
        (420, None, Verdict.AGAIN),
        (429, None, Verdict.AGAIN),
        (406, None, Verdict.AGAIN),
        (408, None, Verdict.AGAIN),
        (404, error("NOT_FOUND"), Verdict.REFUSE),
        (410, error("UNSUPPORTED_API_VERSION"), Verdict.REFUSE),
        (414, None, Verdict.REFUSE),
        (302, None, Verdict.REFUSE),
    ],
)
def test_the_code_decides_first_and_the_status_second(status: int, body: Any, verdict: Verdict) -> None:
    assert judge(status, body).verdict is verdict


def part(status: int, body: Any) -> dict[str, Any]:
    return {"httpStatusCode": status, "body": body, "referenceId": "part0"}


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (error("MALFORMED_QUERY"), Verdict.TAKE),
        (error("QUERY_TIMEOUT"), Verdict.AGAIN),
        (error("INVALID_SESSION_ID"), Verdict.RENEW),
        (error("REQUEST_LIMIT_EXCEEDED"), Verdict.LIMIT),
    ],
)
def test_a_composite_answer_is_judged_like_its_worst_passing_part(body: Any, verdict: Verdict) -> None:
    assert judge(200, {"compositeResponse": [part(200, []), part(400, body)]}).verdict is verdict


def test_each_refusal_says_what_to_try() -> None:
    assert all(hint for verdict, hint in BY_CODE.values() if verdict is Verdict.REFUSE)


@pytest.mark.parametrize("body", [None, [], {}, "text", [None], 7, [[]]])
def test_a_body_without_an_error_has_no_code(body: Any) -> None:
    assert first_error(body) == ("", "")


@pytest.mark.parametrize(
    ("status", "body", "verdict", "hint"),
    [
        (200, {"access_token": "x"}, Verdict.TAKE, ""),
        (400, {"error": "invalid_grant", "error_description": "audience is invalid"}, Verdict.REFUSE, "LOGIN_URL"),
        (400, {"error": "invalid_grant", "error_description": "user hasn't approved this consumer"}, Verdict.REFUSE,
         "pre-authorise"),
        (400, {"error": "invalid_grant", "error_description": "token request is already being processed"},
         Verdict.AGAIN, ""),
        (400, {"error": "invalid_grant", "error_description": "expired authorization code"}, Verdict.REFUSE, "clock"),
        (400, {"error": "invalid_grant", "error_description": "no client credentials user enabled"}, Verdict.REFUSE,
         "run-as"),
        (400, {"error": "invalid_grant"}, Verdict.REFUSE, "USERNAME"),
        (400, {"error": "invalid_client_id"}, Verdict.REFUSE, "CLIENT_ID"),
        (400, {"error": "invalid_client", "error_description": "invalid client credentials"}, Verdict.REFUSE, "SECRET"),
        (400, {"error": "inactive_user"}, Verdict.REFUSE, "activate"),
        (400, {"error": "rate_limit_exceeded"}, Verdict.LIMIT, "wait"),
        (400, {"error": "something_new"}, Verdict.REFUSE, "connected app"),
        (404, None, Verdict.REFUSE, "LOGIN_URL"),
        (503, None, Verdict.AGAIN, ""),
        (429, None, Verdict.AGAIN, ""),
    ],
)  # fmt: skip
def test_a_sign_in_error_says_what_to_try(status: int, body: Any, verdict: Verdict, hint: str) -> None:
    judgement = judge_token(status, body)
    assert judgement.verdict is verdict
    assert hint in judgement.hint


@pytest.mark.parametrize(
    ("code", "message", "passing", "governed"),
    [
        ("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record", True, False),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Too many words", False, False),
        ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "T: System.LimitException: Too many SOQL queries: 101", False, True),
        ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "T: Apex CPU time limit exceeded", False, True),
        ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "T: NullPointerException", False, False),
        ("CANNOT_EXECUTE_FLOW_TRIGGER", "Too many DML statements: 151", False, True),
        ("LIMIT_EXCEEDED", "", False, True),
        ("ENTITY_IS_LOCKED", "in approval", False, False),
    ],
)
def test_rows_are_sent_again_later_or_in_smaller_packs(code: str, message: str, passing: bool, governed: bool) -> None:
    assert is_passing_row(code) is passing
    assert is_governed_row(code, message) is governed
