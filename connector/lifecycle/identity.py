"""Which of several records of one human leads, where a mapping joins records by e-mail address."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from connector.lifecycle.model import Identity
from connector.lifecycle.values import time_of


class Candidate(NamedTuple):
    """A Contact or unconverted Lead, and its CreatedDate as Salesforce sent it."""

    id: str
    object: str
    created: Any


def leading(records: Iterable[Candidate], identity: Identity) -> str:
    """The id of the record that stands for all of them: by object in the order preferred, then the oldest or newest
    (one without a date comes last), then by id, so that the choice never depends on the order they are given in."""

    def rank(record: Candidate) -> tuple[int, float, str]:
        prefer = identity.prefer.index(record.object) if record.object in identity.prefer else len(identity.prefer)
        created = time_of(record.created)
        age = created.timestamp() if created else float("inf")
        return prefer, -age if identity.then == "newest" and created else age, record.id

    return min(records, key=rank).id
