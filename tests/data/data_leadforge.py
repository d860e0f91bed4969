"""leadforge's simulated company: contacts with buyer roles, leads, opportunities, touches, sessions, sales activities.

A lead with an opportunity is a converted Lead of its contact, with a role on the opportunity; any other stays a Lead.
Touches and web sessions are activities, sales activities are Tasks, which are ours and move nobody. The raw data has no
e-mail addresses, so two thirds of the people are given one. With a ``seed`` a third of the contacts lose their roles.
"""

from __future__ import annotations

import random
import sqlite3

from tests.data.datasets import Dataset, add_table, csv_tables, raw_folder, seeded, select

FILES = ("accounts", "contacts", "leads", "opportunities", "touches", "sessions", "sales_activities")

ORACLE = """
WITH person AS (
    SELECT 'Contact' AS object, contact_id AS id FROM contacts
    UNION ALL SELECT 'Lead', lead_id FROM leads WHERE lead_id NOT IN (SELECT lead_id FROM opportunities)
), belongs AS (  -- whose a lead's activities are
    SELECT l.lead_id, CASE WHEN o.lead_id IS NULL THEN l.lead_id ELSE l.contact_id END AS id
    FROM leads l LEFT JOIN (SELECT DISTINCT lead_id FROM opportunities) o ON o.lead_id = l.lead_id
), engaged AS (
    SELECT id FROM belongs WHERE lead_id IN (SELECT lead_id FROM touches WHERE touch_direction = 'inbound')
        OR lead_id IN (SELECT lead_id FROM sessions)
), role AS (
    SELECT l.contact_id AS id, o.stage FROM opportunities o JOIN leads l ON l.lead_id = o.lead_id
    WHERE l.contact_id NOT IN (SELECT contact_id FROM without_role)
)
SELECT object, id, CASE
    WHEN object = 'Contact' AND id IN (SELECT id FROM role WHERE stage = 'closed_won') THEN 'Customer'
    WHEN object = 'Contact' AND id IN (SELECT id FROM role) THEN 'Opportunity'
    WHEN id NOT IN (SELECT id FROM email) THEN 'Anonymous'
    WHEN id IN (SELECT id FROM engaged) THEN 'Engaged'
    ELSE 'Suspect' END AS stage
FROM person
"""

TABLES = {
    "Account": "SELECT account_id AS Id, company_name AS Name, industry AS Industry, region AS BillingCountry,"
    " created_at || 'T00:00:00.000+0000' AS CreatedDate FROM accounts",
    "Contact": "SELECT contact_id AS Id, account_id AS AccountId, contact_id AS LastName, job_title AS Title,"
    " e.email AS Email, created_at || 'T00:00:00.000+0000' AS CreatedDate FROM contacts"
    " LEFT JOIN email e ON e.id = contact_id",
    "Lead": "SELECT l.lead_id AS Id, l.lead_id AS LastName, l.account_id AS Company, l.lead_source AS LeadSource,"
    " coalesce(ec.email, el.email) AS Email, l.lead_created_at || 'T00:00:00.000+0000' AS CreatedDate,"
    " o.opportunity_id IS NOT NULL AS IsConverted, CASE WHEN o.opportunity_id IS NULL THEN 'Open - Not Contacted'"
    " ELSE 'Closed - Converted' END AS Status, o.opportunity_id AS ConvertedOpportunityId,"
    " o.created_at AS ConvertedDate,"
    " CASE WHEN o.opportunity_id IS NOT NULL THEN l.contact_id END AS ConvertedContactId,"
    " CASE WHEN o.opportunity_id IS NOT NULL THEN l.account_id END AS ConvertedAccountId"
    " FROM leads l LEFT JOIN opportunities o ON o.lead_id = l.lead_id"
    " LEFT JOIN email el ON el.id = l.lead_id"
    " LEFT JOIN email ec ON ec.id = l.contact_id AND o.opportunity_id IS NOT NULL",
    "Opportunity": "SELECT opportunity_id AS Id, l.account_id AS AccountId, opportunity_id AS Name,"
    " CASE stage WHEN 'closed_won' THEN 'Closed Won' WHEN 'closed_lost' THEN 'Closed Lost' ELSE stage END AS StageName,"
    " estimated_acv AS Amount, coalesce(nullif(closed_at, ''), '2024-12-31') AS CloseDate,"
    " o.created_at || 'T00:00:00.000+0000' AS CreatedDate FROM opportunities o JOIN leads l ON l.lead_id = o.lead_id",
    "OpportunityContactRole": "SELECT opportunity_id AS Id, opportunity_id AS OpportunityId,"
    " o.created_at || 'T00:00:00.000+0000' AS CreatedDate,"
    " l.contact_id AS ContactId, c.buyer_role AS Role, 1 AS IsPrimary FROM opportunities o"
    " JOIN leads l ON l.lead_id = o.lead_id JOIN contacts c ON c.contact_id = l.contact_id"
    " WHERE l.contact_id NOT IN (SELECT contact_id FROM without_role)",
    "Task": "SELECT activity_id AS Id, CASE WHEN o.lead_id IS NULL THEN s.lead_id ELSE l.contact_id END AS WhoId,"
    " activity_type || ': ' || activity_outcome AS Subject, activity_timestamp AS ActivityDate,"
    " activity_timestamp || 'T00:00:00.000+0000' AS CreatedDate, 'Completed' AS Status, 'Normal' AS Priority,"
    " CASE activity_type WHEN 'call' THEN 'Call' WHEN 'email' THEN 'Email' ELSE 'Task' END AS TaskSubtype,"
    " CASE activity_type WHEN 'call' THEN 'Outbound' END AS CallType,"
    " CASE activity_type WHEN 'call' THEN activity_outcome END AS CallDisposition"
    " FROM sales_activities s JOIN leads l ON l.lead_id = s.lead_id"
    " LEFT JOIN (SELECT DISTINCT lead_id FROM opportunities) o ON o.lead_id = s.lead_id",
}

ACTIVITIES = """
SELECT touch_id AS event_id, lead_id, touch_timestamp AS day, touch_type AS kind, touch_direction AS direction
    FROM touches
UNION ALL SELECT session_id, lead_id, session_timestamp, 'session', 'inbound' FROM sessions
"""
KINDS = {  # (raw kind, direction) -> canonical kind
    ("call", "inbound"): "call",
    ("call", "outbound"): "call",
    ("email", "inbound"): "email_reply",
    ("email", "outbound"): "email_sent",
    ("linkedin_message", "inbound"): "social_message",
    ("linkedin_message", "outbound"): "social_message",
    ("content_download", "inbound"): "file_download",
    ("content_download", "outbound"): "email_sent",
    ("webinar", "inbound"): "event_attend",
    ("webinar", "outbound"): "event_invite",
    ("session", "inbound"): "page_view",
}


def leadforge(seed: int | None = None) -> Dataset:
    raw = csv_tables(raw_folder("leadforge"), FILES)
    rng = seeded(seed)
    contacts = [row["contact_id"] for row in raw.execute("SELECT contact_id FROM contacts ORDER BY 1")]
    leads = [row["lead_id"] for row in raw.execute("SELECT lead_id FROM leads ORDER BY 1")]
    with_email = [(each, f"{each}@example.com") for each in contacts + leads if rng.random() < 2 / 3]
    add_table(raw, "email", ("id", "email"), with_email)
    without = [] if seed is None else [(each,) for each in contacts if rng.random() < 1 / 3]
    add_table(raw, "without_role", ("contact_id",), without)
    try:
        tables = {name: select(raw, sql) for name, sql in TABLES.items()}
        expected = {(row["object"], row["id"]): row["stage"] for row in select(raw, ORACLE)}
        return Dataset(f"leadforge-{seed}", tables, build_activities(raw, tables, rng), expected)
    finally:
        raw.close()


def build_activities(
    raw: sqlite3.Connection, tables: dict[str, list[dict[str, object]]], rng: random.Random
) -> list[dict[str, object]]:
    email = {row["Id"]: row["Email"] for row in tables["Lead"]}
    activities = []
    for row in select(raw, ACTIVITIES):
        address = email[row["lead_id"]]
        by_email = address and rng.random() < 0.5
        activities.append(
            {
                "event_id": row["event_id"],
                "occurred_at": row["day"] + "T12:00:00Z",
                "type": KINDS[row["kind"], row["direction"]],
                "direction": row["direction"],
                "name": row["kind"],
                **({"email": address} if by_email else {"crm": ("Lead", row["lead_id"])}),
            }
        )
    return activities
