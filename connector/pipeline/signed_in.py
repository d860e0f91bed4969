"""Where the connector is signed in and as whom, kept with the state: for links, and for what is decided without asking
the org."""

from __future__ import annotations

from datetime import datetime, timedelta

from connector.base.ports import Salesforce
from connector.store import Store

SIGNED_IN = "address of the org"  # where it is kept, under the name from when that was all
_KEPT = timedelta(days=1)


def keep_sign_in(salesforce: Salesforce, store: Store, now: datetime) -> None:
    """Who we are is asked for once a day: where only a token is given, it costs a call."""
    known = store.cursor(SIGNED_IN) or {}
    asked = known.get("asked")
    if asked is None or now - datetime.fromisoformat(asked) >= _KEPT:
        known = {"user": salesforce.user(), "asked": now.isoformat()}
    store.set_cursor(SIGNED_IN, {**known, "of": salesforce.address()})


def known_address(store: Store) -> str:
    """``https://example.my.salesforce.com``; "" before the first cycle."""
    return str((store.cursor(SIGNED_IN) or {}).get("of") or "")


def known_user(store: Store) -> str | None:
    """The id of the user that the connector signed in as."""
    return (store.cursor(SIGNED_IN) or {}).get("user")
