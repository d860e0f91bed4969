"""Files that hold people: their owner reads and writes them, and nobody else, whatever the umask says.

A folder that we make is its owner's alone, too; one that is there stays as it is. What was made before, or copied, is
narrowed when it is next opened.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TextIO

_OWNERS = 0o600
_OTHERS = 0o077


def private_folder(path: Path) -> Path:
    """Makes it, and what is missing above it. Raises OSError."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
    return path


def private_file(path: Path) -> Path:
    """Makes it where it is missing, empty. Raises OSError."""
    path.touch(mode=_OWNERS)
    narrow(path)
    return path


def narrow(path: Path) -> None:
    """Takes away what others may; where the file is another user's it stays as it is, and so does what is no file."""
    with suppress(OSError):
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) and mode & _OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)


def open_private(path: Path, mode: str = "w") -> TextIO:
    """As text, to write; line ends as they are written. Raises OSError."""
    file = open(path, mode, encoding="utf-8", newline="", opener=lambda name, flags: os.open(name, flags, _OWNERS))  # noqa: SIM115 - Path has no opener
    narrow(path)
    return file  # type: ignore[return-value]  # of a text mode
