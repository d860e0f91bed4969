"""Whose HubSpot's engagements and deals are.

To tie one to a contact changes neither. So those that had no contact when they were read are *loose*: they are asked
for again every ten minutes, for a week and at most a thousand of each object. What changes in the ties of the others is
found when they change themselves, and by the sweep.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from connector.base.answers import MALFORMED, listed, readable, unreadable
from connector.base.errors import Transient
from connector.base.json import JsonMap, JsonObject
from connector.sources.hubspot.api import HUBSPOT_API

NO_TIES = "crm.associations.NO_ASSOCIATIONS_FOUND"
ASKED_EVERY = timedelta(minutes=10)
LOOSE_FOR = timedelta(days=7)
MOST_LOOSE = 1000  # of each object; so many fit one request

_Ask = Callable[..., tuple[JsonObject, Any]]
_PathOf = Callable[[str, str], str]
TiesFound = Mapping[str, Sequence[str]]  # row -> its contacts


class Ties:
    """``ask`` and ``path`` are the API's."""

    def __init__(self, ask: _Ask, path: _PathOf) -> None:
        self._ask, self._path = ask, path

    def of(self, name: str, ids: Sequence[str]) -> tuple[dict[str, list[str]], set[str]]:
        """Row -> its contacts, each list followed to its last page; and the rows of which this is certain."""
        contacts: dict[str, list[str]] = {}
        sure = set(ids)
        asked = [{"id": one} for one in ids]
        path = self._path("associations", f"{name}/contacts/batch/read")
        while asked:
            body, _ = self._ask("POST", path, "associations", json={"inputs": asked})
            sure -= _not_told(body, sure)
            further = []
            for row in listed(body, "results", HUBSPOT_API):
                for one, whose, after in readable(_tie, [row], Counter(), ""):
                    known = contacts.setdefault(one, [])
                    new = [each for each in whose if each not in known]
                    known += new
                    if after is not None and not new:
                        raise repeated(f"the contacts of {name}")
                    further += [{"id": one, "after": after}] if after is not None else []
            asked = further
        return contacts, sure


def _not_told(body: JsonMap, asked: Collection[str]) -> set[str]:
    """Rows that the answer has an error for, but for that they have no contact; all, where it names none."""
    found: set[str] = set()
    for error in body.get("errors") or ():
        if isinstance(error, dict) and error.get("subCategory") == NO_TIES:
            continue
        context = error.get("context") if isinstance(error, dict) else None
        named = context.get("fromObjectId") if isinstance(context, dict) else None
        found |= {str(each) for each in named} if isinstance(named, list) else set(asked)
    return found


def ids_of(rows: Sequence[Any]) -> list[str]:
    return [str(row["id"]) for row in rows if isinstance(row, dict) and row.get("id")]


def ties_are_due(places: dict[str, JsonObject], now: datetime) -> bool:
    """Whether loose rows are to be asked for; notes that they are."""
    place = places.get("loose", {})
    asked = place.get("asked")
    if not any(place.get("rows", {}).values()) or (asked and now < datetime.fromisoformat(asked) + ASKED_EVERY):
        return False
    place["asked"] = now.isoformat()
    return True


def keep_loose(places: dict[str, JsonObject], name: str, ids: Sequence[str], whose: TiesFound, now: datetime) -> None:
    """Notes which of these rows have nobody, and since when. ``places["loose"]`` is made anew: pages have the old."""
    place = places.get("loose", {"asked": None, "rows": {}})
    known = dict(place["rows"].get(name, {}))
    for each in ids:
        if whose.get(each):
            known.pop(each, None)
        else:
            known.setdefault(each, now.isoformat(timespec="seconds"))
    newest = dict(sorted(known.items(), key=lambda each: (each[1], len(each[0]), each[0]))[-MOST_LOOSE:])
    places["loose"] = {**place, "rows": {**place["rows"], name: newest}}


def forget_loose(places: dict[str, JsonObject], name: str, ids: Sequence[str]) -> None:
    """They are no more."""
    if place := places.get("loose"):
        kept = {each: since for each, since in place["rows"].get(name, {}).items() if each not in ids}
        places["loose"] = {**place, "rows": {**place["rows"], name: kept}}


def loose_ids(places: dict[str, JsonObject], name: str, now: datetime) -> list[str]:
    """Those of the last week; older ones are forgotten."""
    place = places.get("loose", {"rows": {}})
    kept = {
        each: since
        for each, since in place["rows"].get(name, {}).items()
        if now < datetime.fromisoformat(since) + LOOSE_FOR
    }
    places["loose"] = {**place, "rows": {**place["rows"], name: kept}}
    return list(kept)


def next_page(body: JsonMap) -> str | None:
    try:
        return str(body["paging"]["next"]["after"]) if body.get("paging") else None
    except MALFORMED:
        raise unreadable(HUBSPOT_API) from None


def _tie(row: JsonMap) -> tuple[str, list[str], str | None]:
    """Whose an engagement is, and where the list goes on."""
    return str(row["from"]["id"]), [str(to["toObjectId"]) for to in row["to"]], next_page(dict(row))


def repeated(what: str) -> Transient:
    return Transient(f"HubSpot gave the same page of {what} twice", "the next cycle asks again")
