"""Marketo's REST API: signing in, and answers whose errors hide inside HTTP 200.

Sources: developer.adobe.com, "Authentication", "Error Codes", "Marketo Integration Best Practices".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connector.base.answers import envelope, listed, reading, token_of, unreadable
from connector.base.clock import Clock
from connector.base.errors import Refused
from connector.base.http import TAKEN, Judgement, Reaction, Session
from connector.base.json import Json, JsonMap, JsonObject
from connector.sources.pace import Pace

RENEW_BEFORE = 60  # seconds; the same token is given out until it ends, so a younger one may be as short-lived
MARKETO = "Marketo"
REQUESTS = 80, 20  # so many in so many seconds; the instance has 100, and others ask too
_LONGEST = 6000  # characters of parameters in an address; Marketo takes 8 KB, and escaping makes them longer

_SETTINGS = "check CONNECTOR_MARKETO_URL"
CREDENTIALS = "check CONNECTOR_MARKETO_CLIENT_ID and CONNECTOR_MARKETO_CLIENT_SECRET"
_ROLE = "give the API user's role Read-Only Lead and Read-Only Activity, and allow this address"

_AGAIN = Judgement(Reaction.AGAIN)
MARKETO_CODES: dict[str, Judgement] = {
    "500": _AGAIN, "502": _AGAIN, "604": _AGAIN, "608": _AGAIN, "611": _AGAIN, "613": _AGAIN, "614": _AGAIN,
    "713": _AGAIN,
    "719": _AGAIN,
    "600": Judgement(Reaction.RENEW, hint=CREDENTIALS),
    "601": Judgement(Reaction.RENEW, hint=CREDENTIALS),
    "602": Judgement(Reaction.RENEW, hint=CREDENTIALS),
    "603": Judgement(Reaction.REFUSE, hint=_ROLE),
    "606": Judgement(Reaction.AGAIN, wait=20),  # 100 calls in 20 seconds, shared by everything that uses the instance
    "607": Judgement(Reaction.LIMIT, hint="the instance's calls of the day are used up; they come back at midnight, US"
                     " Central time"),
    "610": Judgement(Reaction.REFUSE, hint=_SETTINGS),
    "615": Judgement(Reaction.AGAIN, wait=2),  # ten calls at once
}  # fmt: skip
EXPORT_QUOTA = Judgement(
    Reaction.LIMIT, hint="the day's megabytes of extracts are used up; they come back at midnight, US Central time"
)


def judge_marketo(status: int, body: Json) -> Judgement:
    """By the first error's code, a string; by the status where there is none, as in outages with HTML pages."""
    has_failed = isinstance(body, dict) and not body.get("success", True)
    if status < 300 and not has_failed:
        return TAKEN
    errors = body.get("errors") if has_failed else None
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    code = str(first.get("code") or "")
    message = str(first.get("message") or "")
    known = EXPORT_QUOTA if code == "1029" and "quota" in message.lower() else MARKETO_CODES.get(code)
    if known is None:
        passes = status >= 500 or status in {404, 408, 429}  # 404: an extract's file that is not there yet
        known = Judgement(Reaction.AGAIN if passes else Reaction.REFUSE, hint="" if passes or code else _SETTINGS)
    return Judgement(known.verdict, code, message, known.hint, known.wait)


def judge_sign_in(status: int, body: Json) -> Judgement:
    if status < 300:
        return TAKEN
    word = str(body.get("error") or "") if isinstance(body, dict) else ""
    if status >= 500 or status in {408, 429}:
        return Judgement(Reaction.AGAIN, word)
    return Judgement(Reaction.REFUSE, word, hint=_SETTINGS if status == 404 else CREDENTIALS)


class MarketoToken:
    """A :class:`connector.base.http.Token`. Marketo gives the same token until it ends, maybe two seconds before."""

    def __init__(self, url: str, client_id: str, client_secret: str, clock: Clock, ca_bundle: Path | None) -> None:
        self._url, self._clock = url, clock
        self._form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        self._session = Session("Marketo sign-in", judge_sign_in, clock, ca_bundle=ca_bundle)
        self._token = ""
        self._good_until: datetime | None = None

    def get(self) -> str:
        if self._good_until is None or self._clock.now() >= self._good_until:
            self._sign_in()
        return self._token

    def renew(self, stale: str) -> str:
        """A token that is not ``stale``: when the same one is handed out again, its last seconds are waited for."""
        if self._token == stale:
            left = self._sign_in()
            if self._token == stale and left <= RENEW_BEFORE:
                self._clock.sleep(left + 1)
                self._sign_in()
        return self._token

    def close(self) -> None:
        self._session.close()

    def _sign_in(self) -> float:
        """Returns how many seconds the token lives."""
        url = f"{self._url}/identity/oauth/token"
        body = envelope(self._session.request("POST", url, data=self._form, shape=dict), MARKETO)
        if not body.get("access_token"):
            raise Refused("Marketo's sign-in answer holds no access token", _SETTINGS)
        with reading("Marketo sign-in"):
            given = body.get("expires_in")
            left = float(given) if isinstance(given, int | float) else 0.0
            good = left - RENEW_BEFORE if left > RENEW_BEFORE else left
            good_until = self._clock.now() + timedelta(seconds=good)
            self._token, self._good_until = token_of(body), good_until
        return left


class MarketoApi:
    """Reads of one instance, counted. ``url`` is ``https://<munchkin>.mktorest.com``; a ``/rest`` behind it is cut."""

    def __init__(self, url: str, client_id: str, client_secret: str, clock: Clock, ca_bundle: Path | None) -> None:
        self._url = url.rstrip("/").removesuffix("/rest").removesuffix("/identity")
        self.calls: Counter[str] = Counter()
        self._pace = Pace(clock, *REQUESTS)
        self._token = MarketoToken(self._url, client_id, client_secret, clock, ca_bundle)
        self._session = Session(
            MARKETO, judge_marketo, clock, token=self._token, ca_bundle=ca_bundle, before=self._before
        )

    def get(self, path: str, kind: str, params: Mapping[str, str] | None = None) -> JsonObject:
        """The answer's envelope. ``path`` is below ``/rest/v1``. Long parameters travel in a form."""
        given = dict(params or {})
        url = f"{self._url}/rest/v1/{path}"
        if sum(len(each) for each in given.values()) > _LONGEST:
            response = self._session.request("POST", url, params={"_method": "GET"}, data=given, kind=kind)
        else:
            response = self._session.request("GET", url, params=given, kind=kind)
        return envelope(response, MARKETO)

    def rows(self, path: str, kind: str, params: Mapping[str, str] | None = None) -> list[Any]:
        """The answer's ``result``, which is left out when there is none."""
        return result_of(self.get(path, kind, params))

    def export(self, method: str, path: str, body: JsonMap | None = None) -> JsonObject:
        """The job of an answer about extracts of activities. Raises Transient for an answer without one."""
        url = f"{self._url}/bulk/v1/activities/export/{path}"
        result = listed(
            envelope(self._session.request(method, url, json=body, kind="export"), MARKETO), "result", MARKETO
        )
        if not result or not isinstance(result[0], dict) or not result[0].get("exportId"):
            raise unreadable(MARKETO)
        return result[0]

    def piece(self, job: str, first: int, last: int) -> bytes:
        """Bytes of an extract's file, both ends included."""
        url = f"{self._url}/bulk/v1/activities/export/{job}/file.json"
        headers = {"Range": f"bytes={first}-{last}", "Accept-Encoding": "identity"}
        response = self._session.request("GET", url, headers=headers, kind="export")
        return response.content if response.status_code == 206 else response.content[first : last + 1]

    def close(self) -> None:
        """Its connections only: a minute later they would be closed by the other side."""
        self._session.close()
        self._token.close()

    def _before(self, kind: str) -> None:
        """Counts a request; waits for its turn."""
        self.calls[kind] += 1
        self._pace.wait()


def result_of(body: JsonObject) -> list[Any]:
    return listed(body, "result", MARKETO, [])
