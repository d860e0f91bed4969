"""Reading people: everything recorded of a batch of persons, in about ten statements however many they are.

Which fact belongs to whom is told in ``connector.store.links``. Orders are fixed, so that the same facts always read
the same: activities by time, the rest by id.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, or_, select

from connector.base.facts import (
    NO_CIRCLE,
    PEOPLE,
    Activity,
    Circle,
    LinkedRecord,
    OpportunityRole,
    Person,
    Prospect,
    Row,
)
from connector.base.json import JsonMap
from connector.lifecycle.deals import deal_ref
from connector.store import rows as values
from connector.store.addresses import GIVEN, PROSPECTS_OF, UNTAKEN, of_owners, taken
from connector.store.apart import CORRECTED
from connector.store.books import ACCOUNT_DEALS, COLLEAGUES, LINKED, ROLELESS, setting
from connector.store.domains import owners_of
from connector.store.linked import records_of
from connector.store.links import IDS, is_alone, people_of_account, rows_in
from connector.store.related import related, tasks_of_mails, written_by_others
from connector.store.roleless import roleless
from connector.store.rows import read_json
from connector.store.schema import ACTIVITY, PROSPECT, RECORD, TRACK

# Only what an index finds best stands in WHERE: given "object" and "live" too, SQLite walks all rows of the object.
_PERSON = ("live", "object", "alias_of", "id", "fields", "email", "account_id")
_PERSONS = select(*(RECORD.c[name] for name in _PERSON)).where(RECORD.c.id.in_(IDS))
_ALIASES = select(RECORD.c.id, RECORD.c.alias_of, RECORD.c.email).where(RECORD.c.alias_of.in_(IDS))
_ACCOUNTS = select(RECORD.c.live, RECORD.c.id, RECORD.c.fields).where(RECORD.c.id.in_(IDS))
_ALONE = select(PROSPECT).where(PROSPECT.c.ref.in_(IDS), is_alone())
_PROSPECTS_BY_ID = select(PROSPECT).where(PROSPECT.c.crm_id.in_(IDS))
_PROSPECTS_BY_EMAIL = select(PROSPECT).where(PROSPECT.c.email.in_(IDS), PROSPECT.c.crm_id.is_(None))
_ACTIVITIES_BY_ID = select(ACTIVITY).where(ACTIVITY.c.crm_id.in_(IDS))
_ACTIVITIES_BY_PROSPECT = select(ACTIVITY).where(ACTIVITY.c.prospect.in_(IDS))
_ACTIVITIES_BY_EMAIL = select(ACTIVITY).where(
    ACTIVITY.c.email.in_(IDS), ACTIVITY.c.crm_id.is_(None), ACTIVITY.c.prospect.is_(None)
)
_OPPORTUNITY = RECORD.alias("opportunity")
_ROLES = (
    select(RECORD.c.live, RECORD.c.contact_id, RECORD.c.id, RECORD.c.fields, _OPPORTUNITY.c.id, _OPPORTUNITY.c.fields)
    .join(_OPPORTUNITY, _OPPORTUNITY.c.id == RECORD.c.opportunity_id)
    .where(RECORD.c.contact_id.in_(IDS), _OPPORTUNITY.c.live)
)
_OF_TRACKS = ("person_id", "track", "memory", "at", "stands", "mapping_version")
_MEMORY = select(*(TRACK.c[name] for name in _OF_TRACKS)).where(
    TRACK.c.person_id.in_(IDS), or_(TRACK.c.memory != "{}", TRACK.c.value != TRACK.c.stands)
)

_BY_TIME = attrgetter("occurred_at", "source", "id")


@dataclass(slots=True)
class _Draft:
    """A person while being put together."""

    object: str
    fields: Row
    emails: set[str] = field(default_factory=set)
    addresses: dict[str, str] = field(default_factory=dict)  # beside the Email -> whence
    account: Row = field(default_factory=dict)
    aliases: list[str] = field(default_factory=list)
    opportunities: list[OpportunityRole] = field(default_factory=list)
    account_id: str | None = None
    roleless: list[OpportunityRole] = field(default_factory=list)
    records: dict[str, LinkedRecord] = field(default_factory=dict)
    activities: dict[str, Activity] = field(default_factory=dict)
    prospects: dict[str, Prospect] = field(default_factory=dict)  # deleted ones too: their activities count
    memory: dict[str, JsonMap] = field(default_factory=dict)
    former: dict[str, dict[str, JsonMap]] = field(default_factory=dict)
    stood: dict[str, str] = field(default_factory=dict)


def facts_of(connection: Connection, person_ids: Sequence[str], around: frozenset[str] = frozenset()) -> list[Person]:
    """In the order asked; people who do not exist (any more) are left out. ``around``: what of their accounts, of
    ``books.AROUND``."""
    refs = [each for each in person_ids if ":" in each]
    ids = [each for each in person_ids if ":" not in each]
    drafts = _drafts(connection, ids)
    owners = _owners(connection, drafts)  # record id -> person
    by_email = _by_email(drafts)
    _add_prospects(connection, drafts, owners, by_email)
    _add_addresses_of_prospects(connection, drafts, by_email)
    _add_alone(connection, drafts, by_email, refs)
    _add_activities(connection, drafts, owners, by_email)
    _add_opportunities(connection, drafts, owners)
    _add_memory(connection, drafts)
    if around & {ROLELESS, ACCOUNT_DEALS}:
        _add_roleless(connection, drafts, is_every=ACCOUNT_DEALS in around)
    if LINKED in around:
        _add_records(connection, drafts, owners, by_email)
    found = [_person(each, drafts[each]) for each in dict.fromkeys(person_ids) if each in drafts]
    return _with_colleagues(connection, found, drafts) if COLLEAGUES in around else found


def _with_colleagues(connection: Connection, people: Sequence[Person], drafts: Mapping[str, _Draft]) -> list[Person]:
    accounts = {account for each in people if (account := drafts[each.id].account_id)}
    in_account: dict[str, list[Person]] = defaultdict(list)
    for each in facts_of(connection, sorted(people_of_account(connection, sorted(accounts)))):
        in_account[str(each.fields.get("AccountId"))].append(each)
    circles = {account: Circle(found) for account, found in in_account.items()}
    return [
        replace(each, colleagues=circles.get(account, NO_CIRCLE)) if (account := drafts[each.id].account_id) else each
        for each in people
    ]


def _person(person_id: str, draft: _Draft) -> Person:
    activities = list(draft.activities.values())
    if len(activities) > 1:
        activities.sort(key=_BY_TIME)
        activities = _once(activities)
        activities.sort(key=_BY_TIME)
    draft.opportunities.sort(key=lambda each: each.role_id)
    prospects = [draft.prospects[each] for each in sorted(draft.prospects)]
    return Person(
        id=person_id,
        object=draft.object,
        fields=draft.fields,
        account=draft.account,
        opportunities=tuple(draft.opportunities),
        account_opportunities=tuple(draft.roleless),
        activities=tuple(activities),
        prospects=tuple(each for each in prospects if not each.deleted),
        former_prospects=tuple(each for each in prospects if each.deleted),
        aliases=tuple(sorted(draft.aliases)),
        memory=draft.memory,
        former=draft.former,
        stood=draft.stood,
        addresses=draft.addresses,
        records=tuple(draft.records[each] for each in sorted(draft.records)),
    )


def _once(activities: list[Activity]) -> list[Activity]:
    """What reached somebody by two of their ids or addresses happened once, unless it is days away: two senders count
    from 1. Of a deal that was told as it went on, the last state; what closed is not opened by news that came late."""
    found: dict[tuple[Any, ...], Activity] = {}
    for each in activities:
        key = _happening(each)
        known = found.get(key)
        if known is not None and not _is_same(known, each):
            key = (*key, each.occurred_at, each.name)
            known = found.get(key)
        if known is None or _how_far(each) > _how_far(known):
            found[key] = each
    return list(found.values())


def _happening(each: Activity) -> tuple[Any, ...]:
    """What happened, whoever it happened to: ids of what several people may have done end with the person's."""
    if deal := deal_ref(each):
        return (deal,)
    ways = (f":{who}" for who in (each.crm_id, each.email, each.prospect_id) if who)
    who = next((way for way in ways if each.id.endswith(way)), "")
    return each.source, each.id.removesuffix(who)


def _is_same(known: Activity, each: Activity) -> bool:
    if known.occurred_at == each.occurred_at or deal_ref(each):
        return True
    return known.name == each.name and abs(each.occurred_at - known.occurred_at) <= CORRECTED


def _how_far(each: Activity) -> tuple[bool, Any, str]:
    return each.attributes.get("state") != "open", each.occurred_at, each.id


def _drafts(connection: Connection, ids: Iterable[str]) -> dict[str, _Draft]:
    drafts: dict[str, _Draft] = {}
    in_account: dict[str, list[_Draft]] = defaultdict(list)
    for is_live, object_name, leader, person_id, fields, email, account_id in rows_in(connection, _PERSONS, ids):
        if not is_live or leader or object_name not in PEOPLE:
            continue
        draft = _Draft(object_name, read_json(fields), {email} if email else set(), account_id=account_id)
        drafts[person_id] = draft
        if account_id:
            in_account[account_id].append(draft)
    if domains := [each for each in in_account if each.startswith("@")]:
        _match(connection, domains, in_account)
    for is_live, account_id, fields in rows_in(connection, _ACCOUNTS, in_account):
        account = read_json(fields) if is_live else {}
        for draft in in_account[account_id]:
            draft.account = account
    return drafts


def _match(connection: Connection, domains: Sequence[str], in_account: dict[str, list[_Draft]]) -> None:
    """Gives leads the account that has their domain, as if it stood in the record."""
    accounts = owners_of(connection, domains)
    for domain in domains:
        account = accounts.get(domain)
        for draft in in_account.pop(domain):
            draft.account_id = account
            if account:
                draft.fields = {**draft.fields, "AccountId": account}
                in_account[account].append(draft)


def _owners(connection: Connection, drafts: Mapping[str, _Draft]) -> dict[str, str]:
    owners = {each: each for each in drafts}
    for alias, person_id, email in rows_in(connection, _ALIASES, drafts):
        owners[alias] = person_id
        drafts[person_id].aliases.append(alias)
        if email and email not in drafts[person_id].emails:
            drafts[person_id].emails.add(email)
            drafts[person_id].addresses[email] = alias
    for row in rows_in(connection, UNTAKEN, owners):
        draft = drafts[owners[row.owner]]
        if row.address not in draft.emails:
            draft.addresses[row.address] = row.whence
    for draft in drafts.values():
        draft.emails.update(draft.addresses)
    return owners


def _by_email(drafts: Mapping[str, _Draft]) -> dict[str, list[_Draft]]:
    by_email: dict[str, list[_Draft]] = defaultdict(list)
    for draft in drafts.values():
        for email in draft.emails:
            by_email[email].append(draft)
    return by_email


def _add_prospects(
    connection: Connection,
    drafts: Mapping[str, _Draft],
    owners: Mapping[str, str],
    by_email: Mapping[str, list[_Draft]],
) -> None:
    for row in rows_in(connection, _PROSPECTS_BY_ID, owners):
        drafts[owners[row.crm_id]].prospects[row.ref] = values.prospect_of_row(row)
    for row in rows_in(connection, _PROSPECTS_BY_EMAIL, by_email):
        for draft in by_email[row.email]:
            draft.prospects[row.ref] = values.prospect_of_row(row)
    for row in rows_in(connection, PROSPECTS_OF, by_email):
        for draft in by_email[row.address]:
            draft.prospects[row.ref] = values.prospect_of_row(row)


def _add_addresses_of_prospects(
    connection: Connection, drafts: Mapping[str, _Draft], by_email: dict[str, list[_Draft]]
) -> None:
    """What came from an address that a prospect of somebody has is theirs, too."""
    further = of_owners(connection, {ref for draft in drafts.values() for ref in draft.prospects})
    found = [
        (draft, email, ref)
        for draft in drafts.values()
        for ref, prospect in draft.prospects.items()
        for email in (prospect.email, *further.get(ref, ()))
        if email and email not in draft.emails
    ]
    others = taken(connection, {email for _, email, _ in found}) if found else set()
    for draft, email, ref in found:
        if email not in others and email not in draft.emails:
            draft.emails.add(email)
            draft.addresses[email] = ref
            by_email[email].append(draft)


def _add_alone(
    connection: Connection, drafts: dict[str, _Draft], by_email: dict[str, list[_Draft]], refs: Sequence[str]
) -> None:
    """Prospects that are people by themselves: their attributes are their fields, and an address that they gave is
    their Email where the source says none."""
    for row in rows_in(connection, _ALONE, refs):
        prospect = values.prospect_of_row(row)
        fields = {**prospect.attributes, "Id": row.ref, "Email": prospect.email}
        draft = drafts[row.ref] = _Draft("Prospect", fields, prospects={row.ref: prospect})
        if row.email:
            by_email[row.email].append(draft)
    for ref, further in (of_owners(connection, refs) if refs else {}).items():
        if ref in drafts:
            drafts[ref].addresses.update(further)
            given = [email for email, whence in further.items() if whence == GIVEN]
            if given and not drafts[ref].fields["Email"]:
                drafts[ref].fields = {**drafts[ref].fields, "Email": min(given)}
            for email in further:
                by_email[email].append(drafts[ref])


def _add_activities(
    connection: Connection,
    drafts: Mapping[str, _Draft],
    owners: Mapping[str, str],
    by_email: Mapping[str, list[_Draft]],
) -> None:
    by_prospect: dict[str, list[_Draft]] = defaultdict(list)
    for draft in drafts.values():
        for ref in draft.prospects:
            by_prospect[ref].append(draft)
    relations = related(connection, owners)
    for (person_id, ref), activity in relations.seen.items():
        drafts[person_id].activities[ref] = activity
    for row in rows_in(connection, _ACTIVITIES_BY_ID, owners):
        if (owners[row[6]], row[0]) not in relations.declined:
            _give(row, [drafts[owners[row[6]]]])
    for row in rows_in(connection, _ACTIVITIES_BY_PROSPECT, by_prospect):
        _give(row, by_prospect[row[7]])
    by_address = list(rows_in(connection, _ACTIVITIES_BY_EMAIL, by_email))
    mails = [row.ref for row in by_address if row.feed]
    taken_mails = written_by_others(connection, mails) if mails else set()
    for row in (each for each in by_address if each.ref not in taken_mails):
        _give(row, by_email[row[8]])
    for draft in drafts.values() if relations.is_looked_for else ():
        for task in tasks_of_mails(draft.activities.values()):
            draft.activities.pop(task, None)


def _give(row: Any, drafts: Iterable[_Draft]) -> None:
    activity = values.activity_of_row(row)
    for draft in drafts:
        draft.activities.setdefault(row[0], activity)


def _add_opportunities(connection: Connection, drafts: Mapping[str, _Draft], owners: Mapping[str, str]) -> None:
    opportunities: dict[str, Row] = {}  # parsed once, however many roles it has
    for is_live, contact_id, role_id, role, opportunity_id, fields in rows_in(connection, _ROLES, owners):
        if not is_live:
            continue
        opportunity = opportunities.get(opportunity_id)
        if opportunity is None:
            opportunity = opportunities[opportunity_id] = read_json(fields)
        drafts[owners[contact_id]].opportunities.append(
            OpportunityRole(role_id, opportunity_id, read_json(role), opportunity)
        )


def _add_records(
    connection: Connection,
    drafts: Mapping[str, _Draft],
    owners: Mapping[str, str],
    by_email: Mapping[str, list[_Draft]],
) -> None:
    whose: dict[str, list[_Draft]] = defaultdict(list)
    for each, owner in owners.items():
        whose[each].append(drafts[owner])
    for email, found in by_email.items():
        whose[email] += found
    accounts: dict[str, list[_Draft]] = defaultdict(list)
    for draft in drafts.values():
        if draft.account_id and draft.object in PEOPLE:
            accounts[draft.account_id].append(draft)
    for key, record in records_of(connection, owners, by_email, accounts):
        for draft in accounts[key] if record.via == "account" else whose[key]:
            draft.records[f"{record.object} {record.id}"] = record


def _add_roleless(connection: Connection, drafts: Mapping[str, _Draft], *, is_every: bool) -> None:
    accounts: dict[str, list[str]] = defaultdict(list)
    for person_id, draft in drafts.items():
        if draft.object in PEOPLE:
            accounts[draft.account_id or ""].append(person_id)
    for person_id, opportunities in roleless(connection, accounts, is_every=is_every).items():
        drafts[person_id].roleless = opportunities


def _add_memory(connection: Connection, drafts: Mapping[str, _Draft]) -> None:
    """A person without a memory of its own for a track goes on with the newest of those it used to be."""
    heirs: dict[str, list[str]] = defaultdict(list)
    for person_id, draft in drafts.items():
        for former in {*draft.aliases, *draft.prospects} - {person_id}:
            heirs[former].append(person_id)
    newest: dict[tuple[str, str], tuple[str, str]] = {}
    for row in rows_in(connection, _MEMORY, heirs):
        said, former = read_json(row.memory), row.person_id
        for heir in heirs[former] if said else ():
            key, this = (heir, row.track), (row.at, former)
            newest[key] = max(this, newest.get(key, this))
            drafts[heir].former.setdefault(former, {})[row.track] = said
    for (person_id, track), (_, former) in newest.items():
        drafts[person_id].memory[track] = drafts[person_id].former[former][track]
    undone = []
    for row in rows_in(connection, _MEMORY, drafts):
        if said := read_json(row.memory):
            drafts[row.person_id].memory[row.track] = said
        else:
            undone.append(row)
    version = setting(connection, "mapping_version") if undone else None  # by another it was another field, perhaps
    for row in undone:
        if row.mapping_version == version:
            drafts[row.person_id].stood[row.track] = row.stands
