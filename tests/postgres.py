"""Databases on a real PostgreSQL server, as ``tools/postgres.sh`` starts one."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

URL_OF_SERVER = os.environ.get("TEST_POSTGRES")  # noqa: TID251 - the tests' own, no setting of the connector
MISSING = "no PostgreSQL server (tools/postgres.sh COMMAND starts one)"
needs_server = pytest.mark.usefixtures("postgres") if URL_OF_SERVER else pytest.mark.skip(reason=MISSING)
BOTH = ["sqlite", pytest.param("postgresql", marks=() if URL_OF_SERVER else needs_server)]  # of what runs on either

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


def cut(url: URL | str) -> None:
    """Ends all other sessions of a database."""
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    run(url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")


@dataclass(frozen=True)
class OwnServer:
    """One that a test may stop and start again."""

    process: subprocess.Popen[str]
    address: str

    def stop(self) -> None:
        self._do("stop")

    def start(self) -> None:
        self._do("start")

    def _do(self, what: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(what, file=self.process.stdin, flush=True)
        assert self.process.stdout.readline() == "done\n"


@contextmanager
def own_server() -> Iterator[OwnServer]:
    root = Path(__file__).parent.parent
    command = ["timeout", "120", "bash", str(root / "tools" / "postgres.sh")]
    process = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        _, _, address = shlex.split(process.stdout.readline())[0].partition("=")
        yield OwnServer(process, address)
    finally:
        process.terminate()
        process.communicate(timeout=30)


def server() -> Server:
    """Tests that need it are marked ``needs_server``."""
    assert URL_OF_SERVER, "TEST_POSTGRES is not set"
    return Server(make_url(URL_OF_SERVER))


def plain(url: URL) -> str:
    return url.render_as_string(hide_password=False)
