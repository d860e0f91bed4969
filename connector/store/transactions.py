"""What every verb of the store stands on: transactions, the lock, and faults that become errors of ours."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from connector.base.clock import Clock
from connector.store.dialect import WRITES
from connector.store.faults import translate


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


class Transactions:
    """Reads wait for nobody; writes wait for each other."""

    def __init__(self, engine: Engine, writer: Engine, *, where: str, clock: Clock, held: ExitStack) -> None:
        self._engine, self._writer, self._where, self._clock, self._held = engine, writer, where, clock, held

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Releases the file and the lock; twice does no harm."""
        self._held.close()

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Connection]:
        engine = self._writer if writes else self._engine
        try:
            with engine.connect().execution_options(**{WRITES: writes}) as connection, connection.begin():
                yield connection
        except SQLAlchemyError as error:
            raise translate(error, self._where) from error

    def _read(self) -> AbstractContextManager[Connection]:
        return self._transaction(writes=False)

    def _write(self) -> AbstractContextManager[Connection]:
        return self._transaction(writes=True)
