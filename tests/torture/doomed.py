"""A process that runs a command and is killed on the way: at the N-th boundary, by SIGKILL, so that nothing is tidied.

A boundary is a moment at which the world outside changed or is about to: before and after each commit to the state,
before each request and after its answer.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests.adapters
from sqlalchemy.engine.default import DefaultDialect

import connector.commands.options
import connector.wiring  # noqa: F401
from connector import cli

LIMIT = 60.0  # seconds after which a command hangs
KILLED = -signal.SIGKILL
HUNG = "hung"

_context = multiprocessing.get_context("forkserver")  # a warm process without threads, which only forks
_context.set_forkserver_preload([__name__])


@dataclass(frozen=True)
class Ended:
    """``passed``: the boundaries it went through, by name."""

    code: int | str
    passed: tuple[str, ...]
    printed: str


def command(words: Sequence[str], variables: Mapping[str, str], folder: Path, *, dies_at: int | None = None) -> Ended:
    """Runs ``connector WORDS`` in a process of its own, which dies at that boundary (None: at none)."""
    printed, passed = folder / "printed", folder / "passed"
    for each in (printed, passed):
        each.write_text("")
    process = _context.Process(target=_run, args=(list(words), dict(variables), str(folder), dies_at), daemon=True)
    process.start()
    process.join(LIMIT)
    code: int | str = HUNG if process.exitcode is None else process.exitcode
    process.kill()
    process.join()
    process.close()
    return Ended(code, tuple(passed.read_text().split("\n")[:-1]), printed.read_text(errors="replace"))


def _run(words: list[str], variables: dict[str, str], folder: str, dies_at: int | None) -> None:
    os.chdir(folder)
    os.environ.update(variables)  # noqa: TID251 - what the command is to find there
    out = os.open("printed", os.O_WRONLY)
    os.dup2(out, 1)
    os.dup2(out, 2)
    _watch(os.open("passed", os.O_WRONLY), dies_at)
    sys.argv = ["connector", *words]
    cli.main()


def _watch(passed: int, dies_at: int | None) -> None:
    count = 0

    def boundary(name: str) -> None:
        nonlocal count
        count += 1
        os.write(passed, f"{name}\n".encode())
        if count == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    _around(DefaultDialect, "do_commit", "commit", boundary)
    _around(requests.adapters.HTTPAdapter, "send", "request", boundary)


def _around(owner: type, method: str, name: str, boundary: Callable[[str], None]) -> None:
    does = getattr(owner, method)

    def between(*args: Any, **kwargs: Any) -> Any:
        boundary(f"before {name}")
        result = does(*args, **kwargs)
        boundary(f"after {name}")
        return result

    setattr(owner, method, between)
