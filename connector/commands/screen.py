"""What people see: tables on stdout, progress and errors on stderr; or one JSON document on stdout.

rich is loaded by whoever draws with it: a health check, run every minute, and ``--version`` do without.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from connector.base.errors import ConnectorError
from connector.base.hiding import hidden
from connector.base.json import JsonMap
from connector.base.ports import Progress
from connector.base.text import fit_lines, printable

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console, JustifyMethod
    from rich.progress import TaskID
    from rich.table import Table
    from typer import BadParameter

WIDTH = 110  # of a table where stdout is no terminal
NONE = "(none)"
JSON_FORMS = dict.fromkeys(  # document of --json -> the version of its shape, which documents.py tells
    ("cycle", "plan", "rollback", "status", "health", "source", "explain", "report", "check", "check_files",
     "check_sources", "setup", "failures", "retry", "approve", "backup", "forget", "demo"),
    1,
)  # fmt: skip


def shown(value: object) -> str:
    """A text from elsewhere, fit for a terminal."""
    from rich.markup import escape

    return escape(printable(str(value)))


def out() -> Console:
    """stdout, asked for each time: tests and pipes replace it."""
    from connector.commands.terminal import Terminal

    return Terminal(highlight=False, width=None if sys.stdout.isatty() else WIDTH, soft_wrap=False)


def err() -> Console:
    from connector.commands.terminal import Terminal

    return Terminal(stderr=True, highlight=False)


def error(problem: ConnectorError) -> None:
    if _is_a_line(problem.what, problem.hint, problem.exit_code):
        return
    console = err()
    console.print(f"[red]error:[/red] {shown(problem.what)}", soft_wrap=True)
    if problem.hint:
        console.print(f"  try: {shown(problem.hint)}", soft_wrap=True)


def unexpected(problem: Exception) -> None:
    why = f": {problem.strerror}" if isinstance(problem, OSError) and problem.strerror else ""
    said, hint = f"unexpected {type(problem).__name__}{why}", "the same command with --debug shows the traceback"
    if not _is_a_line(said, hint, 1):
        err().print(f"[red]error:[/red] {said}", soft_wrap=True)
        err().print(f"  try: {hint}", soft_wrap=True)


def misused(problem: BadParameter) -> None:
    """A command line that is none; typer shows it with the usage."""
    context = getattr(problem, "ctx", None)
    said, asked = problem.format_message(), context.command_path if context else "connector"
    if context is not None and said == context.get_help():
        said = "no command is given"
    if not _is_a_line(said, f"{asked} --help", 2):
        problem.show()


def traceback(kind: type[BaseException], problem: BaseException, trace: TracebackType | None) -> None:
    """What Python would print, without secrets, and with nothing that commands a terminal."""
    from traceback import format_exception

    sys.stderr.write(fit_lines(hidden("".join(format_exception(kind, problem, trace)))))


def _is_a_line(what: str, hint: str, exit_code: int) -> bool:
    """Where the logs are JSON, so is an error; whether they are. Nothing has been logged before structlog is loaded."""
    if "structlog" not in sys.modules:
        return False
    import structlog

    from connector.base import logs

    if is_json := logs.is_json():
        structlog.get_logger().error("command failed", error=what, hint=hint, exit_code=exit_code)
    return is_json


def note(text: str) -> None:
    err().print(shown(text), soft_wrap=True)


def document(name: str, value: JsonMap, *, as_json: bool, text: str) -> None:
    """``text``: lines of ours; what is from elsewhere in them has no line ends of its own."""
    if as_json:
        print_json(name, value)
    else:
        sys.stdout.write("".join(printable(each) + "\n" for each in text.split("\n")))


def print_json(document_name: str, value: JsonMap, **lists: Iterable[Any]) -> None:
    """``lists``: more keys of the document, whose values are written one by one as they are read."""
    begun = {"document": document_name, "form": JSON_FORMS[document_name]}
    text = json.dumps({**begun, **value}, indent=2, default=str)
    sys.stdout.write(text.removesuffix("\n}") if lists else text)
    for name, items in lists.items():
        sys.stdout.write(f",\n  {json.dumps(name)}: [")
        for number, each in enumerate(items):
            sys.stdout.write(f"{',' if number else ''}\n    {json.dumps(each, default=str)}")
        sys.stdout.write("\n  ]")
    sys.stdout.write("\n}\n" if lists else "\n")


@contextmanager
def progress(as_json: bool) -> Iterator[Progress]:
    """Bars on a terminal's stderr; silence in pipes and with --json, where log lines tell enough."""
    console = err()
    if as_json or not console.is_terminal:
        yield lambda _what, _done, _total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield show


@contextmanager
def steps(as_json: bool) -> Iterator[Callable[[str], None]]:
    """Says each step as it begins: a spinner on a terminal's stderr, lines in a pipe, nothing with --json."""
    console = err()
    if as_json:
        yield lambda _what: None
    elif console.is_terminal:
        with console.status("Starting") as spinner:

            def step(what: str) -> None:
                console.print(f"[green]*[/green] {shown(what)}")
                spinner.update(what)

            yield step
    else:
        yield lambda what: console.print(f"* {shown(what)}", soft_wrap=True)


def grid(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[int] = ()) -> Table:
    """A plain table; ``right``: indices of columns of numbers."""
    from rich import box
    from rich.table import Table

    from connector.commands.fitting import widths_of

    table = Table(title=shown(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    widths = widths_of(columns, [[printable(str(cell)) for cell in row] for row in rows], right, out().width)
    for index, name in enumerate(columns):
        justify: JustifyMethod = "right" if index in right else "left"
        table.add_column(shown(name), justify=justify, overflow="fold", width=widths[index] if widths else None)
    for row in rows:
        table.add_row(*(shown(cell) for cell in row))
    table.min_width = min(len(title), out().width)  # or else it would wrap above a narrow table
    return table
