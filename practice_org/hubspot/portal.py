"""What HubSpot knows: the handle that its HTTP side and ``system`` stand on."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from practice_org.errors import PracticeError
from practice_org.hubspot import rows as hubspot_rows
from practice_org.hubspot.gate import Gate, HubSpotError, Switches, invalid
from practice_org.hubspot.objects import OBJECTS, ObjectType, Options, Property
from practice_org.hubspot.rows import Record
from practice_org.hubspot.search import milliseconds
from practice_org.hubspot.write import Backward, changed, conflict
from practice_org.salesforce.org import PracticeOrg

PORTAL = 8_900_001
FIRST_IDS = {"contacts": 286_101, "companies": 7_945_038_519}
_EMAILS = ("email", "hs_additional_emails")
FIRST_OTHER_ID = 40_000_000_001

Row = Mapping[str, Any]


class Portal:
    """The Python handle. Rows are properties by HubSpot's names; times are datetimes, ISO text or milliseconds.

    What the handle writes is what people and HubSpot's own tools did: it may set a lifecycle stage back.
    """

    def __init__(self, org: PracticeOrg) -> None:
        self.org = org
        self.token = org.db.meta("hubspot_token") or f"pat-na1-{uuid.uuid4()}"
        self.objects: dict[str, ObjectType] = {
            name: replace(kind, properties=dict(kind.properties)) for name, kind in OBJECTS.items()
        }
        self.owners: list[dict[str, Any]] = [
            {"id": "61001", "email": "owner@practice.example", "firstName": "Olga", "lastName": "Owner", "userId": 5001}
        ]
        self.portal = PORTAL
        self.missing_scopes: set[str] = set()  # those that the key was not given, of hubspot_gate.SCOPES
        self.switches = Switches()
        self.gate = Gate()
        with org.db.lock:
            hubspot_rows.create(org.db.connection)
        org.db.write([org.db.set_meta("hubspot_token", self.token)])  # a kept org keeps its key

    def add_contacts(self, rows: Sequence[Row]) -> list[int]:
        return [record.id for record in self.create("contacts", rows, Backward.ALLOW)]

    def update_contacts(self, rows: Sequence[Row]) -> None:
        """Changes the given properties of contacts by ``id``; ``lastmodifieddate`` moves."""
        changes = {int(row["id"]): {key: row[key] for key in row if key != "id"} for row in rows}
        self.update("contacts", changes, Backward.ALLOW)

    def add_engagements(self, name: str, rows: Sequence[Row]) -> list[int]:
        """New emails, calls, meetings, notes, tasks or communications; ``contacts`` in a row are ids."""
        bare = [{key: value for key, value in row.items() if key != "contacts"} for row in rows]
        stamped = [{"hs_timestamp": self.now(), **row} for row in bare]
        made = [record.id for record in self.create(name, stamped, Backward.ALLOW)]
        self.associate(name, {one: row.get("contacts", ()) for one, row in zip(made, rows, strict=True)})
        return made

    def add_deals(self, rows: Sequence[Row]) -> list[int]:
        """``contacts`` in a row are ids."""
        bare = [{key: value for key, value in row.items() if key != "contacts"} for row in rows]
        made = [record.id for record in self.create("deals", bare, Backward.ALLOW)]
        self.associate("deals", {one: row.get("contacts", ()) for one, row in zip(made, rows, strict=True)})
        return made

    def update_engagements(self, name: str, rows: Sequence[Row]) -> None:
        changes = {int(row["id"]): {key: row[key] for key in row if key != "id"} for row in rows}
        self.update(name, changes, Backward.ALLOW)

    def find(self, email: str) -> Record | None:
        """The contact with an address."""
        where = "archived_at IS NULL AND json_extract(body, '$.email') = :email"
        with self.org.db.lock:
            found = hubspot_rows.select(self.org.db.connection, "contacts", where, {"email": email.lower()}, "LIMIT 1")
        return found[0] if found else None

    def associate(self, name: str, contacts: Mapping[int, Iterable[int]]) -> None:
        """Ties records of an object to contacts."""
        with self.org.db.transaction():
            pairs = ((name, one, "contacts", each) for one, ids in contacts.items() for each in ids)
            hubspot_rows.link(self.org.db.connection, pairs)

    def add_email_events(self, rows: Sequence[Row]) -> list[str]:
        """Marketing e-mail events: ``type`` and ``recipient``, and whatever else an event carries."""
        now = self.now()
        bodies: list[dict[str, Any]] = [
            {
                "id": str(uuid.uuid4()),
                "portalId": self.portal,
                "appId": 113,
                "appName": "Batch",
                "emailCampaignId": 2,
                "filteredEvent": False,
                **row,
                "created": milliseconds(row.get("created", now)),
            }
            for row in rows
        ]
        with self.org.db.transaction():
            hubspot_rows.write_events(self.org.db.connection, bodies)
        return [body["id"] for body in bodies]

    def archive(self, ids: Iterable[int], name: str = "contacts") -> None:
        """Deletes records, as far as search and reads can tell; they can still be listed as archived."""
        now = self.now()
        self._rewrite(name, ids, lambda record: replace(record, archived_at=record.archived_at or now))

    def merge(self, winner: int, loser: int) -> None:
        """The loser's empty places are not filled by this imitation; its activities become the winner's, and its id
        finds the winner from then on. Raises HubSpotError 400 or 404."""
        if winner == loser:
            raise invalid("A contact cannot be merged with itself")
        db, now = self.org.db, self.now()
        with db.transaction():
            found = hubspot_rows.many(db.connection, "contacts", [winner, loser])
            if winner not in found or loser not in found:
                raise HubSpotError(404, "OBJECT_NOT_FOUND", "resource not found")
            target, gone = found[winner], found[loser]
            merged = [str(target.body.get("hs_merged_object_ids", "")), str(gone.id)]
            body = {**target.body, "hs_merged_object_ids": ";".join(each for each in merged if each)}
            emails = [str(each.get(name) or "") for each in (target.body, gone.body) for name in _EMAILS]
            known = dict.fromkeys(each for text in emails for each in text.split(";"))
            further = [each for each in known if each and each != body.get("email")]
            body |= {"hs_additional_emails": ";".join(further)} if further else {}
            records = [
                replace(target, body=body, updated_at=now),
                replace(gone, archived_at=now, merged_into=target.id),
            ]
            hubspot_rows.write(db.connection, "contacts", records, now)
            hubspot_rows.move_links(db.connection, "contacts", gone.id, target.id)

    def add_property(
        self, name: str, type_: str = "string", options: Options = (), object_name: str = "contacts"
    ) -> None:
        """A custom property, or other options for one that is there (``lifecyclestage`` with stages of one's own)."""
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise PracticeError(f"{name!r} is no property name", "small letters, digits and underscores")
        self.objects[object_name].properties[name] = Property(name, type_, options)

    def count(self, name: str = "contacts") -> int:
        """Records of an object that are not archived."""
        with self.org.db.lock:
            return hubspot_rows.count(self.org.db.connection, name)

    def now(self) -> int:
        return milliseconds(self.org.clock.now())

    def create(self, name: str, rows: Sequence[Row], how: Backward) -> list[Record]:
        """Raises HubSpotError 400 for what cannot be set, 409 for an address that is taken."""
        kind, db, now = self.objects[name], self.org.db, self.now()
        with db.transaction():
            first = hubspot_rows.next_id(db.connection, name, FIRST_IDS.get(name, FIRST_OTHER_ID))
            records = [
                _record(kind, Record(first + place, now, now, None, None, {}), row, now, how)
                for place, row in enumerate(rows)
            ]
            self._check_addresses(name, records)
            hubspot_rows.write(db.connection, name, records, now)
        return records

    def update(self, name: str, changes: Mapping[int, Row], how: Backward) -> dict[int, Record]:
        """By id; ids that are not there are left out. Raises as :meth:`create`."""
        kind, db, now = self.objects[name], self.org.db, self.now()
        with db.transaction():
            found = hubspot_rows.many(db.connection, name, changes)
            records = {
                one: _record(kind, replace(record, updated_at=now), changes[one], now, how)
                for one, record in found.items()
                if record.archived_at is None
            }
            self._check_addresses(name, list(records.values()))
            hubspot_rows.write(db.connection, name, records.values(), now)
        return records

    def _rewrite(self, name: str, ids: Iterable[int], edit: Any) -> None:
        db, now = self.org.db, self.now()
        with db.transaction():
            found = hubspot_rows.many(db.connection, name, ids)
            hubspot_rows.write(db.connection, name, [edit(record) for record in found.values()], now)

    def _check_addresses(self, name: str, records: Sequence[Record]) -> None:
        """No two contacts have one address."""
        wanted = {str(record.body["email"]): record.id for record in records if record.body.get("email")}
        if name != "contacts" or not wanted:
            return
        marks = ", ".join(f":e{place}" for place in range(len(wanted)))
        values = {f"e{place}": address for place, address in enumerate(wanted)}
        where = f"archived_at IS NULL AND json_extract(body, '$.email') IN ({marks})"
        for taken in hubspot_rows.select(self.org.db.connection, name, where, values, ""):
            if wanted[str(taken.body["email"])] != taken.id:
                raise conflict(taken.id)


def _record(kind: ObjectType, old: Record, row: Row, now: int, how: Backward) -> Record:
    """Creation and change dates are columns; a handle may give them."""
    created, modified = kind.always[0], kind.modified
    given = {key: value for key, value in row.items() if key not in (created, modified)}
    if how is not Backward.ALLOW:
        given = dict(row)
    body = changed(kind, old.body, given, now, how)
    body.pop(created, None)
    if how is not Backward.ALLOW:
        return replace(old, body=body)
    stamps = {key: milliseconds(row[key]) for key in (created, modified) if row.get(key)}
    return replace(
        old,
        body=body,
        created_at=stamps.get(created, old.created_at),
        updated_at=stamps.get(modified, old.updated_at),
    )
