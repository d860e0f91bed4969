"""``connector failures``: how it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from connector.commands.options import AsJson, settings_of

failures_app = typer.Typer(
    help="The writes that Salesforce refused: list them with what to do, try them again, export them.",
    no_args_is_help=True,
)
Codes = Annotated[list[str] | None, typer.Option("--code", help="Only those with this code; may be repeated.")]
Ids = Annotated[list[str] | None, typer.Argument(help="Record ids; without any, all.")]


@failures_app.command("list")
def list_failures(codes: Codes = None, as_json: AsJson = False) -> None:
    """Which records, why, what to do, how often it was tried and since when."""
    from connector.commands.failures import read_failures, show_failures

    show_failures(read_failures(settings_of(), codes or ()), as_json=as_json)


@failures_app.command("retry")
def retry(ids: Ids = None, codes: Codes = None, as_json: AsJson = False) -> None:
    """Let the next cycle try the writes again that Salesforce refused."""
    from connector.base.text import count
    from connector.commands import screen
    from connector.commands.failures import retry_failures

    retried = retry_failures(settings_of(), ids or (), codes or ())
    text = f"{count(retried, 'record')} will be decided and written again in the next cycle"
    screen.document("retry", {"retried": retried}, as_json=as_json, text=text)


@failures_app.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="The new file: .json for JSON, anything else is CSV.")],
    codes: Codes = None,
) -> None:
    """Write them to a file, a row a record."""
    from connector.commands import screen
    from connector.commands.failures import export_failures, read_failures

    rows = read_failures(settings_of(), codes or ())
    export_failures(rows, file)
    screen.note(f"wrote {file}: {len(rows):,} rows")


def register_failures(app: typer.Typer) -> None:
    """``connector retry`` is its older name."""
    app.add_typer(failures_app, name="failures")
    app.command("retry", hidden=True)(retry)
