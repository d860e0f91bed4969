"""Signing in, and signing in again, without ever showing a secret."""

from __future__ import annotations

import threading
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from structlog.testing import capture_logs

from connector.base.clock import FrozenClock
from connector.base.errors import ConfigurationError, Refused
from connector.base.settings import Settings
from connector.salesforce.auth import Auth, audience, org_of_identity, org_of_token
from tests.salesforce.http_player import Asked, Player, Reply

SECRET = "the-client-secret"
FIRST = "00DXX0000000001!first"


def settings(player: Player, **more: Any) -> Settings:
    known = {"salesforce_login_url": player.url, "salesforce_client_id": "the-consumer-key"}
    return Settings(**{**known, **more})


def answer(player: Player, token: str = FIRST) -> Reply:
    identity = "https://login.salesforce.com/id/00DXX00000000012AA/005XX0000000001YAA"
    return Reply({"access_token": token, "instance_url": player.url, "id": identity})


def form(asked: Asked) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(asked.body.decode()).items()}


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def key_file(key: rsa.RSAPrivateKey, tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def test_the_jwt_flow_sends_a_signed_assertion(
    player: Player, clock: FrozenClock, key: rsa.RSAPrivateKey, key_file: Path
) -> None:
    player.play(answer(player))
    auth = Auth(settings(player, salesforce_username="u@example.com", salesforce_private_key_file=key_file), clock)
    assert auth.get() == "00DXX0000000001!first"
    assert auth.instance_url() == player.url
    assert auth.org_id() == "00DXX00000000012AA"
    [asked] = player.asked
    assert asked.path == "/services/oauth2/token"
    sent = form(asked)
    assert sent["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(
        sent["assertion"], key.public_key(), ["RS256"], options={"verify_exp": False, "verify_aud": False}
    )
    assert claims == {
        "iss": "the-consumer-key",
        "sub": "u@example.com",
        "aud": "https://login.salesforce.com",
        "exp": int(clock.now().timestamp()) + 180,
    }
    auth.close()


def test_the_client_credentials_flow_sends_id_and_secret(player: Player, clock: FrozenClock) -> None:
    player.play(answer(player))
    auth = Auth(settings(player, salesforce_client_secret=SECRET), clock)
    auth.get()
    assert form(player.asked[0]) == {
        "grant_type": "client_credentials",
        "client_id": "the-consumer-key",
        "client_secret": SECRET,
    }
    assert "Authorization" not in player.asked[0].headers
    auth.close()


def test_the_client_credentials_flow_needs_the_orgs_own_address(player: Player, clock: FrozenClock) -> None:
    login = "https://login.salesforce.com"
    auth = Auth(settings(player, salesforce_client_secret=SECRET, salesforce_login_url=login), clock)
    with pytest.raises(ConfigurationError, match="own address"):
        auth.get()
    auth.close()


def test_a_given_token_is_used_as_it_is_and_cannot_be_renewed(player: Player, clock: FrozenClock) -> None:
    given = settings(player, salesforce_access_token="00DXX0000000001!given", salesforce_instance_url=player.url + "/")
    auth = Auth(given, clock)
    assert (auth.get(), auth.instance_url()) == ("00DXX0000000001!given", player.url)
    assert auth.org_id() == "00DXX00000000012AA"
    with pytest.raises(Refused, match="no longer takes") as caught:
        auth.renew("00DXX0000000001!given")
    assert "given" not in str(caught.value).replace("the given", "")
    assert player.asked == []
    auth.close()


def test_many_threads_with_a_stale_token_sign_in_once(player: Player, clock: FrozenClock) -> None:
    player.play(answer(player), answer(player, "second"))
    auth = Auth(settings(player, salesforce_client_secret=SECRET), clock)
    stale = auth.get()
    fresh: list[str] = []
    threads = [threading.Thread(target=lambda: fresh.append(auth.renew(stale))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fresh == ["second"] * 8
    assert len(player.asked) == 2
    auth.close()


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        ({"error": "invalid_client", "error_description": "invalid client credentials"}, "CLIENT_SECRET"),
        ({"error": "invalid_client_id", "error_description": "client identifier invalid"}, "CLIENT_ID"),
        ({"error": "rate_limit_exceeded"}, "wait"),
    ],
)
def test_a_refused_sign_in_says_what_to_try_and_no_secret(
    player: Player, clock: FrozenClock, capsys: pytest.CaptureFixture[str], error: Any, hint: str
) -> None:
    player.play(Reply(error, status=400))
    auth = Auth(settings(player, salesforce_client_secret=SECRET), clock)
    with pytest.raises(Refused) as caught:
        auth.get()
    assert hint in caught.value.hint
    assert len(player.asked) == 1
    printed = capsys.readouterr()
    assert SECRET not in f"{caught.value!r} {caught.value} {caught.value.__context__} {printed.out} {printed.err}"
    auth.close()


def test_two_sign_ins_at_once_wait_for_each_other(player: Player, clock: FrozenClock) -> None:
    busy = {"error": "invalid_grant", "error_description": "token request is already being processed"}
    player.play(Reply(busy, status=400), answer(player))
    auth = Auth(settings(player, salesforce_client_secret=SECRET), clock)
    assert auth.get() == "00DXX0000000001!first"
    auth.close()


@pytest.mark.parametrize(
    "body", [{}, {"access_token": "x"}, {"access_token": "x", "instance_url": "http://far.example"}]
)
def test_a_sign_in_answer_that_is_none_is_refused(player: Player, clock: FrozenClock, body: Any) -> None:
    player.play(Reply(body))
    auth = Auth(settings(player, salesforce_client_secret=SECRET), clock)
    with pytest.raises((Refused, ConfigurationError)):
        auth.get()
    auth.close()


@pytest.mark.parametrize("content", [b"", b"no key", b"\xff"])
def test_a_private_key_that_is_none_is_named(
    player: Player, clock: FrozenClock, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    auth = Auth(settings(player, salesforce_username="u", salesforce_private_key_file=path), clock)
    with pytest.raises(ConfigurationError, match=r"key\.pem") as caught:
        auth.get()
    assert "CONNECTOR_SALESFORCE_PRIVATE_KEY_FILE" in caught.value.hint
    auth.close()


@pytest.mark.parametrize(
    ("login_url", "wanted"),
    [
        ("https://login.salesforce.com", "https://login.salesforce.com"),
        ("https://test.salesforce.com/", "https://test.salesforce.com"),
        ("https://acme.my.salesforce.com", "https://login.salesforce.com"),
        ("https://acme--dev.sandbox.my.salesforce.com", "https://test.salesforce.com"),
        ("http://127.0.0.1:8080", "https://login.salesforce.com"),
        ("https://people.example.com/site/", "https://people.example.com/site"),
    ],
)
def test_the_audience_follows_from_the_login_address(login_url: str, wanted: str) -> None:
    assert audience(login_url) == wanted


def test_the_org_is_known_from_the_token_or_the_identity() -> None:
    assert org_of_token("00DXX0000000001!rest") == "00DXX00000000012AA"
    assert org_of_token("something") is None
    assert org_of_identity("https://x/id/00DXX00000000012AA/005XX0000000001YAA") == "00DXX00000000012AA"
    assert org_of_identity("https://x/id/") is None


@pytest.mark.parametrize(("off", "way"), [(240, "behind"), (-240, "ahead")])
def test_a_clock_that_is_off_by_minutes_signs_in_by_the_servers_and_says_so(
    player: Player, clock: FrozenClock, key: rsa.RSAPrivateKey, key_file: Path, off: int, way: str
) -> None:
    theirs = clock.now() + timedelta(seconds=off)
    date = {"Date": format_datetime(theirs, usegmt=True)}
    refused = Reply({"error": "invalid_grant", "error_description": "expired authorization code"}, 400, date)
    player.play(refused, answer(player))
    auth = Auth(settings(player, salesforce_username="u@example.com", salesforce_private_key_file=key_file), clock)
    with capture_logs() as logs:
        assert auth.get() == FIRST
    options: Any = {"verify_exp": False, "verify_aud": False}
    sent = jwt.decode(form(player.asked[1])["assertion"], key.public_key(), ["RS256"], options=options)
    assert sent["exp"] == int(theirs.timestamp()) + 180
    [said] = logs
    assert (said["seconds"], said["clock"]) == (240, way)
    auth.close()


def test_a_sign_in_that_is_refused_for_another_reason_is_asked_once(
    player: Player, clock: FrozenClock, key_file: Path
) -> None:
    date = {"Date": format_datetime(clock.now(), usegmt=True)}
    player.play(Reply({"error": "invalid_grant", "error_description": "user hasn't approved"}, 400, date))
    auth = Auth(settings(player, salesforce_username="u@example.com", salesforce_private_key_file=key_file), clock)
    with pytest.raises(Refused, match="approved"):
        auth.get()
    assert len(player.asked) == 1
    auth.close()
