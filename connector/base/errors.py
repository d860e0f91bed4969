"""Every error of ours, named by what to do about it.

    ConnectorError                exit 1   unexpected
    ├── ConfigurationError        exit 2   usage, settings, mapping: a person must change something here
    │   └── StateError            exit 2   the state file cannot be used as it is
    ├── Refused                   exit 4   Salesforce or a source said no, and asking again will not help
    │   └── LimitReached          exit 4   a budget or a daily limit: park, and go on later
    └── Transient                 exit 4   a fault that passes: retried by the edge, raised when that did not help

Third-party exceptions stop at the edge that called the library: ``salesforce`` and ``sources`` translate those of
requests and simple-salesforce, ``store`` those of SQLAlchemy, ``mapping`` those of ruamel.yaml. What is wrong with one
record is never an exception but a value (:class:`connector.base.facts.Outcome`), so that it delays nobody else.
"""

from __future__ import annotations

from datetime import datetime

from connector.base.hiding import hidden

INVALID_FIELD = "INVALID_FIELD"  # Salesforce's code of a field that is hidden, or is not there
INVALID_FIELD_FOR_WRITE = "INVALID_FIELD_FOR_INSERT_UPDATE"  # of one that may not be edited
SIGN_IN = "Salesforce sign-in"  # how what is said of a sign-in begins


class ConnectorError(Exception):
    """``what`` happened (and to which thing), and what to ``try``; both are for people, neither holds a secret, also
    where they repeat what a service said."""

    exit_code = 1

    def __init__(self, what: str, hint: str = "") -> None:
        self.what, self.hint = hidden(what), hidden(hint)
        super().__init__(self.what)

    def __str__(self) -> str:
        return f"{self.what}\n  try: {self.hint}" if self.hint else self.what


class ConfigurationError(ConnectorError):
    """Usage, settings or mapping are wrong."""

    exit_code = 2


class StateError(ConfigurationError):
    """The state file is newer than this program, locked, corrupt, or of another org."""


class Refused(ConnectorError):
    """Salesforce or a source refused: credentials, permission, a removed version. Asking again will not help.

    ``code`` is the remote error code, "" when there was none.
    """

    exit_code = 4

    def __init__(self, what: str, hint: str = "", *, code: str = "") -> None:
        super().__init__(what, hint)
        self.code = hidden(code)


class LimitReached(Refused):
    """A daily limit or our own budget. ``until`` says when to ask again, None when nobody knows."""

    def __init__(self, what: str, hint: str = "", *, code: str = "", until: datetime | None = None) -> None:
        super().__init__(what, hint, code=code)
        self.until = until


class Transient(ConnectorError):
    """A fault that passes by itself (5xx, time-out, cut-off answer), after the retries of the edge."""

    exit_code = 4
