"""Log lines: structlog to stderr, for people (console) or machines (JSON), keys in a fixed order, secrets never.

Messages are short facts in lower case ("cycle done"); what varies is in keys. What libraries log comes the same way.
Whatever a text from elsewhere holds, an event is one line; only a traceback has more, each set in.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog

from connector.base.hiding import UNSHOWN, hidden
from connector.base.text import printable

SECRET_KEYS = frozenset({"access_token", "client_secret", "authorization", "assertion", "refresh_token", "password"})


def _fit(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Texts on one line; nothing under the name of a secret."""
    for key, value in event.items():
        if key in SECRET_KEYS:
            event[key] = UNSHOWN
        elif isinstance(value, str):
            event[key] = printable(value)
    return event


def _without_secrets(_logger: object, _method: str, line: str) -> str:
    return hidden(line)


def _set_in(into: TextIO, about: structlog.typing.ExcInfo) -> None:
    """A traceback without values (structlog's own shows those, and secrets in them), each line cleaned."""
    whole = io.StringIO()
    structlog.dev.plain_traceback(whole, about)
    into.write("\n".join(f"    {printable(each)}" for each in whole.getvalue().split("\n")))


class _Foreign(logging.Handler):
    """What libraries say by Python's own logging; without this it would go to stderr as it is."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(record.levelno, record.getMessage(), logger=record.name)


def is_json() -> bool:
    """Whether machines read the lines."""
    return any(isinstance(each, structlog.processors.JSONRenderer) for each in structlog.get_config()["processors"])


def configure(log_format: Literal["console", "json"], level: str) -> None:
    """Sets up structlog for the process; the last call wins."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _fit,
    ]
    renderer: structlog.typing.Processor
    if log_format == "json":
        shared += [structlog.processors.format_exc_info]
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), pad_event_to=24, exception_formatter=_set_in
        )
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # a cycle longer than the interval is no news
    logging.lastResort = _Foreign(logging.WARNING)
    structlog.configure(
        processors=[*shared, renderer, _without_secrets],  # type: ignore[list-item]  # what a renderer made is a text
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=lambda *_args: structlog.PrintLogger(sys.stderr),  # whatever stderr is when a line is written
        cache_logger_on_first_use=False,
    )
