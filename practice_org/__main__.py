"""``python -m practice_org``: serves a practice org until it is interrupted."""

from __future__ import annotations

import signal
import sys
import threading
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import structlog
import typer

from practice_org.errors import PracticeError
from practice_org.practice import announce, fill, serve, serve_until, use_currencies
from practice_org.salesforce.schema import FieldSpec, Value


class System(StrEnum):
    """Marketing systems that can stand beside the org."""

    PARDOT = "pardot"
    MARKETO = "marketo"
    HUBSPOT = "hubspot"


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def main(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    data: Annotated[Path | None, typer.Option(help="Folder with one <Object>.csv an object.")] = None,
    sample: Annotated[Literal["small", "large"] | None, typer.Option(help="A generated company.")] = None,
    persist: Annotated[Path | None, typer.Option(help="SQLite file that keeps the org.")] = None,
    live: Annotated[float, typer.Option(min=0, help="Seconds between events of the living company; 0: none.")] = 0,
    system: Annotated[
        list[System] | None,
        typer.Option(help="A marketing system to serve beside the org."),
    ] = None,
    currencies: Annotated[
        str | None, typer.Option(help="Several currencies, the corporate one first, like EUR,JPY=160,USD=1.1.")
    ] = None,
    tls: Annotated[bool, typer.Option("--tls", help="Serve https, with a certificate of its own authority.")] = False,
    field: Annotated[
        list[str] | None,
        typer.Option(
            help="A custom field to add, like Contact.Level__c:picklist:Gold,Silver or Lead.Points__c:double."
        ),
    ] = None,
) -> None:
    """Serve a practice org until interrupted. The first line on stdout is JSON: its address and credentials."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())

    def wait(seconds: float | None) -> bool:
        """In slices, so that signals are handled."""
        left = float("inf") if seconds is None else seconds
        while left > 0 and not ended.wait(min(left, 1.0)):
            left -= 1.0
        return ended.is_set()

    try:
        fields = [_field(text) for text in field or ()]
        with serve(port=port, persist=persist, systems=system or (), tls=tls) as served:
            if currencies:
                use_currencies(served.org, currencies)
            for object_name, spec in fields:
                served.org.define(object_name, [spec])
            loaded = fill(served, sample=sample, data=data, tell=lambda line: typer.echo(line, err=True))
            announce(served)
            typer.echo(f"practice org at {served.url}; end it with Ctrl-C", err=True)
            for name, count in loaded.items():
                typer.echo(f"loaded {count:,} {name}", err=True)
            serve_until(served, every=live, wait=wait, tell=lambda line: typer.echo(line, err=True))
    except PracticeError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


def _field(text: str) -> tuple[str, FieldSpec]:
    """``Object.Name__c:type[:value,value]``. Raises PracticeError."""
    where, _, what = text.partition(":")
    object_name, dot, name = where.partition(".")
    kind, _, values = what.partition(":")
    if not dot or not name.endswith("__c") or kind not in _KINDS:
        raise PracticeError(f"--field {text} is not understood", f"write Object.Name__c:type, of {', '.join(_KINDS)}")
    labels = [each.strip() for each in values.split(",") if each.strip()]
    length, precision = _KINDS[kind]
    spec = FieldSpec(name, kind, values=tuple(Value(each, each) for each in labels), length=length, precision=precision)
    return object_name, spec


_KINDS = {  # type -> length, precision
    "string": (255, 0),
    "textarea": (255, 0),
    "picklist": (255, 0),
    "multipicklist": (4099, 0),
    "double": (0, 18),
    "date": (0, 0),
    "datetime": (0, 0),
    "boolean": (0, 0),
}


if __name__ == "__main__":
    app()
