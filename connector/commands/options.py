"""What every command takes: options that mean the same everywhere, and settings with logging set up by them."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from connector.base.errors import ConfigurationError, ConnectorError

if TYPE_CHECKING:
    from connector.base.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
MaxChanges = Annotated[
    int | None, typer.Option("--max-changes", min=0, help="Stop before more people and accounts than this change.")
]

# What typer raises for a command line that is none; of its errors it names only this one.
_MISUSE = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[2])
_ASKED = re.compile(r"\s*(.+?)\s*(!=|=)\s*(.*?)\s*")


class Options:
    """What the options before the command say."""

    debug = False


def ran(app: typer.Typer) -> int:
    """The exit code. What is wrong on the command line is told as any other error where the logs are JSON."""
    from connector.commands import screen

    try:
        return app(standalone_mode=False, prog_name="connector") or 0
    except typer.Abort:
        screen.note("Aborted!")
        return 1
    except _MISUSE as error:
        tell_as_logs_do()
        screen.misused(error)
        return 2


def settings_of(**overrides: Any) -> Settings:
    """Settings with logging set up by them; an override that is None does not count."""
    import structlog

    from connector.base import logs, settings

    found = settings.load_settings(**{name: value for name, value in overrides.items() if value is not None})
    logs.configure(found.log_format, "DEBUG" if Options.debug else found.log_level)
    for stranger in settings.strangers():
        structlog.get_logger(__name__).warning(stranger)
    return found


def tell_as_logs_do() -> None:
    """For an error that comes before the settings are known, or because of them."""
    import structlog

    from connector.base import logs, settings

    with suppress(ConnectorError):
        if not structlog.is_configured() and settings.as_given("log_format") == "json":
            logs.configure("json", "INFO")


def date_of(text: str | None) -> datetime | None:
    """A date or time that somebody wrote. Raises ConfigurationError."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"{text!r} is not a date", "write it like 2026-01-31") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def end_of(text: str | None) -> datetime | None:
    """A date stands for all of it."""
    at = date_of(text)
    return (
        at + timedelta(days=1) if at is not None and text is not None and len(text.strip()) == len("2026-01-31") else at
    )


def condition_of(text: str) -> tuple[str, str, str]:
    found = _ASKED.fullmatch(text)
    if not found:
        raise ConfigurationError(f"--where {text!r} is no condition", "write it like owner=Anna or LeadSource!=Web")
    return found[1], found[2], found[3]
