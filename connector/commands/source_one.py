"""``connector source NAME``: how one source does, from the state alone; nobody is asked."""

from __future__ import annotations

from datetime import datetime

from connector.base.clock import SystemClock
from connector.base.errors import ConfigurationError
from connector.base.json import JsonMap, JsonObject
from connector.base.settings import Settings
from connector.commands.cycle_text import BOTH_STAY, swept_said
from connector.commands.screen import grid, out, print_json, shown
from connector.commands.status import load_mapping_or_none, read_sources, unknown_types
from connector.pipeline.source_health import HEALTH, not_understood, same_ids
from connector.pipeline.source_sweep import SWEEP
from connector.sources import SOURCES, switched_on
from connector.sources.allowances import ALLOWANCES
from connector.wiring import open_state

WHO = 10  # unmatched people shown; --json has all


def read_source(settings: Settings, name: str, *, all_of_them: bool = False) -> JsonObject:
    """JSON values: the document of ``connector source NAME --json``. Raises ConfigurationError for a name that is no
    source."""
    known = dict.fromkeys((*SOURCES, *switched_on(settings)))
    if name not in known:
        raise ConfigurationError(f"there is no source {name}", f"it is one of {', '.join(known)}")
    clock, mapping = SystemClock(), load_mapping_or_none(settings)
    with open_state(settings, clock) as store:
        health: JsonMap = (store.cursor(HEALTH) or {}).get(name, {})
        told = store.told_by(name, 1_000_000 if all_of_them else WHO)
        place, store_sweep = store.cursor(name), store.cursor(f"{SWEEP}{name}")
        calls = sum(store.calls_on(clock.now().date()).get(name, {}).values())
        bad = not_understood(store.cursors()).get(name, {})
        same = same_ids(store, name)
        types = [each for each in unknown_types(store, mapping) if each["source"] == name]
    newest, good = told.pop("newest"), health.get("good")
    usual, whose = ALLOWANCES.get(name, (None, ""))
    return {
        "source": name,
        "read": name in read_sources(settings, mapping),
        "begun": place is not None,
        "account": told.pop("account"),
        "last_good": good,
        "lag_seconds": _age(good, clock.now()),
        "newest": newest,
        "failing": {key: health[key] for key in ("since", "why", "hint")} if health.get("since") else None,
        "last_error": health.get("last_error"),
        "last_sweep": (store_sweep or {}).get("last"),
        **told,
        "unknown_types": {each["type"]: each["count"] for each in types},
        "not_understood": sum(bad.values()),
        "same_ids": same,
        "calls": {
            "today": calls,
            "account_used": health.get("used"),
            "allowed": health.get("allowed") or usual,
            "whose": "as the system says" if health.get("allowed") else whose,
        },
    }


def _age(text: str | None, now: datetime) -> int | None:
    return None if text is None else round((now - datetime.fromisoformat(text)).total_seconds())


def show_source(told: JsonMap, *, as_json: bool) -> int:
    """Returns the exit code: 4 while it cannot be read."""
    code = 4 if told["failing"] else 0
    if as_json:
        print_json("source", told)
        return code
    console = out()
    for line in _lines(told):
        console.print(line, soft_wrap=True)
    rows = [(kind, f"{each['count']:,}", each["newest"][:19]) for kind, each in told["kinds"].items()]
    if rows:
        console.print(grid("Activities by kind", ("kind", "count", "newest"), rows, right=(1,)))
    if told["unmatched"]:
        title = "Busiest of those whose activities reach nobody in Salesforce yet"
        found = [(each["who"], f"{each['activities']:,}") for each in told["unmatched"]]
        console.print(grid(title, ("who", "activities"), found, right=(1,)))
    return code


def _lines(told: JsonMap) -> list[str]:
    name, failing, last = shown(told["source"]), told["failing"], told["last_error"]
    lines = [f"source {name}: account {shown(told['account'] or 'not told')}"]
    if not told["read"]:
        lines.append("it is not read: settings do not turn it on, or the mapping switches it off")
    if failing:
        lines.append(f"[red]cannot be read[/red] since {failing['since'][:19]}: {shown(failing['why'])}")
        lines += [f"  try: {shown(failing['hint'])}"] if failing["hint"] else []
    elif last:
        lines.append(f"last error {last['at'][:19]}, over since: {shown(last['what'])}")
    if told["last_good"]:
        lines.append(f"last read well {told['last_good'][:19]}, {told['lag_seconds']:,} s ago")
    else:
        lines.append("never read well yet")
    if swept := told["last_sweep"]:
        lines.append(f"compared {swept['at'][:19]}: {swept_said(swept)}")
    lines.append(f"newest activity {(told['newest'] or 'none')[:19]}")
    people, facts = told["prospects"], told["activities"]
    lines.append(f"people it knows {people['known']:,}, of whom {people['not_in_salesforce']:,} are not in Salesforce")
    lines.append(
        f"activities that reach somebody in Salesforce {facts['matched']:,}, that do not {facts['unmatched']:,}"
    )
    if told["unknown_types"]:
        types = ", ".join(f"{shown(each)} {count:,}" for each, count in told["unknown_types"].items())
        lines.append(f"[yellow]unknown types:[/yellow] {types}")
    if told["not_understood"]:
        lines.append(f"[red]rows not understood, and not taken:[/red] {told['not_understood']:,}")
    if told["same_ids"]:
        lines.append(f"[yellow]activities with an id that another has:[/yellow] {told['same_ids']:,}; {BOTH_STAY}")
    lines.append(_calls(told["calls"]))
    return lines


def _calls(calls: JsonMap) -> str:
    if calls["allowed"] is None:
        return f"calls today (UTC) {calls['today']:,}"
    used = f", the whole account {calls['account_used']:,}" if calls["account_used"] is not None else ""
    return f"calls today (UTC) {calls['today']:,}{used}, of {calls['allowed']:,} a day ({calls['whose']})"
