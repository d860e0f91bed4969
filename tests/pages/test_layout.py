"""How tables are laid out: on a desk, on a phone, and in the one file."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import pairwise

import requests
from playwright.sync_api import Page

from connector.base.settings import explicit
from connector.commands.pages.drawing import laid_out
from connector.commands.pages.one_file import html_of
from connector.commands.pages.site import Site
from connector.commands.reporting import REPORTS, Reporter, Wanted
from connector.reports.table import Figure, Table
from tests.fakes import START
from tests.pages.conftest import in_a_browser
from tests.pages.test_page import HOSTILE, site, url, world
from tests.pipeline.conftest import World

__all__ = ["site", "url", "world"]  # the fixtures


def weeks(*columns: str, picture: bool = True) -> Table:
    table = Table("weeks", "By week", ("week", "what", *columns))
    if picture:
        table.picture, table.drawn = "lines", columns[0]
    for week, number in (("2026-02-23", 0), ("2026-03-02", 3)):
        for what in ("click", "form"):
            table.add(week, what, *(Figure(number, "number", ("ada",)) for _ in columns))
    return table


def test_one_number_a_week_stands_with_the_weeks_side_by_side_and_leads_where_it_led() -> None:
    found = laid_out(weeks("activities"))
    assert list(found.heads) == ["what", "2026-02-23", "2026-03-02"]
    assert [row[0].cell for row in found.rows] == ["click", "form"]
    last = found.rows[1][2]
    assert (last.row[:2], last.column) == (("2026-03-02", "form"), "activities")
    assert not found.left_out


def test_several_numbers_a_week_keep_a_row_each_without_those_in_which_nothing_was() -> None:
    found = laid_out(weeks("entered", "left"))
    assert [row[0].cell for row in found.rows] == ["2026-03-02"] * 2
    assert (found.keys, found.left_out) == (2, 2)


def test_a_column_is_of_numbers_wherever_the_first_one_stands() -> None:
    table = Table("calls", "API calls", ("day", "calls", "budget", "left"))
    table.add("2026-03-02", Figure(1, "number"), "", "")
    table.add("2026-03-01", Figure(1, "number"), Figure(9, "number"), Figure(8, "number"))
    assert laid_out(table).numbers == {"calls", "budget", "left"}


def test_what_is_said_of_everybody_is_said_once_below() -> None:
    table = Table("people", "Longer than usual", ("who", "stage", "days", "because", "next step"))
    takes = {"Engaged": "Qualified: asks for a demo, for a price, or for a call " * 2, "Lead": "Engaged: reads " * 5}
    for who in "abc":
        for stage, text in takes.items():
            table.add(who, stage, Figure(1, "days"), "longer than nine in ten who left", text)
    found = laid_out(table)
    assert list(found.heads) == ["who", "stage", "days"]
    assert found.aside == [
        "because: longer than nine in ten who left",
        *(f"next step of {stage}: {text}" for stage, text in takes.items()),
    ]


def test_no_link_of_the_one_file_leads_nowhere_over_years(world: World) -> None:
    """Rows in which nothing was are not shown, so those that are come from far down."""
    wanted, given = Wanted(since=START - timedelta(days=3 * 365)), explicit(state="unused")
    reporter = Reporter(world.store, world.pipeline.mapping, given, wanted, world.clock.now())
    text = html_of(reporter, [*REPORTS])
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(re.findall(r' id="([^"]+)"', text))


def test_each_stage_of_the_mapping_opens_who_is_there_also_where_reports_leave_it_out(world: World, site: Site) -> None:
    world.contact("", Name="Nobody Known")
    world.cycle()
    site.after_cycle()
    views = site.looks.look(Wanted())
    hidden = next(each.name for each in world.pipeline.mapping.stages if each.reports == "hidden")
    assert len(views.standing[hidden]) == 1
    reporter = Reporter(world.store, world.pipeline.mapping, explicit(state="unused"), Wanted(), world.clock.now())
    assert re.search(rf"<b>{hidden}</b> · <a href=\"#list-\d+\">1 person</a>", html_of(reporter, ["funnel"]))


def test_the_mapping_says_who_stands_where_it_knows_no_stage(world: World, site: Site, url: str) -> None:
    """As the funnel does: all of them are everybody."""
    text = requests.get(f"{url}/mapping", timeout=90).text
    elsewhere = text.partition("Elsewhere, which the mapping does not know: ")[2].partition("</p>")[0]
    assert elsewhere.count("<a href") == 1
    assert elsewhere.endswith(">1 person</a>")
    standing = site.looks.look(Wanted()).standing
    assert sum(map(len, standing.values())) == len(world.store.existing())


def test_a_list_is_counted_in_plain_words_and_found_people_go_on(world: World, site: Site, url: str) -> None:
    engaged = requests.get(f"{url}/people?stage=Engaged", timeout=90).text
    assert "<p>1 person; as known at" in engaged
    assert "Mapping: Engaged" in engaged
    assert requests.get(f"{url}/people?stage=None+such", timeout=90).text.count("<tr>") == 1
    for number in range(201):
        world.contact(f"many{number}@example.com")
    world.cycle()
    site.looks.changed()
    first = requests.get(f"{url}/find?who=example.com", timeout=90).text
    assert "1 to 200 of 204 people" in first
    [there] = re.findall(r'href="([^"]+)">The next ones', first)
    assert "201 to 204 of 204 people" in requests.get(url + there.replace("&amp;", "&"), timeout=90).text


def test_headings_go_down_step_by_step(world: World, url: str) -> None:
    for where in ("/report/funnel", "/mapping", "/person/ada@example.com"):
        levels = [int(each) for each in re.findall(r"<h(\d)", requests.get(url + where, timeout=90).text)]
        assert levels[0] == 1
        assert all(each <= before + 1 for before, each in pairwise(levels)), where


def test_an_empty_table_says_why_and_no_more(url: str) -> None:
    text = requests.get(f"{url}/report/response", timeout=90).text
    assert "Nobody waits." in text
    assert "hours from hand-off" not in text


@in_a_browser
def test_on_a_phone_people_are_listed_without_scrolling_sideways(page: Page, url: str) -> None:
    page.goto(f"{url}/people?stage=Engaged")
    people = page.get_by_role("region", name="People")
    assert people.evaluate("each => each.scrollWidth <= each.clientWidth")
    assert people.get_by_role("link", name=HOSTILE).is_visible()
    assert people.get_by_text("ada@example.com").is_visible()
