"""``connector rollback`` and ``connector forget``: how what was written, and what is known, is taken back."""

from __future__ import annotations

from typing import Annotated

import typer

from connector.commands.options import AsJson, MaxChanges, date_of, settings_of


def rollback_command(
    run: Annotated[int | None, typer.Argument(help="The run to undo; connector status --json has their ids.")] = None,
    since: Annotated[str | None, typer.Option(help="Undo what was written since (2026-01-31T14:00).")] = None,
    person: Annotated[str | None, typer.Option(help="Only of this person: record id or e-mail address.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without this it is only shown.")] = False,
    as_json: AsJson = False,
    max_changes: MaxChanges = None,
) -> None:
    """Put back what stood before we wrote, where it is still ours; shows it first. Stop the daemon to apply it."""
    from connector.commands import rollback as undoing
    from connector.pipeline.rollback import ToUndo

    if run is None and since is None and person is None:
        raise typer.BadParameter("name a run, --since or --person", param_hint="RUN")
    settings, wanted = settings_of(max_changes=max_changes), ToUndo(run, date_of(since))
    does = undoing.apply_rollback if apply else undoing.preview_rollback
    told, code = does(settings, wanted, person)
    undoing.show_rollback(told, as_json=as_json)
    raise typer.Exit(code)


def forget_command(
    person: Annotated[str, typer.Argument(help="Record id, e-mail address, or source:id of a prospect.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, only what would go is shown.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a person's names, addresses and texts out of the state and the files beside it, for good."""
    from connector.commands import screen
    from connector.commands.forget import forget_text, run_forget

    told = run_forget(settings_of(), person, doing=yes)
    screen.document("forget", told, as_json=as_json, text=forget_text(told))


def register_undoing(app: typer.Typer) -> None:
    app.command("rollback")(rollback_command)
    app.command("forget")(forget_command)
