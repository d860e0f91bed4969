"""Signing in: JWT bearer, client credentials, or a given access token, and signing in again when a token is stale.

A token lives as long as the org's session time-out says and no answer names that time, so it is kept until the API
refuses it; then one thread signs in anew under a lock and all others take the new token. The token is shared with
Account Engagement, which takes the same one. It is never logged and is in no exception.
"""

from __future__ import annotations

import re
import threading
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlsplit

import jwt
import structlog

from connector.base.answers import reading, token_of
from connector.base.clock import Clock
from connector.base.errors import SIGN_IN, ConfigurationError, Refused
from connector.base.hiding import keep_hidden
from connector.base.http import Session
from connector.base.ids import id18
from connector.base.json import JsonObject
from connector.base.settings import Settings, SignIn
from connector.base.web import check_url, is_loopback
from connector.salesforce.errors import judge_token

JWT_LIFE = timedelta(minutes=3)  # Salesforce refuses assertions that expire later than that
CLOCK_BEARS = timedelta(minutes=1)  # a clock that is off by less is no reason for a refusal
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
log = structlog.get_logger(__name__)
_T = TypeVar("_T")
_TIMEOUT = (10.0, 30.0)  # seconds to connect, seconds to the answer: nothing is computed for it
LOGIN_HOSTS = frozenset({"login.salesforce.com", "test.salesforce.com"})


class Auth:
    """The sign-in of one org; a :class:`connector.base.http.Token`. Signs in when first asked for a token."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._flow = settings.sign_in()
        self._lock = threading.Lock()
        self._token = ""
        self._instance_url = ""
        self._org_id: str | None = None
        self._user_id: str | None = None
        self.clock_off = timedelta(0)  # what the server's clock has more than this machine's, where that mattered
        self._session = Session(SIGN_IN, judge_token, clock, ca_bundle=settings.ca_bundle)

    def get(self) -> str:
        with self._lock:
            if not self._token:
                self._sign_in()
            return self._token

    def renew(self, stale: str) -> str:
        """Signs in anew unless another thread already replaced ``stale``."""
        with self._lock:
            if self._token == stale:
                if self._flow is SignIn.ACCESS_TOKEN:
                    raise Refused(
                        f"{SIGN_IN}: it no longer takes the given access token",
                        "set a new CONNECTOR_SALESFORCE_ACCESS_TOKEN, or sign in by JWT bearer, which renews itself",
                        code="INVALID_SESSION_ID",
                    )
                self._sign_in()
            return self._token

    def instance_url(self) -> str:
        """Where the org's API lives, without a trailing slash."""
        self.get()
        return self._instance_url

    def org_id(self) -> str | None:
        """The org's 18 character id where the sign-in gives it away, else None."""
        self.get()
        return self._org_id

    def user_id(self) -> str | None:
        """The 18 character id of the user who signs in, where the answer gives it away, else None."""
        self.get()
        return self._user_id

    def close(self) -> None:
        self._session.close()

    def _sign_in(self) -> None:
        if self._flow is SignIn.ACCESS_TOKEN:
            self._token = _given(self._settings.salesforce_access_token, "ACCESS_TOKEN").get_secret_value()
            self._instance_url = _given(self._settings.salesforce_instance_url, "INSTANCE_URL").rstrip("/")
            self._org_id = org_of_token(self._token)
            return
        login_url = self._login_url()
        try:
            self._ask(login_url)
        except Refused as error:
            if error.code != "invalid_grant" or self._flow is not SignIn.JWT_BEARER or not self._is_clock_off():
                raise
            self._ask(login_url)

    def _ask(self, login_url: str) -> None:
        is_jwt, now = self._flow is SignIn.JWT_BEARER, self._clock.now() + self.clock_off
        form = jwt_form(self._settings, login_url, now) if is_jwt else client_credentials_form(self._settings)
        response = self._session.request(
            "POST", f"{login_url}/services/oauth2/token", data=form, timeout=_TIMEOUT, shape=dict
        )
        self._take(response.json())

    def _is_clock_off(self) -> bool:
        """Whether the server's clock says another time than this machine's; from now on assertions go by it."""
        off = self._session.clock_off or timedelta(0)
        if abs(off - self.clock_off) < CLOCK_BEARS:
            return False
        self.clock_off = off
        log.warning(
            "this machine's clock is off: signing in by the server's; set it right, or run NTP",
            seconds=round(abs(off.total_seconds())),
            clock="behind" if off > timedelta(0) else "ahead",
        )
        return True

    def _login_url(self) -> str:
        url = self._settings.salesforce_login_url
        if self._flow is SignIn.CLIENT_CREDENTIALS and urlsplit(url).hostname in LOGIN_HOSTS:
            url = self._settings.salesforce_instance_url or ""
            if not url:
                raise ConfigurationError(
                    "the client credentials flow needs the org's own address",
                    "set CONNECTOR_SALESFORCE_LOGIN_URL to https://<your My Domain>.my.salesforce.com",
                )
        return url.rstrip("/")

    def _take(self, answer: JsonObject) -> None:
        if not answer.get("access_token"):
            raise Refused(f"{SIGN_IN}: the answer holds no access token", "check CONNECTOR_SALESFORCE_LOGIN_URL")
        instance_url = answer.get("instance_url") or self._settings.salesforce_instance_url
        if not instance_url:
            raise Refused(f"{SIGN_IN}: the answer names no instance", "set CONNECTOR_SALESFORCE_INSTANCE_URL")
        with reading(SIGN_IN):
            token = token_of(answer)
        self._instance_url = check_url(str(instance_url), f"{SIGN_IN}: the instance_url of the answer").rstrip("/")
        self._token = token
        identity = str(answer.get("id") or "")
        self._org_id = org_of_identity(identity) or org_of_token(self._token)
        self._user_id = user_of_identity(identity)


def audience(login_url: str) -> str:
    """The ``aud`` of an assertion. Salesforce wants one of its two login hosts whatever My Domain is used; an
    address of this machine (the practice org) stands for the production host."""
    host = urlsplit(login_url).hostname or ""
    is_sandbox = host == "test.salesforce.com" or ".sandbox." in host
    if host.endswith(".salesforce.com") or is_loopback(login_url):
        return "https://test.salesforce.com" if is_sandbox else "https://login.salesforce.com"
    return login_url.rstrip("/")  # an Experience Cloud site


def jwt_form(settings: Settings, login_url: str, now: datetime) -> dict[str, str]:
    """The form of the JWT bearer flow. Raises ConfigurationError for a key that cannot be read or used."""
    path = _given(settings.salesforce_private_key_file, "PRIVATE_KEY_FILE")
    variable = "CONNECTOR_SALESFORCE_PRIVATE_KEY_FILE"
    try:
        key = path.read_text("ascii")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the private key {path} cannot be read: {type(error).__name__}", f"check {variable}"
        ) from None
    claims = {
        "iss": settings.salesforce_client_id,
        "sub": settings.salesforce_username,
        "aud": audience(login_url),
        "exp": int((now + JWT_LIFE).timestamp()),
    }
    try:
        assertion = jwt.encode(claims, key, algorithm="RS256")
    except (jwt.PyJWTError, ValueError, TypeError):
        raise ConfigurationError(
            f"the private key {path} is not an RSA key in PEM form without a passphrase", f"check {variable}"
        ) from None
    keep_hidden([assertion])
    return {"grant_type": JWT_GRANT, "assertion": assertion}


def client_credentials_form(settings: Settings) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_id": _given(settings.salesforce_client_id, "CLIENT_ID"),
        "client_secret": _given(settings.salesforce_client_secret, "CLIENT_SECRET").get_secret_value(),
    }


def _given(value: _T | None, variable: str) -> _T:
    if value is None:
        raise ConfigurationError(f"CONNECTOR_SALESFORCE_{variable} is not set", "set it")
    return value


def org_of_token(token: str) -> str | None:
    """Access tokens begin with the org's 15 character id and an exclamation mark."""
    head, mark, _ = token.partition("!")
    return id18(head) if mark and head.startswith("00D") else None


def user_of_identity(url: str) -> str | None:
    found = re.search(r"/id/00D\w{12,15}/(005\w{12}(?:\w{3})?)$", url)
    return id18(found.group(1)) if found else None


def org_of_identity(url: str) -> str | None:
    """``https://login.salesforce.com/id/<org>/<user>``"""
    found = re.search(r"/id/(00D\w{12}(?:\w{3})?)/", url)
    return id18(found.group(1)) if found else None
