"""``connector status`` for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console

from connector.base.json import JsonMap, JsonObject
from connector.base.text import count
from connector.commands.cycle_text import BOTH_STAY
from connector.commands.screen import NONE, grid, out, print_json, shown
from connector.pipeline.reconcile import drift_text

TYPES = 10  # shown; --json has all
GROUPS, RECORDS = 10, 3  # reasons shown, and records of each; --json has all

HIDDEN = (
    "They count as they were last seen. Give the user its rights back, and they are read again within a day; if they"
    " are gone indeed, say so with connector backfill --gone"
)


def show_status(report: JsonMap, *, as_json: bool) -> int:
    """Returns the exit code: 4 while a source cannot be read."""
    code = 4 if report["failing_sources"] else 0
    if as_json:
        print_json("status", report)
        return code
    console = out()
    for track, counts in report["people"].items():
        hidden = report["out_of_reports"] if track == "stage" else ()
        rows = [(value or NONE, f"{people:,}") for value, people in counts.items() if value not in hidden]
        if rows:
            console.print(grid(f"People by {track}", (track, "people"), rows, right=(1,)))
        if left_out := ", ".join(f"{counts[value]:,} {shown(value)}" for value in hidden if value in counts):
            console.print(f"left out, because the mapping says reports: hidden: {left_out}", soft_wrap=True)
    for line in joined(report):
        console.print(line, soft_wrap=True)
    cursors = [(name, _known_up_to(name, cursor, report["cycles"])) for name, cursor in report["cursors"].items()]
    columns = ("object or source", "server time (UTC), or the last cycle that read it")
    console.print(grid("Known up to", columns, cursors))
    _what_is_hidden(console, report)
    _compared(console, report["reconcile"]["last"])
    for name, told in report["refresh"].items():
        said = f"{told['rows']:,} rows, {told['calls']:,} API calls each time; last {told['last'] or 'never'}"
        console.print(f"{name} is read again in full every {told['every']}: {said}", soft_wrap=True)
    _last_cycles(console, report["cycles"])
    refused(console, report["refused"])
    if kept := report["rolled_back"]:
        said = f"{count(kept, 'value')} rolled back, and kept until something newer, or another mapping, leads further"
        console.print(said, soft_wrap=True)
    if lonely := report["opportunities_without_roles"]["count"]:
        last = report["opportunities_without_roles"]["last_changed"]
        title = f"Opportunities without contact roles: {lonely:,} (they move nobody unless the mapping says whom)"
        deals = [(each["id"], each["name"], each["stage"]) for each in last]
        console.print(grid(title, ("opportunity", "name", "stage"), deals))
    budget = report["api_daily_budget"]
    calls = {source: sum(kinds.values()) for source, kinds in report["api_calls_today"].items()}
    said = ", ".join(f"{source} {made:,}" for source, made in calls.items()) or "none"
    console.print(
        f"waiting {report['waiting']:,}; API calls today: {said}" + (f" (budget {budget:,})" if budget else "")
    )
    if held := report["held_back"]:
        console.print(f"[yellow]{shown(held)}[/yellow]", soft_wrap=True)
    show_failing(console, report["failing_sources"])
    _daemon_and_mapping(console, report)
    return code


def _last_cycles(console: Console, found: Sequence[JsonMap]) -> None:
    cycles = [
        (
            _at(each["started_at"]),
            each["kind"],
            each.get("people_decided", ""),
            each.get("written", ""),
            each.get("refused", ""),
            each.get("waiting", ""),
            (each.get("api_calls") or {}).get("total", ""),
            _how(each),
        )
        for each in (_flat(row) for row in found)
    ]
    columns = ("started (UTC)", "kind", "decided", "written", "refused", "waiting", "calls", "result")
    console.print(grid("Last cycles", columns, cycles, right=(2, 3, 4, 5, 6)))


def show_failing(console: Console, failing: JsonMap) -> None:
    """Which sources cannot be read, since when, and why."""
    for name, each in failing.items():
        good = f"; last read well {each['good'][:19]}" if each["good"] else "; never read well yet"
        said = f"since {each['since'][:19]}{good}: {shown(each['why'])}"
        console.print(f"[red]the source {shown(name)} cannot be read[/red] {said}", soft_wrap=True)
        if each["hint"]:
            console.print(f"  try: {shown(each['hint'])}", soft_wrap=True)


def show_unknown_types(console: Console, found: Sequence[JsonMap]) -> None:
    """What senders call activities, where the mapping does not say what it is."""
    if not found:
        return
    told = ", ".join(f"{shown(each['type'])} ({each['source']}, {each['count']:,})" for each in found[:TYPES])
    more = f" and {len(found) - TYPES} more" if len(found) > TYPES else ""
    said = (
        f"{told}{more}; kept, and no engagement until activities: {{types: {{...}}}} of the mapping says what they are"
    )
    console.print(f"[yellow]unknown types of activity:[/yellow] {said}", soft_wrap=True)


def _what_is_hidden(console: Console, report: JsonMap) -> None:
    for name, what in ((report["cycles"] or [{}])[0].get("report", {}).get("unread") or {}).items():
        said = f"{shown(what)}. It counts as it was known before; everything else goes on"
        console.print(f"[red]{shown(name)} cannot be read:[/red] {said}", soft_wrap=True)
    for line in _told_of_fields(report):
        console.print(line, soft_wrap=True)
    for name, cursor in report["cursors"].items():
        if hidden := cursor.get("unseen"):
            since = cursor["unseen_since"]
            said = f"{hidden:,} rows are not seen any more since {since}, and nothing says that they were deleted"
            console.print(f"[yellow]{shown(name)} is hidden:[/yellow] {said}. {HIDDEN}", soft_wrap=True)
    show_unknown_types(console, report["unknown_types"])
    if bad := report["not_understood"]:
        which = ", ".join(f"{shown(name)} {number:,}" for name, number in bad.items())
        said = f"{which} (of files, quarantine/<file>.jsonl in the folder says which and why; of others, the log)"
        console.print(f"[red]rows not understood, and not taken:[/red] {said}", soft_wrap=True)
    if same := report["same_ids"]:
        which = ", ".join(f"{shown(name)} {number:,}" for name, number in same.items())
        console.print(f"[yellow]activities with an id that another has:[/yellow] {which}; {BOTH_STAY}", soft_wrap=True)


def _compared(console: Console, last: JsonMap | None) -> None:
    if last is None:
        return
    said = f"{shown(last['at'][:19])}, {count(last['calls'], 'API call')}: {drift_text(last['drift'])}"
    console.print(f"compared with the org: {said}", soft_wrap=True)
    for name, why in last["refused"].items():
        console.print(f"[yellow]not compared:[/yellow] {shown(f'{name}: {why}')}", soft_wrap=True)


def _daemon_and_mapping(console: Console, report: JsonMap) -> None:
    since = f" since {_at(at)}" if (at := report["mapping_since"]) else ""
    daemon = _daemon(report["heartbeat"])
    console.print(f"daemon: {daemon}; mapping version {report['mapping']}{since}", soft_wrap=True)
    if broken := (report["heartbeat"] or {}).get("mapping_broken"):
        console.print(f"[red]the edited mapping is not taken[/red]: {shown(broken)}", soft_wrap=True)


def refused(console: Console, groups: Sequence[JsonMap]) -> None:
    """By what Salesforce said, the most frequent first."""
    if not groups:
        return
    total = sum(each["count"] for each in groups)
    console.print(f"[bold]Refused by Salesforce: {count(total, 'record')}[/bold] (connector failures list)")
    for each in groups[:GROUPS]:
        which = ", ".join(each["records"][:RECORDS])
        more = f" and {each['count'] - RECORDS:,} more" if each["count"] > RECORDS else ""
        console.print(f" {each['count']:,} with {shown(each['code'])}: {shown(each['message'])}", soft_wrap=True)
        console.print(f"   {which}{more}", soft_wrap=True)
    if others := sum(each["count"] for each in groups[GROUPS:]):
        console.print(f" {others:,} for {count(len(groups) - GROUPS, 'other reason')}")
    console.print("--json names all of them\n")


def _daemon(beat: JsonMap | None) -> str:
    if beat is None:
        return "no sign of one"
    good = beat["last_good_seconds_ago"]
    last = f"last good cycle {good:.0f} s ago" if good is not None else "no good cycle yet"
    why = f" ({shown(beat['why'])})" if beat["why"] and beat["status"] != "held" else ""
    return f"{beat['status']}{why}, {last}"


def _how(cycle: JsonMap) -> str:
    """How a cycle went; one that a crash cut off never said."""
    if cycle.get("error"):
        return f"failed: {cycle['error']}"
    if down := cycle.get("sources_failed"):
        return f"{cycle.get('result')}, but for {', '.join(sorted(down))}"
    return str(cycle.get("result") or ("done" if cycle.get("ended_at") else "did not end"))


def joined(report: JsonMap) -> Iterator[str]:
    """Whom the numbers count besides, or only once."""
    counts = report["counts"]
    if alone := counts["prospects_alone"]:
        stages = ", ".join(f"{people:,} {shown(value or NONE)}" for value, people in report["prospects"].items())
        yield f"marketing prospects without a CRM record, who are people too: {alone:,} ({stages})"
    if followers := counts["joined_by_email"]:
        yield f"records that count as another one with the same e-mail address (identity: by_email): {followers:,}"
    if crowded := counts["crowded_addresses"]:
        yield f"e-mail addresses of more records than identity joins (at_most), which stay apart: {crowded:,}"


def _told_of_fields(report: JsonMap) -> Iterator[str]:
    for name, fields in report["hidden_fields"].items():
        for field, told in fields.items():
            was = "it stays as it was last seen" if told["known"] else "it was never seen"
            yield (
                f"[yellow]{name}.{shown(field)} is hidden[/yellow] from the integration user since"
                f" {told['since'][:19]}: {was}. Give its permission set Read on the field"
            )
    if blind := ", ".join(report["never_seen"]):
        yield f"[yellow]nobody is moved back[/yellow], because it could not be read yet: {shown(blind)}"


def _known_up_to(name: str, cursor: JsonMap, cycles: Sequence[JsonMap]) -> str:
    if cursor.get("full"):
        return "reading all" if cursor.get("started") else "not read yet, or not there"
    return _at(cursor["through"]) if cursor.get("through") else _heard_of(name, cycles)


def _at(moment: object) -> str:
    return str(moment)[:19].replace("T", " ")


def _heard_of(source: str, cycles: Sequence[JsonMap]) -> str:
    """How the last cycle that asked a source got on with it; cycles come the newest first."""
    for each in cycles:
        report = each.get("report") or {}
        if why := report.get("sources_failed", {}).get(source):
            return f"down in the cycle of {_at(each['started_at'])}: {why}"
        if source in report.get("read", {}):
            return f"{_at(each['started_at'])}, {count(report['read'][source], 'row')}"
    return "not in the last cycles"


def _flat(row: JsonMap) -> JsonObject:
    return {**(row.get("report") or {}), **{key: value for key, value in row.items() if key != "report"}}
