"""Which credentials an org takes, and which tokens hold: JWT bearer, client credentials, refresh token."""

from __future__ import annotations

import base64
import secrets
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import jwt
import jwt.types
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from practice_org.clock import Clock

_LOGIN_HOSTS = ("login.salesforce.com", "test.salesforce.com")
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_UNCHECKED: jwt.types.Options = {"verify_exp": False, "verify_aud": False, "verify_iat": False, "verify_nbf": False}
_LONGEST_ASSERTION = timedelta(minutes=5)
_SKEW = timedelta(seconds=30)  # clients' clocks; Salesforce's own tools ask for less than a second of life
_MILLISECONDS = 1e11  # as seconds, the year 5138


def _seconds(expires: Any) -> float:
    """``exp`` as clients send it: seconds, as a number or as text, or milliseconds. 0 for what is no time."""
    if isinstance(expires, bool):
        return 0
    try:
        found = float(expires)
    except (TypeError, ValueError):
        return 0
    return found / 1000 if found > _MILLISECONDS else found


class Refused(Exception):
    """An OAuth error: a 400 with ``error`` and ``error_description``."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error, self.description = error, description


class Credentials:
    """What a client needs to sign in; all of it made when the org was opened. ``access_token`` is good at once."""

    def __init__(self, organization_id: str, user_id: str, username: str, clock: Clock) -> None:
        self.organization_id = organization_id
        self.user_id = user_id
        self.username = username
        self.client_id = "3MVG9" + secrets.token_urlsafe(48)
        self.client_secret = secrets.token_hex(32)
        self.refresh_token = self._new_refresh()
        self.rotate_refresh_tokens = False
        self.preauthorised = True
        self.run_as_user = True  # the user that client credentials run as is set
        self.session = timedelta(hours=2)  # each request extends it
        self._clock = clock
        self._tokens: dict[str, datetime] = {}
        self._spent: set[str] = set()
        self.access_token = self.issue()

    @staticmethod
    def _new_refresh() -> str:
        return "5Aep861" + secrets.token_urlsafe(48)

    def issue(self) -> str:
        """A new access token."""
        token = f"{self.organization_id[:15]}!AQ{secrets.token_urlsafe(60)}"
        self._tokens[token] = self._clock.now()
        return token

    def accepts(self, token: str) -> bool:
        used = self._tokens.get(token)
        now = self._clock.now()
        if used is None or now - used > self.session:
            self._tokens.pop(token, None)
            return False
        self._tokens[token] = now
        return True

    def expire(self) -> None:
        """Ends every session, as an admin may."""
        self._tokens.clear()

    def revoke(self, token: str) -> bool:
        """Ends a session, or with the refresh token all of them; whether there was such a token."""
        if token and token == self.refresh_token:
            self.refresh_token = ""
            self.expire()
            return True
        return self._tokens.pop(token, None) is not None

    def introspect(self, form: Mapping[str, str], authorization: str, url: str) -> dict[str, Any]:
        """What the org says of a token to the app it was given to; asking does not extend the session. Raises
        :class:`Refused`."""
        self._check_client(form, authorization)
        token = form.get("token", "")
        used = self._tokens.get(token)
        known = {"active": True, "scope": "api", "client_id": self.client_id, "username": self.username,
                 "sub": f"{url}/id/{self.organization_id}/{self.user_id}"}  # fmt: skip
        if used is not None and self._clock.now() - used <= self.session:
            since, until = int(used.timestamp()), int((used + self.session).timestamp())
            return {**known, "token_type": "access_token", "exp": until, "iat": since, "nbf": since}
        return {**known, "token_type": "refresh_token"} if token and token == self.refresh_token else {"active": False}

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @cached_property
    def private_key_file(self) -> Path:
        """PEM of the key whose certificate the connected app knows; gone when this object is."""
        folder = tempfile.mkdtemp(prefix="practice-org-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        path = Path(folder) / "private.pem"
        path.touch(mode=0o600)
        path.write_bytes(
            self._key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return path

    # -- grants ------------------------------------------------------------------------------------------------------

    def grant(self, form: Mapping[str, str], authorization: str, host: str, url: str) -> dict[str, Any]:
        """The answer to a token request. Raises :class:`Refused`."""
        kind = form.get("grant_type", "")
        if kind == _JWT_GRANT:
            self._check_assertion(form.get("assertion", ""), url)
            return self._answer(url)
        if kind == "client_credentials":
            self._check_client(form, authorization)
            if host in _LOGIN_HOSTS:
                raise Refused("invalid_grant", "request not supported on this domain")
            if not self.run_as_user:
                raise Refused("invalid_grant", "no client credentials user enabled")
            return {**self._answer(url), **self._signed()}
        if kind == "refresh_token":
            return self._refresh(form, authorization, url)
        if kind == "password":
            raise Refused("invalid_grant", "authentication failure")
        raise Refused("unsupported_grant_type", "grant type not supported")

    def _answer(self, url: str) -> dict[str, Any]:
        identity = f"{url}/id/{self.organization_id}/{self.user_id}"
        return {"access_token": self.issue(), "scope": "api", "instance_url": url, "id": identity,
                "token_type": "Bearer"}  # fmt: skip

    def _signed(self) -> dict[str, str]:
        issued = str(int(self._clock.now().timestamp() * 1000))
        return {"issued_at": issued, "signature": base64.b64encode(secrets.token_bytes(32)).decode()}

    def _check_client(self, form: Mapping[str, str], authorization: str) -> None:
        given = form.get("client_id", ""), form.get("client_secret", "")
        if authorization.lower().startswith("basic "):
            try:
                text = base64.b64decode(authorization[6:], validate=True).decode()
            except ValueError:
                raise Refused("invalid_client", "invalid client credentials") from None
            given = (text.partition(":")[0], text.partition(":")[2])
        if given[0] != self.client_id:
            raise Refused("invalid_client_id", "client identifier invalid")
        if not secrets.compare_digest(given[1], self.client_secret):
            raise Refused("invalid_client", "invalid client credentials")

    def _check_assertion(self, assertion: str, url: str) -> None:
        try:
            claims = jwt.decode(assertion, self._key.public_key(), algorithms=["RS256"], options=_UNCHECKED)
        except jwt.PyJWTError:
            raise Refused("invalid_grant", "expired authorization code") from None
        now = self._clock.now().timestamp()
        expires = _seconds(claims.get("exp"))
        if claims.get("iss") != self.client_id:
            raise Refused("invalid_client_id", "client identifier invalid")
        if str(claims.get("aud")).rstrip("/") not in (*(f"https://{host}" for host in _LOGIN_HOSTS), url):
            raise Refused("invalid_grant", "audience is invalid")
        if not now - _SKEW.total_seconds() < expires <= now + _LONGEST_ASSERTION.total_seconds():
            raise Refused("invalid_grant", "expired authorization code")
        if claims.get("sub") != self.username or not self.preauthorised:
            raise Refused("invalid_grant", "user hasn't approved this consumer")

    def _refresh(self, form: Mapping[str, str], authorization: str, url: str) -> dict[str, Any]:
        self._check_client(form, authorization)
        given = form.get("refresh_token", "")
        if given in self._spent:  # somebody else holds a copy: the whole grant ends
            self.refresh_token = ""
        if not given or given != self.refresh_token:
            raise Refused("invalid_grant", "expired access/refresh token")
        answer = {**self._answer(url), **self._signed()}
        if self.rotate_refresh_tokens:
            self._spent.add(given)
            self.refresh_token = answer["refresh_token"] = self._new_refresh()
        return answer
