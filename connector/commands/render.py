"""What people see: tables on stdout, progress and errors on stderr; or one JSON document on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn
from rich.table import Table

from connector.base.errors import ConnectorError
from connector.pipeline.poll import Tell
from connector.pipeline.report import EMPTY, CycleReport

if TYPE_CHECKING:
    from connector.commands.check import CheckReport
    from connector.commands.plan import Preview

WIDTH = 110  # of a table where stdout is no terminal
NONE = "(none)"
TIMELINE = 20  # activities shown; --json has all


def out() -> Console:
    """stdout, asked for each time: tests and pipes replace it."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH, soft_wrap=False)


def err() -> Console:
    return Console(stderr=True, highlight=False)


def error(problem: ConnectorError) -> None:
    console = err()
    console.print(f"[red]error:[/red] {escape(problem.what)}", soft_wrap=True)
    if problem.hint:
        console.print(f"  try: {escape(problem.hint)}", soft_wrap=True)


def unexpected(problem: Exception) -> None:
    err().print(f"[red]error:[/red] unexpected {type(problem).__name__}", soft_wrap=True)
    err().print("  try: the same command with --debug shows the traceback", soft_wrap=True)


def note(text: str) -> None:
    err().print(escape(text), soft_wrap=True)


def document(value: Any, *, as_json: bool, text: str) -> None:
    if as_json:
        print_json(value)
    else:
        out().print(escape(text))


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


@contextmanager
def progress(as_json: bool) -> Iterator[Tell]:
    """Bars on a terminal's stderr; silence in pipes and with --json, where log lines tell enough."""
    console = err()
    if as_json or not console.is_terminal:
        yield lambda _what, _done, _total: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield tell


@contextmanager
def steps(as_json: bool) -> Iterator[Callable[[str], None]]:
    """Says each step as it begins: a spinner on a terminal's stderr, lines in a pipe, nothing with --json."""
    console = err()
    if as_json:
        yield lambda _what: None
    elif console.is_terminal:
        with console.status("Starting") as spinner:

            def step(what: str) -> None:
                console.print(f"[green]*[/green] {escape(what)}")
                spinner.update(what)

            yield step
    else:
        yield lambda what: console.print(f"* {escape(what)}", soft_wrap=True)


def grid(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[int] = ()) -> Table:
    """A plain table; ``right``: indices of columns of numbers."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(columns):
        table.add_column(name, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    return table


def cycle(report: CycleReport, *, as_json: bool) -> None:
    if as_json:
        print_json(report.as_dict())
        return
    console = out()
    done = "would change" if report.dry_run else "changed"
    changes_table(console, report.changes)
    read = sum(report.read.values())
    console.print(
        f"{report.kind}{' (dry run, nothing was written)' if report.dry_run else ''}: read {read:,} rows,"
        f" decided {report.people_decided:,} people, {done} {report.said_to_change}"
    )
    if not report.dry_run:
        set_aside = ", ".join(f"{count} {code}" for code, count in report.set_aside.most_common())
        console.print(
            f"written {report.written:,}, unchanged {report.unchanged:,},"
            f" set aside {sum(report.set_aside.values()):,}{f' ({set_aside})' if set_aside else ''},"
            f" waiting {report.waiting:,}"
        )
    if report.held:
        held = ", ".join(f"{count} {track}" for track, count in sorted(report.held.items()))
        console.print(f"held back by the gate (manual, locked or backward): {held}")
    for kind, count in sorted(report.unknown_types.items()):
        console.print(f"unknown activity type {escape(kind)}: {count} kept, not counted as engagement")
    for name, what in sorted(report.sources_failed.items()):
        console.print(f"[red]source {escape(name)} failed:[/red] {escape(what)}")
    calls = ", ".join(f"{count} {kind}" for kind, count in report.api_calls.items() if kind != "total")
    console.print(
        f"API calls {report.api_calls.get('total', 0):,}{f' ({calls})' if calls else ''}; {report.duration} s"
    )


def preview(plan: Preview, *, as_json: bool) -> None:
    if as_json:
        print_json(plan.as_dict())
        return
    console, report = out(), plan.report
    changes_table(console, report.changes)
    rows = [
        (track, rule or NONE, f"{count:,}")
        for track, rules in sorted(report.rules.items())
        for rule, count in rules.most_common()
    ]
    if rows:
        console.print(grid("By rule", ("track", "rule", "people"), rows, right=(2,)))
    if owners := plan.owners():
        console.print(grid("New owners", ("owner", "people"), [(name, n) for name, n in owners.items()], right=(1,)))
    for name, fields in plan.missing.items():
        console.print(f"[yellow]not read yet:[/yellow] {name}.{', '.join(fields)}; rules over it do not hold here")
    console.print(
        f"plan (nothing was written): decided {report.people_decided:,} people, would change"
        f" {report.said_to_change}; writing costs {plan.write_calls:,} API calls"
    )


def changes_table(console: Console, changes: Mapping[str, Mapping[str, int]]) -> None:
    rows = [
        (track, move, f"{count:,}")
        for track, moves in sorted(changes.items())
        for move, count in sorted(moves.items(), key=lambda item: -item[1])
    ]
    if rows:
        console.print(grid("Changes", ("track", "from -> to", "people"), rows, right=(2,)))


def check(report: CheckReport, *, as_json: bool) -> None:
    if as_json:
        print_json(report.as_dict())
        return
    console = out()
    for mistake in report.mistakes:
        console.print(f"[red]{escape(f'{mistake.file}:{mistake.line}')}[/red] {escape(mistake.what)}", soft_wrap=True)
        if mistake.hint:
            console.print(f"  try: {escape(mistake.hint)}", soft_wrap=True)
    for warning in report.warnings:
        console.print(f"[yellow]warning:[/yellow] {escape(str(warning))}", soft_wrap=True)
    if report.mistakes:
        count = len(report.mistakes)
        console.print(
            f"{count} mistake{'s' if count > 1 else ''} in {escape(report.mapping)}; nothing was read or written"
        )
        return
    rows = [(name, ", ".join(fields)) for name, fields in report.reads.items()]
    console.print(grid("Reads", ("object", "fields"), rows))
    writes = [
        (track, ", ".join(f"{name}.{field}" for name, field in fields.items()))
        for track, fields in report.writes.items()
    ]
    console.print(grid("Writes", ("track", "fields"), writes))
    console.print(f"sources read beside Salesforce: {', '.join(report.sources) or 'none'}")
    where = f"the org {report.org} has all of it" if report.org else "no credentials are set, so no org was asked"
    console.print(f"mapping {escape(report.mapping)} is right; {where}")


def status(report: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    console = out()
    for track, counts in report["people"].items():
        hidden = report["out_of_reports"] if track == "stage" else ()
        rows = [(value or NONE, f"{count:,}") for value, count in counts.items() if value not in hidden]
        if rows:
            console.print(grid(f"People by {track}", (track, "people"), rows, right=(1,)))
        if left_out := ", ".join(f"{counts[value]:,} {escape(value)}" for value in hidden if value in counts):
            console.print(f"left out, because the mapping says reports: hidden: {left_out}", soft_wrap=True)
    for line in joined(report):
        console.print(line, soft_wrap=True)
    cursors = [
        (name, "reading all" if cursor.get("full") else cursor.get("through") or _heard_of(name, report["cycles"]))
        for name, cursor in report["cursors"].items()
    ]
    console.print(grid("Known up to", ("object or source", "server time, or the last cycle that read it"), cursors))
    cycles = [
        (
            str(each["started_at"])[:19],
            each["kind"],
            each.get("people_decided", ""),
            each.get("written", ""),
            (each.get("api_calls") or {}).get("total", ""),
            each.get("error") or "ok",
        )
        for each in (_flat(row) for row in report["cycles"])
    ]
    console.print(grid("Last cycles", ("started", "kind", "decided", "written", "calls", "result"), cycles, (2, 3, 4)))
    if report["set_aside"]:
        refused = [(each["person_id"], each["code"], each["message"]) for each in report["set_aside"]]
        console.print(
            grid("Set aside (connector retry tries them again)", ("record", "code", "Salesforce said"), refused)
        )
    if count := report["opportunities_without_roles"]["count"]:
        last = report["opportunities_without_roles"]["last_changed"]
        title = f"Opportunities without contact roles: {count:,} (they move nobody unless the mapping says whom)"
        deals = [(each["id"], each["name"], each["stage"]) for each in last]
        console.print(grid(title, ("opportunity", "name", "stage"), deals))
    budget = report["api_daily_budget"]
    calls = {source: sum(kinds.values()) for source, kinds in report["api_calls_today"].items()}
    said = ", ".join(f"{source} {count:,}" for source, count in calls.items()) or "none"
    console.print(
        f"waiting {report['waiting']:,}; API calls today: {said}" + (f" (budget {budget:,})" if budget else "")
    )
    beat = report["heartbeat"]
    said = f"{beat['status']}, {beat['seconds_ago']} s ago" if beat else "no sign of one"
    console.print(f"daemon: {said}; mapping version {report['mapping']}")


def joined(report: Mapping[str, Any]) -> Iterator[str]:
    """Whom the numbers count besides, or only once."""
    counts = report["counts"]
    if alone := counts["prospects_alone"]:
        stages = ", ".join(f"{count:,} {escape(value or NONE)}" for value, count in report["prospects"].items())
        yield f"marketing prospects without a CRM record, who are people too: {alone:,} ({stages})"
    if followers := counts["joined_by_email"]:
        yield f"records that count as another one with the same e-mail address (identity: by_email): {followers:,}"
    if crowded := counts["crowded_addresses"]:
        yield f"e-mail addresses of more records than identity joins (at_most), which stay apart: {crowded:,}"


def _heard_of(source: str, cycles: Sequence[Mapping[str, Any]]) -> str:
    """How the last cycle that asked a source got on with it; cycles come the newest first."""
    for each in cycles:
        report = each.get("report") or {}
        if why := report.get("sources_failed", {}).get(source):
            return f"down in the cycle of {str(each['started_at'])[:19]}: {why}"
        if source in report.get("read", {}):
            return f"{str(each['started_at'])[:19]}, {report['read'][source]:,} rows"
    return "not in the last cycles"


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**(row.get("report") or {}), **{key: value for key, value in row.items() if key != "report"}}


def explanations(people: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(people)
        return
    console = out()
    for person in people:
        explanation(console, person)


def explanation(console: Console, person: Mapping[str, Any], *, rules: bool = True, history: bool = True) -> None:
    """One person: every track with its rule, reason and evidence, then what happened so far."""
    email = f" <{person['email']}>" if person.get("email") else ""
    console.print(
        f"[bold]{escape(str(person.get('name') or person['person']))}[/bold]{escape(email)}"
        f" ({person['object']} {person['person']})"
    )
    if followers := person.get("joined_by_email"):
        names = ", ".join(f"{each['object']} {each['id']}" for each in followers)
        one_of = f"the same e-mail address as {names}: one person (identity: by_email), written to this record only"
        console.print(f"  {one_of}", soft_wrap=True)
    if unknown := person.get("unknown_before"):
        firsts = ", ".join(f"{name} on {at[:10]}" for name, at in sorted(unknown.items()))
        console.print(f"  fields as first read, which was later: {escape(firsts)}", soft_wrap=True)
    for track in person["decided"]:
        console.print(
            f"  {track['track']}: [bold]{escape(str(track['value'] or track['current'] or NONE))}[/bold]"
            f" - {escape(track['reason'])}",
            soft_wrap=True,
        )
        for each in track["evidence"]:
            at = f" {str(each['at'])[:10]}" if each.get("at") else ""
            console.print(f"    - {escape(each['text'])} [dim]({escape(each['ref'])}{at})[/dim]", soft_wrap=True)
    if people := person.get("people"):
        members = [(each["person"], each["stage"], each["rule"] or NONE) for each in people]
        console.print(grid("People, as far as they came by themselves", ("person", "stage", "rule"), members))
    if rules and "now" in person:
        rules_table(console, person["now"]["tracks"])
    if timeline := person.get("timeline") if history else None:
        happened = [
            (
                each["at"][:16].replace("T", " "),
                each["source"],
                f"{each['direction']} {each['kind']}" + ("" if each["counts"] else ", left out"),
                each["name"],
            )
            for each in timeline[:TIMELINE]
        ]
        more = f" (the last {TIMELINE} of {len(timeline):,})" if len(timeline) > TIMELINE else ""
        console.print(grid(f"Timeline{more}", ("at (UTC)", "source", "what", "name"), happened))
    if history and person.get("history"):
        rows = [
            (
                str(each["at"])[:19],
                each["track"],
                f"{each['old'] or EMPTY} -> {each['new'] or EMPTY}",
                each["rule"],
                each["result"],
            )
            for each in person["history"]
        ]
        console.print(grid("History", ("at", "track", "from -> to", "rule", "Salesforce"), rows))


def _because(found: str, lacks: str) -> str:
    """What was found, and what would change the answer, which often says what was found itself."""
    takes = f"it takes {lacks}" if lacks else ""
    return takes if found and f"({found})" in lacks else "; ".join(part for part in (found, takes) if part)


def rules_table(console: Console, tracks: Sequence[Mapping[str, Any]]) -> None:
    """Every rule: whether it holds, what was found, and what would change the answer."""
    rows = [
        (
            track["track"],
            rule["to"],
            rule["condition"],
            "yes" if rule["matched"] else "no",
            _because(rule["found"], rule.get("would_change", "")),
        )
        for track in tracks
        for rule in track["rules"]
    ]
    if rows:
        console.print(grid("Rules", ("track", "to", "when", "holds", "because"), rows))
