"""The commands. Each one opens what it needs, calls one function, prints one report, and ends with its exit code.

Exit codes: 0 done, 1 unexpected, 2 usage, mapping, settings or state wrong, 3 done but records were set aside,
4 Salesforce or a source refused. With ``--json`` stdout carries one JSON document and nothing else; logs and progress
go to stderr.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from connector import __version__
from connector.base.errors import ConfigurationError, ConnectorError
from connector.commands import export_cli, failures_cli, report_cli, screen, undoing_cli
from connector.commands.options import AsJson, MaxChanges, Options, date_of, ran, settings_of, tell_as_logs_do

app = typer.Typer(
    name="connector",
    help="Keeps the lifecycle stage and lead status of every person in Salesforce true, and says why.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Sample = Literal["small", "large"]
Form = Literal["text", "json", "github"]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change; write nothing anywhere.")]

ListAll = Annotated[bool, typer.Option("--list", help="Name everybody, not only the first 20.")]
CsvFile = Annotated[Path | None, typer.Option("--csv", help="Write everybody to this file, a row a change.")]


class System(StrEnum):
    """Marketing systems that a practice org can have beside it."""

    PARDOT = "pardot"
    MARKETO = "marketo"
    HUBSPOT = "hubspot"


def commands() -> list[str]:
    """The names of those that are shown."""
    return [name for name, each in typer.main.get_command(app).commands.items() if not each.hidden]  # type: ignore[attr-defined]


def main() -> None:
    """The console script: no traceback reaches a user unless asked for. ``--debug`` may stand anywhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started this; a file of ours must not take its place
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for good
    Options.debug = "--debug" in sys.argv
    sys.argv = [each for each in sys.argv if each != "--debug"]
    sys.excepthook = screen.traceback  # of --debug, which shows what is raised
    try:
        try:
            sys.exit(ran(app))
        finally:
            sys.stdout.flush()  # where it fails the interpreter would say so itself, when all is over
    except ConnectorError as error:
        if Options.debug:
            raise
        tell_as_logs_do()
        screen.error(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        _end_unread(0)
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # typer makes an error of it
            _end_unread(0)
        raise
    except Exception as error:
        if Options.debug:
            raise
        tell_as_logs_do()
        screen.unexpected(error)
        _end_unread(1)


def _end_unread(code: int) -> NoReturn:
    """Ends; what stdout still holds goes nowhere, since its reader went away or its disk is full."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


@app.callback(invoke_without_command=True)
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and debug logs.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    Options.debug = Options.debug or debug
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def demo(as_json: AsJson = False) -> None:
    """A practice org, a backfill and a few cycles of a living company. Needs no account and no settings."""
    from connector.base import logs
    from connector.commands.demo import run_demo

    logs.configure("console", "DEBUG" if Options.debug else "ERROR")
    run_demo(as_json=as_json)


@app.command()
@app.command("sandbox", hidden=True)
def practice(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    data: Annotated[Path | None, typer.Option(help="Folder with one <Object>.csv an object.")] = None,
    sample: Annotated[Sample | None, typer.Option(help="A generated company.")] = None,
    persist: Annotated[Path | None, typer.Option(help="SQLite file that keeps the org.")] = None,
    live: Annotated[float, typer.Option(min=0, help="Seconds between events of the living company; 0: none.")] = 0,
    mapping: Annotated[
        list[str] | None, typer.Option(help="Whose users and fields to add; else the one in force.")
    ] = None,
    bare: Annotated[bool, typer.Option("--bare", help="Add users only; connector setup makes the fields.")] = False,
    system: Annotated[list[System] | None, typer.Option(help="A marketing system to serve beside the org.")] = None,
    currencies: Annotated[str | None, typer.Option(help="Several, the corporate one first: EUR,JPY=160.")] = None,
) -> None:
    """Serve a practice org until interrupted. The first line on stdout is JSON: its address and credentials."""
    from connector.base import logs
    from connector.commands import practice as orgs
    from connector.mapping import load as load_mapping
    from connector.pipeline.daemon import Stop

    logs.configure("console", "DEBUG" if Options.debug else "INFO")
    stop = Stop()
    with stop.on_signals(), orgs.serve(port=port, persist=persist, systems=system or ()) as served:
        if currencies:
            orgs.use_currencies(served.org, currencies)
        for name in mapping or [settings_of().mapping]:
            orgs.add_owners(served.org, load_mapping(name))
            if not bare:
                orgs.add_fields(served.org, load_mapping(name))
        loaded = orgs.fill(served, sample=sample, data=data, tell=screen.note)
        orgs.announce(served)
        for line in orgs.instructions(served, loaded, is_bare=bare):
            screen.note(line)
        orgs.serve_until(served, every=live, wait=stop.wait, tell=screen.note)


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="The shipped mapping to begin with.")] = "lead-liaison",
) -> None:
    """Write a mapping and a .env to begin with into this folder. Overwrites nothing."""
    from connector.commands.init import run_init

    made = run_init(name, Path())
    screen.note(f"wrote {', '.join(str(path) for path in made)}")
    screen.note("next: fill in .env, then connector check, and connector backfill --dry-run")


@app.command()
def check(
    files: Annotated[list[Path] | None, typer.Argument(help="Mappings to check by themselves; asks no org.")] = None,
    mapping: Annotated[str | None, typer.Option(help="The mapping to check, instead of the one in force.")] = None,
    form: Annotated[Form, typer.Option("--format", help="github: as notes beside the lines of a change.")] = "text",
    as_json: AsJson = False,
    sources: Annotated[bool, typer.Option("--sources", help="Sign in to each source, and show a row of each.")] = False,
    dry_row: Annotated[bool, typer.Option("--dry-row", help="Have the org try each value, and keep none.")] = False,
) -> None:
    """Check the mapping, and with credentials that the org has what it needs."""
    from connector.commands.check import check_files, run_check, show_check, show_files

    if sources:
        from connector.commands.check_sources import check_sources, show_sources

        found = check_sources(settings_of(mapping=mapping))
        raise typer.Exit(show_sources(found, as_json=as_json or form == "json"))

    if files and mapping:
        raise typer.BadParameter("name files, or --mapping, not both", param_hint="FILES")
    form = "json" if as_json else form
    if files:
        raise typer.Exit(show_files(check_files(files), form))
    raise typer.Exit(show_check(run_check(settings_of(mapping=mapping), dry_row=dry_row), form))


@app.command()
def setup(
    out: Annotated[Path | None, typer.Option(help="Write a Salesforce DX project into this new folder.")] = None,
    deploy: Annotated[bool, typer.Option("--deploy", help="Check it in the org, ask, and send it.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Send it without asking.")] = False,
    mapping: Annotated[str | None, typer.Option(help="The mapping to set up for, instead of the one in force.")] = None,
    org: Annotated[str | None, typer.Option(help="Deploy as whom Salesforce's sf knows by this name.")] = None,
    user: Annotated[str | None, typer.Option(help="Who gets the permission set, if not the connector's user.")] = None,
    as_json: AsJson = False,
) -> None:
    """The fields, values and rights that the mapping needs in the org: as files, or sent there. It only adds."""
    from connector.commands import setup as setting_up
    from connector.commands.sf_session import with_session_of

    if deploy == (out is not None):
        raise typer.BadParameter("say --out DIR, or --deploy", param_hint="--out")
    settings = settings_of(mapping=mapping)
    user = user or settings.salesforce_username
    if org is not None:
        settings = with_session_of(settings, org)

    report = setting_up.run_setup(settings, out) if out else setting_up.run_deploy(settings, user, yes=yes)
    setting_up.show_setup(report, as_json=as_json)
    raise typer.Exit(0 if out or report.deployed == "Succeeded" else 2)


@app.command()
def sync(
    as_json: AsJson = False,
    dry_run: DryRun = False,
    max_changes: MaxChanges = None,
    list_all: ListAll = False,
    csv_file: CsvFile = None,
) -> None:
    """Run one cycle and exit."""
    from connector.commands import cycle_text
    from connector.commands.listing import listing
    from connector.pipeline.cycle import run_cycle
    from connector.wiring import open_pipeline

    settings = settings_of(max_changes=max_changes)
    with listing(dry_run, list_all, csv_file) as people:
        with (
            screen.progress(as_json) as progress,
            open_pipeline(settings, progress=progress, dry_run=dry_run) as pipeline,
        ):
            report = run_cycle(pipeline, dry_run=dry_run, listing=people)
        cycle_text.cycle(report, as_json=as_json)
    raise typer.Exit(report.exit_code)


@app.command()
def reconcile(as_json: AsJson = False, max_changes: MaxChanges = None) -> None:
    """Compare all that is known with the org, id by id, repair what differs, and run one cycle with it."""
    from connector.commands import cycle_text
    from connector.pipeline.cycle import run_cycle
    from connector.wiring import open_pipeline, reconciling

    settings = settings_of(max_changes=max_changes)
    with screen.progress(as_json) as progress, open_pipeline(settings, progress=progress) as pipeline:
        report = run_cycle(reconciling(pipeline), kind="reconcile")
    cycle_text.cycle(report, as_json=as_json)
    raise typer.Exit(report.exit_code)


@app.command()
def backfill(
    since: Annotated[str | None, typer.Option(help="Only people with facts since this date (2026-01-31).")] = None,
    object_name: Annotated[str | None, typer.Option("--object", help="Only Contact, or only Lead.")] = None,
    ids: Annotated[list[str] | None, typer.Option("--id", help="Only this person; may be repeated.")] = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
    max_changes: MaxChanges = None,
    list_all: ListAll = False,
    csv_file: CsvFile = None,
    gone: Annotated[bool, typer.Option(help="What is not seen any more is deleted, not hidden.")] = False,
    sources: Annotated[list[str] | None, typer.Option("--source", help="Of the sources, only this one.")] = None,
) -> None:
    """Read everything, decide everybody from the full history, write what differs. Goes on where it was interrupted."""
    from connector.commands import cycle_text
    from connector.commands.listing import listing
    from connector.pipeline.backfill import Scope, run_backfill
    from connector.pipeline.daemon import Stop
    from connector.wiring import open_pipeline

    settings = settings_of(max_changes=max_changes)
    scope = Scope(date_of(since), object_name, tuple(ids or ()), tuple(sources or ()))
    stop = Stop()
    with listing(dry_run, list_all, csv_file) as people:
        with (
            stop.on_signals(),
            screen.progress(as_json) as progress,
            open_pipeline(settings, progress=progress, stop=stop, dry_run=dry_run) as pipeline,
        ):
            report = run_backfill(pipeline, scope, dry_run=dry_run, listing=people, gone=gone)
        cycle_text.cycle(report, as_json=as_json)
    if stop():
        screen.note("interrupted: run the same command again to go on")
        raise typer.Exit(130)
    raise typer.Exit(report.exit_code)


@app.command("plan")
def plan_command(
    mapping: Annotated[str | None, typer.Option(help="The mapping to try; without it, the one in force.")] = None,
    as_json: AsJson = False,
    max_changes: MaxChanges = None,
    list_all: ListAll = False,
    csv_file: CsvFile = None,
) -> None:
    """What a mapping would change, against the facts read so far. Asks nobody and writes nothing."""
    from connector.commands import cycle_text
    from connector.commands.listing import listing
    from connector.commands.plan import run_preview

    settings = settings_of(max_changes=max_changes)
    with listing(True, list_all, csv_file) as people:
        with screen.progress(as_json) as progress:
            preview = run_preview(settings, mapping, progress, people)
        cycle_text.show_plan(preview, as_json=as_json)
    limit = settings.max_changes
    if limit is not None and preview.report.to_change > limit:
        raise ConfigurationError(
            f"this mapping would change {preview.report.said_to_change}, more than the limit of {limit}",
            "change the mapping, or raise --max-changes or CONNECTOR_MAX_CHANGES",
        )


@app.command("run")
def run_command() -> None:
    """The daemon: one cycle every interval. The first signal finishes the step in hand, the second interrupts."""
    from connector.commands.run import run_beside

    run_beside(settings_of())


@app.command("status")
def status_command(
    as_json: AsJson = False,
    max_age: Annotated[
        float | None,
        typer.Option(help="Only whether the daemon is well: exit 1 unless a cycle went well in this many seconds."),
    ] = None,
) -> None:
    """Cursors, last cycles, people by stage, waiting and refused writes, API calls today. Ends with exit code 4 while a
    source cannot be read."""
    if max_age is not None:
        from connector.commands.health import show_health

        raise typer.Exit(show_health(max_age, as_json=as_json))
    from connector.commands import status_text
    from connector.commands.status import read_status

    raise typer.Exit(status_text.show_status(read_status(settings_of()), as_json=as_json))


@app.command("source")
def source_command(
    name: Annotated[str, typer.Argument(help="pardot, marketo, hubspot, files, warehouse, webhook, or a tap.")],
    as_json: AsJson = False,
) -> None:
    """How one marketing source does: account, lag, errors, what it told and whom that reaches, calls today."""
    from connector.commands.source_one import read_source, show_source

    told = read_source(settings_of(), name, all_of_them=as_json)
    raise typer.Exit(show_source(told, as_json=as_json))


@app.command("approve")
def approve_command(
    up_to: Annotated[int | None, typer.Option(min=1, help="At most so many changes; without it, what is held.")] = None,
    as_json: AsJson = False,
) -> None:
    """Let a plan pass that is held back for changing more than --max-changes: once, within a day."""
    from connector.commands.letting import run_approve

    allowed = run_approve(settings_of(), up_to)
    text = f"the next cycle may change up to {allowed:,} people and accounts, once, within a day"
    screen.document("approve", {"approved_up_to": allowed}, as_json=as_json, text=text)


@app.command("explain")
def explain_command(
    person: Annotated[str, typer.Argument(help="Record id or e-mail address.")],
    at: Annotated[str | None, typer.Option(help="As it was at a past date or time (2026-01-31).")] = None,
    as_json: AsJson = False,
) -> None:
    """Why a person is where they are: each track, its rule and evidence, and the history."""
    from connector.commands import explain_text
    from connector.commands.explain import explain_people

    explain_text.explanations(explain_people(settings_of(), person, date_of(at)), as_json=as_json)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The new file to write.")],
    as_json: AsJson = False,
) -> None:
    """Copy the state into a file, as it is at one moment; the daemon may go on."""
    from connector.commands.backup import run_backup

    made = run_backup(settings_of(), file)
    text = f"wrote {made['file']}; CONNECTOR_STATE={made['file']} goes on from it"
    screen.document("backup", made, as_json=as_json, text=text)


report_cli.register(app)
export_cli.register_export(app)
failures_cli.register_failures(app)
undoing_cli.register_undoing(app)
