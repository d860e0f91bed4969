"""The stop before a mass change, and how a person lets it pass.

A plan that changes more people and accounts than ``max_changes`` is held back: nothing of it is written, and nothing of
it is lost, since everybody in it stays to be decided. It passes once the plan shrinks, the limit is raised, or somebody
approves it. An approval is for one write, of up to as many changes as it names, within a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.store import Store

HELD, APPROVED = "held back", "approved"  # where they are kept
LASTS = timedelta(days=1)
ROOM = 1.1  # what goes on while somebody looks at the plan makes it a little larger


@dataclass(frozen=True, slots=True)
class HeldBack:
    """``to_change``: records that the plan changes; ``since``: when the first such plan was held back."""

    to_change: int
    limit: int
    since: datetime

    @property
    def said(self) -> str:
        return (
            f"held back since {self.since:%Y-%m-%d %H:%M} UTC: the plan changes {self.to_change:,} people and accounts,"
            f" more than the limit of {self.limit:,}; connector approve lets it pass"
        )


def hold_back(store: Store, to_change: int, limit: int | None, now: datetime) -> HeldBack | None:
    """What is held back, or None where the plan may be written; then the approval, if it took one, is used up."""
    known = store.cursor(HELD)
    if limit is None or to_change <= limit:
        _forget(store, *((HELD,) if known else ()))
        return None
    if to_change <= approved_up_to(store, now):
        _forget(store, HELD, APPROVED)
        return None
    held = HeldBack(to_change, limit, datetime.fromisoformat(known["since"]) if known else now)
    store.set_cursor(HELD, {"to_change": to_change, "limit": limit, "since": held.since.isoformat()})
    return held


def held_back(store: Store) -> HeldBack | None:
    """What the last cycle held back."""
    known = store.cursor(HELD)
    return HeldBack(known["to_change"], known["limit"], datetime.fromisoformat(known["since"])) if known else None


def approve(store: Store, now: datetime, up_to: int | None = None) -> int:
    """Lets the plan that is held back pass in the next cycle. Returns how many changes it may have."""
    held = held_back(store)
    allowed = up_to if up_to is not None else int((held.to_change if held else 0) * ROOM)
    store.set_cursor(APPROVED, {"up_to": allowed, "at": now.isoformat()})
    return allowed


def approved_up_to(store: Store, now: datetime) -> int:
    known = store.cursor(APPROVED)
    if known is None or now - datetime.fromisoformat(known["at"]) > LASTS:
        return 0
    return int(known["up_to"])


def _forget(store: Store, *names: str) -> None:
    for name in names:
        store.set_cursor(name, None)
