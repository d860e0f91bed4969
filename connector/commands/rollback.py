"""``connector rollback``: shows what would be put back, and with --apply puts it back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta

from connector.base.clock import SystemClock
from connector.base.errors import ConfigurationError
from connector.base.json import JsonMap, JsonObject
from connector.base.settings import Settings
from connector.base.text import count
from connector.commands.screen import grid, out, print_json, shown
from connector.pipeline.planned import EMPTY, SHOWN
from connector.pipeline.report import CycleReport
from connector.pipeline.rollback import ROLLBACK, ToUndo, Undoing, learn_unanswered, plan_rollback, run_rollback
from connector.store import Store
from connector.wiring import copied_state, load_mapping, open_client, open_pipeline, open_state

_COLUMNS = ("person", "field", "before", "we wrote", "now", "why it is left alone")


def preview_rollback(settings: Settings, wanted: ToUndo, person: str | None) -> tuple[JsonObject, int]:
    """What would be put back, and the exit code; writes nothing. What was never answered is looked up in a copy."""
    clock, mapping = SystemClock(), load_mapping(settings)
    with ExitStack() as open_:
        store = open_.enter_context(open_state(settings, clock))
        salesforce = open_.enter_context(open_client(settings, clock, store))
        if store.intents():
            store = open_.enter_context(copied_state(settings, clock))
            learn_unanswered(salesforce, store, mapping, clock.now(), timedelta(seconds=settings.overlap))
        undoing = plan_rollback(salesforce, store, mapping, _of(store, wanted, person), clock.now())
        report = CycleReport(kind=ROLLBACK, dry_run=True, started_at=clock.now(), mapping=mapping.version)
        undoing.say_in(report)
        return _document(report, undoing), report.exit_code


def apply_rollback(settings: Settings, wanted: ToUndo, person: str | None) -> tuple[JsonObject, int]:
    """Puts it back; returns what was done, and the exit code."""
    with open_pipeline(settings) as pipeline:
        report, undoing = run_rollback(pipeline, _of(pipeline.store, wanted, person))
        run = pipeline.store.cycles(1)[0]["id"]
    return {**_document(report, undoing), "run": run}, report.exit_code


def show_rollback(told: JsonMap, *, as_json: bool) -> None:
    if as_json:
        print_json("rollback", told)
        return
    console = out()
    for track, moves in told["changes"].items():
        rows = [(*move.partition(" -> ")[::2], f"{people:,}") for move, people in moves.items()]
        console.print(grid(track, ("from", "to", "people"), rows, right=(2,)))
    people = count(told["people_to_change"], "person", "people")
    if told["dry_run"]:
        console.print(f"{people} would be put back; nothing was written. --apply does it", soft_wrap=True)
    else:
        refused = f", {told['refused']:,} refused" if told["refused"] else ""
        waiting = f", {told['waiting']:,} unanswered" if told["waiting"] else ""
        console.print(
            f"{told['written']:,} of {people} put back{refused}{waiting}; this is run {told['run']}:"
            f" connector rollback {told['run']} undoes it",
            soft_wrap=True,
        )
    _show_unseen(told)
    _show_left(told["left_alone"])


def _show_unseen(told: JsonMap) -> None:
    for name, why in sorted(told["unread"].items()):
        records = count(told["unseen"].get(name, 0), "record")
        said = f"{name} cannot be read: {records} left; the same rollback puts back what is there once it can"
        out().print(f"[red]not seen:[/red] {said} ({shown(why)})", soft_wrap=True)
    for name, fields in sorted(told["hidden_fields"].items()):
        said = f"{name} without {shown(', '.join(fields))}, which the user may not see"
        out().print(f"[yellow]hidden:[/yellow] {said}; the same rollback puts it back once it may", soft_wrap=True)


def _show_left(left: Sequence[JsonMap]) -> None:
    if not left:
        return
    names = ("id", "field", "before", "written", "now", "why")
    rows = [tuple(EMPTY if each[name] in (None, "") else shown(each[name]) for name in names) for each in left[:SHOWN]]
    screen = out()
    screen.print(grid(f"Left alone: {count(len(left), 'value')}", _COLUMNS, rows))
    if len(left) > SHOWN:
        screen.print(f"and {len(left) - SHOWN:,} more; --json names all of them")


def _document(report: CycleReport, undoing: Undoing) -> JsonObject:
    return {
        **report.as_dict(),
        "people": [each.id for each in undoing.planned if each.change is not None],
        "left_alone": undoing.left,
    }


def _of(store: Store, wanted: ToUndo, person: str | None) -> ToUndo:
    if person is None:
        return wanted
    found = store.find_people(person)
    if not found:
        raise ConfigurationError(f"nobody is known as {person}", "name a record id or an e-mail address")
    return ToUndo(wanted.run, wanted.since, found)
