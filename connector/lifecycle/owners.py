"""The org's owners at one moment: who of those that a mapping names is there, and how many people they have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

OWNER_KINDS = NOBODY, A_QUEUE, INTEGRATION_USER, COLLEAGUE = "nobody", "queue", "integration user", "colleague"
OWNER_ID = re.compile(r"(005|00G)[A-Za-z0-9]{12}([A-Z0-5]{3})")  # a user or a queue, in 18 characters


class Shares(Protocol):
    """An owner rule, as far as its owners go."""

    @property
    def shares(self) -> tuple[tuple[str, float], ...]: ...

    @property
    def by_capacity(self) -> bool: ...


@dataclass(frozen=True)
class Owners:
    """``ids``: name in the mapping -> User or Group id. ``load``: name -> people they have now, for rules by
    capacity. ``names``: id -> what people call them. ``integration``: id of the user that the connector signs in as.
    ``queues``: ids of queues that do not look like one. ``away``: ids of users who get nobody for now: the mapping says
    who is away, and the org who is not active."""

    ids: Mapping[str, str] = field(default_factory=dict)
    load: Mapping[str, int] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    integration: str | None = None
    queues: frozenset[str] = frozenset()
    away: frozenset[str] = frozenset()

    def id_of(self, owner: str) -> str | None:
        """The id; a mapping may also name owners by their id."""
        return owner if OWNER_ID.fullmatch(owner) else self.ids.get(owner)

    def kind_of(self, owner_id: Any) -> str:
        """Who somebody's owner is, of OWNER_KINDS."""
        if not owner_id:
            return NOBODY
        if str(owner_id).startswith("00G") or owner_id in self.queues:
            return A_QUEUE
        return INTEGRATION_USER if owner_id == self.integration else COLLEAGUE

    def is_there(self, owner_id: str | None) -> bool:
        """Whether the org has the owner, and they are not away."""
        return owner_id is not None and owner_id not in self.away

    def shares(self, rule: Shares) -> list[tuple[str, float]]:
        """Each owner's part, of those who are there; by capacity, how many more they can take."""
        there = [(owner, weight) for owner, weight in rule.shares if self.is_there(self.id_of(owner))]
        if rule.by_capacity:
            return [(owner, max(0.0, weight - self.load.get(owner, 0))) for owner, weight in there]
        return there


NO_OWNERS = Owners()
