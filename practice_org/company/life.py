"""Lets a company live: people are called, click, fill in forms; deals open, move, are won, lost and reopened.

One event is one believable thing that happens at an org, written through the Python handle as an org's own users and
marketing system would write it. The same dice over the same company give the same events.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from practice_org.company import words
from practice_org.company.build import STAGES_BY_HAND, prospect_company
from practice_org.company.elsewhere import Elsewhere
from practice_org.pardot.business_unit import FIRST_IDS, BusinessUnit
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.values import stamp

Row = dict[str, Any]
CHOICE = 200  # from so many records, the last changed ones, an event picks its own
OPEN_STAGES = ("Prospecting", "Qualification", "Needs Analysis", "Proposal/Price Quote", "Negotiation/Review")
_ELSEWHERE = 30  # how often, among the events below
TRIES = 20  # for one event, when what it needs is not there


@dataclass
class World:
    org: PracticeOrg
    pardot: BusinessUnit
    rng: random.Random
    now: datetime
    elsewhere: Elsewhere | None = None

    def pick(self, soql: str) -> Row | None:
        """One of the last changed records that a query finds."""
        rows = self.org.rows(f"{soql} ORDER BY SystemModstamp DESC, Id LIMIT {CHOICE}")
        return self.rng.choice(rows) if rows else None

    def create(self, name: str, row: Row) -> str:
        return self.org.create(name, [row], at=self.now)[0]

    def update(self, name: str, record_id: str, **fields: Any) -> None:
        self.org.update(name, [{"Id": record_id, **fields}], at=self.now)

    def day(self, offset: int = 0) -> str:
        return (self.now + timedelta(days=offset)).date().isoformat()


Event = Callable[[World], str | None]  # None: nothing in this company that it could happen to


def live(
    org: PracticeOrg,
    pardot: BusinessUnit,
    rng: random.Random,
    now: datetime,
    *,
    events: int = 10,
    elsewhere: Elsewhere | None = None,
) -> list[str]:
    """Lets ``events`` things happen at ``now``, in the other systems too where there are any; returns one short line
    for each, as "Deal won: Acme - Renewal"."""
    world = World(org, pardot, rng, now, elsewhere)
    kinds = EVENTS if elsewhere is None else {**EVENTS, _elsewhere: _ELSEWHERE}
    lines: list[str] = []
    for _ in range(events * TRIES):
        if len(lines) == events:
            break
        line = rng.choices(list(kinds), list(kinds.values()))[0](world)
        if line is not None:
            lines.append(line)
    return lines


def _elsewhere(world: World) -> str | None:
    return world.elsewhere.happens(world.rng, world.now) if world.elsewhere else None


def _open_deal(world: World) -> Row | None:
    return world.pick("SELECT Id, Name, AccountId FROM Opportunity WHERE IsClosed = false")


def _contact_of(world: World, account_id: str | None) -> Row | None:
    if account_id is None:
        return None
    return world.pick(f"SELECT Id, Name FROM Contact WHERE AccountId = '{account_id}'")


def _add_role(world: World, deal_id: str, contact: Row) -> str:
    role = world.rng.choice(words.ROLES)
    world.create("OpportunityContactRole", {"OpportunityId": deal_id, "ContactId": contact["Id"], "Role": role})
    return role


def deal_opened(world: World) -> str | None:
    contact = world.pick("SELECT Id, Name, AccountId, Account.Name FROM Contact WHERE AccountId != null")
    if contact is None:
        return None
    name = f"{contact['Account']['Name']} - {world.rng.choice(words.PRODUCTS)}"
    deal = {"Name": name, "AccountId": contact["AccountId"], "StageName": OPEN_STAGES[0], "CloseDate": world.day(60)}
    deal_id = world.create("Opportunity", {**deal, "Amount": world.rng.randint(4, 400) * 500})
    role = _add_role(world, deal_id, contact)
    return f"Deal opened: {name}, with {contact['Name']} as {role}"


def deal_moved(world: World) -> str | None:
    deal = _open_deal(world)
    if deal is None:
        return None
    stage = world.rng.choice(OPEN_STAGES[1:])
    world.update("Opportunity", deal["Id"], StageName=stage)
    return f"Deal moved: {deal['Name']} is in {stage}"


def deal_won(world: World) -> str | None:
    return _closed(world, "Closed Won", "won")


def deal_lost(world: World) -> str | None:
    return _closed(world, "Closed Lost", "lost")


def _closed(world: World, stage: str, word: str) -> str | None:
    deal = _open_deal(world)
    if deal is None:
        return None
    world.update("Opportunity", deal["Id"], StageName=stage, CloseDate=world.day())
    return f"Deal {word}: {deal['Name']}"


def deal_reopened(world: World) -> str | None:
    deal = world.pick("SELECT Id, Name FROM Opportunity WHERE IsClosed = true AND IsWon = false")
    if deal is None:
        return None
    world.update("Opportunity", deal["Id"], StageName="Negotiation/Review", CloseDate=world.day(30))
    return f"Deal reopened: {deal['Name']}"


def role_added(world: World) -> str | None:
    deal = world.pick("SELECT Id, Name, AccountId FROM Opportunity")
    contact = _contact_of(world, deal["AccountId"]) if deal else None
    if deal is None or contact is None:
        return None
    return f"Role added: {contact['Name']} is {_add_role(world, deal['Id'], contact)} on {deal['Name']}"


def role_removed(world: World) -> str | None:
    role = world.pick("SELECT Id, Contact.Name, Opportunity.Name FROM OpportunityContactRole")
    if role is None:
        return None
    world.org.delete("OpportunityContactRole", [role["Id"]])
    return f"Role removed: {_name(role['Contact'])} on {_name(role['Opportunity'])}"


def _name(parent: Row | None) -> str:
    return str(parent["Name"]) if parent else "somebody"


def new_lead(world: World) -> str | None:
    first, last = world.rng.choice(words.FIRST_NAMES), world.rng.choice(words.LAST_BEGIN) + "dorf"
    company = prospect_company(world.rng.randrange(500, 5000))
    email = f"{first}.{last}.{world.rng.randrange(10**5)}@example.com".lower()
    person = {"FirstName": first, "LastName": last, "Company": company, "Email": email, "LeadSource": "Web"}
    lead_id = world.create("Lead", person)
    prospect = {"email": email, "firstName": first, "lastName": last, "salesforceLeadId": lead_id, "score": 10}
    prospect_id = world.pardot.add_prospects([{**prospect, "createdAt": world.now}])[0]
    if world.elsewhere:
        world.elsewhere.person({**prospect, "createdAt": world.now})
    form = world.rng.choice(words.ASSETS[4][1])
    _activity(world, prospect_id, 4, form)
    return f"New lead: {first} {last} of {company} filled in {form}"


def _activity(world: World, prospect_id: int, kind: int, details: str) -> None:
    row = {"type": kind, "details": details, "prospectId": prospect_id, "createdAt": world.now}
    world.pardot.add_activities([row])


def _prospect(world: World) -> Row | None:
    known = world.pardot.count("prospects")
    if not known:
        return None
    start = FIRST_IDS["prospects"] + world.rng.randrange(known) - 1
    found = world.pardot.prospects(limit=1, after=start)
    return found[0] if found else None


def _marketing(kind: int, verb: str, points: int) -> Event:
    """Somebody whom marketing knows does something, and their score rises."""

    def event(world: World) -> str | None:
        prospect = _prospect(world)
        if prospect is None:
            return None
        details = world.rng.choice(words.ASSETS[kind][1])
        _activity(world, prospect["id"], kind, details)
        score = (prospect.get("score") or 0) + points
        world.pardot.update_prospects([{"id": prospect["id"], "score": score, "lastActivityAt": world.now}])
        return f"{verb}: {prospect.get('email')}, {details}"

    return event


def _person(world: World) -> Row | None:
    if world.rng.random() < 0.5:
        return world.pick("SELECT Id, Name FROM Lead WHERE IsConverted = false")
    return world.pick("SELECT Id, Name FROM Contact")


def call(world: World) -> str | None:
    person = _person(world)
    if person is None:
        return None
    subject = world.rng.choice(words.CALLS)
    disposition = world.rng.choice(words.DISPOSITIONS)
    task = {"WhoId": person["Id"], "Subject": f"Call: {subject}", "Status": "Completed", "ActivityDate": world.day()}
    told = {"TaskSubtype": "Call", "CallType": "Outbound", "CallDisposition": disposition}
    world.create("Task", {**task, **told, "CallDurationInSeconds": world.rng.randint(10, 1500)})
    return f"Call: {person['Name']}, {subject.lower()}: {disposition.lower()}"


def task_written(world: World) -> str | None:
    person = _person(world)
    if person is None:
        return None
    subject = world.rng.choice(words.TASKS)
    world.create("Task", {"WhoId": person["Id"], "Subject": subject, "ActivityDate": world.day(3)})
    return f"Task: {subject}, for {person['Name']}"


def meeting(world: World) -> str | None:
    person = _person(world)
    if person is None:
        return None
    subject = world.rng.choice(words.MEETINGS) + (" (no show)" if world.rng.random() < 0.2 else "")
    start = stamp(world.now - timedelta(hours=1))
    world.create("Event", {"WhoId": person["Id"], "Subject": subject, "StartDateTime": start, "DurationInMinutes": 60})
    return f"Meeting: {person['Name']}, {subject}"


def lead_converted(world: World) -> str | None:
    lead = world.pick("SELECT Id, Name, Company, Email FROM Lead WHERE IsConverted = false AND Email != null")
    if lead is None:
        return None
    made = world.org.convert_lead(lead["Id"], opportunity=world.rng.random() < 0.6)
    if world.elsewhere:
        world.elsewhere.tied(lead["Email"], "Contact", str(made["ContactId"]))
    with_deal = " with a deal" if made["OpportunityId"] else ""
    return f"Lead converted: {lead['Name']} of {lead['Company']}{with_deal}"


def contacts_merged(world: World) -> str | None:
    winner = world.pick("SELECT Id, Name, Email, AccountId FROM Contact WHERE AccountId != null")
    if winner is None:
        return None
    others = f"SELECT Id, Name, Email FROM Contact WHERE AccountId = '{winner['AccountId']}' AND Id != '{winner['Id']}'"
    loser = world.pick(others)
    if loser is None:
        return None
    world.org.merge("Contact", winner["Id"], [loser["Id"]])
    if world.elsewhere:
        world.elsewhere.merged(winner["Email"], loser["Email"])
    return f"Merged: {loser['Name']} into {winner['Name']}"


def set_by_hand(world: World) -> str | None:
    person = _person(world)
    if person is None:
        return None
    stage = world.rng.choice(STAGES_BY_HAND)
    name = "Lead" if person["Id"].startswith("00Q") else "Contact"
    world.update(name, person["Id"], Lifecycle_Stage__c=stage)
    return f"Set by hand: {person['Name']} is {stage}"


EVENTS: dict[Event, int] = {  # how often
    _marketing(6, "Mail sent", 0): 6,
    _marketing(1, "Mail clicked", 5): 12,
    _marketing(4, "Form filled in", 10): 8,
    _marketing(20, "Visit", 2): 8,
    call: 10,
    task_written: 4,
    meeting: 4,
    new_lead: 6,
    deal_opened: 8,
    deal_moved: 5,
    deal_won: 6,
    deal_lost: 4,
    deal_reopened: 2,
    role_added: 6,
    role_removed: 2,
    lead_converted: 5,
    contacts_merged: 1,
    set_by_hand: 3,
}
