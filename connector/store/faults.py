"""What SQLAlchemy and the drivers say, as errors of ours: a read-only or corrupt file becomes
:class:`connector.base.errors.StateError`, because a person must look; what passes is Transient, and the next cycle goes
on: a database server that went away, a state that somebody else keeps busy, a disk that is full. The texts keep the
driver's reason and never the values of a statement.
"""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

from connector.base.errors import ConnectorError, StateError, Transient

_HINTS = {  # part of the driver's message -> what to try
    "locked": "another process writes this state; stop it, or wait until it is done",
    "full": "make room on the disk; nothing was lost",
    "no space left": "make room on the server's disk; nothing was lost",
    "read-only": "the database takes no writes: use the primary server, and a user who may write",
    "permission denied": "let the user of CONNECTOR_STATE make tables in its schema, and own those that are there",
    "no schema": "create the schema that the search_path of CONNECTOR_STATE names",
    "readonly": "give the user that runs the connector write permission on the file and its folder",
    "malformed": "the file is damaged: restore a copy, or move it away and run a backfill",
    "not a database": "this file is something else; set CONNECTOR_STATE to the connector's own state",
    "disk i/o": "check the disk, and that there is room; nothing was lost",
    "connection": "check that the database runs, and its address in CONNECTOR_STATE; nothing was lost",
    "unable to open": "check that the folder exists and may be written",
}


_PASSING = (  # parts of what a server or its driver say when it is away, restarts, is too busy, or has no room
    *("database is locked", "database table is locked", "disk is full", "no space left", "disk i/o error"),
    *("connection refused", "no such file or directory\n\tis the server running", "no route to host"),
    *("failed to resolve host", "could not translate host name", "network is unreachable"),
    *("starting up", "shutting down", "recovery mode", "not currently accepting", "terminating connection"),
    *("server closed", "connection is lost", "connection is closed", "connection reset", "ssl syscall"),
    *("timed out", "timeout expired", "lock timeout", "too many clients", "connection slots", "deadlock detected"),
)


FAULTS = (SQLAlchemyError, UnicodeDecodeError)  # the latter by SQLite's driver, of a damaged file


def translate(error: SQLAlchemyError | UnicodeDecodeError, where: str) -> ConnectorError:
    """Of ``FAULTS``. ``where`` names the state."""
    if isinstance(error, UnicodeDecodeError):
        return StateError(f"the state {where} is damaged: a text in it is no text", _HINTS["malformed"])
    said = str(getattr(error, "orig", None) or error).strip()
    reason = said.splitlines()[0]
    hint = next((hint for part, hint in _HINTS.items() if part in reason.lower()), "")
    if any(part in said.lower() for part in _PASSING):
        away = "check that the database runs, and its address; nothing was lost"
        return Transient(f"the state {where} did not answer: {reason}", hint or away)
    return StateError(f"the state {where} cannot be used: {reason}", hint or "see the log with --debug")
