"""Signing in to the practice org, and the real refusals."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from connector.base.clock import FrozenClock
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def ask(server: Server, headers: Any = None, **form: str) -> requests.Response:
    return requests.post(f"{server.url}/services/oauth2/token", data=form, headers=headers, timeout=10)


def refusal(answer: requests.Response) -> tuple[str, str]:
    assert answer.status_code == 400
    return answer.json()["error"], answer.json()["error_description"]


def assertion(org: PracticeOrg, key: Any = None, **changes: Any) -> str:
    credentials = org.credentials
    claims: dict[str, Any] = {
        "iss": credentials.client_id,
        "sub": credentials.username,
        "aud": "https://login.salesforce.com",
    }
    claims |= {"exp": int((org.clock.now() + timedelta(minutes=3)).timestamp()), **changes}
    return jwt.encode(claims, key or credentials.private_key_file.read_bytes(), algorithm="RS256")


def test_a_signed_assertion_is_answered_without_a_refresh_token(server: Server, org: PracticeOrg) -> None:
    answer = ask(server, grant_type=GRANT, assertion=assertion(org))
    body = answer.json()
    assert set(body) == {"access_token", "scope", "instance_url", "id", "token_type"}
    assert body["instance_url"] == server.url
    assert answer.headers["Cache-Control"] == "no-store"
    assert org.accepts(body["access_token"])
    who = requests.get(body["id"], headers={"Authorization": f"Bearer {body['access_token']}"}, timeout=10).json()
    assert (who["organization_id"], who["username"]) == (org.organization_id, org.credentials.username)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"iss": "someone"}, ("invalid_client_id", "client identifier invalid")),
        ({"sub": "nobody@example.com"}, ("invalid_grant", "user hasn't approved this consumer")),
        ({"aud": "https://elsewhere.example"}, ("invalid_grant", "audience is invalid")),
        ({"exp": 0}, ("invalid_grant", "expired authorization code")),
        ({"exp": 4102444800}, ("invalid_grant", "expired authorization code")),
    ],
)
def test_a_wrong_claim_is_refused(server: Server, org: PracticeOrg, changes: dict[str, Any], wanted: Any) -> None:
    assert refusal(ask(server, grant_type=GRANT, assertion=assertion(org, **changes))) == wanted


def test_another_key_is_refused(server: Server, org: PracticeOrg) -> None:
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for text in (assertion(org, foreign), "nonsense"):
        assert refusal(ask(server, grant_type=GRANT, assertion=text)) == ("invalid_grant", "expired authorization code")


def test_client_credentials_come_in_the_body_or_by_basic(server: Server, org: PracticeOrg) -> None:
    key, secret = org.credentials.client_id, org.credentials.client_secret
    basic = {"Authorization": "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()}
    for answer in (
        ask(server, grant_type="client_credentials", client_id=key, client_secret=secret),
        ask(server, basic, grant_type="client_credentials"),
    ):
        assert {"access_token", "instance_url", "signature", "issued_at"} <= set(answer.json())


def test_client_credentials_are_refused_for_a_reason(server: Server, org: PracticeOrg) -> None:
    key, secret = org.credentials.client_id, org.credentials.client_secret
    form = {"grant_type": "client_credentials", "client_id": key, "client_secret": secret}
    assert refusal(ask(server, **{**form, "client_secret": "no"})) == ("invalid_client", "invalid client credentials")
    assert refusal(ask(server, **{**form, "client_id": "no"})) == ("invalid_client_id", "client identifier invalid")
    login = ask(server, {"Host": "login.salesforce.com"}, **form)
    assert refusal(login) == ("invalid_grant", "request not supported on this domain")
    org.credentials.run_as_user = False
    assert refusal(ask(server, **form)) == ("invalid_grant", "no client credentials user enabled")
    assert refusal(ask(server, grant_type="password")) == ("invalid_grant", "authentication failure")
    assert refusal(ask(server, grant_type="magic"))[0] == "unsupported_grant_type"


def test_a_refresh_token_is_good_again_and_again(server: Server, org: PracticeOrg) -> None:
    credentials = org.credentials
    form = {
        "grant_type": "refresh_token",
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret,
    }
    for _ in range(2):
        body = ask(server, **form, refresh_token=credentials.refresh_token).json()
        assert "refresh_token" not in body
    assert refusal(ask(server, **form, refresh_token="no")) == ("invalid_grant", "expired access/refresh token")
    org.faults.on("refresh_busy", times=1)
    busy = ask(server, **form, refresh_token=credentials.refresh_token)
    assert refusal(busy) == ("invalid_grant", "token request is already being processed")


def test_a_rotated_refresh_token_used_twice_ends_the_grant(server: Server, org: PracticeOrg) -> None:
    credentials = org.credentials
    credentials.rotate_refresh_tokens = True
    form = {
        "grant_type": "refresh_token",
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret,
    }
    first = credentials.refresh_token
    second = ask(server, **form, refresh_token=first).json()["refresh_token"]
    assert ask(server, **form, refresh_token=second).status_code == 200
    assert refusal(ask(server, **form, refresh_token=first))[0] == "invalid_grant"
    assert refusal(ask(server, **form, refresh_token=credentials.refresh_token or second))[0] == "invalid_grant"


def test_a_login_host_answers_with_the_instance(server: Server, org: PracticeOrg, clock: FrozenClock) -> None:
    answer = ask(server, {"Host": "login.salesforce.com"}, grant_type=GRANT, assertion=assertion(org))
    assert answer.json()["instance_url"] == server.url
