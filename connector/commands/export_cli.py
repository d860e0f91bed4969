"""``connector export``: the views of the state as files, for whoever reports with tools of their own."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from connector.commands.options import settings_of


class Exported(StrEnum):
    """What can be exported."""

    PERSON = "report_person"
    STAY = "report_stay"
    STAGE_DAY = "report_stage_day"
    HANDOFF = "report_handoff"
    ACTIVITY = "report_activity"
    REFUSED = "report_refused"


class FileKind(StrEnum):
    """How a file is written."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


def export_command(
    views: Annotated[list[Exported] | None, typer.Argument(help="Which; see docs/reports.md.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    kind: Annotated[FileKind, typer.Option("--format", help="How the files are written.")] = FileKind.CSV,
    out: Annotated[Path, typer.Option(help="The folder for the files.")] = Path(),
) -> None:
    """Write people, stays, hand-offs, activities and refused writes to files, one a view."""
    from connector.commands import screen
    from connector.commands.exporting import run_export

    if everything == bool(views):
        raise typer.BadParameter("name views, or --all", param_hint="VIEWS")
    names = [each.value for each in (views or Exported)]
    for path, rows in run_export(settings_of(), names, kind.value, out):
        screen.note(f"wrote {path}: {rows:,} rows")


def register_export(app: typer.Typer) -> None:
    app.command("export")(export_command)
