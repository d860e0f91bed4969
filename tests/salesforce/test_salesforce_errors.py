"""Salesforce's errors, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from connector.base.http import Reaction
from connector.salesforce.errors import (
    SALESFORCE_CODES,
    first_error,
    is_governed_row,
    is_passing_row,
    judge_salesforce,
    judge_token,
)


def error(code: str, message: str = "words") -> list[dict[str, str]]:
    return [{"errorCode": code, "message": message}]


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, {}, Reaction.TAKE),
        (204, None, Reaction.TAKE),
        (401, error("INVALID_SESSION_ID", "Session expired or invalid"), Reaction.RENEW),
        (401, error("INVALID_SESSION_ID", "This session is not valid for use with the REST API"), Reaction.REFUSE),
        (401, error("INVALID_AUTH_HEADER"), Reaction.RENEW),
        (401, None, Reaction.RENEW),
        (403, error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), Reaction.LIMIT),
        (403, error("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests Limit exceeded."), Reaction.AGAIN),
        (403, error("API_DISABLED_FOR_ORG"), Reaction.REFUSE),
        (403, error("SOMETHING_NEW"), Reaction.REFUSE),
        (400, error("MALFORMED_QUERY"), Reaction.REFUSE),
        (400, error("QUERY_TIMEOUT"), Reaction.REFUSE),
        (500, error("UNABLE_TO_LOCK_ROW"), Reaction.AGAIN),
        (400, error("UNABLE_TO_LOCK_ROW"), Reaction.AGAIN),
        (500, error("UNKNOWN_EXCEPTION"), Reaction.AGAIN),
        (500, None, Reaction.AGAIN),
        (503, error("SERVER_UNAVAILABLE"), Reaction.AGAIN),
        (420, None, Reaction.AGAIN),
        (429, None, Reaction.AGAIN),
        (406, None, Reaction.AGAIN),
        (408, None, Reaction.AGAIN),
        (404, error("NOT_FOUND"), Reaction.REFUSE),
        (410, error("UNSUPPORTED_API_VERSION"), Reaction.REFUSE),
        (414, None, Reaction.REFUSE),
        (302, None, Reaction.RENEW),
    ],
)
def test_the_code_decides_first_and_the_status_second(status: int, body: Any, verdict: Reaction) -> None:
    assert judge_salesforce(status, body).verdict is verdict


def part(status: int, body: Any) -> dict[str, Any]:
    return {"httpStatusCode": status, "body": body, "referenceId": "part0"}


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (error("MALFORMED_QUERY"), Reaction.TAKE),
        (error("QUERY_TIMEOUT"), Reaction.TAKE),
        (error("SERVER_UNAVAILABLE"), Reaction.AGAIN),
        (error("INVALID_SESSION_ID"), Reaction.RENEW),
        (error("REQUEST_LIMIT_EXCEEDED"), Reaction.LIMIT),
    ],
)
def test_a_composite_answer_is_judged_like_its_worst_passing_part(body: Any, verdict: Reaction) -> None:
    assert judge_salesforce(200, {"compositeResponse": [part(200, []), part(400, body)]}).verdict is verdict


def test_each_refusal_says_what_to_try() -> None:
    assert all(hint for verdict, hint in SALESFORCE_CODES.values() if verdict is Reaction.REFUSE)


@pytest.mark.parametrize("body", [None, [], {}, "text", [None], 7, [[]]])
def test_a_body_without_an_error_has_no_code(body: Any) -> None:
    assert first_error(body) == ("", "")


@pytest.mark.parametrize(
    ("status", "body", "verdict", "hint"),
    [
        (200, {"access_token": "x"}, Reaction.TAKE, ""),
        (400, {"error": "invalid_grant", "error_description": "audience is invalid"}, Reaction.REFUSE, "LOGIN_URL"),
        (400, {"error": "invalid_grant", "error_description": "user hasn't approved this consumer"}, Reaction.REFUSE,
         "pre-authorise"),
        (400, {"error": "invalid_grant", "error_description": "token request is already being processed"},
         Reaction.AGAIN, ""),
        (400, {"error": "invalid_grant", "error_description": "expired authorization code"}, Reaction.REFUSE, "clock"),
        (400, {"error": "invalid_grant", "error_description": "no client credentials user enabled"}, Reaction.REFUSE,
         "run-as"),
        (400, {"error": "invalid_grant"}, Reaction.REFUSE, "USERNAME"),
        (400, {"error": "invalid_client_id"}, Reaction.REFUSE, "CLIENT_ID"),
        (400, {"error": "invalid_client", "error_description": "invalid client"}, Reaction.REFUSE, "SECRET"),
        (400, {"error": "inactive_user"}, Reaction.REFUSE, "activate"),
        (400, {"error": "rate_limit_exceeded"}, Reaction.LIMIT, "wait"),
        (400, {"error": "something_new"}, Reaction.REFUSE, "connected app"),
        (404, None, Reaction.REFUSE, "LOGIN_URL"),
        (503, None, Reaction.AGAIN, ""),
        (429, None, Reaction.AGAIN, ""),
    ],
)  # fmt: skip
def test_a_sign_in_error_says_what_to_try(status: int, body: Any, verdict: Reaction, hint: str) -> None:
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
