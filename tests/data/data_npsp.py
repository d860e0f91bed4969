"""NPSP's two example orgs (SQLite dumps). As they are, everybody has a role on a won opportunity.

A seeded variant redraws the stages, takes the roles from a third of the people, and adds activities and stages set by
hand, so that every stage occurs; it changes the raw tables, before the builder and the oracle look at them.
"""

from __future__ import annotations

import random
import sqlite3

from tests.data.datasets import OPEN_STAGES, SET_BY_PEOPLE, Dataset, add_table, furthest, raw_folder, seeded, select

# The two dumps name their columns differently.
VIEWS = """
CREATE VIEW person AS SELECT id, {account} AS account, Salutation, FirstName, LastName, Email, Phone, Title
    FROM Contact;
CREATE VIEW deal AS SELECT id, {account} AS account, name, amount, stage_name AS stage, close_date FROM Opportunity;
CREATE VIEW role AS SELECT id, {contact} AS person, {opportunity} AS deal, Role AS role, IsPrimary AS is_primary
    FROM OpportunityContactRole;
"""
NAMES = {
    "qa_org": {"account": "account_id", "contact": "contact_id", "opportunity": "opportunity_id"},
    "dev_org": {"account": "AccountId", "contact": "ContactId", "opportunity": "OpportunityId"},
}

ORACLE = """
SELECT p.id, CASE
    WHEN EXISTS (SELECT 1 FROM role r JOIN deal d ON d.id = r.deal WHERE r.person = p.id AND d.stage = 'Closed Won')
        THEN 'Customer'
    WHEN EXISTS (SELECT 1 FROM role r WHERE r.person = p.id) THEN 'Opportunity'
    WHEN trim(coalesce(p.Email, '')) = '' THEN 'Anonymous'
    WHEN EXISTS (SELECT 1 FROM activity a WHERE a.person = p.id AND a.direction = 'inbound') THEN 'Engaged'
    ELSE 'Suspect' END AS stage,
    (SELECT h.stage FROM set_by_hand h WHERE h.person = p.id) AS by_hand
FROM person p
"""


def npsp(org: str, seed: int | None = None) -> Dataset:
    """``org`` is "qa_org" or "dev_org"; with a ``seed``, the redrawn variant."""
    dump = (raw_folder("npsp") / f"{org}.sql").read_text(encoding="utf-8")
    raw = sqlite3.connect(":memory:")
    raw.executescript(dump)
    raw.executescript(VIEWS.format(**NAMES[org]))
    add_table(raw, "activity", ("id", "person", "type", "direction", "occurred_at", "by"), [])
    add_table(raw, "set_by_hand", ("person", "stage"), [])
    if seed is not None:
        redraw(raw, seeded(seed))
    try:
        expected = {("Contact", str(row["id"])): furthest(row["stage"], row["by_hand"]) for row in select(raw, ORACLE)}
        return Dataset(f"{org}-{seed}", build_tables(raw), build_activities(raw), expected)
    finally:
        raw.close()


def redraw(raw: sqlite3.Connection, rng: random.Random) -> None:
    for (deal,) in raw.execute("SELECT id FROM deal").fetchall():
        stage = rng.choice(("Closed Won", "Closed Lost", *OPEN_STAGES))
        raw.execute("UPDATE Opportunity SET stage_name = ? WHERE id = ?", (stage, deal))
    people = raw.execute("SELECT id, Email FROM person").fetchall()
    without = rng.sample([person for person, _ in people], len(people) // 3)
    roles = [(role,) for role, person in raw.execute("SELECT id, person FROM role") if int(person) in set(without)]
    raw.executemany("DELETE FROM OpportunityContactRole WHERE id = ?", roles)
    kinds = (("form_submit", "inbound"), ("email_click", "inbound"), ("email_sent", "outbound"))
    for number in range(len(people)):
        person, email = rng.choice(people)
        kind, direction = rng.choice(kinds)
        at = f"2025-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}T10:00:00+00:00"
        by = "email" if email and rng.random() < 0.5 else "crm"
        raw.execute("INSERT INTO activity VALUES (?, ?, ?, ?, ?, ?)", (f"a{number}", person, kind, direction, at, by))
    for person, _ in rng.sample(people, 12):
        raw.execute("INSERT INTO set_by_hand VALUES (?, ?)", (person, rng.choice(SET_BY_PEOPLE)))


def build_tables(raw: sqlite3.Connection) -> dict[str, list[dict[str, object]]]:
    return {
        "Account": select(raw, "SELECT id AS Id, Name, BillingCountry, BillingCity FROM Account"),
        "Contact": select(
            raw,
            "SELECT p.id AS Id, account AS AccountId, Salutation, FirstName, LastName, Email, Phone, Title,"
            " (SELECT stage FROM set_by_hand h WHERE h.person = p.id) AS Lifecycle_Stage__c FROM person p",
        ),
        "Opportunity": select(
            raw,
            "SELECT id AS Id, account AS AccountId, name AS Name, stage AS StageName, amount AS Amount,"
            " close_date AS CloseDate FROM deal",
        ),
        "OpportunityContactRole": select(
            raw,
            "SELECT id AS Id, person AS ContactId, deal AS OpportunityId, role AS Role, is_primary AS IsPrimary"
            " FROM role",
        ),
    }


def build_activities(raw: sqlite3.Connection) -> list[dict[str, object]]:
    rows = select(raw, "SELECT a.*, p.Email AS email FROM activity a JOIN person p ON p.id = a.person")
    return [
        {
            "event_id": row["id"],
            "occurred_at": row["occurred_at"],
            "type": row["type"],
            "direction": row["direction"],
            "name": "Newsletter",
            **({"email": row["email"].upper()} if row["by"] == "email" else {"crm": ("Contact", str(row["person"]))}),
        }
        for row in rows
    ]
