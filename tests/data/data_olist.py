"""Olist's marketing funnel: real leads with a landing page, and the deals that came of some of them.

A lead is a Lead with one form submitted on its landing page; a deal is a converted Lead, its Contact, a won Opportunity
and one role. The raw data has no e-mail addresses, so two thirds of the people are given one. With a ``seed`` a third
of the leads have not filled in the form.
"""

from __future__ import annotations

from tests.data.datasets import Dataset, add_table, csv_tables, raw_folder, seeded, select

ORACLE = """
SELECT CASE WHEN d.mql_id IS NULL THEN 'Lead' ELSE 'Contact' END AS object, m.mql_id AS id, CASE
    WHEN d.mql_id IS NOT NULL THEN 'Customer'
    WHEN m.mql_id NOT IN (SELECT mql_id FROM email) THEN 'Anonymous'
    WHEN m.mql_id NOT IN (SELECT mql_id FROM quiet) THEN 'Engaged'
    ELSE 'Suspect' END AS stage
FROM mql m LEFT JOIN closed_deals d ON d.mql_id = m.mql_id
"""

LEADS = """
SELECT m.mql_id AS Id, 'Seller ' || substr(m.mql_id, 1, 8) AS LastName, 'Shop ' || substr(m.mql_id, 1, 8) AS Company,
    e.email AS Email, m.origin AS LeadSource, m.first_contact_date || 'T00:00:00.000+0000' AS CreatedDate,
    CASE WHEN d.mql_id IS NULL THEN 'Open - Not Contacted' ELSE 'Closed - Converted' END AS Status,
    d.mql_id IS NOT NULL AS IsConverted, substr(d.won_date, 1, 10) AS ConvertedDate, d.mql_id AS ConvertedContactId,
    d.mql_id AS ConvertedAccountId, d.mql_id AS ConvertedOpportunityId
FROM mql m LEFT JOIN closed_deals d ON d.mql_id = m.mql_id LEFT JOIN email e ON e.mql_id = m.mql_id
"""

DEAL = "replace(d.won_date, ' ', 'T') || '.000+0000' AS CreatedDate"
TABLES = {
    "Lead": LEADS,
    "Account": f"SELECT d.mql_id AS Id, 'Shop ' || substr(d.mql_id, 1, 8) AS Name, {DEAL} FROM closed_deals d",
    "Contact": "SELECT d.mql_id AS Id, d.mql_id AS AccountId, 'Seller ' || substr(d.mql_id, 1, 8) AS LastName,"
    f" e.email AS Email, {DEAL} FROM closed_deals d LEFT JOIN email e ON e.mql_id = d.mql_id",
    "Opportunity": "SELECT d.mql_id AS Id, d.mql_id AS AccountId, 'Shop ' || substr(d.mql_id, 1, 8) AS Name,"
    f" 'Closed Won' AS StageName, substr(d.won_date, 1, 10) AS CloseDate, {DEAL} FROM closed_deals d",
    "OpportunityContactRole": "SELECT d.mql_id AS Id, d.mql_id AS ContactId, d.mql_id AS OpportunityId,"
    f" 1 AS IsPrimary, {DEAL} FROM closed_deals d",
}


def olist(seed: int | None = None) -> Dataset:
    raw = csv_tables(raw_folder("olist"), ("mql", "closed_deals"))
    ids = [row["mql_id"] for row in raw.execute("SELECT mql_id FROM mql ORDER BY mql_id")]
    rng = seeded(seed)
    with_email = [each for each in ids if rng.random() < 2 / 3]
    add_table(raw, "email", ("mql_id", "email"), [(each, f"{each[:16]}@example.com") for each in with_email])
    add_table(raw, "quiet", ("mql_id",), [] if seed is None else [(each,) for each in ids if rng.random() < 1 / 3])
    try:
        tables = {name: select(raw, sql) for name, sql in TABLES.items()}
        forms = select(
            raw,
            "SELECT m.*, e.email FROM mql m LEFT JOIN email e ON e.mql_id = m.mql_id"
            " WHERE m.mql_id NOT IN (SELECT mql_id FROM quiet)",
        )
        activities = [
            {
                "event_id": row["mql_id"],
                "occurred_at": row["first_contact_date"] + "T00:00:00Z",
                "type": "form_submit",
                "name": row["landing_page_id"],
                **(
                    {"email": row["email"]} if row["email"] and rng.random() < 0.5 else {"crm": ("Lead", row["mql_id"])}
                ),
            }
            for row in forms
        ]
        expected = {(row["object"], row["id"]): row["stage"] for row in select(raw, ORACLE)}
        return Dataset(f"olist-{seed}", tables, activities, expected)
    finally:
        raw.close()
