"""People who are handed to sales get an owner of the org, and keep the one that they got."""

import pytest

from connector.base.errors import ConfigurationError

MAPPING = """
fields:
  stage: {{Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}}
stages:
  - {{name: Suspect, when: {{email: present}}}}
  - {{name: Engaged, when: {{activity: inbound}}}}
handoff:
  - name: to sales
    when: {{stage: ">= Engaged"}}
    owner: [{owner}]
"""


@pytest.fixture
def reps(site):
    users = [
        {"LastName": n, "Username": f"{n}@sales.example", "Email": f"{n}@example.com", "IsActive": True}
        for n in ("ann", "ben")
    ]
    return site.org.create("User", users)


def engaged(site, count: int) -> list[str]:
    leads = site.org.create(
        "Lead", [{"LastName": f"L{n}", "Company": "Acme", "Email": f"l{n}@example.com"} for n in range(count)]
    )
    prospects = site.practice.pardot.add_prospects([{"email": f"l{n}@example.com"} for n in range(count)])
    site.practice.pardot.add_activities([{"type": 1, "prospectId": each} for each in prospects])
    return leads


def owners(site) -> dict[str, str]:
    return {row["Id"]: row["OwnerId"] for row in site.org.rows("SELECT Id, OwnerId FROM Lead")}


def with_owner(tmp_path, owner: str) -> dict[str, str]:
    path = tmp_path / "mine.yaml"
    path.write_text(MAPPING.format(owner=owner))
    return {"mapping": str(path)}


def test_users_get_people_evenly_and_keep_them(site, reps, tmp_path):
    mine = with_owner(tmp_path, "{round_robin: [ann@sales.example, ben@example.com]}")
    engaged(site, 40)
    site.backfill(**mine)
    first = owners(site)
    assert set(first.values()) == set(reps)
    assert list(first.values()).count(reps[0]) == 20
    assert site.backfill(**mine).written == 0
    assert site.sync(**mine).written == 0
    assert owners(site) == first


def test_a_queue_gets_leads(site, tmp_path):
    queue = site.org.rows("SELECT Id FROM Group WHERE Type = 'Queue'")[0]["Id"]
    engaged(site, 1)
    site.sync(**with_owner(tmp_path, "{queue: Inbound Leads}"))
    assert list(owners(site).values()) == [queue]


def test_whoever_is_full_gets_nobody(site, reps, tmp_path):
    site.org.create("Contact", [{"LastName": f"C{n}", "OwnerId": reps[0]} for n in range(5)])
    engaged(site, 6)
    site.sync(**with_owner(tmp_path, "{capacity: {ann@sales.example: 5, ben@sales.example: 50}}"))
    assert set(owners(site).values()) == {reps[1]}


def test_an_owner_whom_the_org_does_not_have_stops_everything_before_the_first_write(site, tmp_path):
    engaged(site, 1)
    with pytest.raises(ConfigurationError, match=r"nobody@example\.com"):
        site.sync(**with_owner(tmp_path, "{user: nobody@example.com}"))
    assert set(site.stages("Lead").values()) == {None}


def test_owners_are_looked_up_once_a_day_and_not_in_every_cycle(site, reps, tmp_path):
    mine = with_owner(tmp_path, "{user: ann@sales.example}")
    engaged(site, 1)
    site.sync(**mine)
    site.sync(**mine)
    assert site.calls_of(lambda: site.sync(**mine)) <= 2
