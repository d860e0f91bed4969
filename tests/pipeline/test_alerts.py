"""Notices of trouble: one when it begins, one when it is over, and a channel that is down delays nothing."""

import json
import re
import socket
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from connector.base import logs
from connector.base.clock import FrozenClock
from connector.base.errors import SIGN_IN, ConfigurationError, LimitReached, Refused
from connector.base.heartbeat import Heartbeat, write_heartbeat
from connector.base.settings import explicit
from connector.commands.notify import open_channels
from connector.pipeline.alerts import Notice, Watch
from connector.pipeline.daemon import Daemon
from connector.sources.webhook.source import signature_problem
from tests.fakes import START

ROOT = Path(__file__).parent.parent.parent
SEEN_IN = ("pipeline/test_alerts.py", "e2e/test_reconcile_http.py")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def site(world, tmp_path):
    """A daemon that is watched; ``notices`` as (alert, began)."""
    return Site(world, tmp_path / "beat")


class Site:
    def __init__(self, world, beats):
        self.world, self.beats, self.sent = world, beats, []
        self._identity = world.org.identity
        self.restart()

    def restart(self, **options):
        self.watch = Watch(self.world.pipeline, self.beats, self.sent.append, **options)
        self.daemon = Daemon(self.world.pipeline, beats=self.beats, after=[self.watch.after_cycle])

    def fails(self, error):
        def identity():
            if error is not None:
                raise error
            return self._identity()

        self.world.org.identity = identity

    def ticks(self, count=1):
        for _ in range(count):
            self.daemon.tick(at_once=True)
            self.world.clock.sleep(60)
        told, self.sent = [(each.alert, each.began) for each in self.sent], []
        self.watch._send = self.sent.append
        return told


def test_failing_cycles_are_told_at_the_third_and_once(site):
    site.fails(Refused("no permission"))
    assert site.ticks(2) == []
    assert site.ticks(4) == [("cycles", True)]
    site.restart()
    assert site.ticks(2) == [], "it is the same trouble after a restart"
    site.fails(None)
    assert site.ticks(3) == [("cycles", False)]


def test_one_cycle_that_failed_is_no_trouble(site):
    site.fails(Refused("no permission"))
    assert site.ticks(2) == []
    site.fails(None)
    assert site.ticks() == []
    site.fails(Refused("no permission"))
    assert site.ticks(2) == []


def test_a_refused_sign_in_is_told_at_once(site):
    site.fails(Refused(f"{SIGN_IN} answered 400 invalid_grant"))
    assert site.ticks(3) == [("sign-in", True)]
    site.fails(None)
    assert site.ticks() == [("sign-in", False)]


def test_a_source_that_stays_down_is_told_by_its_name(site):
    site.world.source.fail = True
    assert site.ticks(2) == []
    assert site.ticks(3) == [("source fake", True)]
    site.world.source.fail = False
    assert site.ticks(2) == [("source fake", False)]


def test_an_object_that_stays_hidden_is_told_by_its_name(site):
    site.world.org.hidden.add("Contact")
    assert site.ticks(2) == []
    assert site.ticks(3) == [("object Contact", True)]
    site.world.org.hidden.clear()
    assert site.ticks() == [("object Contact", False)]


def test_a_limit_that_parks_is_told_until_it_goes_on(site):
    site.fails(LimitReached("the limit is reached", until=site.world.clock.now()))
    assert site.ticks(2) == [("parked", True)]
    site.fails(None)
    assert site.ticks() == [("parked", False)]


def test_a_plan_that_is_held_back_is_told_until_it_passes(site):
    [site.world.contact(f"p{number}@example.com") for number in range(3)]
    site.world.max_changes = 2
    site.restart()
    assert site.ticks(3) == [("held", True)]
    site.world.max_changes = 5
    site.restart()
    assert site.ticks() == [("held", False)]


def test_refused_records_are_told_from_the_limit_on(site):
    people = [site.world.contact(f"p{number}@example.com") for number in range(3)]
    site.restart(refused=3)
    for each in people:
        site.world.org.refuse[each] = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    assert site.ticks(2) == [("refused", True)]
    site.world.org.refuse.clear()
    site.world.store.retry_set_aside()
    assert site.ticks(2) == [("refused", False)]


def test_who_sets_back_what_we_write_is_told_until_somebody_asks_for_it_again(site):
    world = site.world
    world.mapping = """
fields: {tags: {Contact: Tags__c}, stage: {Contact: Lifecycle_Stage__c}}
stages: [{name: Suspect, when: {email: present}}]
tags: [{name: warm, when: {email: present}}]
"""
    ada = world.contact()
    site.restart()
    told = []
    for _ in range(5):
        told += site.ticks()
        world.org.put("Contact", {"Id": ada, "Tags__c": None})
    assert told == [("contested", True)]
    world.store.retry_set_aside()
    assert site.ticks(2) == [("contested", False)]


def test_a_day_that_will_cost_more_than_the_budget_is_told_in_time(site):
    clock, store = site.world.clock, site.world.store
    clock.at = clock.at.replace(hour=1)
    store.add_calls(clock.now().date(), {"composite": 500})
    site.restart(budget=1000)
    assert site.ticks() == [], "an early backfill says nothing of the day"
    clock.at = clock.at.replace(hour=6)
    assert site.ticks(2) == [("budget", True)]
    clock.at = clock.at.replace(hour=23)
    assert site.ticks() == [("budget", False)]


def test_a_full_disk_is_told(site, monkeypatch, tmp_path):
    free = [100_000_000]
    monkeypatch.setattr("shutil.disk_usage", lambda _path: type("Usage", (), {"free": free[0]}))
    site.restart(state_file=tmp_path / "state.sqlite3")
    assert site.ticks(2) == [("disk", True)]
    free[0] = 10_000_000_000
    assert site.ticks() == [("disk", False)]


def test_a_broken_mapping_and_a_daemon_that_ended_are_told_until_they_are_not(site):
    watch = site.watch
    good = Heartbeat(site.world.clock.now(), "ok", last_good=site.world.clock.now())
    for alert, bad in {
        "mapping": replace(good, mapping_broken="stages: is missing"),
        "ended": replace(good, status="stopped", why="the state was removed"),
    }.items():
        for beat in (bad, bad, good, good):
            write_heartbeat(site.beats, beat)
            watch.after_cycle()
        assert [(each.alert, each.began) for each in site.sent] == [(alert, True), (alert, False)]
        site.sent.clear()


def test_every_alert_of_the_page_has_a_test_that_sees_it_begin_and_end():
    page = (ROOT / "docs" / "operations.md").read_text()
    table = page.partition("| alert | trouble |")[2].partition("\n\n")[0]
    named = {row.split("`")[1].split()[0] for row in table.splitlines() if row.startswith("| `")}
    code = set(re.findall(r'Trouble\(f?"([a-z-]+)', (ROOT / "connector" / "pipeline" / "alerts.py").read_text()))
    tests = "".join((ROOT / "tests" / each).read_text() for each in SEEN_IN)
    assert named == code
    assert {each for each in named if f'("{each}' not in tests and f'"{each}": replace' not in tests} == set()


NOTICE = Notice("held", True, START, START, "a plan is held back", "connector approve")


class Came(list[tuple[str, dict[str, str], bytes]]):
    """What came: method, headers, body; and whether one or two did."""

    def __init__(self):
        super().__init__()
        self.one, self.second = threading.Event(), threading.Event()

    def append(self, each):
        super().append(each)
        (self.one if len(self) == 1 else self.second).set()


@contextmanager
def receiver(status=200):
    """(address, what came)."""
    came = Came()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            came.append((self.command, {name.lower(): text for name, text in self.headers.items()}, body))
            self.send_response(status)
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", came
        server.shutdown()
        thread.join()


def test_a_notice_is_posted_and_signed(tmp_path):
    clock = FrozenClock(START)
    with receiver() as (url, came):
        settings = explicit(alert_webhook_url=url, alert_webhook_secret=SECRET)
        with open_channels(settings, clock, tmp_path / "beat") as channels:
            channels.send(NOTICE)
            channels.drain()
    ((method, headers, body),) = came
    assert method == "POST"
    assert signature_problem([SECRET], headers, body, clock.now()) is None
    told = json.loads(body)
    assert (told["type"], told["data"]["alert"]) == ("connector.alert.began", "held")


def test_apprise_tells_each_of_its_services_once_and_in_words(tmp_path):
    pytest.importorskip("apprise")
    with receiver() as (one, first), receiver() as (other, second):
        services = f"{one} {other}".replace("http://", "json://")
        with open_channels(explicit(alerts=services), FrozenClock(START), tmp_path / "beat") as channels:
            channels.send(NOTICE)
            channels.send(replace(NOTICE, began=False))
            channels.drain()
    for came in (first, second):  # each has a thread of its own
        told = [json.loads(body) for _, _, body in came]
        assert [(each["title"], each["type"]) for each in told] == [
            ("Lifecycle connector: held", "warning"),
            ("Lifecycle connector: held is over", "success"),
        ]
        assert told[0]["message"] == "a plan is held back\n\nDo: connector approve"


def test_an_apprise_service_that_is_down_is_tried_again_and_keeps_no_other_from_being_told(tmp_path, capfd):
    pytest.importorskip("apprise")
    logs.configure("json", "INFO")
    with receiver(status=500) as (url, refused), receiver() as (other, came):
        services = f"{url}/token {other}/b".replace("http://", "json://")
        with open_channels(explicit(alerts=services), FrozenClock(START), tmp_path / "beat") as channels:
            channels.send(NOTICE)
            channels.drain()
    assert (len(refused), len(came)) == (5, 1)
    printed = "".join(capfd.readouterr())
    assert printed.count("notice not delivered") == 1
    assert "service 1 of CONNECTOR_ALERTS took no notice" in printed
    assert "token" not in printed


@pytest.mark.parametrize("addresses", ["nonsense://abc", "json://127.0.0.1/a\n gibberish"])
def test_an_address_that_apprise_does_not_know_is_a_mistake_and_is_not_shown(addresses, tmp_path):
    pytest.importorskip("apprise")
    with (
        pytest.raises(ConfigurationError, match=r"address [12] of CONNECTOR_ALERTS") as told,
        open_channels(explicit(alerts=addresses), FrozenClock(START), tmp_path / "beat"),
    ):
        pass
    assert "nonsense" not in told.value.what + told.value.hint


def test_without_apprise_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    with (
        pytest.raises(ConfigurationError) as told,
        open_channels(explicit(alerts="json://127.0.0.1"), FrozenClock(START), tmp_path / "beat"),
    ):
        pass
    assert "lifecycle-connector[apprise]" in told.value.hint


def test_a_good_cycle_pings_and_a_bad_one_does_not(site, tmp_path):
    with receiver() as (url, came), open_channels(explicit(ping_url=url), site.world.clock, site.beats) as channels:
        site.daemon = Daemon(site.world.pipeline, beats=site.beats, after=[channels.ping])
        site.ticks()
        site.fails(Refused("no"))
        site.ticks()
        channels.drain()
    assert [method for method, _, _ in came] == ["GET"]


def test_a_channel_that_is_down_or_refuses_ends_nothing(tmp_path, capsys):
    logs.configure("json", "INFO")
    with receiver(status=400) as (url, came):
        settings = explicit(alert_webhook_url=url, alert_webhook_secret=SECRET)
        with open_channels(settings, FrozenClock(START), tmp_path / "beat") as channels:
            channels.send(NOTICE)
            channels.send(NOTICE)
            channels.drain()
        assert len(came) == 2
    with open_channels(settings, FrozenClock(START), tmp_path / "beat") as channels:
        channels.send(NOTICE)
        channels.drain()
    assert capsys.readouterr().err.count("notice not delivered") == 3


@contextmanager
def hanging():
    """(address, end) of a receiver that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/hook", server.close


def test_a_channel_that_hangs_delays_no_cycle_no_ping_and_no_other_channel(site, tmp_path):
    pytest.importorskip("apprise")
    with hanging() as (dead, end), receiver() as (ping_url, pinged), receiver() as (other, came):
        services = f"{dead} {other}/b".replace("http://", "json://")
        settings = explicit(alert_webhook_url=dead, alert_webhook_secret=SECRET, alerts=services, ping_url=ping_url)
        with open_channels(settings, site.world.clock, site.beats) as channels:
            watch = Watch(site.world.pipeline, site.beats, channels.send)
            site.daemon = Daemon(site.world.pipeline, beats=site.beats, after=[watch.after_cycle, channels.ping])
            site.fails(Refused("no"))
            site.ticks(3)
            site.fails(None)
            site.ticks()
            assert pinged.one.wait(30)
            assert came.second.wait(30)
            end()
    titles = [json.loads(body)["title"] for _, _, body in came]
    assert titles == ["Lifecycle connector: cycles", "Lifecycle connector: cycles is over"]
    assert [method for method, _, _ in pinged] == ["GET"]


def test_pings_that_wait_behind_one_that_hangs_are_one_and_the_thread_ends(site):
    with hanging() as (dead, end), open_channels(explicit(ping_url=dead), site.world.clock, site.beats) as channels:
        site.daemon = Daemon(site.world.pipeline, beats=site.beats, after=[channels.ping])
        site.ticks(5)
        assert channels._pinged.waiting.qsize() <= 1
        end()
    channels._pinged.thread.join(timeout=60)
    assert not channels._pinged.thread.is_alive()


@pytest.mark.parametrize(
    "given",
    [
        {"alert_webhook_url": "https://example.com"},
        {"alert_webhook_url": "http://example.com", "alert_webhook_secret": SECRET},
        {"alert_webhook_url": "https://example.com", "alert_webhook_secret": "whsec_?"},
    ],
    ids=["unsigned", "in the open", "no secret"],
)
def test_notices_that_others_could_read_or_forge_are_a_mistake(given, tmp_path):
    with pytest.raises(ConfigurationError), open_channels(explicit(**given), FrozenClock(START), tmp_path / "beat"):
        pass
