"""Pictures of the page, wide and narrow, light and dark, from the sample company: ``make pictures``.

They go into a folder to look at; the one of the README is renewed with ``--readme``. Needs Debian's chromium.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from prometheus_client import CollectorRegistry

from connector.base.clock import SystemClock
from connector.commands.machines import serve_machines
from connector.commands.pages.site import Site
from connector.commands.pages.views import TITLES
from connector.commands.practice import SYSTEMS, add_fields, add_owners, fill, serve
from connector.pipeline.backfill import Scope, run_backfill
from connector.wiring import load_mapping, open_pipeline

README_PICTURE = Path(__file__).parent.parent / "docs" / "page.png"
SIZES = {"wide": (1280, 900), "narrow": (390, 844)}
MAPPING = "customer-lifecycle"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("dist/pictures"), help="the folder for the pictures")
    parser.add_argument("--mapping", default=MAPPING, help="whose stages are shown")
    parser.add_argument("--readme", action="store_true", help=f"renew {README_PICTURE.name}, and nothing else")
    asked = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("no Chromium here; try: apt-get install chromium fonts-dejavu-core")
    state = Path(tempfile.mkdtemp()) / "state.sqlite3"
    with serve(systems=SYSTEMS) as practice:
        settings = practice.settings(state=str(state), mapping=asked.mapping, http_port=0)
        mapping = load_mapping(settings)
        add_fields(practice.org, mapping)
        add_owners(practice.org, mapping)
        fill(practice, sample="small")
        with open_pipeline(settings) as pipeline:
            run_backfill(pipeline, Scope())
            site = Site(pipeline.store, mapping, settings, SystemClock(), patience=600)
            beat = state.with_suffix(".heartbeat")
            with (
                serve_machines(settings, CollectorRegistry(), beat, SystemClock(), site.routes) as url,
                sync_playwright() as driver,
            ):
                browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                if asked.readme:
                    _shoot(browser, f"{url}/report/funnel", README_PICTURE, "wide", "light", whole=False)
                else:
                    _shoot_all(browser, str(url), asked.out, min(pipeline.store.existing()))
                browser.close()


def _shoot_all(browser: Browser, url: str, out: Path, somebody: str) -> None:
    out.mkdir(parents=True, exist_ok=True)
    pages = {each: each if each == "mapping" else f"report/{each}" for each in TITLES}
    pages |= {"people": "find?who=an", "person": f"person/{somebody}"}
    for name, path in pages.items():
        for size in SIZES:
            for scheme in ("light", "dark"):
                _shoot(browser, f"{url}/{path}", out / f"{name}-{size}-{scheme}.png", size, scheme)


def _shoot(browser: Browser, url: str, path: Path, size: str, scheme: str, *, whole: bool = True) -> None:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    answer = page.goto(url, wait_until="load")
    if answer is None or not answer.ok:
        sys.exit(f"{url} answered {answer and answer.status}")
    page.screenshot(path=path, full_page=whole)
    context.close()
    print(path)


if __name__ == "__main__":
    main()
