"""``connector approve``: what a person lets pass."""

from __future__ import annotations

from connector.base.clock import SystemClock
from connector.base.errors import ConfigurationError
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
