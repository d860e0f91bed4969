"""Log lines: structlog to stderr, for people (console) or machines (JSON), keys in a fixed order, secrets never.

Messages are short facts in lower case ("cycle done"); what varies is in keys.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

SECRET_KEYS = frozenset({"access_token", "client_secret", "authorization", "assertion", "refresh_token", "password"})


def _hide_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in SECRET_KEYS & event.keys():
        event[key] = "(hidden)"
    return event


def is_json() -> bool:
    """Whether machines read the lines."""
    return isinstance(structlog.get_config()["processors"][-1], structlog.processors.JSONRenderer)


def configure(log_format: Literal["console", "json"], level: str) -> None:
    """Sets up structlog for the process; the last call wins."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _hide_secrets,
    ]
    renderer: structlog.typing.Processor
    if log_format == "json":
        shared += [structlog.processors.format_exc_info]
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            pad_event_to=24,
            exception_formatter=structlog.dev.plain_traceback,  # the default shows values, and secrets in them
        )
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # a cycle longer than the interval is no news
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=lambda *_args: structlog.PrintLogger(sys.stderr),  # whatever stderr is when a line is written
        cache_logger_on_first_use=False,
    )
