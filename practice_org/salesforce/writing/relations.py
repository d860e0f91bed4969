"""Who an activity is with: relations of tasks, events and mails, and the activity's own WhoId that follows them.

With shared activities a task or event has a relation for each of its people and its record, its WhoId is the first of
the people, and another is promoted when that one's relation goes. Without them events have relations for their invitees
only. UNCONFIRMED: whether a further relation moves the activity's SystemModstamp; here it does not, which is the harder
of the two for a client.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from practice_org.salesforce import values
from practice_org.salesforce.core import OrgCore
from practice_org.salesforce.schema import SHARED_ACTIVITIES, ObjectSpec
from practice_org.salesforce.storage import Statement, quoted
from practice_org.salesforce.writing.results import Row, Written

_PEOPLE = {"003": "Contact", "00Q": "Lead"}
_TYPES = {**_PEOPLE, "005": "User"}
_OF = {"Task": "TaskRelation", "Event": "EventRelation"}
_DRAFT = "5"
_SHARED = "shared_activities"


def share(org: OrgCore, *, on: bool) -> None:
    """Switches shared activities on or off; what is there gets its relations. Kept with the org."""
    org.schema.offer(SHARED_ACTIVITIES, on=on)
    org.schema_changed = org.clock.now()
    statements: list[Statement] = [org.db.set_meta(_SHARED, "1" if on else "")]
    stamp = org.stamp()
    for name, relation_name in _OF.items() if on else ():
        known = set(org.db.read(f"SELECT {name}Id, RelationId FROM {relation_name} WHERE IsDeleted = 0"))
        sql = f"SELECT Id, WhoId, WhatId FROM {name} WHERE IsDeleted = 0"
        for activity, *related in org.db.read(sql):
            for one in related:
                if one and (activity, one) not in known:
                    statements.append(_related(org, name, activity, one, stamp))
    org.db.write([*statements, org.counters()])


def restore(org: OrgCore) -> None:
    """As it was when the org was left."""
    org.schema.offer(SHARED_ACTIVITIES, on=org.db.meta(_SHARED) == "1")


def is_shared(org: OrgCore) -> bool:
    return org.schema.find("TaskRelation") is not None


def relation(org: OrgCore, row: Written, stamp: str) -> None:
    """Completes a relation before it is written."""
    if row.old is not None:
        return
    new, who = row.new, str(row.new.get("RelationId") or "")[:3]
    if "EmailMessageId" in new:
        new["RelationObjectType"] = _TYPES.get(who)
        return
    new["IsWhat"] = int(who not in _TYPES)
    if "EventId" in new and not (is_shared(org) and (new.get("IsParent") or new["IsWhat"])):
        new.update(IsInvitee=1, IsParent=0)


def email(org: OrgCore, row: Written, stamp: str) -> None:
    if row.old is None and row.new.get("Status") != _DRAFT:
        row.new.setdefault("MessageDate", stamp)


def after(org: OrgCore, spec: ObjectSpec, rows: Sequence[Written], stamp: str) -> list[Statement]:
    """Further writes of the same transaction."""
    work = {
        "Task": _with_relations,
        "Event": _with_relations,
        "TaskRelation": _first_who,
        "EventRelation": _first_who,
        "EmailMessage": _task_of_mail,
        "EmailMessageRelation": _who_of_mail,
    }.get(spec.name)
    return [] if work is None else [each for row in rows for each in work(org, spec, row, stamp)]


def _with_relations(org: OrgCore, spec: ObjectSpec, row: Written, stamp: str) -> Iterator[Statement]:
    """The relations of an activity whose WhoId or WhatId is written."""
    if not is_shared(org):
        return
    table = _OF[spec.name]
    for name in ("WhoId", "WhatId"):
        if not row.changed(name):
            continue
        old, new = (row.old or {}).get(name), row.now(name)
        if old:
            sql = f"SELECT Id FROM {table} WHERE {spec.name}Id = ? AND RelationId = ? AND IsDeleted = 0"
            for (gone,) in org.db.read(sql, (row.id, old)):
                yield f"DELETE FROM {table} WHERE Id = ?", [(gone,)]
                yield "INSERT OR REPLACE INTO _deleted VALUES (?, ?, ?, ?)", [(table, gone, stamp, gone)]
        if new:
            yield _related(org, spec.name, row.id, new, stamp)


def _related(org: OrgCore, activity_object: str, activity: str, who: str, stamp: str) -> Statement:
    row: Row = {f"{activity_object}Id": activity, "RelationId": who, "IsWhat": int(who[:3] not in _TYPES)}
    if activity_object == "Event":
        row |= {"IsParent": int(not row["IsWhat"])}
    return _insert(org, _OF[activity_object], row, stamp)


def _first_who(org: OrgCore, spec: ObjectSpec, row: Written, stamp: str) -> Iterator[Statement]:
    """The first of its people is the activity's WhoId."""
    name = spec.name.removesuffix("Relation")
    who = str(row.now("RelationId") or "")
    is_who = who[:3] in _PEOPLE and (name == "Task" or row.now("IsParent"))
    if row.old is None and is_who:
        yield _set_who(name), [(who, stamp, stamp, row.now(f"{name}Id"))]


def _set_who(name: str) -> str:
    return (
        f"UPDATE {name} SET WhoId = ?, SystemModstamp = ?, LastModifiedDate = ? "
        "WHERE Id = ? AND WhoId IS NULL AND IsDeleted = 0"
    )


def removed(org: OrgCore, spec: ObjectSpec, row: Row, stamp: str) -> list[Statement]:
    """A relation went: where it was that of the WhoId, the next of the people is promoted."""
    name = spec.name.removesuffix("Relation")
    if name not in _OF or spec.name == name:
        return []
    activity, who = row[f"{name}Id"], row["RelationId"]
    if not org.db.read(f"SELECT 1 FROM {name} WHERE Id = ? AND WhoId = ?", (activity, who)):
        return []
    parents = " AND IsParent = 1" if name == "Event" else ""
    sql = (
        f"SELECT RelationId FROM {spec.name} WHERE {name}Id = ? AND Id <> ? AND IsDeleted = 0 AND IsWhat = 0{parents} "
        "AND SUBSTR(RelationId, 1, 3) IN ('003', '00Q') ORDER BY Id LIMIT 1"
    )
    found = org.db.read(sql, (activity, row["Id"])) if is_shared(org) else []
    promoted = found[0][0] if found else None
    set_to = f"UPDATE {name} SET WhoId = ?, SystemModstamp = ?, LastModifiedDate = ? WHERE Id = ?"
    return [(set_to, [(promoted, stamp, stamp, activity)])]


def _task_of_mail(org: OrgCore, spec: ObjectSpec, row: Written, stamp: str) -> Iterator[Statement]:
    """Each mail that was sent or came in makes a completed task, which does not tell the direction."""
    is_sent = row.now("Status") != _DRAFT and not row.now("ActivityId") and not row.now("ParentId")
    if not is_sent:
        return
    task_id = org.new_id("Task")
    told = {"Subject": str(row.now("Subject") or "")[:255], "WhatId": row.now("RelatedToId"), "TaskSubtype": "Email"}
    closed = {"Status": "Completed", "IsClosed": 1, "CompletedDateTime": row.now("MessageDate")}
    day = {"ActivityDate": str(row.now("MessageDate") or stamp)[:10], "OwnerId": org.user_id}
    yield _insert(org, "Task", {"Id": task_id, **told, **closed, **day}, stamp)
    yield "UPDATE EmailMessage SET ActivityId = ? WHERE Id = ?", [(task_id, row.id)]


def _who_of_mail(org: OrgCore, spec: ObjectSpec, row: Written, stamp: str) -> Iterator[Statement]:
    """The people of a mail are those of its task: the first one, or all where activities are shared."""
    who = str(row.now("RelationId") or "")
    found = org.db.read("SELECT ActivityId FROM EmailMessage WHERE Id = ?", (row.now("EmailMessageId"),))
    task_id = found[0][0] if found else None
    if who[:3] not in _PEOPLE or not task_id:
        return
    yield _set_who("Task"), [(who, stamp, stamp, task_id)]
    sql = "SELECT 1 FROM TaskRelation WHERE TaskId = ? AND RelationId = ? AND IsDeleted = 0"
    if is_shared(org) and not org.db.read(sql, (task_id, who)):
        yield _related(org, "Task", task_id, who, stamp)


def _insert(org: OrgCore, name: str, given: Row, stamp: str) -> Statement:
    spec = org.schema.get(name)
    row: Row = {"Id": org.new_id(name), **values.defaults(spec), **given}
    row |= {"CreatedDate": stamp, "CreatedById": org.user_id, "LastModifiedDate": stamp}
    row |= {"LastModifiedById": org.user_id, "SystemModstamp": stamp}
    columns, marks = ", ".join(map(quoted, row)), ", ".join("?" * len(row))
    made: list[Sequence[Any]] = [tuple(row.values())]
    return f"INSERT INTO {quoted(name)} ({columns}) VALUES ({marks})", made
