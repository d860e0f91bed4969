"""A tap's process: its lines one by one, whatever it does.

It is waited for in slices, so that a stop is heard; it may take its time up to a limit. Both its pipes are emptied as
they fill: of what it says on stderr only the end is kept. Lines end somewhere: what goes on for megabytes is none.
Whatever ends us, ends it and all that it started.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
from collections import deque
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from connector.base.clock import Clock
from connector.base.errors import ConfigurationError
from connector.base.json import Json
from connector.base.settings import surroundings

LONGEST_LINE = 16 << 20  # bytes
_CHUNK = 1 << 16
_SLICE = 0.02  # seconds
_GRACE = 5.0  # seconds from "please end" to the end
_SAID, _SHOWN = 4000, 300  # bytes of stderr that are kept, characters that are shown
_SHORTEST_SECRET = 6


class OverLimit(Exception):
    """It ran longer than it may."""


class TapProcess:
    """A running program. ``limit``: seconds; ``secrets``: never shown of what it says. Raises ConfigurationError when
    it cannot be started."""

    def __init__(self, command: Sequence[str], clock: Clock, limit: float, secrets: Collection[str] = ()) -> None:
        self._clock, self._secrets, self._command = clock, secrets, command
        self._end = clock.monotonic() + limit
        self._said = bytearray()
        try:
            self._child = subprocess.Popen(  # noqa: S603 - the operator's own command, and no shell
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=surroundings(),
                start_new_session=True,
                bufsize=0,
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise ConfigurationError(
                f"{command[0]} cannot be run: {why}", "name the whole path of the tap in its command"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def lines(self) -> Generator[bytes | None, None, None]:
        """Each line of stdout as it comes, None for one that is too long. Raises OverLimit, and Transient when we are
        asked to stop."""
        text, is_too_long = bytearray(), False
        for chunk in self._chunks():
            *whole, rest = chunk.split(b"\n")
            for each in whole:
                line = bytes(text + each)
                yield None if is_too_long or len(line) > LONGEST_LINE else line
                text, is_too_long = bytearray(), False
            text += rest
            if len(text) > LONGEST_LINE:
                text, is_too_long = bytearray(), True
        if text or is_too_long:
            yield None if is_too_long else bytes(text)

    def _chunks(self) -> Iterator[bytes]:
        """Of stdout, to its end; or, where something that it left behind holds the pipe open, to its own end."""
        assert self._child.stdout  # noqa: S101 - they are pipes
        assert self._child.stderr  # noqa: S101
        with selectors.DefaultSelector() as pipes:
            for pipe in (self._child.stdout, self._child.stderr):
                pipes.register(pipe, selectors.EVENT_READ)
            while self._child.stdout in {each.fileobj for each in pipes.get_map().values()}:
                ready = pipes.select(_SLICE)
                if self._clock.monotonic() > self._end:
                    raise OverLimit
                if not ready:
                    if self._child.poll() is not None:
                        return
                    self._clock.sleep(_SLICE)
                for key, _ in ready:
                    chunk = os.read(key.fd, _CHUNK)
                    if not chunk:
                        pipes.unregister(key.fileobj)
                    elif key.fileobj is self._child.stderr:
                        self._said = (self._said + chunk)[-_SAID:]
                    else:
                        yield chunk

    def code(self) -> int:
        """With which it ended, negative for a signal. Waits a little for one that closed its pipes first."""
        try:
            code = self._child.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.end()
            code = self._child.wait()
        with suppress(OSError, ValueError):
            assert self._child.stderr  # noqa: S101 - it is a pipe
            os.set_blocking(self._child.stderr.fileno(), False)
            self._said = (self._said + (self._child.stderr.read() or b""))[-_SAID:]
        return code

    def last_words(self) -> str:
        """The last line that it said on stderr, without secrets."""
        said = self._said.decode("utf-8", "replace")
        for secret in sorted(self._secrets, key=len, reverse=True):
            said = said.replace(secret, "***")
        lines = deque((line.strip() for line in said.splitlines() if line.strip()), maxlen=1)
        return " ".join(lines[0].split())[-_SHOWN:] if lines else "it said nothing"

    def end(self) -> None:
        """It and what it started; asked first. Does nothing when it has ended."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, how)
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(_GRACE)
                break
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)  # what it left behind
        for pipe in (self._child.stdout, self._child.stderr):
            if pipe is not None:
                pipe.close()


def secrets_in(config: Path | str | None) -> set[str]:
    """Every text of a tap's configuration (or of its variables): any may be a secret. Raises ConfigurationError for
    a file that is none."""
    if not isinstance(config, Path):
        theirs = surroundings().items() if config else ()
        return {value for name, value in theirs if name.startswith("TAP_") and len(value) >= _SHORTEST_SECRET}
    try:
        return set(_texts(json.loads(config.read_text("utf-8"))))
    except OSError as error:
        raise ConfigurationError(f"{config} cannot be read: {error.strerror}", "check the tap's config") from None
    except ValueError:
        raise ConfigurationError(f"{config} is no JSON", "write the tap's configuration as a JSON object") from None


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str) and len(value) >= _SHORTEST_SECRET:
        yield value
    inside: Any = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inside:
        yield from _texts(each)
