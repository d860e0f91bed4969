"""Each secret that a setting can hold is a canary; every command is run, well and badly; nothing that is printed,
logged or kept has one."""

from __future__ import annotations

import base64
import json
import re
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from connector import cli
from connector.base import settings
from connector.base.clock import SystemClock
from tests.e2e.conftest import serving
from tests.e2e.kept import files_in
from tests.e2e.shell import Shell
from tests.e2e.test_daemon_process import lines_until
from tests.e2e.test_practice_command import started

KEY = base64.b64encode(b"canary of a webhook key!").decode()
PG = "postgresql+psycopg"
GIVEN = {  # every setting that holds a secret, and what is looked for
    "salesforce_access_token": ("00D000000000001!canary.access.token", "canary.access.token"),
    "salesforce_client_secret": ("canary+client/secret=1", "canary+client/secret=1"),
    "marketo_client_secret": ("canary-of-marketo", "canary-of-marketo"),
    "hubspot_token": ("pat-na1-canary-of-hubspot", "canary-of-hubspot"),
    "warehouse_url": (
        "postgresql+psycopg://u:canary%2Fpw@127.0.0.1:9/x?sslpassword=canary-ssl",
        "canary%2Fpw|canary-ssl",
    ),
    "webhook_secret": (f"tool:whsec_{KEY}", KEY),
    "webhook_token": ("canary-of-webhook-token", "canary-of-webhook-token"),
    "alert_webhook_url": ("{echo}/services/canary-of-alerts?key=canary-query", "canary-of-alerts|canary-query"),
    "alert_webhook_secret": (f"whsec_{KEY}", KEY),
    "alerts": ("json://127.0.0.1:9/canary-of-apprise", "canary-of-apprise"),
    "ping_url": ("{echo}/canary-of-the-ping", "canary-of-the-ping"),
    "http_token": ("canary-of-the-page-token", "canary-of-the-page-token"),
    "state": (f"{PG}://u:canary-state@127.0.0.1:9/x?password=canary-state-2", "canary-state"),
}
PROXY, TAP, PRIVATE = "canary-of-proxy", "canary-of-a-tap", "canary-of-a-private-key"
LOOKED_FOR = {"a;1;a", "b;2;b", *(one for _, each in GIVEN.values() for one in each.split("|")), PROXY, TAP, PRIVATE}
ASKING = (("check",), ("check", "--sources"), ("sync", "--json"))  # who go over the net, quickly
LATER = (("setup", "--deploy", "--yes"), ("backfill",), ("reconcile",), ("sync", "--dry-run"))
LOOKING = (
    *(("status",), ("status", "--json"), ("status", "--max-age", "9"), ("source", "hubspot"), ("source", "tap-x")),
    *(("failures", "list"), ("failures", "retry"), ("failures", "export", "f.csv"), ("retry",), ("plan",)),
    *(("explain", "a@example.com"), ("backup", "made/copy.sqlite3"), ("report",), ("report", "--html", "made/p.html")),
    *(("export", "--all", "--out", "made"), ("rollback", "1"), ("approve",), ("forget", "a@example.com"), ("init",)),
    *(("setup", "--out", "made/org"), ("report", "--csv", "made/r.csv")),
)
OTHERWISE = {"demo", "practice", "run"}  # the first two have secrets of their own; the daemon has a test of its own


class Echo:
    """Answers everything with ``status``, and with all that it was sent, in the words of each service."""

    def __init__(self) -> None:
        self.status, self.to, self.asked = 401, "", 0
        echo = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                echo.asked += 1
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("latin-1")
                sent = f"{self.path} {body} {' '.join(self.headers.values())}"
                errors = [{"code": "610", "message": sent}]
                told = {
                    **{"errorCode": "X_ECHO", "message": sent, "error": "invalid_client", "error_description": sent},
                    **{"status": "error", "category": sent, "success": False, "errors": errors, "code": 7},
                }
                content = json.dumps(told).encode()
                self.send_response(echo.status)
                for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(content)))):
                    self.send_header(name, value)
                if echo.to:
                    self.send_header("Location", f"{echo.to}{self.path}")
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_CONNECT = answer

            def log_message(self, *_args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def echo():
    made = Echo()
    yield made
    made.close()


@pytest.fixture
def quick(monkeypatch):
    """Nothing waits to ask again."""
    monkeypatch.setattr(SystemClock, "sleep", lambda _self, _seconds: None)


def environment(echo: Echo, folder: Path, *names: str, **others: str) -> dict[str, str]:
    """Those of the secrets, and all that makes them be used."""
    inputs = folder / "given"
    inputs.mkdir(exist_ok=True)
    (inputs / "query.sql").write_text("SELECT 1")
    (inputs / "tap.json").write_text(json.dumps({"password": TAP}))
    says = "import sys; sys.exit(open(sys.argv[2]).read())"
    command = json.dumps([sys.executable, "-c", says])
    (inputs / "taps.yaml").write_text(
        f"tap-x: {{command: {command}, config: tap.json, streams: {{a: {{type: call}}}}}}\n"
    )
    (inputs / "key.pem").write_text(f"-----BEGIN PRIVATE KEY-----\n{PRIVATE}\n")
    used = {settings.variable_of(name): GIVEN[name][0].format(echo=echo.url) for name in names}
    return {
        **used,
        "CONNECTOR_STATE": str(folder / "made" / "state.sqlite3"),
        "CONNECTOR_MARKETO_URL": echo.url,
        "CONNECTOR_MARKETO_CLIENT_ID": "id",
        "CONNECTOR_HUBSPOT_URL": echo.url,
        "CONNECTOR_WAREHOUSE_QUERY_FILE": str(inputs / "query.sql"),
        "CONNECTOR_TAPS_FILE": str(inputs / "taps.yaml"),
        "CONNECTOR_TAPS_QUARANTINE": str(folder / "made" / "quarantine"),
        "CONNECTOR_WEBHOOK_INBOX": str(folder / "made" / "inbox.sqlite3"),
        "HTTPS_PROXY": f"http://u:{PROXY}@127.0.0.1:9",
        **others,
    }


BESIDE = tuple(sorted(GIVEN.keys() - {"salesforce_access_token", "salesforce_client_secret", "state"}))


def found_in(text: str | bytes, secrets: set[str]) -> set[str]:
    raw = text if isinstance(text, bytes) else text.encode()
    forms = {one: (one, quote(one, safe=""), json.dumps(one)[1:-1]) for one in secrets}
    return {one for one, written in forms.items() if any(each.encode() in raw for each in written)}


def kept_in(folder: Path, secrets: set[str]) -> dict[str, set[str]]:
    kept = [(name, found_in(said, secrets)) for name, said in files_in(folder)]
    return {name: found for name, found in kept if found}


def run(shell: Shell, words: tuple[str, ...], secrets: set[str] = LOOKED_FOR, **variables: str) -> str:
    done = shell(*words, **variables)
    said = done.stdout + done.stderr
    assert found_in(said, secrets) == set(), (words, said)
    assert "unexpected" not in done.stderr, (words, said)
    assert "Traceback" not in said
    return said


def test_every_secret_is_a_canary_and_every_command_is_run():
    assert GIVEN.keys() == set(settings.secrets())
    assert {words[0] for words in (*ASKING, *LATER, *LOOKING)} == {*cli.commands(), "retry"} - OTHERWISE


@pytest.mark.parametrize("status", [401, 403, 500, 302])
def test_a_service_that_says_all_back_and_sends_us_elsewhere_gets_no_secret_shown(shell, echo, quick, tmp_path, status):
    thief, echo.status = Echo(), status
    echo.to = thief.url if status == 302 else ""
    how = {"CONNECTOR_LOG_FORMAT": "json" if status in {403, 302} else "console", "CONNECTOR_LOG_LEVEL": "DEBUG"}
    signing_in = {"CONNECTOR_SALESFORCE_LOGIN_URL": echo.url, "CONNECTOR_SALESFORCE_CLIENT_ID": "id"}
    signed_in = {"CONNECTOR_SALESFORCE_INSTANCE_URL": echo.url}
    for name, more in (("salesforce_client_secret", signing_in), ("salesforce_access_token", signed_in)):
        shell.env = environment(echo, tmp_path, name, *BESIDE, **more, **how)
        said = [run(shell, words) for words in (*ASKING, *(LATER if status == 401 else ()))]
        assert "X_ECHO" in "".join(said) or "invalid_client" in "".join(said)
    assert echo.asked > 3
    assert thief.asked == 0
    thief.close()
    (tmp_path / "made").mkdir(exist_ok=True)
    assert kept_in(tmp_path / "made", LOOKED_FOR) == {}


def test_with_the_right_secrets_of_the_org_and_sources_that_fail_nothing_has_one(shell, echo, quick, tmp_path):
    with serving(tmp_path) as site:
        site.contacts(2, Email="a@example.com")
        theirs = site.practice.credentials()
        secrets = LOOKED_FOR | {theirs["client_secret"], theirs["access_token"]}
        shell.env = {
            **environment(echo, tmp_path, *BESIDE),
            "CONNECTOR_SALESFORCE_LOGIN_URL": site.practice.url,
            "CONNECTOR_SALESFORCE_CLIENT_ID": theirs["client_id"],
            "CONNECTOR_SALESFORCE_CLIENT_SECRET": theirs["client_secret"],
            "CONNECTOR_WEBHOOK_PORT": "0",
        }
        for number, words in enumerate((*LATER, *ASKING, *LOOKING)):
            said = run(shell, words, secrets, CONNECTOR_LOG_FORMAT=("console", "json")[number % 2])
            assert "Salesforce sign-in" not in said, said
        told = json.loads(run(shell, ("status", "--json"), secrets))
        assert {"hubspot", "marketo", "warehouse", "tap-x"} <= told["failing_sources"].keys()
        issued = set(site.org.credentials._tokens)
        assert len(issued) > 3
        assert kept_in(tmp_path / "made", secrets | issued) == {}


@pytest.mark.parametrize(
    "given",
    [
        {"CONNECTOR_SALESFORCE_LOGIN_URL": "https://nowhere.invalid"},  # by a proxy that is away
        {"CONNECTOR_SALESFORCE_LOGIN_URL": "https://nowhere.invalid", "HTTPS_PROXY": "http://u:{proxy}@{echo}"},
        {"CONNECTOR_SALESFORCE_LOGIN_URL": "https://nowhere.invalid", "HTTPS_PROXY": ""},
        {"CONNECTOR_SALESFORCE_LOGIN_URL": "http://127.0.0.1:9"},
        {"CONNECTOR_SALESFORCE_LOGIN_URL": "https://u:{proxy}@127.0.0.1:9"},
        {"CONNECTOR_SALESFORCE_LOGIN_URL": "https://127.0.0.1:9/?password={proxy}"},
        {"CONNECTOR_SALESFORCE_CLIENT_SECRET": "", "CONNECTOR_SALESFORCE_PRIVATE_KEY_FILE": "given/key.pem",
         "CONNECTOR_SALESFORCE_USERNAME": "u"},
        {"CONNECTOR_STATE": GIVEN["state"][0]},
        {"CONNECTOR_STATE": "nonsense+x://u:canary-state@[::1/x"},
        {"CONNECTOR_STATE": f"{PG}://u:a;1;a@127.0.0.1:9/x?password=b;2;b"},  # too short to be looked for
        {"CONNECTOR_WAREHOUSE_URL": "nonsense+x://u:canary-ssl@[::1/x"},
        {"CONNECTOR_ALERT_WEBHOOK_URL": "http://example.com/canary-of-alerts"},
        {"CONNECTOR_PING_URL": "https://u:canary-of-the-ping@example.com"},
        {"CONNECTOR_INTERVAL": "canary-of-proxy"},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_reached_or_used_is_told_without_its_secrets(shell, echo, quick, tmp_path, given):
    names = ("salesforce_client_secret", *BESIDE)
    echo.status = 407
    given = {name: value.format(proxy=PROXY, echo=echo.url[7:]) for name, value in given.items()}
    shell.env = environment(echo, tmp_path, *names, CONNECTOR_SALESFORCE_CLIENT_ID="id") | given
    for words in (("sync",), ("status", "--json"), ("check", "--sources")):
        run(shell, words)
    (tmp_path / "made").mkdir(exist_ok=True)
    assert kept_in(tmp_path / "made", LOOKED_FOR) == {}


def once_computed(url, token):
    """A page that is not computed yet comes again by itself, in a browser."""
    until = time.monotonic() + 90
    while (answer := requests.get(url, timeout=30, auth=("x", token))).status_code == 503 and time.monotonic() < until:
        pass
    return answer


def test_the_daemon_its_page_its_metrics_and_its_notices_have_none(echo, tmp_path):
    echo.status = 403
    with serving(tmp_path) as site:
        given = environment(echo, tmp_path, *BESIDE, CONNECTOR_HTTP_PORT="0", CONNECTOR_WEBHOOK_PORT="0")
        token = GIVEN["http_token"][0]
        with started("run", folder=tmp_path, **given | site.practice.environment()) as daemon:
            lines = lines_until(daemon, "webhooks listen")
            hook = lines[-1]["url"]
            lines += lines_until(daemon, "metrics listen")
            url = lines[-1]["url"]
            lines += lines_until(daemon, "notice not delivered")
            answers = [
                requests.post(f"{hook}/hooks/v1/tool/{GIVEN['webhook_token'][0]}", data=b"{", timeout=10),
                requests.post(f"{hook}/hooks/v1/tool", data=b"{", timeout=10, headers={"Authorization": "Bearer no"}),
                requests.get(f"{url}/metrics", timeout=10, headers={"Authorization": f"Bearer {token}"}),
                once_computed(f"{url}/report/health", token),
                requests.get(f"{url}/report/funnel", timeout=10, auth=("x", f"{token}x")),
                requests.get(f"{url}/readyz", timeout=10),
            ]
            daemon.send_signal(signal.SIGTERM)
            out, err = daemon.communicate(timeout=30)
    assert [each.status_code for each in answers] == [400, 401, 200, 200, 401, 200]
    assert [found_in(each.content, LOOKED_FOR) for each in answers] == [set()] * len(answers)
    assert found_in(f"{lines}{out}{err}", LOOKED_FOR) == set()
    assert kept_in(tmp_path / "made", LOOKED_FOR) == {}
    assert re.search("403", str(lines))
