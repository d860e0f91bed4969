"""The same in a process of its own, so that no click and no cycle waits for it, and its memory ends with it.

    the daemon    settings and mapping, then tasks    ->  its stdin
    its stdout    what each task came to, or why not  ->  the daemon

It reads the state and writes nothing, so it may be killed at any time: the next task starts another one. It ends by
itself when the daemon is gone, since its stdin ends then.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any, Self

import structlog

from connector.base.clock import SystemClock
from connector.base.errors import Transient
from connector.base.settings import Settings, explicit
from connector.commands.pages.computing import Everybody, Here, Task
from connector.mapping import CompiledMapping
from connector.reports.table import Report
from connector.store.transactions import uncollected
from connector.wiring import open_state

log = structlog.get_logger(__name__)

_NICE = 10
_TRIES = 2
_LENGTH = 8  # bytes that say how long an answer is
_PROGRAM = "from connector.commands.pages.apart import answer_tasks; answer_tasks()"


class Apart:
    """Starts it when there is something to compute, and ends it with the context, or when nobody looks."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._mapping: CompiledMapping | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._is_over = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self.rest()

    @property
    def process(self) -> int | None:
        """Its id."""
        return self._child.pid if self._child else None

    def compute(self, mapping: CompiledMapping, task: Task) -> Report | Everybody:
        if mapping is not self._mapping:
            self.rest()
            self._mapping = mapping
        for _ in range(_TRIES):
            try:
                is_done, told = self._asked(task)
            except (
                OSError,
                EOFError,
                ValueError,
                pickle.UnpicklingError,
            ) as error:  # ValueError: its pipes were closed
                log.debug("the process that computes reports ended", because=type(error).__name__)
                self.rest()
                continue
            if is_done:
                return told  # type: ignore[no-any-return]  # what answer_tasks sent
            raise told
        raise Transient(
            "The figures could not be computed: the process that computes them ended",
            "see whether the machine has memory to spare; connector report computes them alone",
        )

    def _asked(self, task: Task) -> Any:
        child = self._started()
        assert child.stdin is not None  # noqa: S101 - they are pipes
        assert child.stdout is not None  # noqa: S101
        pickle.dump(task, child.stdin)
        child.stdin.flush()
        length = int.from_bytes(child.stdout.read(_LENGTH))
        text = child.stdout.read(length)  # whole, before it becomes objects: clicks go on meanwhile
        if not length or len(text) < length:
            raise EOFError
        with uncollected():
            return pickle.loads(text)  # noqa: S301 - from our own process

    def _started(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._is_over:
                raise Transient("The connector ends", "look again when it runs")
            if self._child is None:
                self._child = subprocess.Popen(  # noqa: S603 - ourselves
                    [sys.executable, "-P", "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
                assert self._child.stdin is not None  # noqa: S101
                pickle.dump((dict(self._settings), self._mapping), self._child.stdin)
            return self._child

    def rest(self) -> None:
        with self._lock:
            child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]


def answer_tasks() -> None:
    """What runs there."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the daemon's to answer
    os.nice(_NICE)
    source, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed is no answer
    with source, answers, suppress(EOFError, BrokenPipeError):
        values, mapping = pickle.load(source)  # noqa: S301 - from the daemon
        settings = explicit(**values)
        with open_state(settings, SystemClock()) as store:
            here = Here(store, settings)
            while True:
                task = pickle.load(source)  # noqa: S301
                told: tuple[bool, object]
                try:
                    told = True, here.compute(mapping, task)
                except Exception as error:  # noqa: BLE001 - whoever asked gets it
                    told = False, error
                text = pickle.dumps(told, pickle.HIGHEST_PROTOCOL)
                answers.write(len(text).to_bytes(_LENGTH) + text)
                answers.flush()
