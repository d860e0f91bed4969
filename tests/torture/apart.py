"""Where a test of torture runs: a warm process without threads, which may change what it likes of itself."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

_T = TypeVar("_T")
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.torture.trials"])


def apart(does: Callable[..., _T], *args: Any) -> _T:
    """What it returned there. Raises AssertionError with what went wrong there."""
    ours, theirs = _context.Pipe(duplex=False)
    process = _context.Process(target=_do, args=(theirs, does, args))
    process.start()
    theirs.close()
    try:
        is_done, result = ours.recv()
    finally:
        ours.close()
        process.join()
        process.close()
    assert is_done, result
    return result


def _do(line: Connection, does: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        told = True, does(*args)
    except BaseException:  # noqa: BLE001 - told
        told = False, traceback.format_exc()
    line.send(told)
