"""Opening a state: find it, lock it, look whether it is ours, bring it to the present schema. Never overwrites."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal

import structlog
from filelock import FileLock, Timeout
from sqlalchemy import Engine, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlmodel import SQLModel

from connector.base.clock import Clock, FrozenClock
from connector.base.errors import ConnectorError, StateError, Transient
from connector.base.private import narrow, private_file, private_folder
from connector.store import migrations
from connector.store.compacting import give_room_back
from connector.store.dialect import make_engine, make_holder
from connector.store.faults import FAULTS, translate
from connector.store.schema import HEAD
from connector.store.store import Store

log = structlog.get_logger(__name__)

SQLITE_MAGIC = b"SQLite format 3\x00"
REWRITING_TAKES = 3  # times its size: its copy, the journal of rewriting it, and what is left without gaps
Upgrade = Literal["with a copy", "quietly", "never"]


def open_store(
    url: str, *, clock: Clock, exclusive: bool = False, create: bool = True, upgrade: Upgrade = "with a copy"
) -> Store:
    """Opens the state at a SQLAlchemy URL or path (SQLite), making folder, file and tables when they are missing.

    ``exclusive`` keeps other exclusive openers out until ``close``. ``upgrade``: what happens to a state of an older
    connector: it is brought up to date, after a copy beside the file; or quietly, where it is a copy itself; or not,
    and whoever only reads is told what to run. Raises StateError when the state is missing
    (``create=False``), held by another process, newer than this program, corrupt, not ours, or cannot be written, and
    Transient when its server does not answer."""
    parsed = parse_url(url)
    where = shown_address(parsed)
    path = _path(parsed)
    if path is not None:
        where = str(path)
        _check_file(path, create)
    with ExitStack() as held:
        engine = make_engine(parsed)
        try:
            writer = _hold(held, engine, path, where) if exclusive else engine
            held.callback(engine.dispose)  # before the lock is given back
            _migrate(writer, path, where, create=create, locked=exclusive, upgrade=upgrade)
        except FAULTS as error:
            raise translate(error, where) from error
        files = [each for each in (path, _lock_of(path) if path and exclusive else None) if each]
        return Store(engine, writer, where=where, clock=clock, held=held.pop_all(), files=files)
    raise AssertionError("unreachable")


@contextmanager
def open_past(store: Store, person_ids: Sequence[str], at: datetime) -> Iterator[tuple[Store, list[str]]]:
    """A state with what was known of these people then, in memory, and who of them was there (see ``past.py``)."""
    engine = make_engine(parse_url("sqlite:///:memory:"))
    with ExitStack() as held:
        held.callback(engine.dispose)
        SQLModel.metadata.create_all(engine)
        with Store(engine, engine, where=f"of {at}", clock=FrozenClock(at), held=held.pop_all()) as past:
            yield past, store.recall(past, person_ids, at)


def parse_url(url: str) -> URL:
    """A SQLAlchemy URL, or the path of a SQLite file. Raises StateError for what is neither."""
    try:
        url.encode()  # bytes that are no text are in no address
        parsed = make_url(url if "://" in url else f"sqlite:///{url}")
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError):
        raise StateError(
            "CONNECTOR_STATE is not a database address that can be used here",
            "write a path, or sqlite:///path/to/file, or postgresql+psycopg://user@host/name and install its driver",
        ) from None
    return parsed


def shown_address(url: URL) -> str:
    """Without what may be a secret: its password, and parameters, which may be one."""
    return url.set(query={}).render_as_string(hide_password=True)


def _path(url: URL) -> Path | None:
    """The SQLite file; None for a database in memory or on a server."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def _check_file(path: Path, create: bool) -> None:
    try:
        if path.is_dir():
            raise StateError(f"the state {path} is a folder", "name a file in it")
        if path.exists():
            with path.open("rb") as file:
                start = file.read(len(SQLITE_MAGIC))
            if start and start != SQLITE_MAGIC:
                raise StateError(
                    f"{path} is not a SQLite file; it was left as it is",
                    "set CONNECTOR_STATE to the connector's own state, or to a new file",
                )
            for also in ("", "-wal", "-shm"):
                narrow(path.with_name(path.name + also))
        elif not create:
            raise StateError(f"there is no state at {path}", "run connector sync or connector backfill first")
        else:
            private_folder(path.parent)
            private_file(path)
    except OSError as error:
        raise StateError(
            f"the state {path} cannot be opened: {error.strerror or error}",
            "check that the folder exists and that the user running the connector may write it",
        ) from error


def _hold(held: ExitStack, engine: Engine, path: Path | None, where: str) -> Engine:
    """Keeps other exclusive openers out; returns the engine to write with."""
    if path is not None:
        _lock_file(held, path)
    if engine.dialect.name != "postgresql":
        return engine
    is_open = False

    def refusal() -> ConnectorError:
        what, hint = f"the state {where} is in use by another connector", "stop the other one first"
        return Transient(what, hint) if is_open else StateError(what, hint)  # after a cut it may be our own old session

    holder = make_holder(engine.url, refusal)
    held.callback(holder.dispose)
    with holder.connect():
        is_open = True
    return holder


def _lock_of(path: Path) -> Path:
    """The lock of the file itself, whatever path led to it."""
    real = path.resolve()
    return real.with_name(real.name + ".lock")


def _lock_file(held: ExitStack, path: Path) -> None:
    """The operating system drops the lock when the process ends, however it ends."""
    lock_path = _lock_of(path)
    try:
        holder = lock_path.read_text().strip() if lock_path.exists() else ""
        lock = FileLock(lock_path, mode=0o600, blocking=False)
        lock.acquire()
        held.callback(lock.release)
        narrow(lock_path)
        lock_path.write_text(str(os.getpid()))
    except Timeout:
        raise StateError(
            f"the state {path} is in use by another connector" + (f" (process {holder})" if holder else ""),
            "stop that process first; only one may write a state",
        ) from None
    except OSError as error:
        raise StateError(
            f"the lock {lock_path} cannot be taken: {error.strerror or error}",
            "check that the user running the connector may write the folder",
        ) from error


def _migrate(engine: Engine, path: Path | None, where: str, *, create: bool, locked: bool, upgrade: Upgrade) -> None:
    version = schema_of(engine, where)
    if version == HEAD:
        return
    if version is None and not create:
        raise StateError(f"the state {where} is empty", "run connector sync or connector backfill first")
    refuse_other(version, where, is_read=upgrade == "never")
    with ExitStack() as held:
        engine = engine if locked else _hold(held, engine, path, where)
        is_told = version is not None and upgrade == "with a copy"
        before = _check_room(path) if path and is_told else 0
        copy = _keep_copy(path, str(version)) if is_told else None
        migrations.upgrade(engine)
        if path and is_told:
            give_room_back(engine, where)
    if is_told:
        kept = str(copy) if copy else "none: this is no file, keep a backup of the database"
        now = path.stat().st_size if path else 0
        log.warning(
            "state brought up to date", state=where, schema=f"{version} -> {HEAD}", copy=kept, **_grew(before, now)
        )


def _grew(before: int, now: int) -> dict[str, str]:
    return {"megabytes": f"{before / 2**20:.1f} -> {now / 2**20:.1f}"} if before else {}


def _check_room(path: Path) -> int:
    """Bytes of the state. Raises StateError where it could not be copied, and then rewritten as a whole."""
    size = path.stat().st_size
    needed, free = REWRITING_TAKES * size, shutil.disk_usage(path.parent).free
    if free < needed:
        raise StateError(
            f"the state {path} is of an older connector, and there is too little room to bring it up to date: "
            f"{needed // 2**20 + 1} MB are needed beside it, {free // 2**20} MB are free; it was left as it is",
            "make room on that disk, or move the state to a larger one",
        )
    return size


def refuse_other(version: str | None, where: str, *, is_read: bool) -> None:
    """Raises StateError for a schema that this program does not know, and where it ``is_read`` as it is for an older
    one."""
    if version in {HEAD, None}:
        return
    if not migrations.is_known(str(version)):
        raise StateError(
            f"the state {where} was written by a newer connector (its schema is {version}, this one knows {HEAD})",
            "upgrade the connector, or set CONNECTOR_STATE to another file",
        )
    if is_read:
        raise StateError(
            f"the state {where} is of an older connector (its schema is {version}, this one needs {HEAD})",
            "run connector sync, backfill or run: each brings it up to date, after a copy where it is a file",
        )


def _keep_copy(path: Path | None, version: str) -> Path | None:
    """The state as it is now, beside it, in place of an earlier copy of the same schema."""
    if path is None:
        return None
    copy = path.with_name(f"{path.name}.schema-{version}")
    scratch = copy.with_name(f"{copy.name}.tmp")
    try:
        scratch.unlink(missing_ok=True)
        copy_file(path, scratch)
        scratch.replace(copy)
    except OSError as error:
        raise StateError(
            f"the copy {copy} cannot be written: {error.strerror}; the state was left as it is",
            "check that there is room, and that the user running the connector may write the folder",
        ) from None
    finally:
        scratch.unlink(missing_ok=True)
    return copy


def copy_file(path: Path, to: Path) -> None:
    """A SQLite state into another file, consistent also while somebody writes it. Raises StateError, and OSError where
    the file cannot be made."""
    private_file(to)
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as source, closing(sqlite3.connect(to)) as copy:
            source.backup(copy)
    except sqlite3.Error as error:
        raise StateError(f"the state {path} cannot be copied: {error}", "check that it is a connector state") from None


def schema_of(engine: Engine, where: str) -> str | None:
    """The schema version; None for an empty database. Raises StateError for somebody else's database."""
    with engine.connect() as connection:
        tables = set(inspect(connection).get_table_names())
        if "alembic_version" in tables:
            return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())
        if tables:
            raise StateError(
                f"{where} is a database, but not a connector state; it was left as it is",
                "set CONNECTOR_STATE to the connector's own state, or to a new file",
            )
    return None
