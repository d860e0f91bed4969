"""Facts as table rows and back: the only place that knows how a value is written down."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from connector.base.facts import PEOPLE, Activity, Direction, Prospect, Row
from connector.base.json import Json, JsonMap, JsonObject

ROLE = "OpportunityContactRole"
OF_SALESFORCE = "salesforce"  # the source of the activities that Salesforce's own objects tell
# Objects whose rows tell who else an activity is with, and the field that names the activity. See ``related.py``.
RELATIONS = {"TaskRelation": "TaskId", "EventRelation": "EventId", "EmailMessageRelation": "EmailMessageId"}
# Objects whose links stand in fields of their own; of the others see ``linked.py``.
KNOWN_OBJECTS = (*PEOPLE, "Account", "Opportunity", ROLE, *RELATIONS)
# Columns that move with every write, ours too: a row that differs in these alone is the same fact.
ECHO = frozenset({"SystemModstamp", "LastModifiedDate", "LastModifiedById"})
# Columns that say whose a record is. Never folded in by us: their change must be seen coming from Salesforce.
LINKS = frozenset(
    {"Email", "MasterRecordId", "IsDeleted", "IsConverted", "ConvertedContactId"}
    | {"AccountId", "ContactId", "LeadId", "OpportunityId"}
)

LONGEST_ADDRESS = 320  # 64 characters, @, 255 characters
LONGEST_KEY = 600  # characters; an index of PostgreSQL takes 2,704 bytes

_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
_encode_ascii = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_decode = json.JSONDecoder().raw_decode  # our own texts: nothing stands before or behind the value
_SALESFORCE_UTC = frozenset({".000+0000", ".000Z", "Z"})


def dumps(value: Json) -> str:
    text = _encode(value)
    return text if is_storable(text) else _encode_ascii(value)


def is_storable(text: str) -> bool:
    """Half of a character pair, as a text cut off in the middle of an emoji ends with, is no UTF-8; PostgreSQL takes no
    NUL."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return False
    return "\0" not in text


def storable(text: str | None) -> str | None:
    return text if text is None or is_storable(text) else _made_storable(text)


def shown_of(object_name: str, row: Row) -> JsonObject:
    """What views show of a person, in columns of their own; nothing for what is no text that each database takes."""
    if object_name not in PEOPLE:
        return {"name": None, "owner_id": None}
    return {"name": _text_of(row, "Name"), "owner_id": _text_of(row, "OwnerId")}


def _text_of(row: Row, field: str) -> str | None:
    text = row.get(field)
    return text if text.__class__ is str and is_storable(text) else None


def _made_storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def _key(name: str) -> str:
    """An id that a source gave, as it is or, where an index could not hold it, known by its beginning and its hash."""
    text = name if is_storable(name) else _made_storable(name)
    return text if len(text) <= LONGEST_KEY else text[:100] + hashlib.sha256(text.encode()).hexdigest()


def read_json(text: str) -> Any:
    return {} if text == "{}" else _decode(text)[0]


def iso(at: datetime) -> str:
    """Texts of UTC times sort as the times do."""
    return at.astimezone(UTC).isoformat()


def time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def stamp_of(row: Row) -> str:
    """SystemModstamp as an ISO text, "" when the row has none that can be read."""
    text = row.get("SystemModstamp") or ""
    if text[19:] in _SALESFORCE_UTC:
        return f"{text[:19]}+00:00"
    try:
        return iso(datetime.fromisoformat(text))
    except ValueError:
        return ""


def address(email: Any) -> str | None:
    """As e-mail addresses are compared: stripped and lower case; None for nothing, and for what is too long for one."""
    text = str(email).strip().lower() if email else ""
    return storable(text) if 0 < len(text) <= LONGEST_ADDRESS else None


def is_gone(object_name: str, row: Row) -> bool:
    """Whether the record is deleted, or became another one."""
    became = row.get("MasterRecordId") or (object_name in PEOPLE and row.get("IsConverted"))
    return bool(row.get("IsDeleted") or became)


def record_row(object_name: str, row: Row, text: str, generation: int) -> JsonObject:
    """A Salesforce record as a ``record`` row; ``text``: it as JSON. ``alias_of`` is found afterwards
    (``connector.store.identity``)."""
    is_person, told = object_name in PEOPLE, row if object_name in KNOWN_OBJECTS else {}
    moved_to = _moved_to(row) if is_person else None
    return {
        "id": row["Id"],
        "object": object_name,
        "stamp": stamp_of(row),
        "fields": text,
        "live": not is_gone(object_name, row),
        "generation": generation,
        "email": address(row.get("Email")) if is_person else None,
        **shown_of(object_name, row),
        "moved_to": moved_to,
        "alias_of": None,
        "account_id": told.get("AccountId") or None,
        "contact_id": None if is_person else told.get("ContactId") or told.get("RelationId") or None,
        "opportunity_id": told.get("OpportunityId") or told.get(RELATIONS.get(object_name, "")) or None,
    }


def _moved_to(row: Row) -> str | None:
    """The record that this one became: the winner of a merge, or the contact of a converted lead."""
    if master := row.get("MasterRecordId"):
        return str(master)
    if row.get("IsDeleted") and (winner := _merged_as_account(row)):
        return winner
    if row.get("IsConverted") and (contact := row.get("ConvertedContactId")):
        return str(contact)
    return None


def _merged_as_account(row: Row) -> str | None:
    """Person accounts are merged as accounts: the contact of the one that is left. Whether the loser's contact keeps
    its account or goes to the winner's is UNCONFIRMED, so either tells."""
    for name in ("Account.MasterRecord.PersonContactId", "Account.PersonContactId"):
        if (winner := row.get(name)) and winner != row["Id"]:
            return str(winner)
    return None


def same_fact(old: str, new: str) -> bool:
    """Whether two ``fields`` texts tell the same but for the columns that our own writes move."""
    return old == new or _without_echo(read_json(old)) == _without_echo(read_json(new))


def _without_echo(row: JsonMap) -> JsonObject:
    return {name: value for name, value in row.items() if name not in ECHO}


def ref(source: str, name: str) -> str:
    return _key(f"{source}:{name}")


def activity_row(activity: Activity, feed: str | None, generation: int) -> JsonObject:
    return {
        "ref": ref(activity.source, activity.id),
        "kind": storable(activity.kind),
        "direction": activity.direction.value,
        "occurred_at": iso(activity.occurred_at),
        "name": storable(activity.name),
        "attributes": dumps(activity.attributes) if activity.attributes else "{}",
        "crm_id": _key(activity.crm_id) if activity.crm_id else None,
        "prospect": ref(activity.source, activity.prospect_id) if activity.prospect_id else None,
        "email": address(activity.email),
        "feed": feed,
        "generation": generation,
    }


_DIRECTIONS = {each.value: each for each in Direction}


def activity_of_row(row: Any) -> Activity:
    """From the columns of an ``activity`` row, in the order of the table."""
    name, kind, direction, occurred_at, title, attributes, crm_id, prospect, email = row[:9]
    source, _, own_id = name.partition(":")
    return Activity(
        source,
        own_id,
        kind,
        _DIRECTIONS[direction],
        datetime.fromisoformat(occurred_at),
        title,
        read_json(attributes),
        crm_id,
        prospect.partition(":")[2] if prospect else None,
        email,
    )


def prospect_row(prospect: Prospect, now: datetime) -> JsonObject:
    return {
        "ref": ref(prospect.source, prospect.id),
        "email": address(prospect.email),
        "crm_id": _key(prospect.crm_id) if prospect.crm_id else None,
        "attributes": dumps(prospect.attributes) if prospect.attributes else "{}",
        "deleted": prospect.deleted,
        "recorded_at": iso(now),
        "since": iso(now),
    }


def prospect_of_row(row: Any) -> Prospect:
    """From the columns of a ``prospect`` row, in the order of the table."""
    name, email, crm_id, attributes, deleted = row[:5]
    source, _, own_id = name.partition(":")
    return Prospect(source, own_id, email, crm_id, read_json(attributes), bool(deleted))
