"""HubSpot's HTTP: reads of one portal with a key, counted, at the pace that its searches have; its answers are judged.

Sources: developers.hubspot.com, "Usage guidelines", "Error handling", "Account information".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from connector.base.answers import envelope
from connector.base.clock import Clock
from connector.base.errors import Refused
from connector.base.http import TAKEN, Judgement, Reaction, Session, server_time
from connector.base.json import Json, JsonMap, JsonObject
from connector.sources.pace import Pace

HUBSPOT_API = "HubSpot"
ACCOUNT_INFO = "/account-info/v3/details"
SEARCHES = 4  # a second; the account has 5, and others search too
KEY = "check CONNECTOR_HUBSPOT_TOKEN: a service key or a private app's token, begins with pat-"
SCOPE = "give the key the scope that is missing, or leave out what needs it in CONNECTOR_HUBSPOT_READS"
_PASSING = frozenset({408, 423, 429, 477})


def judge_hubspot(status: int, body: Json) -> Judgement:
    """By status. A 429 of search comes without Retry-After; its bucket is a second, the other one ten."""
    if status < 300:
        return TAKEN
    body = body if isinstance(body, dict) else {}
    code, message = str(body.get("category") or ""), " ".join([str(body.get("message") or ""), *_scopes(body)])
    said = f"{body.get('policyName') or ''} {message}".lower()
    if status == 429 and "daily" in said:
        hint = "the account's daily calls are used up; they come back at its midnight"
        return Judgement(Reaction.LIMIT, code, message, hint)
    if status == 429:
        return Judgement(Reaction.AGAIN, code, message, wait=10 if "ten_secondly" in said else 1)
    if status >= 500 or status in _PASSING:
        return Judgement(Reaction.AGAIN, code, message, wait=2 if status == 423 else None)
    hints = {401: KEY, 403: SCOPE, 404: "check CONNECTOR_HUBSPOT_URL and CONNECTOR_HUBSPOT_API_VERSION"}
    return Judgement(Reaction.REFUSE, code, message, hints.get(status, "tell whoever looks after the connector"))


def _scopes(body: JsonMap) -> list[str]:
    """The scopes of which a 403 says that one is needed."""
    contexts = [each.get("context") for each in body.get("errors") or () if isinstance(each, dict)]
    named = [each.get("requiredGranularScopes") for each in contexts if isinstance(each, dict)]
    return [str(scope) for scopes in named for scope in scopes or ()]


class HubSpotApi:
    """``version`` is "v3" or that of the dated paths, "2026-03"."""

    def __init__(self, url: str, token: str, clock: Clock, ca_bundle: Path | None, version: str) -> None:
        self._url, self._clock, self._version = url.rstrip("/"), clock, version
        self.calls: Counter[str] = Counter()
        self.allowance: tuple[int, int] | None = None  # calls of the day, used and allowed
        self._searches = Pace(clock, SEARCHES, 1)
        key = _Key(token)
        self._session = Session(HUBSPOT_API, judge_hubspot, clock, token=key, ca_bundle=ca_bundle, before=self._before)

    def close(self) -> None:
        self._session.close()

    def path(self, what: str, rest: str) -> str:
        if self._version != "v3":
            return f"/crm/{what}/{self._version}/{rest}"
        return f"/crm/{'v4' if what == 'associations' else 'v3'}/{what}/{rest}"

    def ask(self, method: str, path: str, kind: str, **kwargs: Any) -> tuple[JsonObject, datetime]:
        response = self._session.request(method, self._url + path, kind=kind, **kwargs)
        self.allowance = _daily(response.headers) or self.allowance
        return envelope(response, HUBSPOT_API), server_time(response.headers, self._clock.now())

    def _before(self, kind: str) -> None:
        """Counts a request; waits for a search's turn."""
        self.calls[kind] += 1
        if kind == "search":
            self._searches.wait()


def _daily(headers: Mapping[str, str]) -> tuple[int, int] | None:
    """The account's calls of the day, used and allowed."""
    allowed, left = (headers.get(f"X-HubSpot-RateLimit-Daily{each}", "") for each in ("", "-Remaining"))
    return (int(allowed) - int(left), int(allowed)) if allowed.isdecimal() and left.isdecimal() else None


class _Key:
    """A token that does not change."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get(self) -> str:
        return self._token

    def renew(self, stale: str) -> str:
        raise Refused("HubSpot no longer takes its service key", KEY)
