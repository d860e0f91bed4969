"""Things done in forks of this process, so that what each does to it is gone when it ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

LIMIT = 600.0  # seconds for one of them
_T = TypeVar("_T")


def forked(does: Callable[[], _T]) -> _T:
    """What it returned there. Raises RuntimeError with what went wrong there."""
    ((_, result),) = many([("", does)], at_once=1)
    if isinstance(result, _Failed):
        raise RuntimeError(str(result))
    return result


class _Failed(str):
    __slots__ = ()


def many(tasks: Iterable[tuple[str, Callable[[], _T]]], *, at_once: int) -> Iterator[tuple[str, _T | _Failed]]:
    """The name and the result of each as it comes, of so many at once."""
    waiting, running = iter(tasks), dict[Connection, tuple[str, int]]()
    try:
        while True:
            while len(running) < at_once and (task := next(waiting, None)):
                line, pid = _start(task[1])
                running[line] = task[0], pid
            if not running:
                return
            ready = wait(list(running), LIMIT)
            for line in [each for each in running if each in ready] or list(running):
                try:
                    result: Any = line.recv() if ready else _Failed("it hung")
                except EOFError:
                    result = _Failed("it died")
                name, pid = running.pop(line)
                _end(line, pid)
                yield name, result
    finally:
        for line, (_, pid) in running.items():
            _end(line, pid)


def _end(line: Connection, pid: int) -> None:
    """With all that it has begun."""
    line.close()
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _start(does: Callable[[], Any]) -> tuple[Connection, int]:
    ours, theirs = multiprocessing.Pipe(duplex=False)
    if pid := os.fork():
        theirs.close()
        with suppress(PermissionError):  # it was quicker
            os.setpgid(pid, pid)
        return ours, pid
    os.setpgid(0, 0)
    try:
        theirs.send(does())
    except BaseException:  # noqa: BLE001 - told, and this fork ends here whatever it was
        theirs.send(_Failed(traceback.format_exc()))
    finally:
        os._exit(0)
