"""The page in a real Chromium (Debian's package): from a number to the people to the evidence, and nothing breaks out.

Names and values are as hostile as a web form takes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any, cast

import pytest
import requests
from playwright.sync_api import Browser, Page
from prometheus_client import CollectorRegistry

from connector.base.clock import FrozenClock
from connector.base.errors import ConfigurationError
from connector.base.facts import Stay
from connector.base.settings import Settings, explicit
from connector.commands.explain_text import told_once
from connector.commands.machines import serve_machines
from connector.commands.pages.computing import Everybody, Here, Task
from connector.commands.pages.looks import StillComputing
from connector.commands.pages.one_file import html_of
from connector.commands.pages.site import Site
from connector.commands.pages.views import TITLES
from connector.commands.reporting import REPORTS, Reporter, Wanted
from connector.mapping import CompiledMapping
from connector.reports.table import Report
from connector.store import Store, open_store
from tests.fakes import START
from tests.pages.conftest import Window, in_a_browser, serious
from tests.pipeline.conftest import World

HOSTILE = "<script>document.title='broken'</script>\"'><img src=x onerror=\"document.title='broken'\">{{ 7*7 }}"
TOKEN = "a-token-of-more-than-twenty-characters"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    clock = FrozenClock(START)
    with open_store(f"sqlite:///{tmp_path / 'state.sqlite3'}", clock=clock) as store:
        made = World(store, clock=clock)
        made.contact(Name=HOSTILE)
        made.contact("bob@example.com", Name="Bob")
        made.cycle()
        made.click("ada@example.com")
        made.cycle()
        made.contact("odd@example.com", Lifecycle_Stage__c=HOSTILE)
        made.cycle()
        made.wait(3600)
        yield made


@pytest.fixture
def site(world: World) -> Site:
    return Site(world.store, world.pipeline.mapping, explicit(http_port=0), world.clock, patience=90)


@pytest.fixture
def url(world: World, site: Site, tmp_path: Path) -> Iterator[str]:
    settings = explicit(http_port=0)
    with serve_machines(settings, CollectorRegistry(), tmp_path / "beat", world.clock, site.routes) as found:
        assert found
        yield found


def one_file(world: World) -> str:
    mapping, given = world.pipeline.mapping, explicit(state="unused")
    return html_of(Reporter(world.store, mapping, given, Wanted(), world.clock.now()), [*REPORTS])


@in_a_browser
def test_a_number_leads_to_the_people_and_a_person_to_the_evidence(page: Page, url: str) -> None:
    page.goto(url)
    row = page.locator("tbody tr", has=page.get_by_role("rowheader", name="Engaged", exact=True)).first
    row.get_by_role("link").first.click()
    assert page.get_by_role("heading", level=1).inner_text() == "Funnel: Engaged, at the end"
    page.get_by_role("link", name=HOSTILE).click()
    assert page.get_by_role("heading", level=1).inner_text() == HOSTILE
    assert "inbound email click" in page.get_by_role("main").inner_text()
    assert page.get_by_role("link", name="open in Salesforce").count() == 1


@in_a_browser
@pytest.mark.parametrize("where", [*(f"/report/{name}" for name in REPORTS), "/mapping"])
def test_every_tab_opens_without_a_script_or_a_request_elsewhere_and_axe_finds_nothing(
    browser: Browser, window: Window, page: Page, url: str, where: str
) -> None:
    page.goto(url + where)
    assert window.asked == [url + where]
    assert page.title() != "broken"
    assert [each for each in window.said if "favicon" not in each] == []
    assert page.get_by_role("navigation", name="Reports").get_by_role("link").count() == len(TITLES)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    for scheme in ("light", "dark"):
        assert serious(browser, page.content(), scheme) == []


@in_a_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_person_and_the_people_are_for_everybody(browser: Browser, page: Page, url: str, scheme: str) -> None:
    for where in ("/people?report=funnel&table=stages&row=Engaged&column=at+the+end", "/person/ada@example.com"):
        page.goto(url + where)
        assert page.title() != "broken"
        assert serious(browser, page.content(), scheme) == []


@in_a_browser
def test_the_same_is_one_file_that_asks_nobody(
    browser: Browser, window: Window, page: Page, world: World, tmp_path: Path
) -> None:
    file = tmp_path / "reports.html"
    file.write_text(one_file(world), encoding="utf-8")
    page.goto(file.as_uri())
    assert window.asked == [file.as_uri()]
    assert page.title() != "broken"
    assert window.said == []
    row = page.locator("#main tbody tr", has=page.get_by_role("rowheader", name="Engaged", exact=True)).first
    row.get_by_role("link").first.click()
    people = page.locator(page.evaluate("location.hash"))
    people.get_by_role("link", name=HOSTILE).click()
    assert "inbound email click" in page.locator(page.evaluate("location.hash")).inner_text()
    assert serious(browser, page.content()) == []


def test_no_link_of_the_one_file_leads_nowhere(world: World) -> None:
    text = one_file(world)
    targets = set(re.findall(r' id="([^"]+)"', text))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= targets


def test_nothing_hostile_is_taken_for_markup(url: str) -> None:
    for where in ("/report/funnel", "/report/repair", "/mapping", "/person/ada@example.com"):
        text = requests.get(url + where, timeout=10).text
        assert "<script" not in text
        assert "<img" not in text
        assert "49" not in re.findall(r"<h1>(.*?)</h1>", text)


def test_the_page_is_computed_once_and_again_when_something_changed(world: World, site: Site) -> None:
    site.after_cycle()
    look = site.looks.look
    first = look(Wanted(), "funnel").reports["funnel"]
    site.after_cycle()
    assert look(Wanted(), "funnel").reports["funnel"] is first
    other = look(Wanted(by="object"), "funnel")
    assert look(Wanted(by="object"), "funnel").reports["funnel"] is other.reports["funnel"]
    world.contact("new@example.com")
    world.cycle()
    site.after_cycle()
    assert look(Wanted(by="object"), "funnel").reports["funnel"] is not other.reports["funnel"]
    assert len(look(Wanted()).everybody) == len(other.everybody) + 1


class Held:
    """A state that gives nobody's stays before it may."""

    def __init__(self, store: Store) -> None:
        self._store, self.may, self.reads = store, Event(), 0

    def stays(self, track: str = "stage") -> list[Stay]:
        assert self.may.wait(90)
        self.reads += 1
        return self._store.stays(track)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_other_periods_stand_on_the_same_rows_read_once(world: World) -> None:
    held = Held(world.store)
    held.may.set()
    site = Site(cast("Store", held), world.pipeline.mapping, explicit(http_port=0), world.clock, patience=90)
    site.looks.look(Wanted(), "ledger")
    site.looks.look(Wanted(since=START - timedelta(days=3)), "funnel")
    assert held.reads == 1
    site.looks.changed()
    site.looks.look(Wanted(), "funnel")
    assert held.reads == 2


class Counted(Here):
    """Notes what was computed."""

    def __init__(self, store: Store, settings: Settings) -> None:
        super().__init__(store, settings)
        self.done: list[str] = []

    def compute(self, mapping: CompiledMapping, task: Task) -> Report | Everybody:
        found = super().compute(mapping, task)
        self.done.append(task.need)
        return found


def test_what_is_being_computed_is_not_ordered_again_by_the_next_click(world: World) -> None:
    held = Held(world.store)
    settings = explicit(http_port=0)
    counted, mapping = Counted(cast("Store", held), settings), world.pipeline.mapping
    looks = Site(world.store, mapping, settings, world.clock, patience=0.01, computing=counted).looks
    for _ in range(5):
        with pytest.raises(StillComputing):
            looks.look(Wanted(), "funnel")
    held.may.set()
    looks.patience = 90
    looks.look(Wanted(), "funnel")
    looks.look(Wanted(), "ledger")
    assert counted.done == ["", "funnel", "ledger"]


def test_who_cannot_wait_gets_the_figures_before_or_is_told_to_come_again(world: World) -> None:
    """The figures of 100,000 people take their time; a click does not."""
    held = Held(world.store)
    looks = Site(cast("Store", held), world.pipeline.mapping, explicit(http_port=0), world.clock, patience=0.01).looks
    with pytest.raises(StillComputing):
        looks.look(Wanted(), "funnel")
    held.may.set()
    looks.patience = 90
    march = Wanted(since=START - timedelta(days=3))
    before = {each: looks.look(each, "funnel").reports["funnel"] for each in (Wanted(), march)}
    held.may.clear()
    looks.patience = 0.01
    looks.changed()
    for each, found in before.items():
        assert looks.look(each, "funnel").reports["funnel"] is found
    with pytest.raises(StillComputing):
        looks.look(Wanted(by="object"), "funnel")
    held.may.set()
    looks.patience = 90
    for each, found in before.items():
        assert looks.look(each, "funnel").reports["funnel"] is not found


def test_evidence_on_which_two_conditions_of_a_rule_stand_is_told_once() -> None:
    won, role = {"text": "won", "ref": "006"}, {"text": "a role", "ref": "006"}
    assert told_once([won, role, won]) == [won, role]


def test_without_a_token_only_this_machine_s_own_names_are_answered(url: str) -> None:
    asked = requests.get(f"{url}/report/funnel", headers={"Host": "evil.example"}, timeout=10)
    assert asked.status_code == 421
    assert "Suspect" not in asked.text


def test_with_a_token_nobody_reads_without_it(world: World, site: Site, tmp_path: Path) -> None:
    settings = explicit(http_port=0, http_token=TOKEN)
    with serve_machines(settings, CollectorRegistry(), tmp_path / "beat", world.clock, site.routes) as found:
        for where in ("/report/funnel", "/person/ada@example.com", "/mapping", "/people"):
            refused = requests.get(f"{found}{where}", timeout=10)
            assert refused.status_code == 401
            assert refused.headers["WWW-Authenticate"].startswith("Basic")
            assert requests.get(f"{found}{where}", auth=("anna", "wrong"), timeout=10).status_code == 401
        assert requests.get(f"{found}/report/funnel", auth=("anna", TOKEN), timeout=10).status_code == 200
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert requests.get(f"{found}/report/funnel", headers=bearer, timeout=10).status_code == 200


@pytest.mark.parametrize(
    ("where", "status", "said"),
    [
        ("/report/nonsense", 404, "no such report"),
        ("/report/funnel?since=yesterday", 400, "is not a date"),
        ("/report/funnel?where=owner", 400, "is no condition"),
        ("/report/funnel?by=Shoe_Size__c", 400, "nobody has a value"),
        ("/person/nobody@example.com", 404, "Nobody is called that"),
        ("/people?report=funnel&table=stages&row=Nowhere&column=reached", 404, "Nobody is behind that"),
    ],
)
def test_what_cannot_be_shown_is_said(url: str, where: str, status: int, said: str) -> None:
    answer = requests.get(url + where, timeout=10)
    assert answer.status_code == status
    assert said in answer.text


def test_the_page_is_not_open_elsewhere_without_a_token(world: World, site: Site, tmp_path: Path) -> None:
    settings = explicit(http_port=0, http_host="0.0.0.0")  # noqa: S104 - that is what is refused
    with (
        pytest.raises(ConfigurationError, match="the reports would be open to everybody"),
        serve_machines(settings, CollectorRegistry(), tmp_path / "beat", world.clock, site.routes),
    ):
        pass


def test_what_is_of_the_state_is_not_asked_for_some_people_only(url: str) -> None:
    for name in REPORTS:
        text = requests.get(f"{url}/report/{name}?where=object%3DContact", timeout=90).text
        assert ("side by side" in text) is (name not in {"ledger", "health", "repair"})
        assert 'funnel?where=object%3DContact"' in text  # and goes on from tab to tab


def test_what_was_asked_and_changes_nothing_is_told_on_the_tab(url: str) -> None:
    for where, said in (
        ("ledger?by=object", "not side by side by object"),
        ("funnel?where=object%3DCar", "object is Car: there is nobody to count"),
    ):
        assert said in requests.get(f"{url}/report/{where}", timeout=90).text
