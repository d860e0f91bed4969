"""Who else a task, an event or a mail is with: rows of their relations in ``record``.

``contact_id`` of such a row is the contact or lead, ``opportunity_id`` the activity. Which came first, the activity or
its relation, does not matter: they meet when somebody is read. Nobody has an event that they declined. A mail that came
in is inbound for whoever wrote it, and was sent to the others; where a mail is known, its task tells the same again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, select

from connector.base.facts import Activity, Direction, Row
from connector.store import books, links
from connector.store.links import IDS, rows_in
from connector.store.rows import OF_SALESFORCE, RELATIONS, activity_of_row, read_json, ref
from connector.store.schema import ACTIVITY, RECORD

_WITH_PEOPLE = frozenset({"Task", "Event", "EmailMessage"})  # feeds
_NOT_COMING = frozenset({"Declined", "Uninvited"})
_WROTE = "FromAddress"
_MAIL = "02s"  # how ids of mails begin
_COLUMNS = tuple(RECORD.c[name] for name in ("live", "object", "id", "contact_id", "opportunity_id", "fields"))
# LIKE, which no index answers: given the objects to find, SQLite would walk all their rows instead of the ids
_IS_RELATION = RECORD.c.object.in_(sorted(RELATIONS))
_OF_PEOPLE = select(*_COLUMNS).where(RECORD.c.contact_id.in_(IDS), _IS_RELATION)
_OF_ACTIVITIES = select(*_COLUMNS).where(RECORD.c.opportunity_id.in_(IDS), _IS_RELATION)
_ACTIVITIES = select(ACTIVITY).where(ACTIVITY.c.ref.in_(IDS))
_ADDRESSES = select(ACTIVITY.c.email).where(ACTIVITY.c.ref.in_(IDS), ACTIVITY.c.email.is_not(None))
_SETTING = "relations"  # there are some


@dataclass(frozen=True, slots=True)
class Related:
    """By person and ref: ``seen``, the activities as that person has them; ``declined``, those they do not have.
    ``is_looked_for``: mails or relations were ever read."""

    is_looked_for: bool
    seen: dict[tuple[str, str], Activity] = field(default_factory=dict)
    declined: set[tuple[str, str]] = field(default_factory=set)


def note_relations(connection: Connection) -> None:
    """Relations or mails are going to be recorded. Until then nobody looks for them."""
    if books.setting(connection, _SETTING) is None:
        books.set_setting(connection, _SETTING, "read")


def related(connection: Connection, owners: Mapping[str, str]) -> Related:
    """``owners``: record id -> person."""
    found = Related(is_looked_for=books.setting(connection, _SETTING) is not None)
    if not found.is_looked_for:
        return found
    relations = defaultdict(list)
    for row in sorted(_live(rows_in(connection, _OF_PEOPLE, owners)), key=attrgetter("id")):
        relations[ref(OF_SALESFORCE, row.opportunity_id)].append(row)
    for row in rows_in(connection, _ACTIVITIES, relations):
        activity = activity_of_row(row)
        for relation in relations[row.ref]:
            key, said = (owners[relation.contact_id], row.ref), read_json(relation.fields)
            if said.get("Status") in _NOT_COMING:
                found.declined.add(key)
            elif key not in found.seen or said.get("RelationType") == _WROTE:
                found.seen[key] = _as_seen(activity, relation.contact_id, relation.object, said)
    found.declined.difference_update(found.seen)  # invited twice, as lead and as contact
    return found


def _as_seen(activity: Activity, who: str, object_name: str, said: Row) -> Activity:
    told = {f"{object_name}.{name}": said[name] for name in ("Status", "RelationType") if said.get(name)}
    if not told and activity.crm_id == who:
        return activity
    seen = replace(activity, crm_id=who, email=None, attributes={**activity.attributes, **told})
    is_mail = object_name == "EmailMessageRelation"
    if is_mail and activity.direction == Direction.INBOUND and said.get("RelationType") != _WROTE:
        return replace(seen, kind="email_sent", direction=Direction.OUTBOUND)
    return seen


def _live(rows: Iterable[Any]) -> Iterable[Any]:
    return (row for row in rows if row.live and row.object in RELATIONS)


def written_by_others(connection: Connection, refs: Iterable[str]) -> set[str]:
    """Of mails that were found by the sender's address: those whose writer a relation names."""
    ids = {each.partition(":")[2] for each in refs}
    return {
        ref(OF_SALESFORCE, row.opportunity_id)
        for row in _live(rows_in(connection, _OF_ACTIVITIES, ids))
        if read_json(row.fields).get("RelationType") == _WROTE
    }


def tasks_of_mails(activities: Iterable[Activity]) -> set[str]:
    """Refs of the tasks that tell of mails which are there themselves."""
    mails = (each for each in activities if each.source == OF_SALESFORCE and each.id.startswith(_MAIL))
    return {ref(OF_SALESFORCE, task) for each in mails if (task := each.attributes.get("ActivityId"))}


def relations_of(connection: Connection, activities: Iterable[Any]) -> dict[str, dict[str, str]]:
    """Object -> id of the relation -> whom it names, of these rows of ``activity``."""
    ids = {each["ref"].partition(":")[2] for each in activities if each["feed"] in _WITH_PEOPLE}
    found: dict[str, dict[str, str]] = {name: {} for name in RELATIONS}
    for row in _live(rows_in(connection, _OF_ACTIVITIES, ids)):
        found[row.object][row.id] = row.contact_id
    return found


def with_relations(connection: Connection, activities: Iterable[Any]) -> set[str]:
    """Refs of those of these rows of ``activity`` that relations name."""
    ids = {each["ref"].partition(":")[2] for each in activities if each["feed"] in _WITH_PEOPLE}
    return {ref(OF_SALESFORCE, row.opportunity_id) for row in rows_in(connection, _OF_ACTIVITIES, ids)}


def people_with(connection: Connection, activities: Iterable[Any]) -> set[str]:
    """The contacts and leads whom relations of these rows of ``activity`` name."""
    return {who for found in relations_of(connection, activities).values() for who in found.values()}


def senders_of(connection: Connection, mails: Collection[str | None]) -> set[str]:
    """Whom these mails, of which a relation changed, may have been by the sender's address."""
    refs = {ref(OF_SALESFORCE, each) for each in mails if each}
    return links.affected(connection, emails=links.select_ids(connection, _ADDRESSES, refs))
