"""What each process of the proof would do alike is done once, before it is forked: keys and mappings are read, patterns
and statements compiled, commands put together. What a command does with the state and the org it does itself.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import cache
from typing import Any

import jwt.algorithms
import typer.main
from sqlalchemy.engine.default import DefaultDialect

import connector.mapping
import connector.store.dialect
from connector.mapping.load import shipped_names
from connector.store.types import Vocabulary


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
    """Engines that know the statements that others have compiled, and so the words: whose they are is looked at by each
    transaction."""
    compiled: dict[str, Any] = {}
    words = Vocabulary()

    def made(*args: Any, **kwargs: Any) -> Any:
        engine = create_engine(*args, **kwargs)
        engine._compiled_cache = compiled.setdefault(engine.dialect.name, engine._compiled_cache)
        engine.dialect.vocabulary = words
        return engine

    return made


def still() -> None:
    """What is there now is not looked through for what nobody holds any more, by no fork."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
