"""Databases on a real PostgreSQL server, as ``tools/postgres.sh`` starts one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

_numbers = count(1)


@dataclass(frozen=True)
class Server:
    """``url``: of a database whose user may do everything."""

    url: URL

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[URL]:
        """A new database, gone afterwards, with whoever is still connected."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url.set(database=name)
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def run(self, *statements: str, database: str | None = None) -> list[Any]:
        """Each statement by itself; returns the rows of the last one."""
        return run(self.url.set(database=database) if database else self.url, *statements)


def run(url: URL | str, *statements: str) -> list[Any]:
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    rows: list[Any] = []
    with engine.connect() as connection:
        for statement in statements:
            result = connection.execute(text(statement))
            rows = list(result) if result.returns_rows else []
    return rows


def server() -> Server:
    """Skips the test where there is none."""
    url = os.environ.get("CONNECTOR_TEST_POSTGRES")  # noqa: TID251 - the tests' own, no setting of the connector
    if not url:
        pytest.skip("no PostgreSQL server (make postgres starts one)")
    return Server(make_url(url))


def plain(url: URL) -> str:
    return url.render_as_string(hide_password=False)
