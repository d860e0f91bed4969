"""A sign-in that is refused for good, from the org's answer to the notice that somebody gets, over HTTP."""

import json
from datetime import timedelta

from connector.base import heartbeat, logs
from connector.base.clock import FrozenClock, SystemClock
from connector.commands.notify import open_channels
from connector.pipeline.alerts import Watch
from connector.pipeline.daemon import Daemon
from connector.wiring import open_pipeline
from tests.pipeline.test_alerts import SECRET, receiver

ASKED = [0, 1, 6, 21, 81, 321, 561]  # minutes after the first refusal: pauses of 1, 5, 15, 60 and 240


def test_it_is_asked_with_growing_pauses_and_told_once_when_it_begins_and_once_when_it_is_over(site, tmp_path, capsys):
    logs.configure("json", "WARNING")
    clock, beats, faults = FrozenClock(SystemClock().now()), tmp_path / "beat", site.org.faults
    with receiver() as (url, came):
        settings = site.settings(alert_webhook_url=url, alert_webhook_secret=SECRET)
        with open_pipeline(settings, clock=clock) as pipeline, open_channels(settings, clock, beats) as channels:
            watch = Watch(pipeline, beats, channels.send)
            daemon = Daemon(pipeline, beats=beats, after=[watch.after_cycle, channels.ping])

            def minutes(count: int) -> list[int]:
                """When the org was asked."""
                asked = []
                for minute in range(count):
                    before = sum(fault.met for fault in refused)
                    daemon.tick()
                    asked += [minute] if sum(fault.met for fault in refused) > before else []
                    clock.sleep(timedelta(minutes=1).total_seconds())
                channels.drain()
                return asked

            refused = []
            minutes(2)
            assert came == []
            refused = [faults.on("stale_session", token=True), faults.on("sign_in", error="invalid_grant")]
            assert minutes(12 * 60) == ASKED
            assert told(came) == [("sign-in", "connector.alert.began")]
            beat = heartbeat.read_heartbeat(beats)
            assert beat is not None
            assert beat.status == "failed"
            assert f"{len(ASKED)} times; asked again at" in beat.why
            faults.off()
            daemon.tick()
            assert heartbeat.read_heartbeat(beats).status == "failed", "not asked before its time"
            assert minutes(82) == []
            assert told(came) == [("sign-in", "connector.alert.began"), ("sign-in", "connector.alert.over")]
            assert heartbeat.read_heartbeat(beats).status == "ok"
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [each["times"] for each in said if each["event"] == "refused"] == list(range(1, len(ASKED) + 1))


def told(came) -> list[tuple[str, str]]:
    found = [json.loads(body) for _, _, body in came]
    return [(each["data"]["alert"], each["type"]) for each in found]
