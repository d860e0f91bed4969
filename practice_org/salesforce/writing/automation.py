"""What an org derives by itself when a record is written: names, stage semantics, history, closed flags, owners.

``before`` completes the values of one row, ``after`` answers the further statements of the whole transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from practice_org.salesforce import values
from practice_org.salesforce.core import OrgCore
from practice_org.salesforce.schema import ObjectSpec
from practice_org.salesforce.storage import Statement, quoted
from practice_org.salesforce.writing import persons, relations
from practice_org.salesforce.writing.results import Written


def _person(org: OrgCore, row: Written, stamp: str) -> None:
    if row.changed("FirstName") or row.changed("LastName") or (row.old is None and not row.new.get("Name")):
        parts = (row.now("FirstName"), row.now("LastName"))
        row.new["Name"] = " ".join(part for part in parts if part) or None


def _contact(org: OrgCore, row: Written, stamp: str) -> None:
    _person(org, row, stamp)
    if row.changed("EmailBouncedDate"):
        row.new["IsEmailBounced"] = int(row.new["EmailBouncedDate"] is not None)


def _lead(org: OrgCore, row: Written, stamp: str) -> None:
    _person(org, row, stamp)
    if row.old is None and not row.new.get("Status"):
        row.new["Status"] = org.metadata("LeadStatus").default
    if row.old is not None and row.changed("OwnerId"):
        row.new.setdefault("IsUnreadByOwner", 1)


_FORECAST_NAMES = {"BestCase": "Best Case", "MostLikely": "Most Likely", "Forecast": "Commit"}


def _opportunity(org: OrgCore, row: Written, stamp: str) -> None:
    new = row.new
    if row.changed("StageName"):
        stage = org.metadata("OpportunityStage").rows.get(str(new["StageName"]).lower())
        if stage is not None:
            new.setdefault("Probability", stage["DefaultProbability"])
            forecast = stage["ForecastCategory"]
        else:  # an unrestricted picklist takes any value; nothing is known of it
            forecast = "Pipeline"
        given = row.old is None
        for name, derived in (
            ("IsClosed", stage["IsClosed"] if stage else 0),
            ("IsWon", stage["IsWon"] if stage else 0),
            ("ForecastCategory", forecast),
            ("ForecastCategoryName", _FORECAST_NAMES.get(forecast, forecast)),
        ):
            if not (given and new.get(name)) and not (row.old is not None and name in new):
                new[name] = derived
        new.setdefault("LastStageChangeDate", stamp if row.old is not None else None)
    if row.changed("Amount") or row.changed("Probability"):
        amount, probability = row.now("Amount"), row.now("Probability")
        new["ExpectedRevenue"] = None if amount is None else round(amount * (probability or 0) / 100, 2)
    if row.changed("CloseDate") and new["CloseDate"]:
        year, month = int(new["CloseDate"][:4]), int(new["CloseDate"][5:7])
        quarter = (month + 2) // 3
        new.update(FiscalYear=year, FiscalQuarter=quarter, Fiscal=f"{year} {quarter}")


def _task(org: OrgCore, row: Written, stamp: str) -> None:
    statuses = org.metadata("TaskStatus")
    if row.old is None and not row.new.get("Status"):
        row.new["Status"] = statuses.default
    if row.changed("Status"):
        status = statuses.rows.get(str(row.new["Status"]).lower())
        closed = int(bool(status and status["IsClosed"]))
        row.new["IsClosed"] = row.new.get("IsClosed") or closed if row.old is None else closed
        if row.new["IsClosed"]:
            row.new.setdefault("CompletedDateTime", stamp)
    if row.changed("Priority"):
        row.new["IsHighPriority"] = int(row.new["Priority"] == "High")
    if row.old is None and not row.new.get("TaskSubtype"):
        row.new["TaskSubtype"] = "Task"


def _event(org: OrgCore, row: Written, stamp: str) -> None:
    new = row.new
    start = new.get("StartDateTime") or new.get("ActivityDateTime")
    if start:
        new.update(StartDateTime=start, ActivityDateTime=start)
        new.setdefault("ActivityDate", start[:10])
        if new.get("DurationInMinutes") is not None and not new.get("EndDateTime"):
            new["EndDateTime"] = values.later(start, 60 * new["DurationInMinutes"])
        end = new.get("EndDateTime")
        if end and new.get("DurationInMinutes") is None:
            new["DurationInMinutes"] = int((values.moment(end) - values.moment(start)).total_seconds() // 60)
    if row.changed("EndDateTime") and new["EndDateTime"]:
        new.setdefault("EndDate", new["EndDateTime"][:10])
    if row.old is None and not new.get("EventSubtype"):
        new["EventSubtype"] = "Event"


def _case(org: OrgCore, row: Written, stamp: str) -> None:
    if row.old is None and not row.new.get("CaseNumber"):
        row.new["CaseNumber"] = f"{1000 + org.number('CaseNumber'):08d}"
    if row.changed("Status"):
        closed = int(row.new["Status"] == "Closed")
        row.new["IsClosed"] = row.new.get("IsClosed") or closed if row.old is None else closed
        if row.new["IsClosed"]:
            row.new.setdefault("ClosedDate", stamp)


def _order(org: OrgCore, row: Written, stamp: str) -> None:
    if row.old is None and not row.new.get("OrderNumber"):
        row.new["OrderNumber"] = f"{100 + org.number('OrderNumber'):08d}"
    if row.old is None:
        row.new.setdefault("TotalAmount", 0)  # of its products, which are not offered: loaded data may bring it
    if row.changed("Status"):
        row.new["StatusCode"] = "Activated" if row.new["Status"] == "Activated" else "Draft"
        if row.new["Status"] == "Activated":
            row.new.setdefault("ActivatedDate", stamp)


def _member(org: OrgCore, row: Written, stamp: str) -> None:
    if row.changed("Status") and row.new["Status"] == "Responded":
        row.new["HasResponded"] = 1
    if row.changed("HasResponded") and row.new["HasResponded"] and not row.now("FirstRespondedDate"):
        row.new["FirstRespondedDate"] = stamp[:10]
    if row.old is None:
        person = row.new.get("ContactId") or row.new.get("LeadId")
        row.new.setdefault("Type", "Contact" if row.new.get("ContactId") else "Lead")
        row.new.setdefault("LeadOrContactId", person)


_BEFORE: dict[str, Callable[[OrgCore, Written, str], None]] = {
    "Account": persons.account,
    "Contact": _contact,
    "Lead": _lead,
    "User": _person,
    "Opportunity": _opportunity,
    "Task": _task,
    "Event": _event,
    "Case": _case,
    "Order": _order,
    "CampaignMember": _member,
    "TaskRelation": relations.relation,
    "EventRelation": relations.relation,
    "EmailMessageRelation": relations.relation,
    "EmailMessage": relations.email,
}
_HISTORY = ("StageName", "Amount", "ExpectedRevenue", "CloseDate", "Probability", "ForecastCategory")
_TRACKED = ("StageName", "Amount", "CloseDate", "Probability")


def before(org: OrgCore, spec: ObjectSpec, row: Written, stamp: str) -> None:
    complete = _BEFORE.get(spec.name)
    if complete is not None:
        complete(org, row, stamp)


def after(org: OrgCore, spec: ObjectSpec, rows: Sequence[Written], stamp: str) -> list[Statement]:
    """Further writes of the same transaction."""
    if spec.name == "Opportunity":
        return _history(org, rows, stamp)
    if spec.name == "OpportunityContactRole":
        return _one_primary(rows, stamp)
    return [*relations.after(org, spec, rows, stamp), *persons.after(org, spec, rows, stamp)]


def _history(org: OrgCore, rows: Sequence[Written], stamp: str) -> list[Statement]:
    made = []
    for row in rows:
        if row.old is None or any(row.changed(name) for name in _TRACKED):
            old = row.old or {}
            at = stamp if row.old is not None else row.new.get("CreatedDate") or stamp
            made.append(
                (
                    org.new_id("OpportunityHistory"), row.id, *(row.now(name) for name in _HISTORY),
                    old.get("Amount"), old.get("CloseDate"), 0, at, org.user_id, at, org.user_id, at,
                )
            )  # fmt: skip
    columns = ("Id", "OpportunityId", *_HISTORY, "PrevAmount", "PrevCloseDate", "IsDeleted")
    audit = ("CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp")
    names = ", ".join(map(quoted, columns + audit))
    marks = ", ".join("?" * len(columns + audit))
    return [(f"INSERT INTO OpportunityHistory ({names}) VALUES ({marks})", made)] if made else []


def _one_primary(rows: Sequence[Written], stamp: str) -> list[Statement]:
    primary = {row.now("OpportunityId"): row.id for row in rows if row.changed("IsPrimary") and row.new["IsPrimary"]}
    sql = (
        "UPDATE OpportunityContactRole SET IsPrimary = 0, SystemModstamp = MAX(SystemModstamp, ?) "
        "WHERE OpportunityId = ? AND Id <> ? AND IsPrimary = 1"
    )
    return [(sql, [(stamp, opportunity, role) for opportunity, role in primary.items()])] if primary else []
