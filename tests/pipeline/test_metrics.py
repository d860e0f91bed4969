"""What machines read of the daemon: numbers that follow what happened, and whether it is well."""

import json
import math
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import requests
from prometheus_client import generate_latest as plain
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as plain_families
from ruamel.yaml import YAML

from connector.base.errors import ConfigurationError, Refused
from connector.base.settings import explicit
from connector.commands.machines import serve_machines
from connector.pipeline.daemon import Daemon
from connector.pipeline.metrics import Metrics

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
TOKEN = "a-token-of-more-than-twenty-characters"


@pytest.fixture
def metrics(world):
    return Metrics(world.pipeline, budget=100)


@pytest.fixture
def daemon(world, metrics, tmp_path):
    return Daemon(world.pipeline, beats=tmp_path / "beat", after=[metrics.after_cycle])


@pytest.fixture
def client(world, metrics, tmp_path):
    settings = explicit(http_port=0, http_token=TOKEN)
    with serve_machines(settings, metrics.registry, tmp_path / "beat", world.clock) as url:
        yield lambda path, **headers: requests.get(f"{url}{path}", headers=headers, timeout=10)


def samples(metrics):
    """(name, labels) -> value, as prometheus-client's own parser of OpenMetrics reads them."""
    families = text_string_to_metric_families(generate_latest(metrics.registry).decode())
    return {
        (each.name, tuple(sorted(each.labels.items()))): each.value for family in families for each in family.samples
    }


def value(metrics, name, **labels):
    return samples(metrics).get((f"connector_{name}", tuple(sorted(labels.items()))))


def test_a_cycle_is_counted_once_with_what_it_wrote_and_who_stands_where(world, daemon, metrics):
    world.contact("ada@example.com")
    world.contact("bob@example.com")
    daemon.tick()
    metrics.after_cycle()  # the same cycle
    assert value(metrics, "cycles_total", result="done") == 1
    assert value(metrics, "records_written_total") == 2
    assert value(metrics, "moves_total", track="stage") == 2
    assert value(metrics, "people", track="stage", value="Suspect") == 2
    assert value(metrics, "waiting_people") == 0
    assert value(metrics, "cycle_last_good_timestamp_seconds") == world.clock.now().timestamp()
    assert value(metrics, "org_api_allowed_calls") == 5000
    left = value(metrics, "api_budget_left_calls")
    assert left == 100 - sum(world.store.calls_on(world.clock.now().date()).get("salesforce", {}).values())


def test_alerts_see_the_first_row_that_differed_and_a_contest_that_begins(world, daemon, metrics):
    assert value(metrics, "drift_rows_total", object="Contact", how="different") == 0
    ada = world.contact()
    daemon.tick()
    assert value(metrics, "contested_records") == 0
    for _ in range(3):
        world.wait(60)
        world.set_by_hand(ada, None)
        daemon.tick()
    assert value(metrics, "contested_records") == 1


def test_a_cycle_that_fails_moves_no_time_of_a_good_one(world, daemon, metrics):
    daemon.tick()
    good = world.clock.now().timestamp()
    world.clock.sleep(60)

    def identity():
        raise Refused("no permission")

    world.org.identity = identity
    daemon.tick()
    assert value(metrics, "cycles_total", result="failed") == 1
    assert value(metrics, "cycle_last_good_timestamp_seconds") == good
    assert value(metrics, "cycle_last_end_timestamp_seconds") == good + 60


def test_a_plan_that_is_held_back_is_a_number_and_no_move(world, daemon, metrics):
    [world.contact(f"p{number}@example.com") for number in range(3)]
    world.max_changes = 2
    held = Metrics(world.pipeline)
    Daemon(world.pipeline, beats=daemon._beats, after=[held.after_cycle]).tick()
    assert value(held, "held_back_changes") == 3
    assert value(held, "moves_total", track="stage") is None


def test_what_is_not_known_is_no_number(world, metrics):
    assert math.isnan(value(metrics, "cycle_last_good_timestamp_seconds"))
    unlimited = Metrics(world.pipeline)
    unlimited.after_cycle()
    assert math.isnan(value(unlimited, "api_budget_left_calls"))


@pytest.mark.parametrize("file", ["grafana.json", "alerts.yaml"])
def test_what_dashboard_and_alerts_ask_for_is_served_with_those_labels(world, daemon, metrics, file):
    ada = world.contact()
    daemon.tick()
    world.org.refuse[ada] = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    world.role(ada, world.deal())
    world.wait(60)
    daemon.tick()
    served: dict[str, set[str]] = {}
    for name, labels in samples(metrics):
        served.setdefault(name, set()).update(label for label, _ in labels)
    loaded = YAML(typ="safe").load((DEPLOY / file).read_text())
    queries = [str(each) for key, each in everything_in(loaded) if key == "expr"]
    assert len(queries) > 5
    for query in queries:
        names = re.findall(r"\b(?:connector|process)_\w+", query)
        assert names, query
        labels = {
            label
            for part in re.findall(r"by \(([^)]*)\)|\{(\w+)=", query)
            for label in re.findall(r"\w+", " ".join(part))
        }
        for name in names:
            assert name in served, name
            assert labels <= served[name], query


def test_every_panel_has_a_place_and_a_number_of_its_own():
    panels = json.loads((DEPLOY / "grafana.json").read_text())["panels"]
    assert len({each["id"] for each in panels}) == len({each["title"] for each in panels}) == len(panels)
    squares = [
        (x, y)
        for place in (each["gridPos"] for each in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(squares)) == len(squares)
    assert max(x for x, _ in squares) < 24


def everything_in(value, key=""):
    yield key, value
    inner = (
        value.items() if isinstance(value, dict) else ((key, each) for each in value) if isinstance(value, list) else ()
    )
    for name, each in inner:
        yield from everything_in(each, name)


def test_how_late_a_move_is_written_is_measured_from_what_happened(world, daemon, metrics):
    ada = world.contact()
    daemon.tick()
    world.wait(60)
    assert value(metrics, "write_lag_seconds_count") == 0, "what was so before is not late"
    happened = world.clock.now()
    world.role(ada, world.deal())
    world.wait(240)
    daemon.tick()
    assert value(metrics, "write_lag_seconds_count") == 1
    assert value(metrics, "write_lag_seconds_sum") == (world.clock.now() - happened).total_seconds()
    daemon.tick()
    assert value(metrics, "write_lag_seconds_count") == 1


def test_what_the_day_will_cost_is_told(world, daemon, metrics):
    world.clock.at = world.clock.at.replace(hour=6)
    world.store.add_calls(world.clock.now().date(), {"composite": 100})
    daemon.tick()
    assert value(metrics, "api_forecast_calls") == 400


def test_prometheus_own_tool_finds_nothing_to_say_of_the_metrics(world, daemon, metrics):
    tool = shutil.which("promtool") or pytest.skip("promtool is not installed")
    world.contact()
    daemon.tick()
    given = plain(metrics.registry).decode()
    done = subprocess.run([tool, "check", "metrics"], input=given, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_watcher_that_fails_stops_nothing(world, tmp_path):
    def broken():
        raise RuntimeError("no")

    ada = world.contact()
    seen = []
    daemon = Daemon(world.pipeline, beats=tmp_path / "beat", after=[broken, lambda: seen.append(1)])
    daemon.tick()
    assert (world.stage(ada), seen) == ("Suspect", [1])


def test_metrics_are_served_to_who_has_the_token_in_both_formats(daemon, client):
    daemon.tick()
    assert client("/metrics", Authorization="Bearer wrong").status_code == 401
    assert client("/metrics").status_code == 401
    known = {"Authorization": f"Bearer {TOKEN}"}
    plain = client("/metrics", Accept="text/plain", **known)
    assert {"connector_cycles", "process_open_fds"} <= {family.name for family in plain_families(plain.text)}
    assert "# EOF" in client("/metrics", Accept="application/openmetrics-text; version=1.0.0", **known).text


def test_ready_is_who_had_a_good_cycle_lately_and_alive_is_who_answers(world, daemon, client):
    assert client("/healthz").status_code == 200
    assert client("/readyz").status_code == 503
    daemon.tick()
    assert client("/readyz").status_code == 200
    world.clock.sleep(601)
    told = client("/readyz")
    assert (told.status_code, told.json()["because"]) == (503, "the last good cycle ended 601 s ago")


def test_nothing_is_open_to_strangers(world, metrics, tmp_path):
    for given in ({"http_host": "192.0.2.1"}, {"http_token": "short"}):
        settings = explicit(http_port=0, **given)
        with (
            pytest.raises(ConfigurationError, match=r"CONNECTOR_HTTP_TOKEN|open to everybody"),
            serve_machines(settings, metrics.registry, tmp_path / "beat", world.clock),
        ):
            pass
    with serve_machines(explicit(), metrics.registry, tmp_path / "beat", world.clock) as url:
        assert url is None
