"""The sign of life of the daemon: a small file beside the state, so that a health check needs no database.

Healthy means that the last *good* cycle is young enough, not that a process lives: a daemon whose every cycle fails is
not healthy, and neither is one that was stopped.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from connector.base.folders import state_folder
from connector.base.json import JsonMap, JsonObject
from connector.base.private import open_private, private_folder

Status = Literal["working", "ok", "partly", "held", "parked", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """``last_good`` is when the last cycle that went well ended; ``why`` what keeps it from going well now;
    ``mapping_broken`` what is wrong with an edited mapping that was not taken. ``partly``:
    a marketing source could not be read, and everything else was."""

    at: datetime
    status: Status
    last_good: datetime | None = None
    why: str = ""
    mapping_broken: str = ""

    def as_dict(self, now: datetime) -> JsonObject:
        good = self.last_good
        return {
            "status": self.status,
            "seconds_ago": round((now - self.at).total_seconds(), 1),
            "last_good": good.isoformat() if good else None,
            "last_good_seconds_ago": round((now - good).total_seconds(), 1) if good else None,
            "why": self.why,
            "mapping_broken": self.mapping_broken,
        }


def beside(state: str) -> Path:
    """Where the file is: beside a SQLite state; otherwise in the state folder."""
    if "://" not in state:
        return Path(state + ".heartbeat")
    try:
        url = urlsplit(state)
    except ValueError:  # no address at all: whoever opens it says so
        return state_folder() / "connector.heartbeat"
    if url.scheme.partition("+")[0] == "sqlite" and len(url.path) > 1:
        return Path(unquote(url.path)[1:] + ".heartbeat")
    return state_folder() / "connector.heartbeat"


def write_heartbeat(path: Path, beat: Heartbeat) -> None:
    text = json.dumps(
        {
            "at": beat.at.isoformat(),
            "status": beat.status,
            "last_good": beat.last_good.isoformat() if beat.last_good else None,
            "why": beat.why,
            "mapping_broken": beat.mapping_broken,
            "pid": os.getpid(),
        }
    )
    scratch = path.with_suffix(".tmp")
    private_folder(scratch.parent)  # nothing else makes it where the state is no file
    with open_private(scratch) as file:
        file.write(text + "\n")
    scratch.replace(path)


def read_heartbeat(path: Path) -> Heartbeat | None:
    """None when there is none, or half of one."""
    try:
        told = json.loads(path.read_text())
        good = told.get("last_good")
        return Heartbeat(
            datetime.fromisoformat(told["at"]),
            told["status"],
            datetime.fromisoformat(good) if good else None,
            str(told.get("why", "")),
            str(told.get("mapping_broken", "")),
        )
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None


def health(beat: Heartbeat | None, now: datetime, max_age: float) -> JsonObject:
    """Whether the last good cycle ended at most ``max_age`` seconds ago, and in words why or why not."""
    told: JsonMap = beat.as_dict(now) if beat else {}
    if beat is None:
        return {"healthy": False, "because": "no daemon has run here", "daemon": None}
    age = told["last_good_seconds_ago"]
    if beat.status == "stopped":
        because = "the daemon was stopped"
    elif age is None:
        because = "no cycle went well yet"
    else:
        because = f"the last good cycle ended {age:.0f} s ago"
    healthy = age is not None and age <= max_age and beat.status != "stopped"
    return {"healthy": healthy, "because": because + (f"; {beat.why}" if beat.why else ""), "daemon": told}
