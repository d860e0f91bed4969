"""What Account Engagement knows: the handle that its HTTP side and ``system`` stand on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

from practice_org.errors import PracticeError
from practice_org.pardot import rows as pardot_rows
from practice_org.pardot.gate import Switches
from practice_org.pardot.objects import ACTIVITY_TYPES, BOOLEANS, DEFAULT_STAGES, OBJECTS, TIME_FIELDS
from practice_org.pardot.query import Query
from practice_org.salesforce import ids
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.gate import Gate

BUSINESS_UNIT = ids.generate("0Uv", 1)
FIRST_IDS = {
    **dict.fromkeys(OBJECTS, 1),
    "visitor-activities": 1_500_000_001,
    "prospects": 390_000_001,
    "campaigns": 70_001,
}

Row = Mapping[str, Any]


class BusinessUnit:
    """The Python handle. Rows use the API's field names; times are datetimes or ISO text, now when not given.

    ``zone`` is the API user's time zone; ``switches`` are its limits: ``pardot.switches = Switches(stale_seconds=60)``.
    """

    def __init__(self, org: PracticeOrg) -> None:
        self.org = org
        self.business_unit_id = BUSINESS_UNIT
        self.zone: tzinfo = timezone(timedelta(hours=-5))
        self.switches = Switches()
        self.gate = Gate()
        with org.db.lock:
            pardot_rows.create(org.db.connection)
        if not self.count("lifecycle-stages"):
            stages = [{"name": name, "position": place} for place, name in enumerate(DEFAULT_STAGES, 1)]
            self.add("lifecycle-stages", stages)

    def add_prospects(self, rows: Sequence[Row]) -> list[int]:
        """New prospects; ``salesforceId`` follows from the contact's or lead's id."""
        return self.add("prospects", rows)

    def add_activities(self, rows: Sequence[Row]) -> list[int]:
        """New visitor activities; ``type`` is 1 to 37, ``typeName`` the usual one of the type when not given."""
        return self.add("visitor-activities", rows)

    def add_campaigns(self, rows: Sequence[Row]) -> list[int]:
        return self.add("campaigns", rows)

    def update_prospects(self, rows: Sequence[Row]) -> None:
        """Changes the given fields of prospects by ``id``; ``updatedAt`` moves, and another lifecycle stage leaves an
        entry in their history."""
        db, now = self.org.db, self.epoch()
        with db.transaction():
            before = pardot_rows.many(db.connection, "prospects", [row["id"] for row in rows], now)
            self._change("prospects", rows)
            moves = [
                _move(before[row["id"]], row["lifecycleStageId"], now)
                for row in rows
                if row.get("lifecycleStageId", stage := before[row["id"]].get("lifecycleStageId")) != stage
            ]
            self.add("lifecycle-histories", moves)

    def delete_prospects(self, prospect_ids: Iterable[int]) -> None:
        self._change("prospects", [{"id": each, "isDeleted": True} for each in prospect_ids])

    def delete_activities(self, activity_ids: Iterable[int]) -> None:
        self._change("visitor-activities", [{"id": each, "isDeleted": True} for each in activity_ids])

    def prospects(self, *, limit: int = 1000, after: int = 0) -> list[dict[str, Any]]:
        """Prospects that are not deleted, by id, times as epoch seconds."""
        query = Query("prospects", limit=limit, filters=(("id", ">", after),))
        with self.org.db.lock:
            return pardot_rows.read(self.org.db.connection, query, self.epoch())[0]

    def count(self, name: str) -> int:
        """Records of an object ("prospects", "visitor-activities" ...) that are not deleted."""
        with self.org.db.lock:
            return pardot_rows.count(self.org.db.connection, name)

    def epoch(self) -> int:
        return int(self.org.clock.now().timestamp())

    def add(self, name: str, rows: Sequence[Row]) -> list[int]:
        """New records of any object of ``practice_org.pardot.objects``, "lists" for one."""
        db, now = self.org.db, self.epoch()
        with db.transaction():
            first = pardot_rows.next_id(db.connection, name, FIRST_IDS[name])
            bodies = [_body(name, {"id": first + place, **row}, now) for place, row in enumerate(rows)]
            pardot_rows.write(db.connection, name, bodies, now)
        return [body["id"] for body in bodies]

    def _change(self, name: str, rows: Sequence[Row]) -> None:
        db, now = self.org.db, self.epoch()
        with db.transaction():
            old = pardot_rows.many(db.connection, name, [row["id"] for row in rows], now)
            bodies = [_body(name, {**old[row["id"]], "updatedAt": now, **row}, now) for row in rows]
            pardot_rows.write(db.connection, name, bodies, now)


def _body(name: str, row: Row, now: int) -> dict[str, Any]:
    """A record as it is stored: known fields only, times as epoch seconds, what follows from others filled in."""
    unknown = row.keys() - OBJECTS[name].fields - {"isDeleted"}
    if unknown:
        raise PracticeError(f"{name} have no field {', '.join(sorted(unknown))}", "see practice_org/pardot/objects.py")
    body: dict[str, Any] = dict.fromkeys(OBJECTS[name].fields & BOOLEANS, False)
    body.update({key: _seconds(value) if key in TIME_FIELDS else value for key, value in row.items()})
    body["createdAt"] = body.get("createdAt") or now
    body["updatedAt"] = body.get("updatedAt") or body["createdAt"]
    if name == "visitor-activities":
        body.setdefault("typeName", ACTIVITY_TYPES[body["type"]][1])
    if name == "prospects":
        body["salesforceId"] = body.get("salesforceContactId") or body.get("salesforceLeadId")
        body.setdefault("score", 0)
    return body


def _move(before: Row, stage: int | None, now: int) -> Row:
    return {
        "prospectId": before["id"],
        "previousStageId": before.get("lifecycleStageId"),
        "nextStageId": stage,
        "secondsElapsed": now - before["updatedAt"],  # UNCONFIRMED: since when it counts
    }


def _seconds(value: Any) -> int | None:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())
    return None if value is None else int(value)
