"""Account roll-up: an account is as far as the furthest of its people."""

from __future__ import annotations

from collections.abc import Iterable

from connector.lifecycle.mapping import Mapping


def roll_up(stages: Iterable[str | None], mapping: Mapping) -> str | None:
    """The furthest of these stages of the funnel; None when there is none. For ``Person.account_stage`` take what the
    other people of the account reached by themselves: ``memory["stage"]["own"]``, or ``["at"]`` where that is absent;
    so that nobody lifts those who lift them."""
    names = [step.name for step in mapping.stages if step.funnel]
    found = [names.index(stage) for stage in stages if stage in names]
    return names[max(found)] if found else None
