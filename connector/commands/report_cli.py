"""``connector report``: how it is asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from connector.base.errors import ConfigurationError
from connector.commands.options import AsJson, condition_of, date_of, end_of, settings_of

if TYPE_CHECKING:
    from connector.reports.table import Report


class Subject(StrEnum):
    """What a report is about."""

    FUNNEL = "funnel"
    MOVEMENT = "movement"
    VELOCITY = "velocity"
    RESPONSE = "response"
    STUCK = "stuck"
    ENGAGEMENT = "engagement"
    REPAIR = "repair"
    LEDGER = "ledger"
    HEALTH = "health"


_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(h|d|w)")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def report_command(
    subject: Annotated[list[Subject] | None, typer.Argument(help="Which reports; without any, the funnel.")] = None,
    since: Annotated[str | None, typer.Option(help="From this date or time on (2026-01-31); else 13 weeks.")] = None,
    until: Annotated[str | None, typer.Option(help="Up to the end of this date, or up to a time; else now.")] = None,
    by: Annotated[str, typer.Option(help="Side by side: owner, object, account, or a field.")] = "",
    where: Annotated[
        list[str] | None, typer.Option(help="Only people with this, like owner=Anna or LeadSource!=Web; repeatable.")
    ] = None,
    hidden: Annotated[
        bool, typer.Option("--hidden", help="Also stages that the mapping leaves out of reports.")
    ] = False,
    limit: Annotated[
        list[str] | None, typer.Option(help="How long is too long at a stage, like Engaged=30d; repeatable.")
    ] = None,
    within: Annotated[
        str | None, typer.Option(help="How soon a hand-off should be answered, like 4h; else 24h.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Beside each figure what it was in the period before.")
    ] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Ledger: compare with what Salesforce counts.")] = False,
    as_json: AsJson = False,
    html: Annotated[Path | None, typer.Option(help="Write them all as one page into this file.")] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", help="Write the tables to this file, and beside it.")
    ] = None,
) -> None:
    """Funnel, movement, velocity, response times, who is stuck; the ledger that proves them; what to repair."""
    from connector.commands import screen
    from connector.commands.asking import refuse_what_nothing_uses
    from connector.commands.report_text import show_reports
    from connector.commands.reporting import Wanted, run_reports

    names = [each.value for each in subject or (Subject if html else (Subject.FUNNEL,))]
    given = {"--by": by, "--compare": compare, "--verify": verify, "--limit": limit, "--within": within}
    refuse_what_nothing_uses(names, [option for option, value in given.items() if value])
    wanted = Wanted(
        since=date_of(since),
        until=end_of(until),
        by=by,
        where=tuple(map(condition_of, where or ())),
        hidden=hidden,
        limits=tuple(map(_limit, limit or ())),
        within=_span(within or "24h"),
        verify=verify,
        compare=compare,
    )
    if html is not None:
        from connector.commands.pages.one_file import write_html

        write_html(settings_of(), html, names, wanted)
        screen.note(f"wrote {html}")
        return
    reports, asked = run_reports(settings_of(), names, wanted)
    if csv_file is not None:
        _into_csv(reports, csv_file)
    if as_json or csv_file is None:
        show_reports(reports, asked, as_json=as_json)
    raise typer.Exit(3 if any(each.good is False for each in reports) else 0)


def _into_csv(reports: Sequence[Report], file: Path) -> None:
    from connector.commands import screen
    from connector.commands.report_text import write_csv

    for path in write_csv(reports, file):
        screen.note(f"wrote {path}")
    for said in dict.fromkeys(said for each in reports for said in each.notes):
        screen.note(f"note: {said}")


def _limit(text: str) -> tuple[str, timedelta]:
    stage, _, span = text.rpartition("=")
    if not stage:
        raise ConfigurationError(f"--limit {text!r} names no stage", "write it like Engaged=30d")
    return stage.strip(), _span(span)


def _span(text: str) -> timedelta:
    found = _SPAN.fullmatch(text.strip().casefold())
    if not found:
        raise ConfigurationError(f"{text!r} is no span of time", "write it like 4h, 30d or 2w")
    return timedelta(**{_UNITS[found[2]]: float(found[1])})


def register(app: typer.Typer) -> None:
    app.command("report")(report_command)
