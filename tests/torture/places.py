"""Where companies and their states lie: in memory, all in one folder, which is gone when its owner ends."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_FAST = Path("/dev/shm")  # noqa: S108 - a killed process loses nothing of its files, whatever they are on
_NAME = "torture-"
_within: list[Path] = []


def _fast() -> Path:
    return _FAST if _FAST.is_dir() else Path(tempfile.gettempdir())


@contextmanager
def ground() -> Iterator[None]:
    """Every folder that is made meanwhile, in forks too, lies in one, which goes with all that killed ones left."""
    _sweep()
    _within.append(Path(tempfile.mkdtemp(prefix=f"{_NAME}{os.getpid()}-", dir=_fast())))
    try:
        yield
    finally:
        shutil.rmtree(_within.pop(), ignore_errors=True)


def folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix=_NAME, dir=_within[-1] if _within else _fast())


def _sweep() -> None:
    """What was left by those who were killed themselves."""
    for each in _fast().glob(f"{_NAME}*-*"):
        owner = each.name.removeprefix(_NAME).partition("-")[0]
        if owner.isdigit():
            with suppress(OSError):
                if each.stat().st_uid == os.getuid() and not lives(int(owner)):
                    shutil.rmtree(each, ignore_errors=True)


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
