"""What Marketo knows: the handle that its HTTP side and ``system`` stand on."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from practice_org.errors import PracticeError
from practice_org.marketo import objects
from practice_org.marketo import rows as rows_of
from practice_org.marketo.exports import Exports
from practice_org.marketo.gate import CENTRAL, Switches, Tokens
from practice_org.marketo.objects import LeadField
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.gate import Gate

FIRST_LEAD, FIRST_ACTIVITY = 1_000_001, 58_000_001
TIMES = frozenset({"createdAt", "updatedAt", "activityDate"})

Row = Mapping[str, Any]
Body = dict[str, Any]


class Instance:
    """The Python handle. Rows use the API's field names; times are datetimes or ISO text, now when not given."""

    def __init__(self, org: PracticeOrg) -> None:
        self.org = org
        self.client_id, self.client_secret = str(uuid.uuid4()), uuid.uuid4().hex
        self.switches = Switches()
        self.gate = Gate()
        self.tokens = Tokens()
        self.exports = Exports()
        self.refused: Counter[tuple[str, str]] = Counter()  # (day, code) -> how often
        with org.db.lock:
            rows_of.create(org.db.connection)
            own = rows_of.own(org.db.connection, "type")
            fields = [LeadField(**each) for each in rows_of.own(org.db.connection, "field")]
        self.types: dict[int, Body] = {**objects.STANDARD_TYPES, **{each["id"]: each for each in own}}
        self.fields: dict[str, LeadField] = {**objects.LEAD_FIELDS, **{each.name: each for each in fields}}

    # -- what an instance adds -------------------------------------------------------------------------------------

    def add_activity_types(self, types: Sequence[tuple[str, str, Sequence[str]]]) -> list[int]:
        """Custom types, each (name, name of the primary attribute, names of the others); all values are text."""
        first = max(objects.FIRST_CUSTOM, max(self.types) + 1)
        made: list[Body] = [
            {
                "id": first + place,
                "apiName": name.lower().replace(" ", "_"),
                "name": name,
                "description": name,
                "primaryAttribute": {"name": primary, "dataType": "string"},
                "attributes": [{"name": each, "dataType": "string"} for each in others],
            }
            for place, (name, primary, others) in enumerate(types)
        ]
        with self.org.db.transaction():
            rows_of.put_own(self.org.db.connection, "type", made)
        self.types.update({each["id"]: each for each in made})
        return [each["id"] for each in made]

    def add_lead_fields(self, names: Mapping[str, str], *, searchable: bool = False) -> None:
        """Own fields: API name to data type, as ``{"lifecycleStatus": "string"}``."""
        first = max(objects.FIRST_OWN_FIELD, max(each.id for each in self.fields.values()) + 1)
        made: list[Body] = [
            {"name": name, "id": first + place, "label": name, "type": kind, "searchable": searchable}
            for place, (name, kind) in enumerate(names.items())
        ]
        with self.org.db.transaction():
            rows_of.put_own(self.org.db.connection, "field", made)
        self.fields.update({each.name: each for each in (LeadField(**body) for body in made)})

    # -- leads -----------------------------------------------------------------------------------------------------

    def add_leads(self, rows: Sequence[Row], *, source: str = "Web service API") -> list[int]:
        """New leads, each with its "New Lead" activity."""
        db, now = self.org.db, self.epoch()
        with db.transaction():
            first = rows_of.next_id(db.connection, "lead", FIRST_LEAD)
            bodies = [self._lead({"id": first + place, **row}, now) for place, row in enumerate(rows)]
            rows_of.put_leads(db.connection, bodies)
            self.add_activities(
                [
                    {**_about(body, objects.NEW_LEAD), "activityDate": body["createdAt"],
                     "attributes": {"Source Type": source}}
                    for body in bodies
                ]
            )  # fmt: skip
        return [body["id"] for body in bodies]

    def update_leads(self, rows: Sequence[Row], *, source: str = "Web service API") -> None:
        """Changes the given fields of leads by ``id``; each changed value is an activity. Raises for unknown ids."""
        with self.org.db.transaction():
            for row in rows:
                self._update(row, objects.CHANGE_VALUE, {"Reason": source, "Source": source})

    def set_score(self, lead_id: int, value: int, *, reason: str = "", field: str = "leadScore") -> None:
        """A new score, logged as "Change Score"."""
        old = int(self.lead(lead_id).get(field) or 0)
        with self.org.db.transaction():
            change = f"{value - old:+d}"
            self._update(
                {"id": lead_id, field: value}, objects.CHANGE_SCORE, {"Reason": reason, "Change Value": change}
            )

    def merge_leads(self, winner: int, losers: Sequence[int]) -> None:
        """The losers vanish; the winner takes the values it lacks from them."""
        db, now = self.org.db, self.epoch()
        with db.transaction():
            body, gone = self.lead(winner), [self.lead(each) for each in losers]
            for loser in gone:
                body = {**loser, **{key: value for key, value in body.items() if value is not None}}
            rows_of.put_leads(db.connection, [{**body, "updatedAt": now}])
            rows_of.put_leads(db.connection, gone, gone=True)
            merged = ", ".join(str(each) for each in losers)
            told = {"Merge IDs": f"[{merged}]", "Master Updated": True, "Merge Source": "leaddb",
                    "Merged in Sales": False}  # fmt: skip
            self.add_activities([{**_about(body, objects.MERGE), "attributes": told}])

    def delete_leads(self, lead_ids: Iterable[int]) -> None:
        with self.org.db.transaction():
            bodies = [self.lead(each) for each in lead_ids]
            rows_of.put_leads(self.org.db.connection, bodies, gone=True)
            self.add_activities([_about(body, objects.DELETE) for body in bodies])

    def lead(self, lead_id: int) -> Body:
        """A lead, times as epoch seconds. Raises PracticeError for an id that is no lead's."""
        with self.org.db.lock:
            found = rows_of.leads_by(self.org.db.connection, "id", [lead_id], 0, 1)
        if not found:
            raise PracticeError(f"there is no lead {lead_id}", "deleted and merged leads are gone")
        return found[0]

    def find(self, email: str) -> Body | None:
        """The lead with an address, the first one where there are several."""
        with self.org.db.lock:
            found = rows_of.leads_by(self.org.db.connection, "email", [email], 0, 1)
        return found[0] if found else None

    def leads(self, *, limit: int = 1000, after: int = 0) -> list[Body]:
        """Leads that are neither deleted nor merged, by id, times as epoch seconds."""
        with self.org.db.lock:
            return rows_of.leads(self.org.db.connection, after, limit)

    # -- activities ------------------------------------------------------------------------------------------------

    def add_activities(self, rows: Sequence[Row]) -> list[int]:
        """New activities: leadId, activityTypeId, and as needed activityDate, campaignId, primaryAttributeValue,
        primaryAttributeValueId and ``attributes``, a mapping of names to values. While ``late_commits`` is on they
        keep their date and are seen that much later."""
        db, now = self.org.db, self.epoch()
        late = self.org.faults.take("late_commits", "/rest/v1/activities.json") if rows else None
        with db.transaction():
            first = rows_of.next_id(db.connection, "activity", FIRST_ACTIVITY)
            bodies = [self._activity({"id": first + place, **row}, now) for place, row in enumerate(rows)]
            delay = int(late.values.get("seconds", 60)) if late else 0
            rows_of.put_activities(db.connection, bodies, now + delay if delay else 0)
        return [body["id"] for body in bodies]

    def activities(self) -> list[Body]:
        """The whole log, by date, times as epoch seconds."""
        with self.org.db.lock:
            return rows_of.activities_between(self.org.db.connection, 0, 1 << 40, 1 << 40)

    def count(self, kind: str) -> int:
        """How many of "lead" or "activity" there are."""
        with self.org.db.lock:
            return rows_of.count(self.org.db.connection, kind)

    def live(self, rng: random.Random, now: datetime, *, events: int = 1) -> list[str]:
        """Lets known leads visit, open, click and fill in; one short line for each."""
        known = self.leads(limit=200)
        lines = []
        for _ in range(events if known else 0):
            lead, (kind, what) = rng.choice(known), rng.choice(_DOINGS)
            told = {"leadId": lead["id"], "activityTypeId": kind, "activityDate": now, "primaryAttributeValue": what}
            self.add_activities([{**told, "primaryAttributeValueId": 100 + kind}])
            lines.append(f"{self.types[kind]['name']}: {lead.get('email')} - {what}")
        return lines

    def epoch(self) -> int:
        return int(self.org.clock.now().timestamp())

    def day(self) -> str:
        """Today, where calls are counted by the day."""
        return self.org.clock.now().astimezone(CENTRAL).date().isoformat()

    # -- inside ----------------------------------------------------------------------------------------------------

    def _update(self, row: Row, kind: int, told: Row) -> None:
        """One lead's new values, and an activity of that kind for each."""
        old, now = self.lead(row["id"]), self.epoch()
        new = self._lead({**old, "updatedAt": now, **row}, now)
        changes = [name for name in row if name not in TIMES and old.get(name) != new.get(name)]
        if not changes:
            return
        rows_of.put_leads(self.org.db.connection, [new])
        self.add_activities([_changed(self.fields[name], old, new, kind, told) for name in changes])

    def _lead(self, row: Row, now: int) -> Body:
        unknown = row.keys() - self.fields.keys()
        if unknown:
            raise PracticeError(f"leads have no field {', '.join(sorted(unknown))}", "see add_lead_fields")
        body = {key: _seconds(value) if key in TIMES else value for key, value in row.items()}
        body["createdAt"] = body.get("createdAt") or now
        body["updatedAt"] = body.get("updatedAt") or body["createdAt"]
        return body

    def _activity(self, row: Row, now: int) -> Body:
        if row.get("activityTypeId") not in self.types:
            raise PracticeError(f"there is no activity type {row.get('activityTypeId')}", "see add_activity_types")
        return {**row, "activityDate": _seconds(row.get("activityDate")) or now}


_DOINGS = ((1, "/pricing"), (2, "Contact us"), (10, "Spring newsletter"), (11, "Spring newsletter"), (46, "Web"))


def _about(lead: Row, kind: int) -> Body:
    """An activity whose primary attribute is the lead itself."""
    name = " ".join(str(lead[key]) for key in ("firstName", "lastName") if lead.get(key)) or lead.get("email")
    return {"leadId": lead["id"], "activityTypeId": kind, "primaryAttributeValueId": lead["id"],
            "primaryAttributeValue": name}  # fmt: skip


def _changed(field: LeadField, old: Row, new: Row, kind: int, told: Row) -> Body:
    values = {"Old Value": old.get(field.name), "New Value": new.get(field.name)}
    return {
        "leadId": new["id"],
        "activityTypeId": kind,
        "activityDate": new["updatedAt"],
        "primaryAttributeValueId": field.id,
        "primaryAttributeValue": field.label,
        "attributes": {**values, **told},
        "changed": field.name,
    }


def _seconds(value: Any) -> int | None:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())
    return None if value is None else int(value)
