"""Marketo's cursor, pure: chains of pages, each for at most ten activity types, as JSON values.

A chain is ``types``; ``token`` of its next page (None: ask for one); ``since``, the date it has come to, from which a
refused token is replaced; ``anew``, when it last began with a fresh token; ``done``, whether its last page was read.

A row may become visible behind a token: the vendor's notes tell of mails that do. So every quarter of an hour a chain
that is done begins anew, a little before the place where it began the time before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from connector.base.json import JsonMap, JsonObject

MOST_TYPES = 10
HISTORY_CHAIN = timedelta(days=775)  # Marketo keeps activities for 25 months at the most
ANEW = timedelta(minutes=15)
LATE = timedelta(minutes=15)  # how late a row may become visible and still be read

Chain = JsonObject


def plan_chains(
    chains: Iterable[JsonMap], wanted: Collection[int], alone: int, now: datetime, since: datetime
) -> list[Chain]:
    """The chains of a poll: those that there were, less the types that are gone, then new ones for types that are new,
    which begin at ``since``. The type ``alone`` has a chain of its own, the last one, which looks at no past."""
    kept: list[Chain] = [
        {**each, "types": types} for each in chains if (types := [t for t in each["types"] if t in {*wanted, alone}])
    ]
    covered = {type_ for each in kept for type_ in each["types"]}
    new = sorted(set(wanted) - covered - {alone})
    groups = [new[start : start + MOST_TYPES] for start in range(0, len(new), MOST_TYPES)]
    groups += [] if alone in covered else [[alone]]
    found = [_begun(each, now) for each in kept] + [
        _new(types, now, now if types == [alone] else since) for types in groups
    ]
    return sorted(found, key=lambda each: alone in each["types"])


def _new(types: list[int], now: datetime, since: datetime) -> Chain:
    start = (since - LATE).isoformat()
    return {"types": types, "token": None, "since": start, "anew": now.isoformat(), "done": False}


def _begun(chain: Chain, now: datetime) -> Chain:
    """The chain as a poll begins with it: where it was, or anew."""
    anew = datetime.fromisoformat(chain["anew"])
    if not chain["done"] or now - anew < ANEW:
        return chain
    return {**chain, "token": None, "since": (anew - LATE).isoformat(), "anew": now.isoformat(), "done": False}


def moved(chain: Chain, token: str, more: bool, latest: datetime | None) -> Chain:
    """The chain behind a page whose newest row is of ``latest``."""
    since = datetime.fromisoformat(chain["since"])
    return {**chain, "token": token, "since": max(since, latest or since).isoformat(), "done": not more}


def without_token(chain: Chain) -> Chain:
    """For a token that Marketo no longer takes: a new one, from a little before the last row that was read."""
    return {**chain, "token": None, "since": (datetime.fromisoformat(chain["since"]) - LATE).isoformat()}
