"""``connector backup``: the state as it is at one moment, also while the daemon writes it."""

from __future__ import annotations

from pathlib import Path

from connector.base.errors import ConfigurationError
from connector.base.json import JsonObject
from connector.base.settings import Settings
from connector.store import copy_state
from connector.wiring import state_url


def run_backup(settings: Settings, to: Path) -> JsonObject:
    """Whatever database the state is on, the copy is a SQLite file, and a state itself. Raises ConfigurationError."""
    if to.exists():
        raise ConfigurationError(f"{to} is there already; nothing was written", "name a new file")
    if not to.parent.is_dir():
        raise ConfigurationError(f"there is no folder {to.parent}", "make it first")
    scratch = to.with_name(to.name + ".part")
    scratch.unlink(missing_ok=True)
    try:
        copy_state(state_url(settings), scratch)
        if not scratch.exists():
            raise ConfigurationError("there is no state to copy yet", "run connector backfill first")
        scratch.replace(to)
    except OSError as error:
        raise ConfigurationError(f"{to} cannot be written: {error.strerror}", "name another file") from None
    finally:
        scratch.unlink(missing_ok=True)
    return {"file": str(to), "bytes": to.stat().st_size}
