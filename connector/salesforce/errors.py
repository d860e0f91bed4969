"""What Salesforce's answers mean, as tables: the errorCode decides first, the HTTP status second.

Statuses of one code differ between resources and releases, so they only decide where there is no code (an answer of the
edge in HTML, an empty body). Codes and texts: REST API developer guide, "Status Codes and Error Responses".
"""

from __future__ import annotations

import re

from connector.base.http import TAKEN, Judgement, Reaction
from connector.base.json import Json

_AGAIN, LIMIT, REFUSE, RENEW = Reaction.AGAIN, Reaction.LIMIT, Reaction.REFUSE, Reaction.RENEW

QUERY_TIMEOUT = "QUERY_TIMEOUT"  # the same query would take as long again
SLOW = "it may pass; the next cycle asks again"
_PERMISSION = "give the integration user the permission, then run 'connector check'"
SALESFORCE_CODES: dict[str, tuple[Reaction, str]] = {
    "INVALID_SESSION_ID": (RENEW, "check the credentials"),
    "INVALID_AUTH_HEADER": (RENEW, "check the credentials"),
    "REQUEST_LIMIT_EXCEEDED": (LIMIT, "the org's daily API calls are used up; they come back over 24 hours"),
    "UNABLE_TO_LOCK_ROW": (_AGAIN, ""),
    "SERVER_UNAVAILABLE": (_AGAIN, ""),
    "UNKNOWN_EXCEPTION": (_AGAIN, ""),
    QUERY_TIMEOUT: (REFUSE, SLOW),
    "API_DISABLED_FOR_ORG": (REFUSE, "the org's edition or the user's profile has no API; enable 'API Enabled'"),
    "API_CURRENTLY_DISABLED": (REFUSE, "enable 'API Enabled' for the integration user"),
    "INSUFFICIENT_ACCESS": (REFUSE, _PERMISSION),
    "INSUFFICIENT_ACCESS_OR_READONLY": (REFUSE, _PERMISSION),
    "FUNCTIONALITY_NOT_ENABLED": (REFUSE, _PERMISSION),
    "TXN_SECURITY_METERING_ERROR": (REFUSE, "a transaction security policy of the org stops the connector"),
    "INVALID_FIELD": (REFUSE, "the field is missing or hidden from the integration user; run 'connector check'"),
    "INVALID_TYPE": (REFUSE, "the object is missing or hidden from the integration user; run 'connector check'"),
    "OPERATION_TOO_LARGE": (
        REFUSE,
        "Salesforce counts what is shared with this user for too long: give the integration user's permission set"
        " View All on the object, or View All Data",
    ),
    "MALFORMED_QUERY": (REFUSE, "run 'connector check'; the mapping may name a field that cannot be read so"),
    "QUERY_TOO_COMPLICATED": (REFUSE, "read fewer formula fields"),
    "REQUEST_RUNNING_TOO_LONG": (REFUSE, "the org's automation takes too long; set a smaller CONNECTOR_WRITE_PACK"),
    "UNSUPPORTED_API_VERSION": (REFUSE, "unset CONNECTOR_SALESFORCE_API_VERSION"),
}
BY_STATUS: dict[int, tuple[Reaction, str]] = {
    401: (RENEW, "check the credentials"),
    403: (REFUSE, _PERMISSION),
    404: (REFUSE, "check CONNECTOR_SALESFORCE_INSTANCE_URL and the object's name"),
    406: (_AGAIN, ""),
    408: (_AGAIN, ""),
    410: (REFUSE, "the API version is retired; unset CONNECTOR_SALESFORCE_API_VERSION"),
    414: (REFUSE, "the request is too long"),
    420: (_AGAIN, ""),  # the edge, "we are setting things up", in HTML
    429: (_AGAIN, ""),
    431: (REFUSE, "the request is too long"),
}
CONCURRENT_WAIT = 5.0  # seconds; the manual names no figure


def judge_salesforce(status: int, body: Json) -> Judgement:
    """The judge of the REST API, of single answers and of Composite subrequests alike. A Composite answer one of whose
    parts met a passing fault, a stale token or the daily limit is judged like that part, and so asked again as a whole:
    reads and set-to-value writes bear it. A part that was refused, or took too long, is left to the caller."""
    if status < 300:
        return _judge_parts(body) if isinstance(body, dict) and "compositeResponse" in body else TAKEN
    code, message = first_error(body)
    if code == "REQUEST_LIMIT_EXCEEDED" and "concurrent" in message.lower():
        return Judgement(_AGAIN, code, message, wait=CONCURRENT_WAIT)
    if code == "INVALID_SESSION_ID" and "not valid for use with the REST API" in message:
        return Judgement(REFUSE, code, message, "the app's token lacks the scope 'api'")
    if code in SALESFORCE_CODES:
        verdict, hint = SALESFORCE_CODES[code]
    elif status in BY_STATUS:
        verdict, hint = BY_STATUS[status]
    elif status >= 500:
        verdict, hint = _AGAIN, ""
    elif status < 400:
        verdict, hint = RENEW, "the org lives at another address; set CONNECTOR_SALESFORCE_INSTANCE_URL to it"
    else:
        verdict, hint = REFUSE, ""
    return Judgement(verdict, code, message, hint)


def _judge_parts(body: Json) -> Judgement:
    parts = [judge_salesforce(int(part["httpStatusCode"]), part.get("body")) for part in body["compositeResponse"]]
    return next((part for part in parts if part.verdict in {_AGAIN, LIMIT, RENEW}), TAKEN)


def first_error(body: Json) -> tuple[str, str]:
    """Code and message of an error body: an array of objects, seldom a single object; ("", "") for anything else."""
    first = body[0] if isinstance(body, list) and body else body
    if not isinstance(first, dict):
        return "", ""
    return str(first.get("errorCode") or first.get("statusCode") or ""), str(first.get("message") or "")


# Row errors of a write.
PASSING_ROW = frozenset({"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "QUERY_TIMEOUT", "UNKNOWN_EXCEPTION"})
GOVERNED_ROW = frozenset({"LIMIT_EXCEEDED", "REQUEST_RUNNING_TOO_LONG"})
_AUTOMATION = frozenset({"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "CANNOT_EXECUTE_FLOW_TRIGGER"})
_GOVERNOR = re.compile(r"LimitException|Too many |CPU time limit|heap size|limit exceeded", re.IGNORECASE)


def is_passing_row(code: str) -> bool:
    """True for a row that is worth sending again a little later, as it is."""
    return code in PASSING_ROW


def is_governed_row(code: str, message: str) -> bool:
    """True where the org's own automation ran out of its governor limits, which a smaller request may avoid."""
    return code in GOVERNED_ROW or (code in _AUTOMATION and bool(_GOVERNOR.search(message)))


# The token endpoint: (error, part of the description) -> what to do. The first row that fits wins.
TOKEN_ERRORS: tuple[tuple[str, str, Reaction, str], ...] = (
    ("invalid_grant", "already being processed", _AGAIN, ""),
    ("invalid_grant", "audience", REFUSE, "set CONNECTOR_SALESFORCE_LOGIN_URL to https://test.salesforce.com"
     " for a sandbox, https://login.salesforce.com otherwise"),
    ("invalid_grant", "approved", REFUSE, "pre-authorise the connected app for the integration user"),
    ("invalid_grant", "no client credentials user", REFUSE, "choose a run-as user in the connected app's policies"),
    ("invalid_grant", "expired", REFUSE, "check this machine's clock, the certificate of the connected app, and the"
     " private key"),
    ("invalid_grant", "", REFUSE, "check CONNECTOR_SALESFORCE_USERNAME and that the user is active"),
    ("invalid_client_id", "", REFUSE, "check CONNECTOR_SALESFORCE_CLIENT_ID"),
    ("invalid_client", "", REFUSE, "check CONNECTOR_SALESFORCE_CLIENT_SECRET"),
    ("inactive_user", "", REFUSE, "activate the integration user"),
    ("inactive_org", "", REFUSE, "the org is locked, expired or being moved"),
    ("unsupported_grant_type", "", REFUSE, "enable this sign-in flow in the connected app"),
    ("rate_limit_exceeded", "", LIMIT, "too many sign-ins in an hour; wait"),
)  # fmt: skip


def judge_token(status: int, body: Json) -> Judgement:
    """The judge of ``/services/oauth2/token``, whose errors are an object with error and error_description."""
    if status < 300:
        return TAKEN
    error = str(body.get("error") or "") if isinstance(body, dict) else ""
    text = str(body.get("error_description") or "") if isinstance(body, dict) else ""
    for known, part, verdict, hint in TOKEN_ERRORS:
        if error == known and part in text:
            return Judgement(verdict, error, text, hint)
    if not error and (status >= 500 or status in {408, 420, 429}):
        return Judgement(_AGAIN, error, text)
    return Judgement(REFUSE, error, text, "check CONNECTOR_SALESFORCE_LOGIN_URL and the connected app")
