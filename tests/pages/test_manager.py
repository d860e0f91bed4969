"""An operations manager's questions of a month, answered by following links only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page
from prometheus_client import CollectorRegistry

from connector.base.clock import FrozenClock
from connector.base.facts import Activity, Direction, SourcePage
from connector.base.settings import explicit
from connector.commands.machines import serve_machines
from connector.commands.pages.site import Site
from connector.store import open_store
from tests.fakes import FakeSalesforce
from tests.pages.conftest import in_a_browser
from tests.pipeline.conftest import World

MARCH = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = 24 * 3600
ANNA = "005000000000001AAA"
MAPPING = """
name: sales
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {activity: inbound}}
  - {name: Marketing Qualified, when: {activity: {kind: form_submit, name: Demo}}}
  - {name: Customer, when: {opportunity: won}}
handoff:
  name: to sales
  when: {stage: Marketing Qualified}
tests:
  - name: a demo makes them qualified
    activities: [{kind: form_submit, name: Demo}]
    expect: {stage: Marketing Qualified}
    then:
      - {after: 5d, opportunities: [won], expect: {stage: Customer}}
"""


def asks_for_a_demo(world: World, email: str) -> None:
    said = Activity(
        "fake", f"demo-{email}", "form_submit", Direction.INBOUND, world.clock.now(), name="Demo", email=email
    )
    world.source.pages.append(SourcePage({}, (said,)))


def calls(world: World, person: str) -> None:
    at = world.clock.now().strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    row = {"WhoId": person, "TaskSubtype": "Call", "IsClosed": True, "Status": "Completed", "CompletedDateTime": at}
    world.org.put("Task", {"Id": world.id("Task"), "CreatedDate": at, "ActivityDate": at[:10], **row})


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Ada clicks; Bob, Cleo and Dan ask for a demo in March, Bob buys 35 days later, and nobody calls Dan."""
    clock = FrozenClock(MARCH)
    with open_store(f"sqlite:///{tmp_path / 'state.sqlite3'}", clock=clock) as store:
        world = World(store, org=FakeSalesforce(now=MARCH), clock=clock, mapping=MAPPING)
        world.org.put("User", {"Id": ANNA, "Name": "Anna Sales", "IsActive": True, "UserType": "Standard"})
        names = ("ada", "bob", "cleo", "dan")
        ids = {each: world.contact(f"{each}@example.com", Name=each.title(), OwnerId=ANNA) for each in names}
        world.cycle()
        world.wait(DAY)
        world.click("ada@example.com")
        for each in ("bob", "cleo", "dan"):
            asks_for_a_demo(world, f"{each}@example.com")
        world.cycle()
        world.wait(3600)
        for each in ("bob", "cleo"):
            calls(world, ids[each])
        world.cycle()
        world.wait(35 * DAY)
        world.role(ids["bob"], world.deal(won=True))
        world.cycle()
        world.wait(10 * DAY)
        settings = explicit(http_port=0)
        site = Site(world.store, world.pipeline.mapping, settings, world.clock, patience=90)
        with serve_machines(settings, CollectorRegistry(), tmp_path / "beat", clock, site.routes) as found:
            assert found
            yield found


SAID = "each => each.map(one => one.parentElement.innerText.split('\\n')[0])"  # the first line of each step


def row(page: Page, table: str, *starts: str) -> Locator:
    """Of the table of this name, the row that these cells name."""
    rows = page.get_by_role("region", name=f"{table}, as a table").locator("tbody tr")
    return rows.filter(has=page.locator("th", has_text=re.compile(f"^{', '.join(starts)}$")))


def people(page: Page) -> list[str]:
    return page.get_by_role("main").locator("tbody th").all_inner_texts()


@in_a_browser
def test_a_manager_s_questions_are_answered_by_links(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_role("link", name="Mar", exact=True).click()

    # how many of March's qualified people became customers, and how long did it take them?
    line = row(page, "Who went on, and how long it took", "Marketing Qualified", "Customer")
    assert line.locator("td").all_inner_texts()[:4] == ["Customer", "3", "33% (1)", "35.0"]
    line.get_by_role("link").nth(2).click()
    assert people(page) == ["Bob"]
    assert page.locator("tbody td").last.inner_text() == "35.0"

    # who waits for a call? The tab keeps the month, and the list names the owner
    page.get_by_role("link", name="Response").click()
    assert "2026-03-01 00:00 to 2026-04-01 00:00" in page.get_by_role("banner").inner_text()
    waits = page.get_by_role("region", name="Waiting for a first touch, as a table").locator("tbody tr")
    assert waits.count() == 1
    assert waits.locator("th, td").all_inner_texts()[:2] == ["Dan", "Anna Sales"]

    # why is Ada at Engaged?
    page.get_by_role("link", name="Funnel").click()
    row(page, "People by stage", "Engaged").get_by_role("link").first.click()
    page.get_by_role("link", name="Ada").click()
    said = page.get_by_role("main").inner_text()
    assert "stage: Engaged" in said
    assert "inbound email click" in said


@in_a_browser
def test_nobody_went_on_is_an_answer_too(page: Page, url: str) -> None:
    page.goto(f"{url}/report/funnel?since=2026-03-01&until=2026-03-31&where=Name%3DAda")
    line = row(page, "Who went on, and how long it took", "Engaged", "Customer")
    assert line.locator("td").all_inner_texts()[:4] == ["Customer", "1", "0% (0)", "-"]
    heads = page.get_by_role("region", name="Who went on, and how long it took, as a table").locator("thead th")
    assert "median (days)" in heads.all_inner_texts()


@in_a_browser
def test_on_a_phone_a_row_keeps_its_whole_name_in_view(page: Page, url: str) -> None:
    page.goto(f"{url}/report/movement")
    line = row(page, "By week", "2026-03-02", "Engaged")
    assert line.get_by_role("rowheader").inner_text() == "2026-03-02, Engaged"
    assert not line.locator("td").first.is_visible()
    page.set_viewport_size({"width": 1280, "height": 900})
    assert line.get_by_role("rowheader").inner_text() == "2026-03-02"
    assert line.locator("td").first.inner_text() == "Engaged"


@in_a_browser
def test_a_person_is_found_by_a_part_of_the_name_or_the_address(page: Page, url: str) -> None:
    page.goto(url)
    meant = {"ada": "Ada", "ADA@example.com": "Ada", "nobody": "Nobody is called that", "example.com": "People"}
    for asked, heading in meant.items():
        page.get_by_label("find a person").fill(asked)
        page.keyboard.press("Enter")
        page.get_by_role("heading", level=1, name=heading).wait_for()
    assert people(page) == ["Ada", "Bob", "Cleo", "Dan"]


@in_a_browser
def test_the_mapping_is_drawn_with_its_rules_its_tests_and_who_is_where(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_role("link", name="Mapping").click()
    steps = page.locator("ol.ladder > li")
    assert [each.partition(" · ")[::2] for each in steps.locator("b").evaluate_all(SAID)] == [
        ("Suspect", "0 people"),
        ("Engaged", "1 person"),
        ("Marketing Qualified", "2 people"),
        ("Customer", "1 person"),
    ]
    assert "form submit named Demo" in steps.nth(2).inner_text()
    tests = page.get_by_role("region", name="Tests of the mapping").get_by_role("cell")
    assert tests.all_inner_texts() == ["a demo makes them qualified", "<text>, line 14"]
    steps.nth(2).get_by_role("link").click()
    assert people(page) == ["Cleo", "Dan"]
