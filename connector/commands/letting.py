"""``connector approve`` and ``connector retry``: what a person lets pass, or has tried again."""

from __future__ import annotations

from collections.abc import Sequence

from connector.base.clock import SystemClock
from connector.base.errors import ConfigurationError
from connector.base.ids import id18
from connector.base.settings import Settings
from connector.pipeline.approval import approve, held_back
from connector.wiring import open_state


def run_approve(settings: Settings, up_to: int | None) -> int:
    """How many changes the next cycle may make. Raises ConfigurationError where nothing is held back."""
    with open_state(settings, writes=True) as store:
        if up_to is None and held_back(store) is None:
            raise ConfigurationError(
                "no plan is held back", "connector status says so when one is; --up-to allows one beforehand"
            )
        return approve(store, SystemClock().now(), up_to)


def run_retry(settings: Settings, ids: Sequence[str]) -> int:
    """How many records will be tried again; without ids, all. Raises ConfigurationError for one that is not refused."""
    with open_state(settings, writes=True) as store:
        asked = {each: id18(each) or each for each in ids}
        refused = {each["person_id"] for each in store.set_aside(None)}
        if others := [given for given, record in asked.items() if record not in refused]:
            raise ConfigurationError(
                f"Salesforce refused no write of {', '.join(others)}", "connector status --json lists what it refused"
            )
        return store.retry_set_aside(sorted(asked.values()) or None)
