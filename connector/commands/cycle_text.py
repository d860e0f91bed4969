"""What a cycle did, or would do, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console

from connector.commands.plan import Preview
from connector.commands.screen import NONE, grid, out, print_json, shown
from connector.pipeline.planned import Listing
from connector.pipeline.report import CycleReport


def cycle(report: CycleReport, *, as_json: bool) -> None:
    if as_json:
        print_json(report.document())
        return
    console = out()
    changes_table(console, report.changes)
    people_tables(console, report.listing)
    read = sum(report.read.values())
    dry = " (dry run, nothing was written)" if report.dry_run else ""
    verb = "would change" if report.dry_run else "to change"
    console.print(
        f"{report.kind}{dry}: read {read:,} rows, decided {report.people_decided:,} people,"
        f" {verb} {report.said_to_change}"
    )
    if not report.dry_run:
        console.print(f"written {report.written:,}, refused {report.refused:,}, waiting {report.waiting:,}")
    for code, count in report.set_aside.most_common():
        console.print(f"[red]refused by Salesforce:[/red] {count:,} with {shown(code)}; connector status says why")
    if report.held:
        held = ", ".join(f"{count:,} {track}" for track, count in sorted(report.held.items()))
        console.print(f"held by the gate (set by hand, locked, or forward only): {held}")
    for kind, count in sorted(report.unknown_types.items()):
        console.print(f"unknown activity type {shown(kind)}: {count:,} kept, not counted as engagement")
    for name, what in sorted(report.sources_failed.items()):
        console.print(f"[red]source {shown(name)} failed:[/red] {shown(what)}")
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
    people_tables(console, report.listing)
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


def people_tables(console: Console, listing: Listing | None) -> None:
    if listing is None:
        return
    moved = [
        (row["name"], row["track"], f"{row['from']} -> {row['to']}", row["rule"], row["link"] or row["id"])
        for row in listing.changes
    ]
    if moved:
        title = _title("Who", listing.counts["changes"], listing.changes)
        console.print(grid(title, ("name", "track", "from -> to", "rule", "record"), moved))
    held = [(row["name"], row["track"], row["from"], row["reason"]) for row in listing.held]
    if held:
        title = _title("Who is held", listing.counts["held"], listing.held)
        console.print(grid(title, ("name", "track", "stays", "because"), held))


def _title(what: str, total: int, rows: Sequence[object]) -> str:
    return what if total == len(rows) else f"{what} (the first {len(rows)} of {total:,}; --list shows all)"
