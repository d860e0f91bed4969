"""The sample company's people in Marketo and HubSpot: the same ones, with what they did there.

Everybody whom Account Engagement knows is known there too, tied to the same Salesforce records; what they do is each
system's own, so that nothing happens three times. New, converted and merged people follow, somebody unsubscribes
everywhere, and somebody unknown to Salesforce is tied to it late.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from practice_org.hubspot.portal import Portal
from practice_org.marketo.instance import Instance
from practice_org.pardot.business_unit import BusinessUnit
from practice_org.salesforce.org import PracticeOrg

Row = Mapping[str, Any]
PAGE = 1000  # people at a time
_NEWS = ("Newsletter", "Product news", "Invitation")
_DOINGS: dict[tuple[int, str], tuple[int, tuple[str, ...]]] = {  # Marketo type and words -> how often, of what
    (1, "Visited"): (30, ("/products", "/prices", "/about")),
    (2, "Filled in"): (10, ("Contact us", "Demo", "White paper")),
    (6, "Was sent"): (20, _NEWS),
    (10, "Opened"): (20, _NEWS),
    (11, "Clicked"): (10, _NEWS),
    (46, "Interesting moment"): (4, ("Web", "Email")),
}
_ENGAGEMENTS: dict[str, tuple[dict[str, str], ...]] = {
    "emails": (
        {"hs_email_direction": "EMAIL", "hs_email_status": "SENT", "hs_email_subject": "Our offer"},
        {"hs_email_direction": "INCOMING_EMAIL", "hs_email_subject": "Re: Our offer"},
    ),
    "calls": (
        {"hs_call_direction": "OUTBOUND", "hs_call_status": "COMPLETED", "hs_call_title": "Follow-up"},
        {"hs_call_direction": "INBOUND", "hs_call_status": "COMPLETED", "hs_call_title": "Asked for prices"},
    ),
    "meetings": (
        {"hs_meeting_outcome": "COMPLETED", "hs_meeting_title": "Demo"},
        {"hs_meeting_outcome": "NO_SHOW", "hs_meeting_title": "Discovery meeting"},
    ),
    "notes": ({"hs_note_body": "Asked to be called in spring"},),
}
_DEAL_STAGES = {
    "Prospecting": "appointmentscheduled",
    "Qualification": "qualifiedtobuy",
    "Needs Analysis": "presentationscheduled",
    "Proposal/Price Quote": "decisionmakerboughtin",
    "Closed Won": "closedwon",
    "Closed Lost": "closedlost",
}


@dataclass
class Elsewhere:
    """The systems beside Salesforce and Account Engagement; either may be missing."""

    org: PracticeOrg
    pardot: BusinessUnit
    marketo: Instance | None = None
    hubspot: Portal | None = None

    # -- filling -----------------------------------------------------------------------------------------------------

    def fill(self, now: datetime, *, seed: int = 7) -> dict[str, int]:
        """Everybody whom Account Engagement knows, with two systems' worth of doings; rows by what came to be."""
        dice = random.Random(seed)
        counts: Counter[str] = Counter()
        known: dict[str, int] = {}  # Salesforce id -> HubSpot's
        for people in self._people():
            if self.marketo:
                counts.update(_marketo(self.marketo, people, dice, now))
            if self.hubspot:
                counts.update(_hubspot(self.hubspot, people, dice, now, known))
        if self.hubspot:
            deals = [self._deal(row, known) for row in self.org.rows(_DEALS)]
            counts["HubSpot deals"] += len(self.hubspot.add_deals(deals))
        return dict(counts)

    def _people(self) -> Iterator[Sequence[Row]]:
        """Prospects, each address once."""
        seen: set[str] = set()
        after = 0
        while found := self.pardot.prospects(limit=PAGE, after=after):
            after = found[-1]["id"]
            new = [one for one in found if one.get("email") and str(one["email"]).lower() not in seen]
            seen.update(str(one["email"]).lower() for one in new)
            yield new

    @staticmethod
    def _deal(row: Row, known: Mapping[str, int]) -> Row:
        roles = (row["OpportunityContactRoles"] or {"records": ()})["records"]
        return {
            "dealname": row["Name"],
            "dealstage": _DEAL_STAGES.get(row["StageName"], "contractsent"),
            "amount": row["Amount"],
            "closedate": f"{row['CloseDate']}T00:00:00Z",
            "createdate": row["CreatedDate"],
            "contacts": [known[one["ContactId"]] for one in roles if one["ContactId"] in known],
        }

    # -- what follows from what happens in Salesforce ------------------------------------------------------------------

    def person(self, prospect: Row) -> None:
        """Somebody new."""
        if self.marketo:
            self.marketo.add_leads([_as_lead(prospect)])
        if self.hubspot:
            self.hubspot.add_contacts([_as_contact(prospect)])

    def tied(self, email: str | None, name: str, record_id: str) -> None:
        """A person has a record in Salesforce, or another one."""
        if self.marketo and (lead := self._lead(email)):
            self.marketo.update_leads([{"id": lead, f"sfdc{name}Id": record_id, "sfdcType": name}], source="SFDC Sync")
        if self.hubspot and (contact := self._contact(email)):
            self.hubspot.update_contacts([{"id": contact, f"salesforce{name.lower()}id": record_id}])

    def merged(self, winner: str | None, loser: str | None) -> None:
        """Two records became one, here too."""
        if self.marketo and (kept := self._lead(winner)) and (gone := self._lead(loser)) and kept != gone:
            self.marketo.merge_leads(kept, [gone])
        if self.hubspot and (kept := self._contact(winner)) and (gone := self._contact(loser)) and kept != gone:
            self.hubspot.merge(kept, gone)

    def _lead(self, email: str | None) -> int | None:
        found = self.marketo.find(email) if self.marketo and email else None
        return int(found["id"]) if found else None

    def _contact(self, email: str | None) -> int | None:
        found = self.hubspot.find(email) if self.hubspot and email else None
        return found.id if found else None

    # -- what happens here ---------------------------------------------------------------------------------------------

    def happens(self, dice: random.Random, now: datetime) -> str | None:
        """One thing that happens to somebody; None where there is nobody."""
        found = self.pardot.prospects(limit=PAGE, after=0)
        if not found:
            return None
        person = dice.choice(found)
        chance = dice.random()
        if chance < 0.05:
            return self._unsubscribes(person, now)
        if chance < 0.12:
            return self._tied_late(found, now)
        if self.marketo and (self.hubspot is None or dice.random() < 0.5):
            return self._does(person, dice, now)
        return self._engages(person, dice, now) if self.hubspot else None

    def _does(self, person: Row, dice: random.Random, now: datetime) -> str | None:
        lead = self._lead(person["email"])
        if self.marketo is None or lead is None:
            return None
        kind, verb, what = _doing(dice)
        self.marketo.add_activities([_activity(lead, kind, what, now)])
        return f"{verb} (Marketo): {person['email']}, {what}"

    def _engages(self, person: Row, dice: random.Random, now: datetime) -> str | None:
        contact = self._contact(person["email"])
        if self.hubspot is None or contact is None:
            return None
        name, row = _engagement(dice)
        self.hubspot.add_engagements(name, [{**row, "hs_timestamp": now, "contacts": [contact]}])
        return f"{name.removesuffix('s').capitalize()} (HubSpot): {person['email']}, {next(reversed(row.values()))}"

    def _unsubscribes(self, person: Row, now: datetime) -> str:
        """In one place, and every system hears of it."""
        email = person["email"]
        self.pardot.update_prospects([{"id": person["id"], "optedOut": True}])
        self.pardot.add_activities(
            [{"type": 12, "details": "Newsletter", "prospectId": person["id"], "createdAt": now}]
        )
        if self.marketo and (lead := self._lead(email)):
            self.marketo.update_leads([{"id": lead, "unsubscribed": True}])
            self.marketo.add_activities([_activity(lead, 9, "Newsletter", now)])
        if self.hubspot and (contact := self._contact(email)):
            self.hubspot.update_contacts([{"id": contact, "hs_email_optout": "true"}])
        return f"Unsubscribed: {email}"

    def _tied_late(self, people: Sequence[Row], now: datetime) -> str | None:
        """Somebody whom only marketing knew becomes a Lead, and is tied to it everywhere."""
        stranger = next((one for one in people if not one.get("salesforceId")), None)
        if stranger is None:
            return None
        row = {"FirstName": stranger.get("firstName"), "LastName": stranger.get("lastName") or "Unknown"}
        told = {"Company": "Unknown", "Email": stranger["email"], "LeadSource": "Web"}
        lead_id = self.org.create("Lead", [{**row, **told}], at=now)[0]
        self.pardot.update_prospects([{"id": stranger["id"], "salesforceLeadId": lead_id}])
        self.tied(stranger["email"], "Lead", lead_id)
        return f"Tied late: {stranger['email']} is a Lead now"


_DEALS = (
    "SELECT Name, StageName, Amount, CloseDate, CreatedDate, (SELECT ContactId FROM OpportunityContactRoles) "
    "FROM Opportunity ORDER BY CreatedDate, Id"
)


def _marketo(marketo: Instance, people: Sequence[Row], dice: random.Random, now: datetime) -> dict[str, int]:
    ids = marketo.add_leads([_as_lead(one) for one in people])
    doings = []
    for lead, person in zip(ids, people, strict=True):
        for _ in range(dice.randint(1, 6) if dice.random() < 0.5 else 0):
            kind, _, what = _doing(dice)
            doings.append(_activity(lead, kind, what, _moment(dice, person["createdAt"], now)))
    marketo.add_activities(sorted(doings, key=lambda row: str(row["activityDate"])))
    return {"Marketo leads": len(ids), "Marketo activities": len(doings)}


def _hubspot(
    hubspot: Portal, people: Sequence[Row], dice: random.Random, now: datetime, known: dict[str, int]
) -> dict[str, int]:
    ids = hubspot.add_contacts([_as_contact(one) for one in people])
    rows: dict[str, list[Row]] = {name: [] for name in _ENGAGEMENTS}
    events: list[Row] = []
    for contact, person in zip(ids, people, strict=True):
        known |= {str(person[key]): contact for key in ("salesforceContactId", "salesforceLeadId") if person.get(key)}
        for _ in range(dice.randint(1, 3) if dice.random() < 0.4 else 0):
            name, row = _engagement(dice)
            at = _moment(dice, person["createdAt"], now)
            rows[name].append({**row, "hs_timestamp": at, "contacts": [contact]})
        for kind in ("DELIVERED", "OPEN", "CLICK")[: dice.choice((0, 0, 1, 2, 3))]:
            at = _moment(dice, person["createdAt"], now)
            events.append({"type": kind, "recipient": person["email"], "created": at})
    for name, made in rows.items():
        hubspot.add_engagements(name, sorted(made, key=lambda row: str(row["hs_timestamp"])))
    hubspot.add_email_events(sorted(events, key=lambda row: str(row["created"])))
    return {"HubSpot contacts": len(ids), "HubSpot engagements": sum(map(len, rows.values())),
            "HubSpot e-mail events": len(events)}  # fmt: skip


def _as_lead(person: Row) -> dict[str, Any]:
    contact, lead = person.get("salesforceContactId"), person.get("salesforceLeadId")
    tie = {"sfdcContactId": contact, "sfdcAccountId": person.get("salesforceAccountId"), "sfdcType": "Contact"}
    if not contact:
        tie = {"sfdcLeadId": lead, "sfdcType": "Lead"} if lead else {}
    told = {"email": person["email"], "firstName": person.get("firstName"), "lastName": person.get("lastName")}
    return {**told, "title": person.get("jobTitle"), "leadScore": person.get("score") or 0,
            "createdAt": person.get("createdAt"), **tie}  # fmt: skip


def _as_contact(person: Row) -> dict[str, Any]:
    told = {
        "email": person["email"],
        "firstname": person.get("firstName"),
        "lastname": person.get("lastName"),
        "jobtitle": person.get("jobTitle"),
        "salesforcecontactid": person.get("salesforceContactId"),
        "salesforceleadid": person.get("salesforceLeadId"),
        "salesforceaccountid": person.get("salesforceAccountId"),
    }
    created = person.get("createdAt")
    at = datetime.fromtimestamp(created, UTC) if isinstance(created, int) else created
    return {key: value for key, value in {**told, "createdate": at, "lastmodifieddate": at}.items() if value}


def _doing(dice: random.Random) -> tuple[int, str, str]:
    (kind, verb), (_, what) = dice.choices(list(_DOINGS.items()), [often for often, _ in _DOINGS.values()])[0]
    return kind, verb, dice.choice(what)


def _engagement(dice: random.Random) -> tuple[str, dict[str, str]]:
    name = dice.choices(list(_ENGAGEMENTS), (5, 3, 2, 1))[0]
    return name, dice.choice(_ENGAGEMENTS[name])


def _activity(lead: int, kind: int, what: str, at: datetime) -> dict[str, Any]:
    return {"leadId": lead, "activityTypeId": kind, "activityDate": at, "primaryAttributeValue": what,
            "primaryAttributeValueId": 100 + kind}  # fmt: skip


def _moment(dice: random.Random, after: int, now: datetime) -> datetime:
    seconds = max(1, int(now.timestamp()) - after)
    return now - timedelta(seconds=dice.randrange(seconds))
