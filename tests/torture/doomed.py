"""A command in a fork of this warm process, which may be killed on the way: at the N-th boundary, by SIGKILL, so that
nothing is tidied.

A boundary is a moment at which the world outside changed or is about to: before and after each commit to the state,
before each request and after its answer. The fork asks this process, which holds the org, so what the org took stands.
"""

from __future__ import annotations

import faulthandler
import importlib
import multiprocessing
import os
import pkgutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

import psycopg  # noqa: F401 - so that forks have it
from sqlalchemy.engine.default import DefaultDialect

import connector
import connector.commands.run
from connector import cli
from connector.base import hiding
from connector.pipeline.daemon import Daemon, Stop
from tests.torture import moments, wire

LIMIT = 180.0  # seconds after which a command hangs; generous, since a busy machine may let one wait a minute
KILLED = -signal.SIGKILL
HUNG = "hung"
CYCLES = 3  # of ``connector run``

for each in pkgutil.walk_packages(connector.__path__, "connector."):
    if "__main__" not in each.name and "migrations." not in each.name:
        importlib.import_module(each.name)


@dataclass(frozen=True)
class Ended:
    """``passed``: the boundaries it went through, by name."""

    code: int | str
    passed: tuple[str, ...]
    printed: str


def command(
    words: Sequence[str],
    variables: Mapping[str, str],
    folder: Path,
    *,
    serve: wire.Serve,
    between: Callable[[], None] = lambda: None,
    dies_at: int | None = None,
    faults: wire.Faults = wire.no_faults,
) -> Ended:
    """Runs ``connector WORDS``. It dies at that boundary (None: at none), and its answers come through ``faults``.
    ``between`` happens between two cycles of ``connector run``."""
    printed, boundaries = folder / "printed", folder / "boundaries"
    for file in (printed, boundaries):
        file.write_text("")
    ours, theirs = multiprocessing.Pipe()
    pid = os.fork()
    if not pid:
        ours.close()
        _run(words, variables, folder, theirs, dies_at, faults)
    theirs.close()
    hung = not _attend(ours, {"request": serve, "between": lambda _: between()})
    if hung:
        os.kill(pid, signal.SIGKILL)
    ours.close()
    _, status = os.waitpid(pid, 0)
    code: int | str = HUNG if hung else os.waitstatus_to_exitcode(status)
    return Ended(code, tuple(boundaries.read_text().split("\n")[:-1]), printed.read_text(errors="replace"))


def _attend(line: Connection, does: Mapping[str, Callable[[bytes], Any]]) -> bool:
    """Until the other end is gone: answers what is asked. False when it takes too long."""
    end = time.monotonic() + LIMIT
    while line.poll(max(0.0, end - time.monotonic())):
        try:
            kind, payload, passed = line.recv()
            moments.go_to(passed)
            line.send((does[kind](payload), moments.passed()))
        except (EOFError, ConnectionError):
            return True
    return False


def _run(
    words: Sequence[str],
    variables: Mapping[str, str],
    folder: Path,
    line: Connection,
    dies_at: int | None,
    faults: wire.Faults,
) -> NoReturn:
    try:
        os.chdir(folder)
        with heard("printed") as out:
            faulthandler.dump_traceback_later(LIMIT - 5, file=out)  # where it hangs
            boundary = _boundaries(dies_at)
            _around(DefaultDialect, "do_commit", "commit", boundary)
            asking = threading.Lock()

            def ask(kind: str, payload: bytes = b"") -> Any:
                with asking:
                    line.send((kind, payload, moments.passed()))
                    answer, passed = line.recv()
                    moments.go_to(passed)
                    return answer

            def serve(request: bytes) -> wire.Answer:
                boundary("before request")
                answer = ask("request", request)
                boundary("after request")
                return answer

            _without_a_scheduler(partial(ask, "between"))
            wire.through(faults(serve))
            code = said(words, variables)
    finally:
        os._exit(code)


def _without_a_scheduler(between: Callable[[], Any]) -> None:
    """What it does, without waiting, so many times."""

    def cycles(daemon: Daemon, _stop: Stop, interval: float) -> None:
        for number in range(CYCLES):
            if number:
                moments.pass_by(interval)
                between()
            daemon.tick()
            if daemon.fatal:
                raise daemon.fatal

    run: Any = connector.commands.run
    run.run_daemon = cycles


def alone(words: Sequence[str], variables: Mapping[str, str], folder: Path, between: Callable[[], Any]) -> Ended:
    """Runs ``connector WORDS`` in this process, which is a fork that ends soon: nothing breaks any more."""
    with chdir(folder), heard("printed") as out:
        faulthandler.dump_traceback_later(LIMIT, file=out, exit=True)
        _without_a_scheduler(between)
        code = said(words, variables)
        faulthandler.cancel_dump_traceback_later()
    return Ended(code, (), (folder / "printed").read_text(errors="replace"))


def said(words: Sequence[str], variables: Mapping[str, str]) -> int:
    """The exit code of ``connector WORDS``, which knows nothing of those before it in this process."""
    for name in [each for each in os.environ if each.startswith("CONNECTOR_")]:  # noqa: TID251 - what it finds
        del os.environ[name]  # noqa: TID251
    os.environ.update(variables)  # noqa: TID251
    hiding._known.clear()
    hiding._found.clear()
    sys.argv = ["connector", *words]
    code: Any = 0
    try:
        cli.main()
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - told
        code = 1
        traceback.print_exc()
    return code if isinstance(code, int) else int(bool(code))


@contextmanager
def heard(file: str) -> Iterator[int]:
    """Whatever this process prints meanwhile is in the file, and nowhere else."""
    kept = [os.dup(each) for each in (1, 2)]
    out = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for each in (1, 2):
        os.dup2(out, each)
    try:
        yield out
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for each, was in zip((1, 2), kept, strict=True):
            os.dup2(was, each)
            os.close(was)
        os.close(out)


def _boundaries(dies_at: int | None) -> Callable[[str], None]:
    passed = os.open("boundaries", os.O_WRONLY)
    count = 0

    def boundary(name: str) -> None:
        nonlocal count
        count += 1
        os.write(passed, f"{name}\n".encode())
        if count == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    return boundary


def _around(owner: type, method: str, name: str, boundary: Callable[[str], None]) -> None:
    does = getattr(owner, method)

    def between(*args: Any, **kwargs: Any) -> Any:
        boundary(f"before {name}")
        result = does(*args, **kwargs)
        boundary(f"after {name}")
        return result

    setattr(owner, method, between)
