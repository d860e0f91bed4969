"""Which of several records of one human leads, where a mapping joins records by e-mail address."""

from __future__ import annotations

from collections.abc import Sequence

from connector.facts import Person
from connector.lifecycle.mapping import Mapping
from connector.lifecycle.values import time_of


def leading(people: Sequence[Person], mapping: Mapping) -> Person:
    """The record that stands for all of them: by object in the order preferred, then the oldest or newest, then by id,
    so that the choice never depends on the order they are given in."""
    identity = mapping.identity

    def rank(person: Person) -> tuple[int, float, str]:
        prefer = identity.prefer.index(person.object) if person.object in identity.prefer else len(identity.prefer)
        created = time_of(person.fields.get("CreatedDate"))
        age = created.timestamp() if created else float("inf")
        return prefer, age if identity.then == "oldest" else -age, person.id

    return min(people, key=rank)
