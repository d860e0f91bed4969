"""A real Chromium (Debian's package), and what is noted of each page that it shows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

CHROMIUM = shutil.which("chromium")
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (apt-get install chromium)")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@dataclass
class Window:
    """A page, what it said on the console, and what it asked for."""

    page: Page
    said: list[str]
    asked: list[str]


@pytest.fixture
def window(browser: Browser) -> Iterator[Window]:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.set_default_timeout(90_000)  # where many tests share few cores
    made = Window(context.new_page(), [], [])

    def says(message: ConsoleMessage) -> None:
        made.said.append(message.text)

    def asks(request: Request) -> None:
        made.asked.append(request.url)

    made.page.on("console", says)
    made.page.on("request", asks)
    yield made
    context.close()


@pytest.fixture
def page(window: Window) -> Page:
    return window.page


def serious(browser: Browser, text: str, scheme: str = "light") -> list[str]:
    """What axe finds in a page, run where its script may."""
    context = browser.new_context(bypass_csp=True, color_scheme="dark" if scheme == "dark" else "light")
    try:
        copy = context.new_page()
        copy.set_content(text)
        found = Axe().run(copy).response["violations"]
        return [f"{each['id']}: {each['help']}" for each in found if each["impact"] in {"serious", "critical"}]
    finally:
        context.close()
