"""What a cycle did, or would do, for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import groupby

from rich.console import Console

from connector.base.json import JsonMap
from connector.base.text import count, printable
from connector.commands.plan import Preview
from connector.commands.screen import NONE, grid, out, print_json, shown
from connector.lifecycle.plan import NUMBERS
from connector.pipeline.aging import said_of_gone
from connector.pipeline.planned import Listing, ListingRow, is_beside
from connector.pipeline.reconcile import drift_text
from connector.pipeline.report import CycleReport

UNMAPPED = "say what they are with activities: {types: {...}} in the mapping; connector status lists them until then"
NOT_UNDERSTOOD = {"files": "quarantine/<file>.jsonl in the folder says which and why"}
LOGGED = "the log says which and why"
BOTH_STAY = "other words, another time: both are kept"


def cycle(report: CycleReport, *, as_json: bool) -> None:
    if as_json:
        print_json("cycle", report.document(), **_people(report.listing))
        return
    console = out()
    changes_table(console, report.moves(), "Would change" if report.dry_run else "Decided to change")
    people_lists(console, report.listing)
    read = sum(report.read.values())
    dry = " (dry run, nothing was written)" if report.dry_run else ""
    said = f"{report.kind}{dry}: read {count(read, 'row')}, decided {count(report.people_decided, 'person', 'people')}"
    if report.dry_run:
        said += f", would change {report.said_to_change}"
    elif not report.to_change:
        said += ", none to change"
    console.print(said, soft_wrap=True)
    if report.to_change and not report.dry_run:
        left = f", {report.left:,} not come to, because others were refused or the run ended" if report.left else ""
        console.print(
            f"decided to change {report.said_to_change}: {report.written:,} written, {report.refused:,} refused,"
            f" {report.waiting:,} waiting for the next cycle{left}",
            soft_wrap=True,
        )
    for code, number in report.set_aside.most_common():
        said = f"{number:,} with {shown(code)}; connector status says why"
        console.print(f"[red]refused by Salesforce:[/red] {said}", soft_wrap=True)
    if report.held:
        held = ", ".join(f"{number:,} {track}" for track, number in sorted(report.held.items()))
        console.print(f"held by the gate (set by hand, locked, or forward only): {held}", soft_wrap=True)
    for kind, number in sorted(report.unknown_types.items()):
        said = f"unknown activity type {shown(kind)}: {number:,} kept, not counted as engagement"
        console.print(said, soft_wrap=True)
    if report.unmapped:
        console.print(f"  {UNMAPPED}", soft_wrap=True)
    for name, number in sorted(report.not_understood.items()):
        said = (
            f"{shown(name)}: {count(number, 'row')} not understood, and not taken; {NOT_UNDERSTOOD.get(name, LOGGED)}"
        )
        console.print(f"[red]not taken:[/red] {said}", soft_wrap=True)
    for name, number in sorted(report.same_ids.items()):
        said = f"{shown(name)}: {count(number, 'activity', 'activities')} with an id that another has; {BOTH_STAY}"
        console.print(f"[yellow]same id:[/yellow] {said}", soft_wrap=True)
    for name, found in sorted(report.swept.items()):
        console.print(f"source {shown(name)} compared: {swept_said(found)}", soft_wrap=True)
    _what_is_hidden(console, report)
    for name, what in sorted(report.sources_failed.items()):
        console.print(f"[red]source {shown(name)} failed:[/red] {shown(what)}", soft_wrap=True)
    calls = ", ".join(f"{number:,} {kind}" for kind, number in report.api_calls.items() if kind != "total")
    console.print(
        f"API calls {report.api_calls.get('total', 0):,}{f' ({calls})' if calls else ''}; {report.duration:.1f} s",
        soft_wrap=True,
    )


def _what_is_hidden(console: Console, report: CycleReport) -> None:
    for name, what in sorted(report.unread.items()):
        said = f"{name} stays as it was known, everything else went on: {shown(what)}"
        console.print(f"[red]not read:[/red] {said}", soft_wrap=True)
    for name, fields in sorted(report.hidden.items()):
        said = f"{name} is read without {shown(', '.join(fields))}, which the user may not see; connector status"
        console.print(f"[yellow]hidden:[/yellow] {said}", soft_wrap=True)
    if report.blind:
        said = f"nobody is moved back until it is read: {shown(', '.join(report.blind))}"
        console.print(f"[yellow]never seen:[/yellow] {said}", soft_wrap=True)
    _kept_in_part(console, report.kept_in_part)
    if report.drift:
        said = f"{shown(drift_text(report.drift))}; repaired"
        console.print(f"[yellow]the state differed from the org:[/yellow] {said}", soft_wrap=True)
    for name, number in sorted(report.unseen.items()):
        said = f"{number:,} rows of {name} are not seen any more, and were not deleted; connector status"
        console.print(f"[yellow]hidden:[/yellow] {said}", soft_wrap=True)


def _kept_in_part(console: Console, before: str | None) -> None:
    if before:
        console.print(f"[yellow]kept in part:[/yellow] {said_of_gone(before)}", soft_wrap=True)


def show_plan(plan: Preview, *, as_json: bool) -> None:
    report = plan.report
    if as_json:
        print_json("plan", plan.as_dict(), **_people(report.listing))
        return
    console = out()
    changes_table(console, report.moves(), "Would change")
    rows = [
        (track, rule or NONE, f"{number:,}")
        for track, rules in sorted(report.rules.items())
        for rule, number in rules.most_common()
        if track not in NUMBERS and not is_beside(track)  # which have no rules
    ]
    if rows:
        console.print(grid("By rule", ("track", "rule", "people"), rows, right=(2,)))
    if owners := plan.owners():
        console.print(grid("New owners", ("owner", "people"), [(name, n) for name, n in owners.items()], right=(1,)))
    people_lists(console, report.listing)
    for name, fields in plan.missing.items():
        them = "it" if len(fields) == 1 else "them"
        said = f"{name}.{', '.join(fields)}; a cycle reads {them} first, and rules over {them} do not hold here"
        console.print(f"[yellow]not read yet:[/yellow] {said}", soft_wrap=True)
    _kept_in_part(console, plan.kept_in_part)
    if plan.assumed:
        said = f"{', '.join(plan.assumed)}; a cycle looks for these owners first, and stops where the org has none"
        console.print(f"[yellow]not looked up yet:[/yellow] {shown(said)}", soft_wrap=True)
    console.print(
        f"plan (nothing was written): decided {count(report.people_decided, 'person', 'people')}, would change"
        f" {report.said_to_change}; writing costs {count(plan.write_calls, 'API call')}",
        soft_wrap=True,
    )


def changes_table(console: Console, changes: Mapping[str, Mapping[str, int]], title: str) -> None:
    """Dates of stages, which follow from the stage, are one line."""
    rows = [
        (track, move, f"{moves[move]:,}")
        for track, moves in sorted(changes.items())
        if not is_beside(track)
        for move in sorted(moves, key=lambda move: _place(track, move, moves[move]))
    ]
    if rows:
        console.print(grid(title, ("track", "from -> to", "people"), rows, right=(2,)))
    beside = [sum(moves.values()) for track, moves in changes.items() if is_beside(track)]
    if beside:
        console.print(
            f"and {count(sum(beside), 'value')} in {count(len(beside), 'field')} with dates and further values"
        )


def _place(track: str, move: str, people: int) -> tuple[int, ...]:
    """The most frequent first; bands of a score in their order."""
    if track not in NUMBERS:
        return (-people,)
    return tuple(_lowest(part) for part in reversed(move.split(" -> ")))


def _lowest(band: str) -> int:
    """Of ``10 to 19``: 10."""
    number = re.search(r"\d+", band)
    return -1 if number is None or band.startswith("below") else int(number.group())


def _people(listing: Listing | None) -> dict[str, Iterable[ListingRow]]:
    return {} if listing is None else {"who": listing.changes, "who_is_held": listing.held}


def people_lists(console: Console, listing: Listing | None) -> None:
    """Person by person, so that half a million need no memory."""
    if listing is None:
        return
    if listing.people:
        console.print(_title("Who", listing.people, listing))
        _persons(console, listing.changes)
    if listing.people_held:
        console.print(_title("Who is held", listing.people_held, listing))
        _persons(console, listing.held)


def _title(what: str, people: int, listing: Listing) -> str:
    shown_of = listing.shown(people)
    more = "" if shown_of == people else f" (the first {shown_of} of {people:,}; --list names all)"
    return f"[bold]{what}[/bold]{more}"


def _persons(console: Console, rows: Iterable[ListingRow]) -> None:
    """Written as they are, which is a hundred times as fast as with styles."""
    for _, group in groupby(rows, key=lambda row: row["id"]):
        lines = list(group)
        first = lines[0]
        console.file.write(printable(f" {first['name']} ({first['object']}) {first['link'] or first['id']}") + "\n")
        told = [row for row in lines if not is_beside(row["track"])]
        widest = max((len(row["track"]) for row in told), default=0)
        for row in told:
            console.file.write(printable(f"   {row['track']:<{widest}}  {_said(row)}") + "\n")
        if beside := len(lines) - len(told):
            console.file.write(f"   and {count(beside, 'field')} with dates and further values\n")
    console.file.write("\n")


def _said(row: ListingRow) -> str:
    if row["verdict"] == "held":
        return f"stays {row['from']}: {row['reason']}"
    by = f", by {row['rule']}" if row["rule"] and row["rule"] != row["track"] else ""
    return f"{row['from']} -> {row['to']}{by}"


def swept_said(found: JsonMap) -> str:
    """What the sweep of a source found."""
    said = f"{found['rows']:,} seen, {found['missed']:,} that nothing had told of, {found['gone']:,} gone"
    if not found["unseen"]:
        return said
    why = "some rows were not certain" if found["uncertain"] else "so many may be hidden"
    return f"{said}; {found['unseen']:,} are no longer seen and stay, because {why}"
