"""What every verb of the store stands on: transactions, the lock, and faults that become errors of ours."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine

from connector.base.clock import Clock
from connector.base.errors import StateError
from connector.store.dialect import WRITES, last_in_file, put_together
from connector.store.faults import FAULTS, translate
from connector.store.logbook import Logbook


@contextmanager
def uncollected() -> Iterator[None]:
    """A batch makes a hundred thousand objects that all stay: looking among them for garbage, again and again as they
    come, would take a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def replaced(where: str) -> StateError:
    return StateError(
        f"the state {where} was removed or replaced while it was in use; nothing more is written",
        "put it back, or start again: that goes on from what is there then, and reads all where there is nothing",
    )


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class Transactions:
    """Reads wait for nobody; writes wait for each other."""

    def __init__(
        self, engine: Engine, writer: Engine, *, where: str, clock: Clock, held: ExitStack, files: Sequence[Path] = ()
    ) -> None:
        self._engine, self._writer, self._where, self._clock, self._held = engine, writer, where, clock, held
        self._files = {path: _inode(path) for path in files}
        self._file = files[0] if files else None  # the state itself
        self._last_in_file: int | None = None
        self._beside: tuple[int, int] | None = None  # what SQLite keeps beside it
        self._is_replaced = False
        self._last_cycle: int | None = None
        self.logbook: Logbook | None = None  # where what Salesforce took is noted besides

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def check_files(self) -> None:
        """Raises StateError where the state, or the lock that keeps others out, is another file than when it was
        opened, or gone: what is written now would go into a file without a name. And where an earlier state was
        copied into the file."""
        if self._file is not None:
            beside = self._file.with_name(f"{self._file.name}-wal")
            if self._is_another(self._file):
                self._is_replaced = True
                if _inode(beside) == self._beside:  # SQLite would put it into the state that is there now
                    with suppress(OSError):
                        os.truncate(beside, 0)
            self._beside = _inode(beside)
        if self._is_replaced or any(_inode(path) != known for path, known in self._files.items()):
            raise replaced(self._where)

    def _is_another(self, file: Path) -> bool:
        if (found := _inode(file)) != self._files[file]:
            return found is not None
        last = last_in_file(file) if self._last_in_file is not None else None
        return last is not None and last < (self._last_in_file or 0)

    def put_together(self) -> None:
        """Between two cycles all of a SQLite state is in its file, unless somebody reads it. So it is known what the
        file must have."""
        if self._file is not None and self._writer.dialect.name == "sqlite":
            with suppress(*FAULTS, self._writer.dialect.loaded_dbapi.Error):  # the next cycle's, then
                put_together(self._writer)
            self._last_in_file = last_in_file(self._file)

    def close(self) -> None:
        """Releases the file and the lock; twice does no harm."""
        self._held.close()

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Connection]:
        if self._is_replaced:
            raise replaced(self._where)
        engine = self._writer if writes else self._engine
        try:
            with engine.connect().execution_options(**{WRITES: writes}) as connection, connection.begin():
                yield connection
        except FAULTS as error:
            raise translate(error, self._where) from error

    def _read(self) -> AbstractContextManager[Connection]:
        return self._transaction(writes=False)

    def _write(self) -> AbstractContextManager[Connection]:
        return self._transaction(writes=True)
