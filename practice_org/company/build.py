"""A sample company: accounts, people, deals, calls and marketing of the last two years, the same for the same seed.

Reps own accounts and their deals, win more or fewer of them and write down more or less; summers and the turn of the
year are quiet; some customers renew, some leave, some come back (:mod:`practice_org.company.years`); campaigns have
their season (:mod:`practice_org.company.campaigns`).

It is built account by account in blocks, so that the large one never stands in memory as a whole. Some contacts have
no e-mail address, some deals have no contact roles, some people already carry a stage that a person set, and some
prospects are unknown to Salesforce: what a mapping must cope with.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from practice_org.company import campaigns, words, years

Size = Literal["small", "large"]
ACCOUNTS: dict[Size, int] = {"small": 82, "large": 20_500}  # about five people each
BLOCK = 500
HISTORY = timedelta(days=730)
QUIET = (1, 7, 8, 12)  # months in which less begins

STAGES_BY_HAND = ("Marketing Qualified", "Sales Qualified", "Evangelist", "Disqualified")
DEAL_STAGES = {
    "Prospecting": 10,
    "Qualification": 10,
    "Needs Analysis": 10,
    "Proposal/Price Quote": 10,
    "Negotiation/Review": 10,
    "Closed Won": 30,
    "Closed Lost": 20,
}
LEAD_STATUSES = {"Open - Not Contacted": 6, "Working - Contacted": 3, "Closed - Not Converted": 1}

Row = dict[str, Any]


class Org(Protocol):
    """The part of the practice org that a company is built with."""

    def create(self, object_name: str, rows: Sequence[Row]) -> list[str]: ...


class Marketing(Protocol):
    """The part of the Account Engagement imitation that a company is built with."""

    def add_prospects(self, rows: Sequence[Row]) -> list[int]: ...

    def add_activities(self, rows: Sequence[Row]) -> list[int]: ...


@dataclass
class Scene:
    """What the builders share: where to, the dice, and when it is."""

    org: Org
    pardot: Marketing
    rng: random.Random
    now: datetime
    counts: Counter[str] = field(default_factory=Counter)
    reps: Sequence[Row] = ()

    def rep(self, number: int) -> Row:
        """Who owns the number-th account."""
        return self.reps[number % len(self.reps)]

    def create(self, name: str, rows: Sequence[Row]) -> list[Row]:
        """Creates the rows, last changed when they were created, and returns them with their ids."""
        ids = self.org.create(name, [{**row, "SystemModstamp": row["CreatedDate"]} for row in rows])
        self.counts[name] += len(ids)
        return [{**row, "Id": record_id} for row, record_id in zip(rows, ids, strict=True)]

    def moment(self, after: str | None = None) -> str:
        """A time between ``after`` (or the beginning of history) and now, as Salesforce writes it."""
        start = datetime.fromisoformat(after) if after else self.now - HISTORY
        seconds = max(1, int((self.now - start).total_seconds()))
        found = start + timedelta(seconds=self.rng.randrange(seconds))
        if found.month in QUIET and self.chance(0.4):
            found = start + timedelta(seconds=self.rng.randrange(seconds))
        return stamp(found)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def weighted(self, weights: dict[str, int]) -> str:
        return self.rng.choices(list(weights), list(weights.values()))[0]


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def build_company(org: Org, pardot: Marketing, *, now: datetime, size: Size = "small", seed: int = 7) -> dict[str, int]:
    """Fills an org that has the lifecycle fields; returns how many records of each object came to be."""
    scene = Scene(org, pardot, random.Random(seed), now)
    scene.reps = years.reps(scene)
    held = campaigns.held(scene, now - HISTORY)
    for start in range(0, ACCOUNTS[size], BLOCK):
        _block(scene, held, range(start, min(start + BLOCK, ACCOUNTS[size])))
    return dict(scene.counts)


def _block(scene: Scene, held: Sequence[Row], numbers: range) -> None:
    accounts = scene.create("Account", [_account(scene, number) for number in numbers])
    contacts = scene.create("Contact", [row for account in accounts for row in _contacts(scene, account)])
    leads = scene.create("Lead", [row for number in numbers for row in _leads(scene, number)])
    scene.create("Lead", [_converted_lead(scene, each) for each in contacts if scene.chance(0.15)])
    _deals(scene, accounts, contacts)
    years.pass_by(scene, accounts, contacts)
    people = [*contacts, *leads]
    owners = {account["Id"]: account["OwnerId"] for account in accounts}
    scene.create("Task", [row for each in people if scene.chance(0.4) for row in _tasks(scene, each, owners)])
    scene.create("Event", [_event(scene, each) for each in people if scene.chance(0.1)])
    campaigns.members(scene, held, people)
    _marketing(scene, people)


def _account(scene: Scene, number: int) -> Row:
    name = company_name(number)
    return {
        "Name": name,
        "Industry": scene.rng.choice(words.INDUSTRIES),
        "BillingCountry": scene.rng.choice(words.COUNTRIES),
        "Website": f"https://www.{_domain(name)}",
        "OwnerId": scene.rep(number)["Id"],
        "CreatedDate": scene.moment(),
    }


def company_name(number: int) -> str:
    """A different name for each number."""
    number, begin = divmod(number, len(words.COMPANY_BEGIN))
    number, end = divmod(number, len(words.COMPANY_END))
    number, middle = divmod(number, len(words.COMPANY_MIDDLE))
    suffix = f" {number + 1}" if number else ""
    # Neighbouring numbers differ in every part, so that a list of companies does not read like a table.
    middle = (middle + begin) % len(words.COMPANY_MIDDLE)
    end = (end + begin) % len(words.COMPANY_END)
    return f"{words.COMPANY_BEGIN[begin]}{words.COMPANY_MIDDLE[middle]} {words.COMPANY_END[end]}{suffix}"


def prospect_company(number: int) -> str:
    """The company of leads, which is no account; a different name for each number, and none of an account."""
    number, begin = divmod(number, len(words.LAST_BEGIN))
    number, end = divmod(number, len(words.LAST_END))
    suffix = f" {number + 1}" if number else ""
    return f"{words.LAST_BEGIN[begin]}{words.LAST_END[(end + begin) % len(words.LAST_END)]} & Co{suffix}"


def _domain(company: str) -> str:
    return company.lower().replace(" & ", "-").replace(" ", "-") + ".example"


def _name(scene: Scene) -> tuple[str, str]:
    begin = scene.rng.choice(words.LAST_BEGIN)
    return scene.rng.choice(words.FIRST_NAMES), begin + scene.rng.choice(words.LAST_END)


def _person(scene: Scene, company: str, taken: set[str], with_email: float) -> Row:
    first, last = _name(scene)
    address = f"{first}.{last}@{_domain(company)}".lower()
    has_email = scene.chance(with_email) and address not in taken
    taken.add(address)
    return {
        "FirstName": first,
        "LastName": last,
        "Title": scene.rng.choice(words.TITLES),
        "Email": address if has_email else None,
        "LeadSource": scene.rng.choice(words.LEAD_SOURCES),
        "Lifecycle_Stage__c": scene.rng.choice(STAGES_BY_HAND) if scene.chance(0.04) else None,
    }


def _contacts(scene: Scene, account: Row) -> list[Row]:
    taken: set[str] = set()
    return [
        {
            **_person(scene, account["Name"], taken, with_email=0.85),
            "AccountId": account["Id"],
            "CreatedDate": scene.moment(account["CreatedDate"]),
        }
        for _ in range(scene.rng.randint(1, 5))
    ]


def _leads(scene: Scene, number: int) -> list[Row]:
    company = prospect_company(number)
    taken: set[str] = set()
    return [
        {
            **_person(scene, company, taken, with_email=0.9),
            "Company": company,
            "Status": scene.weighted(LEAD_STATUSES),
            "CreatedDate": scene.moment(),
        }
        for _ in range(scene.rng.randint(0, 4))
    ]


def _converted_lead(scene: Scene, contact: Row) -> Row:
    """The Lead that a contact once was: created some weeks before."""
    converted = datetime.fromisoformat(contact["CreatedDate"])
    return {
        "FirstName": contact["FirstName"],
        "LastName": contact["LastName"],
        "Company": "Unknown",
        "Email": contact["Email"],
        "LeadSource": contact["LeadSource"],
        "Status": "Closed - Converted",
        "IsConverted": True,
        "ConvertedDate": converted.date().isoformat(),
        "ConvertedContactId": contact["Id"],
        "ConvertedAccountId": contact["AccountId"],
        "CreatedDate": stamp(converted - timedelta(days=scene.rng.randint(1, 60))),
    }


def _deals(scene: Scene, accounts: Sequence[Row], contacts: Sequence[Row]) -> None:
    colleagues: dict[str, list[Row]] = {account["Id"]: [] for account in accounts}
    for contact in contacts:
        colleagues[contact["AccountId"]].append(contact)
    rows = [_deal(scene, each) for each in accounts for _ in range(scene.rng.choice((0, 0, 1, 1, 2, 3)))]
    deals = scene.create("Opportunity", rows)
    roles = []
    for deal in deals:
        if scene.chance(0.2):  # nobody wrote down who the deal is with
            continue
        there = colleagues[deal["AccountId"]]
        for place, contact in enumerate(scene.rng.sample(there, scene.rng.randint(1, min(3, len(there))))):
            roles.append(
                {
                    "OpportunityId": deal["Id"],
                    "ContactId": contact["Id"],
                    "Role": scene.rng.choice(words.ROLES),
                    "IsPrimary": place == 0,
                    "CreatedDate": scene.moment(deal["CreatedDate"]),
                }
            )
    scene.create("OpportunityContactRole", roles)


def _deal(scene: Scene, account: Row) -> Row:
    rep = next(one for one in scene.reps if one["Id"] == account["OwnerId"])
    stage = scene.weighted({**DEAL_STAGES, "Closed Won": rep["wins"]})
    created = scene.moment(account["CreatedDate"])
    if stage.startswith("Closed"):
        close = scene.moment(created)[:10]
    else:
        close = (scene.now + timedelta(days=scene.rng.randint(5, 120))).date().isoformat()
    return {
        "AccountId": account["Id"],
        "OwnerId": account["OwnerId"],
        "Name": f"{account['Name']} - {scene.rng.choice(words.PRODUCTS)}",
        "StageName": stage,
        "Amount": scene.rng.randint(4, 400) * 500,
        "CloseDate": close,
        "CreatedDate": created,
    }


def _tasks(scene: Scene, person: Row, owners: Mapping[str, str]) -> list[Row]:
    """By the rep of the account, or by any of them; some write down more than others."""
    owner = owners.get(person.get("AccountId", ""))
    rep = next((one for one in scene.reps if one["Id"] == owner), None) or scene.rng.choice(scene.reps)
    return [_task(scene, person, rep) for _ in range(scene.rng.randint(1, rep["diligence"]))]


def _task(scene: Scene, person: Row, rep: Row) -> Row:
    created = scene.moment(person["CreatedDate"])
    task: Row = {"WhoId": person["Id"], "OwnerId": rep["Id"], "Priority": "Normal"}
    task |= {"ActivityDate": created[:10], "CreatedDate": created}
    if scene.chance(0.3):
        status = scene.rng.choice(("Not Started", "Completed"))
        return {**task, "Subject": scene.rng.choice(words.TASKS), "Status": status, "TaskSubtype": "Task"}
    return {
        **task,
        "Subject": f"Call: {scene.rng.choice(words.CALLS)}",
        "Status": "Completed",
        "TaskSubtype": "Call",
        "CallType": "Outbound",
        "CallDisposition": scene.rng.choice(words.DISPOSITIONS),
        "CallDurationInSeconds": scene.rng.randint(10, 1500),
    }


def _event(scene: Scene, person: Row) -> Row:
    start = scene.moment(person["CreatedDate"])
    missed = " (no show)" if scene.chance(0.15) else ""
    return {
        "WhoId": person["Id"],
        "Subject": scene.rng.choice(words.MEETINGS) + missed,
        "StartDateTime": start,
        "ActivityDateTime": start,
        "DurationInMinutes": 60,
        "CreatedDate": start,
    }


def _marketing(scene: Scene, people: Sequence[Row]) -> None:
    prospects = [_prospect(scene, each) for each in people if each["Email"] and scene.chance(0.85)]
    prospects += [_stranger(scene) for _ in range(len(people) // 60)]
    ids = scene.pardot.add_prospects(prospects)
    scene.counts["prospects"] += len(ids)
    activities = [
        _activity(scene, prospect_id, prospect["createdAt"])
        for prospect_id, prospect in zip(ids, prospects, strict=True)
        if scene.chance(0.6)
        for _ in range(scene.rng.randint(1, 8))
    ]
    scene.pardot.add_activities(sorted(activities, key=lambda row: str(row["createdAt"])))
    scene.counts["visitor-activities"] += len(activities)


def _prospect(scene: Scene, person: Row) -> Row:
    is_lead = "Company" in person
    return {
        "email": person["Email"],
        "firstName": person["FirstName"],
        "lastName": person["LastName"],
        "jobTitle": person["Title"],
        "score": scene.rng.randint(0, 110),
        "salesforceLeadId": person["Id"] if is_lead else None,
        "salesforceContactId": None if is_lead else person["Id"],
        "salesforceAccountId": person.get("AccountId"),
        "createdAt": person["CreatedDate"],
    }


def _stranger(scene: Scene) -> Row:
    """A prospect that marketing knows and Salesforce does not (yet)."""
    first, last = _name(scene)
    address = f"{first}.{last}.{scene.rng.randrange(10**6)}@example.com".lower()
    return {"email": address, "firstName": first, "lastName": last, "score": 5, "createdAt": scene.moment()}


def _activity(scene: Scene, prospect_id: int, after: str) -> Row:
    kind = scene.rng.choices(list(words.ASSETS), [often for often, _ in words.ASSETS.values()])[0]
    return {
        "type": kind,
        "details": scene.rng.choice(words.ASSETS[kind][1]),
        "prospectId": prospect_id,
        "createdAt": scene.moment(after),
    }
