"""The workshop org: a small real-looking Salesforce org as CSV files. It has no contact roles at all.

As it is, everybody has an e-mail address and nobody did anything. A seeded variant adds roles on its opportunities,
activities of its campaign members, and stages set by hand.
"""

from __future__ import annotations

import random
import sqlite3

from tests.data.datasets import SET_BY_PEOPLE, Dataset, add_table, csv_tables, furthest, raw_folder, seeded, select

FILES = (
    *("Account", "AccountContactRelation", "Branch__c", "Campaign", "CampaignMember", "Case", "Contact", "Lead"),
    *("Opportunity", "Task"),
)

ORACLE = """
WITH person AS (
    SELECT 'Contact' AS object, Id, Email FROM Contact
    UNION ALL SELECT 'Lead', Id, Email FROM Lead WHERE IsConverted NOT IN ('1', 'true')
)
SELECT object, Id, CASE
    WHEN Id IN (SELECT r.person FROM role r JOIN Opportunity o ON o.Id = r.deal WHERE o.IsWon IN ('1', 'true'))
        THEN 'Customer'
    WHEN Id IN (SELECT person FROM role) THEN 'Opportunity'
    WHEN trim(Email) = '' THEN 'Anonymous'
    WHEN Id IN (SELECT person FROM activity WHERE direction = 'inbound') THEN 'Engaged'
    ELSE 'Suspect' END AS stage, (SELECT h.stage FROM set_by_hand h WHERE h.person = Id) AS by_hand
FROM person
"""


def workshop(seed: int | None = None) -> Dataset:
    """Every file as it is, and with a ``seed`` a file of contact roles and a column of stages besides."""
    raw = csv_tables(raw_folder("workshop-org"), FILES)
    add_table(raw, "role", ("Id", "person", "deal"), [])
    add_table(raw, "activity", ("id", "object", "person", "type", "direction"), [])
    add_table(raw, "set_by_hand", ("person", "stage"), [])
    if seed is not None:
        redraw(raw, seeded(seed))
    try:
        tables = {name: select(raw, f'SELECT * FROM "{name}"') for name in FILES}
        if seed is not None:
            tables["OpportunityContactRole"] = select(
                raw, "SELECT Id, person AS ContactId, deal AS OpportunityId, 'Decision Maker' AS Role FROM role"
            )
            by_hand = dict(raw.execute("SELECT person, stage FROM set_by_hand"))
            for row in (*tables["Contact"], *tables["Lead"]):
                row["Lifecycle_Stage__c"] = by_hand.get(row["Id"])
        expected = {(row["object"], row["Id"]): furthest(row["stage"], row["by_hand"]) for row in select(raw, ORACLE)}
        activities = [
            {
                "event_id": row["id"],
                "occurred_at": "2024-02-01T09:00:00+01:00",
                "type": row["type"],
                "direction": row["direction"],
                "crm": (row["object"], row["person"]),
            }
            for row in select(raw, "SELECT * FROM activity")
        ]
        return Dataset(f"workshop-{seed}", tables, activities, expected)
    finally:
        raw.close()


def redraw(raw: sqlite3.Connection, rng: random.Random) -> None:
    contacts = [row["Id"] for row in raw.execute("SELECT Id FROM Contact")]
    deals = [row["Id"] for row in raw.execute("SELECT Id FROM Opportunity")]
    roles = [(f"role-{number}", rng.choice(contacts), rng.choice(deals)) for number in range(60)]
    raw.executemany("INSERT INTO role VALUES (?, ?, ?)", roles)
    members = raw.execute("SELECT Id, ContactId, LeadId FROM CampaignMember").fetchall()
    for member in members:
        person = ("Contact", member["ContactId"]) if member["ContactId"] else ("Lead", member["LeadId"])
        kind = rng.choice((("email_sent", "outbound"), ("email_click", "inbound")))
        raw.execute("INSERT INTO activity VALUES (?, ?, ?, ?, ?)", (member["Id"], *person, *kind))
    for person in rng.sample(contacts, 10):
        raw.execute("INSERT INTO set_by_hand VALUES (?, ?)", (person, rng.choice(SET_BY_PEOPLE)))
