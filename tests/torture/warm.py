"""What each process of the proof would do alike is done once, before it is forked: keys and mappings are read, patterns
and statements compiled, commands put together. What a command does with the state and the org it does itself.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import jwt.algorithms
import typer.main
from sqlalchemy.engine.default import DefaultDialect

import connector.mapping
import connector.store.dialect
from connector import cli
from connector.mapping.load import shipped_names


@cache
def warm() -> None:
    typer.main.get_command = cache(typer.main.get_command)
    keys: Any = jwt.algorithms
    keys.load_pem_private_key = cache(keys.load_pem_private_key)
    mapping: Any = connector.mapping
    mapping.load = _loaded(mapping.load)
    alike: Any = DefaultDialect  # what it compiles is kept under it, and each engine has one of its own
    alike.__hash__, alike.__eq__ = lambda one: hash(type(one)), lambda one, other: type(one) is type(other)
    dialect: Any = connector.store.dialect
    dialect.create_engine = _engine(dialect.create_engine)


def _loaded(load: Callable[..., Any]) -> Callable[..., Any]:
    """Of what is shipped, which changes for nobody."""
    shipped, known = set(shipped_names()), cache(load)
    return lambda name, *args: load(name, *args) if args or name not in shipped else known(name)


def _engine(create_engine: Any) -> Callable[..., Any]:
    """Engines that know the statements that others have compiled."""
    compiled: dict[str, Any] = {}

    def made(*args: Any, **kwargs: Any) -> Any:
        engine = create_engine(*args, **kwargs)
        engine._compiled_cache = compiled.setdefault(engine.dialect.name, engine._compiled_cache)
        return engine

    return made


def said(words: Sequence[str], variables: Mapping[str, str]) -> int:
    """A command in this process and this folder: its exit code."""
    for name in [each for each in os.environ if each.startswith("CONNECTOR_")]:  # noqa: TID251
        del os.environ[name]  # noqa: TID251
    os.environ.update(variables)  # noqa: TID251
    sys.argv = ["connector", *words]
    code: Any = 0
    try:
        cli.main()
    except SystemExit as end:
        code = end.code
    return code if isinstance(code, int) else int(bool(code))


def still() -> None:
    """What is there now is not looked through for what nobody holds any more, by no fork."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


@contextmanager
def unheard() -> Iterator[None]:
    """What is printed goes nowhere."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    kept = [os.dup(each) for each in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for each in (1, 2):
        os.dup2(nowhere, each)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for each, was in zip((1, 2), kept, strict=True):
            os.dup2(was, each)
            os.close(was)
        os.close(nowhere)
