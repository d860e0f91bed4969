"""The connector's own format of an activity, in which files, webhooks and warehouses speak: record -> Activity. Pure.

A record is a mapping of strings to JSON values. Empty values count as missing. A record of type ``person`` says who
somebody is rather than what they did: a Prospect, with the same words for who, ``event_id`` (that system's id of the
person) and attributes; its newest record counts.

    occurred_at   ISO 8601; with an offset, or else the configured time zone counts
    type          a canonical kind (``kinds.py``), or a word of your own, which the mapping may declare as a kind
    event_id      what makes the activity one, of its type and person; derived from the rest when missing
    direction     "inbound" or "outbound"; else as usual for the kind
    email, crm_id, external_ids.sf_contact_id, external_ids.sf_lead_id    who; at least one, or
    prospect_id   the sender's own id of the person, or of a visitor who gave no address yet
    name          of the form, mail, page
    attributes    an object; every key beyond these is an attribute too
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from connector.base.facts import Activity, Direction, Prospect
from connector.base.ids import id18
from connector.base.json import Json, JsonMap, JsonObject, strict_loads
from connector.lifecycle.values import kind_of
from connector.sources.kinds import KINDS, OTHER

_DEAL, PERSON = "deal", "person"
_OF_DEALS = frozenset({"state", "stage", "is_won", "is_closed", "amount", "currency", "close_date"})
_TABLE = "warehouse"  # its rows are what is so now, and replace what they said before
_NOBODY = "says nobody: give email, crm_id, sf_contact_id, sf_lead_id or prospect_id"
# What senders write for nothing
EMPTY_WORDS = frozenset({"n/a", "na", "none", "null", "nil", "undefined", "-", "--", "0"})
_ADDRESS = re.compile(r"[^\s@,;<>]+@[^\s@,;<>]+")
CRM_IDS = ("crm_id", "sf_contact_id", "sf_lead_id")
KNOWN = frozenset(
    {"occurred_at", "type", "event_id", "direction", "email", "name", "attributes", "prospect_id", *CRM_IDS}
)


def is_in_milliseconds(number: float) -> bool:
    """Of a time since 1970 as a number: as seconds it would be in the year 5138."""
    return abs(number) > 100_000_000_000


def of_epoch(number: float) -> datetime:
    """Raises ValueError, OverflowError or OSError for what is no time."""
    return datetime.fromtimestamp(number / 1000 if is_in_milliseconds(number) else number, UTC)


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that is no activity, and why, in words for whoever made it."""

    reason: str


def read_event(source: str, record: JsonMap, zone: ZoneInfo | None) -> Activity | Prospect | Bad:
    """What a record is. Never raises."""
    is_person = str(record.get("type")).strip() == PERSON
    return person(source, record) if is_person else activity_of_event(source, record, zone)


def person(source: str, record: JsonMap) -> Prospect | Bad:
    """Known by ``prospect_id`` or ``event_id``, without one by the CRM id, else by the address. Never raises."""
    values = _flat(record)
    try:
        emails, crm_id, attributes = _emails(values), _crm_id(values), _attributes(values)
    except ValueError as error:
        return Bad(str(error))
    email = emails[0] if emails else None
    own = values.get("prospect_id", values.get("event_id"))
    if email is None and crm_id is None and "prospect_id" not in values:
        return Bad(_NOBODY)
    if "name" in values:
        attributes = {**attributes, "name": values["name"]}
    name = _own_id(own, attributes) or str(crm_id or email)
    return Prospect(source, name, email, crm_id, attributes, addresses=tuple(emails[1:]))


def _own_id(own: Any, attributes: JsonMap) -> str | None:
    """A sender's id of a person, below the sender's name where the record has one: others count from 1, too."""
    if own is None or str(own).lower() in EMPTY_WORDS - {"0"}:
        return None
    sender = attributes.get("source")
    return f"{sender}:{own}" if isinstance(sender, str) and sender else str(own)


def visitors(activities: Iterable[Activity]) -> tuple[Prospect, ...]:
    """Whom the senders of these know by an id of their own: what they did makes them somebody, and an address that they
    gave is theirs."""
    given: dict[str, set[str]] = {}
    sources: dict[str, str] = {}
    for each in activities:
        if each.prospect_id is not None:
            sources[each.prospect_id] = each.source
            given.setdefault(each.prospect_id, set()).update({each.email} if each.email else ())
    return tuple(
        Prospect(sources[own], own, addresses=tuple(sorted(emails)), is_sketch=True) for own, emails in given.items()
    )


def activity_of_event(source: str, record: JsonMap, zone: ZoneInfo | None) -> Activity | Bad:
    """Never raises. The kind is the type in lower case with underscores, so "Page View" is ``page_view``; what it was
    then stays as an attribute. A type that begins with no letter is "other"."""
    values = _flat(record)
    try:
        type_ = _text(values, "type")
        kind = kind_of(type_) or OTHER
        at = _time(_text(values, "occurred_at"), zone)
        email = _email(values)
        crm_id = _crm_id(values)
        direction = _direction(values, kind)
        attributes = _attributes(values)
    except ValueError as error:
        return Bad(str(error))
    if kind == _DEAL:
        attributes = {**_deal_words(attributes), **attributes}
        attributes = {**attributes, "state": deal_state(attributes)}
    prospect = _own_id(values.get("prospect_id"), attributes)
    who = crm_id or email or prospect
    if who is None:
        return Bad(_NOBODY)
    if kind != type_:
        attributes = {**attributes, "type": type_}
    name = str(values.get("name") or "")
    event_id = values.get("event_id")  # 0 is an id, too
    if event_id is None:
        parts = (email, crm_id) if email or crm_id else (prospect,)
        key = _derived_id(source, at, kind, *parts, name, attributes)
    else:  # two exports both count from 1, and a webinar has one id for all who came
        key = f"{kind}:{event_id}:{who}"
        if kind == _DEAL and source != _TABLE:  # told as it happens, in any order: each state stays
            attributes = {**attributes, "event_id": str(event_id)}
            key = f"{kind}:{event_id}:{attributes['state']}:{who}"
    return Activity(
        source=source,
        id=key,
        kind=kind,
        direction=direction,
        occurred_at=at,
        name=name,
        attributes=attributes,
        crm_id=crm_id,
        prospect_id=prospect,
        email=email,
    )


def happened_once(activities: Iterable[Activity]) -> frozenset[str]:
    """Ids of those that are told as they happen, and not of deals, of which later news are no other deal."""
    return frozenset(each.id for each in activities if each.kind != _DEAL)


def _deal_words(attributes: JsonMap) -> JsonObject:
    """What a deal says in our words, whatever their case, spaces and underscores are in the record."""
    return {word: value for name, value in attributes.items() if (word := kind_of(name)) in _OF_DEALS}


def deal_state(attributes: JsonMap) -> str:
    """ "open", "won" or "lost", from whichever of state, is_won, is_closed and stage a deal has."""
    said = str(attributes.get("state") or attributes.get("stage") or "").lower()
    if _is_true(attributes.get("is_won")) or re.search(r"\bwon\b", said):
        return "won"
    return "lost" if _is_true(attributes.get("is_closed")) or re.search(r"\b(lost|closed)\b", said) else "open"


def _is_true(value: Json) -> bool:
    return str(value).lower() in {"true", "1", "yes"}


def unknown_type(found: Activity, declared: Collection[str]) -> str | None:
    """The type, as its sender writes it, of an activity that is neither canonical nor ``declared`` by the mapping, else
    None."""
    is_known = found.kind in declared or (found.kind in KINDS and found.kind != OTHER)
    return None if is_known else str(found.attributes.get("type", found.kind))


def _flat(record: JsonMap) -> JsonObject:
    """Without empty values; ``external_ids.x`` and ``{"external_ids": {"x": ...}}`` are the same as ``x``."""
    values: JsonObject = {}
    for key, value in record.items():
        if key == "external_ids" and isinstance(value, Mapping):
            values.update(value)
        else:
            values[key.removeprefix("external_ids.")] = value.strip() if isinstance(value, str) else value
    return {key: value for key, value in values.items() if value not in (None, "")}


def _text(values: JsonMap, key: str) -> str:
    value = values.get(key)
    if value is None:
        raise ValueError(f"{key} is missing")
    return str(value)


def _time(text: str, zone: ZoneInfo | None) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"occurred_at is not an ISO 8601 time: {text[:40]}") from None
    if at.tzinfo is None:
        if zone is None:
            raise ValueError("occurred_at has no offset and no time zone is set for this source")
        at = at.replace(tzinfo=zone)
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"occurred_at is out of range: {text[:40]}") from None


def _email(values: JsonMap) -> str | None:
    found = _emails(values)
    if len(found) > 1:
        raise ValueError("email holds several addresses: send one activity for each")
    return found[0] if found else None


def _emails(values: JsonMap) -> list[str]:
    """Those of ``a@x.com, b@x.com``, ``Ann <a@x.com>`` or one alone, in lower case. Raises ValueError."""
    found: list[str] = []
    for part in re.split(r"[,;]", str(values.get("email", ""))):
        named = re.fullmatch(r"[^<>]*<([^<>]+)>", part.strip())
        text = (named[1] if named else part).strip().lower().removeprefix("mailto:")
        if not text or text in EMPTY_WORDS:
            continue
        if not _ADDRESS.fullmatch(text):
            raise ValueError("email is not an e-mail address")
        found.append(text)
    return list(dict.fromkeys(found))


def _crm_id(values: JsonMap) -> str | None:
    for key in CRM_IDS:
        if key in values and str(values[key]).lower() not in EMPTY_WORDS:
            found = id18(str(values[key]))
            if found is None:
                raise ValueError(f"{key} is not a Salesforce record id")
            return found
    return None


def _direction(values: JsonMap, kind: str) -> Direction:
    text = values.get("direction")
    if text is None:
        return KINDS.get(kind, KINDS[OTHER])
    try:
        return Direction(str(text).lower())
    except ValueError:
        raise ValueError("direction is neither inbound nor outbound") from None


def _attributes(values: JsonMap) -> JsonObject:
    inner = values.get("attributes", {})
    if isinstance(inner, str):  # a CSV column
        try:
            inner = strict_loads(inner)
        except ValueError:
            inner = None
    if not isinstance(inner, Mapping):
        raise ValueError("attributes is not an object")
    return {**inner, **{key: value for key, value in values.items() if key not in KNOWN}}


def _derived_id(source: str, *parts: Any) -> str:
    text = json.dumps([source, *parts], sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
