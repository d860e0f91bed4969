"""A practice org ready for use: served, filled, with the marketing systems that stand beside it."""

from __future__ import annotations

import json
import random
import sqlite3
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.routing import BaseRoute

from practice_org.clock import SystemClock
from practice_org.company.build import Size, build_company
from practice_org.company.elsewhere import Elsewhere
from practice_org.company.life import live
from practice_org.company.loader import LoadReport, load_folder
from practice_org.errors import PracticeError
from practice_org.hubspot.system import HubSpot
from practice_org.marketo.system import Marketo
from practice_org.pardot.system import Pardot
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem
from practice_org.serving.server import Server

SYSTEMS = ("pardot", "marketo", "hubspot")  # the marketing systems that can stand beside the org
Tell = Callable[[str], None]
_USUAL = {"EUR": 1.0, "USD": 1.1, "GBP": 0.85, "CHF": 0.95, "JPY": 160.0}  # units for one euro
Wait = Callable[[float | None], bool]  # waits so many seconds (None: for ever); whether the end was asked for


@dataclass(frozen=True)
class Practice:
    """A served practice org, with the marketing systems that stand beside it."""

    org: PracticeOrg
    pardot: Pardot
    url: str
    marketo: Marketo | None = None
    hubspot: HubSpot | None = None
    ca_file: str = ""  # of the authority to trust, with https

    @property
    def elsewhere(self) -> Elsewhere | None:
        """Marketo and HubSpot as the sample company's people know them."""
        beside = self.marketo or self.hubspot
        return Elsewhere(self.org, self.pardot, self.marketo, self.hubspot) if beside else None

    def credentials(self) -> dict[str, str]:
        """What a client needs: the first line that is printed."""
        given = self.org.credentials
        found = {
            "url": self.url,
            "access_token": given.access_token,
            "client_id": given.client_id,
            "client_secret": given.client_secret,
            "username": given.username,
            "private_key_file": str(given.private_key_file),
            "refresh_token": given.refresh_token,
            "pardot_business_unit_id": self.pardot.business_unit_id,
        }
        if self.ca_file:
            found["ca_file"] = self.ca_file
        if self.marketo is not None:
            found |= {"marketo_client_id": self.marketo.client_id, "marketo_client_secret": self.marketo.client_secret}
        return found | ({"hubspot_token": self.hubspot.token} if self.hubspot is not None else {})


@contextmanager
def serve(
    *, port: int = 0, persist: Path | None = None, systems: Collection[str] = ("pardot",), tls: bool = False
) -> Iterator[Practice]:
    """A practice org on a loopback port, closed at the end; ``systems`` of :data:`SYSTEMS` beside it (Account
    Engagement always is); ``tls`` serves https. Raises PracticeError."""
    org = _open(persist)
    try:
        pardot = Pardot(org)
        marketo = Marketo(org) if "marketo" in systems else None
        hubspot = HubSpot(org) if "hubspot" in systems else None
        routes = [route for each in (pardot, marketo, hubspot) if each for route in each.routes]
        with _server(org, routes, port, tls) as server:
            yield Practice(org, pardot, server.url, marketo, hubspot, server.ca_file if tls else "")
    finally:
        org.close()


def _open(persist: Path | None) -> PracticeOrg:
    try:
        return PracticeOrg(str(persist) if persist else ":memory:")
    except sqlite3.Error as error:
        raise PracticeError(
            f"{persist} cannot hold a practice org: {error}",
            "name a file in a folder that can be written, or one that a practice org made",
        ) from None


def _server(org: PracticeOrg, routes: Sequence[BaseRoute], port: int, tls: bool) -> Server:
    try:
        return Server(org, port=port, tls=tls, extra_routes=routes)
    except OSError as error:
        raise PracticeError(
            f"port {port} of 127.0.0.1 cannot be served: {error.strerror}", "use another --port; 0 takes a free one"
        ) from None


def fill(
    practice: Practice,
    *,
    sample: Size | None = None,
    data: Path | None = None,
    tell: Tell = lambda _: None,
    everywhere: bool = True,
) -> Mapping[str, int]:
    """Rows by object of what was loaded: nothing into an org that was kept and has its people already. ``tell`` hears
    how far a long load is; ``everywhere`` fills Marketo and HubSpot, where they are served, with the same people."""
    counts: dict[str, int] = {}
    if any(practice.org.rows(f"SELECT Id FROM {name} LIMIT 1") for name in ("Contact", "Lead")):
        return counts
    if data:
        report: LoadReport = load_folder(practice.org, data, tell)
        counts.update(report.loaded)
    if sample:
        now = SystemClock().now()
        counts.update(build_company(practice.org, practice.pardot, now=now, size=sample))
        if everywhere and practice.elsewhere:
            counts.update(practice.elsewhere.fill(now))
    return counts


def use_currencies(org: PracticeOrg, text: str) -> None:
    """``EUR,JPY=160``: several currencies, the corporate one first; where no rate is said, a usual one. Raises
    PracticeError."""
    named = [part.strip().partition("=") for part in text.split(",")]
    try:
        rates = {code: float(rate) if rate else _USUAL.get(code, 1.0) for code, _, rate in named}
        scale = rates[named[0][0]]
        org.use_currencies({code: rate if said else round(rate / scale, 6) for (code, _, said), rate in
                            zip(named, rates.values(), strict=True)})  # fmt: skip
    except (ValueError, Problem) as error:
        raise PracticeError(f"--currencies {text} is not understood: {error}", "write it like EUR,JPY=160") from None


def serve_until(practice: Practice, *, every: float, wait: Wait, tell: Tell) -> None:
    """Lets the company live, one event every ``every`` seconds (0: none), until ``wait`` says that it ends."""
    dice = random.Random()
    clock = SystemClock()
    elsewhere = practice.elsewhere
    while not wait(every or None):
        for line in live(practice.org, practice.pardot, dice, clock.now(), events=1, elsewhere=elsewhere):
            tell(line)


def announce(practice: Practice) -> None:
    """The one line on stdout: JSON."""
    sys.stdout.write(json.dumps(practice.credentials()) + "\n")
    sys.stdout.flush()
