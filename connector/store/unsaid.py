"""Words that nobody says any longer: a text that is told once for all rows stays when the last of them is changed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Connection, select, update

from connector.store.ids import begins_ids
from connector.store.redacting import Redactor
from connector.store.schema import WORD, columns_of
from connector.store.types import Repeated, vocabulary_of

_SAYING = columns_of(Repeated)


def forget_words(connection: Connection, redact: Redactor) -> None:
    """What names somebody, and is said by no row any longer. Its number is not given again."""
    if connection.dialect.name != "sqlite":
        return
    for number, word in connection.execute(select(WORD.c.number, WORD.c.text)).all():
        is_to_go = redact.finds(word) and not begins_ids(word)
        if is_to_go and not any(_is_said(connection, column, word) for column in _SAYING):
            connection.execute(update(WORD).where(WORD.c.number == number).values(text=""))
            vocabulary_of(connection.dialect).blank(word)


def _is_said(connection: Connection, column: Column[Any], word: str) -> bool:
    return connection.execute(select(column).where(column == word).limit(1)).first() is not None
