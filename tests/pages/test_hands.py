"""The page by keyboard alone, and on paper."""

from __future__ import annotations

from playwright.sync_api import Browser, Page

from tests.pages.conftest import in_a_browser
from tests.pages.test_page import HOSTILE, site, url, world

__all__ = ["site", "url", "world"]  # the fixtures

FOCUSED = """() => {
    const found = document.activeElement, style = getComputedStyle(found);
    return [found.innerText, found.getAttribute('href') || '', style.outlineStyle];
}"""


def tab_to(page: Page, text: str, where: str = "") -> None:
    """Walks on until a link or field with this text, to this address, has the focus, which is always seen."""
    for _ in range(80):
        page.keyboard.press("Tab")
        said, address, outline = page.evaluate(FOCUSED)
        assert outline != "none", f"{said} does not show that it has the focus"
        if said == text and where in address:
            return
    raise AssertionError(f"no way to {text} by keyboard")


@in_a_browser
def test_a_person_s_evidence_is_reached_by_keyboard_alone(page: Page, url: str) -> None:
    page.goto(url)
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED)[0] == "To the content"
    page.keyboard.press("Enter")
    for text, where in (("1", "row=Engaged"), (HOSTILE, "/person/")):
        tab_to(page, text, where)
        with page.expect_navigation():
            page.keyboard.press("Enter")
    assert page.get_by_role("heading", level=1).inner_text() == HOSTILE
    assert "inbound email click" in page.get_by_role("main").inner_text()


@in_a_browser
def test_on_paper_there_are_the_figures_and_nothing_to_click(browser: Browser, page: Page, url: str) -> None:
    page.goto(url)
    page.emulate_media(media="print")
    assert not page.get_by_role("navigation", name="Reports").is_visible()
    assert not page.get_by_role("search").is_visible()
    assert page.get_by_role("table").first.is_visible()
    assert page.evaluate("[...document.querySelectorAll('.scroll')].every(each => each.clientHeight > 0)")
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF")
    assert 1 <= paper.count(b"/Type /Page\n") + paper.count(b"/Type /Page ") + paper.count(b"/Type/Page/") <= 8
