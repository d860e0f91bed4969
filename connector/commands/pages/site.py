"""The page as the daemon serves it. Read only."""

from __future__ import annotations

import hmac
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from connector.base.clock import Clock
from connector.base.errors import ConfigurationError, ConnectorError
from connector.base.json import JsonMap, JsonObject
from connector.base.settings import Settings
from connector.base.text import count
from connector.commands.asking import NOT_APART
from connector.commands.options import condition_of, date_of, end_of
from connector.commands.pages.computing import Computing, Here
from connector.commands.pages.drawing import policy, render, style
from connector.commands.pages.looks import A_CLICK, WHAT_MOST_ASK, Looks, StillComputing
from connector.commands.pages.views import BETWEEN_KEYS, MOST, TITLES, Views, find_figure, key_of
from connector.commands.reporting import REPORTS, WEEKS, Wanted
from connector.mapping import CompiledMapping
from connector.pipeline.cycle import Pipeline
from connector.reports.table import Cell, Figure, Report, Table
from connector.store import Store

_ASKED = ("since", "until", "by", "where")
_PAGE = 200  # people of a list
_MONTHS = 12  # that a link leads to
_AGAIN = 2  # seconds until the browser asks again for what is being computed
_OF_NOW = frozenset({"repair"})  # reports that have no period
_NOTHING: JsonMap = {}
_UNMEASURED = Figure(None)
_Answer = Callable[[Request], Response]


class Site:
    """Serves what the state of a pipeline says."""

    def __init__(
        self,
        store: Store,
        mapping: CompiledMapping,
        settings: Settings,
        clock: Clock,
        patience: float = A_CLICK,
        computing: Computing | None = None,
    ) -> None:
        """``patience``: seconds that a click waits for what is being computed. ``computing``: by whom, if not here."""
        self._store, self._settings = store, settings
        self._token: str | None = None
        self._last_cycle: int | None = None
        self.looks = Looks(computing or Here(store, settings), store, mapping, clock, patience)

    def take(self, pipeline: Pipeline) -> None:
        """Another mapping."""
        self.looks.take(pipeline.mapping)

    def after_cycle(self) -> None:
        """Notes whether figures may have changed; after the first cycle, prepares what is looked at first."""
        last = next(iter(self._store.cycles(1)), None)
        if last is None or last["id"] == self._last_cycle:
            return
        is_first, self._last_cycle = self._last_cycle is None, last["id"]
        report = last.get("report") or {}
        if report.get("people_decided") or any((report.get("facts_changed") or {}).values()):
            self.looks.changed()
        if is_first:
            self.looks.prepare(["funnel"])

    def routes(self, token: str | None) -> list[Route]:
        """``token``: None where only this machine is served."""
        self._token = token
        pages: dict[str, _Answer] = {
            "/report/{name}": self._report,
            "/people": self._people,
            "/find": self._find,
            "/person/{person:path}": self._person,
            "/mapping": self._mapping_page,
        }
        guarded = [Route(path, self._guarded(answer)) for path, answer in pages.items()]
        return [Route("/", self._guarded(lambda _request: RedirectResponse("/report/funnel"))), *guarded]

    def _guarded(self, answer: _Answer) -> _Answer:
        def guarded(request: Request) -> Response:
            refused = self._refusal(request)
            if refused is not None:
                return refused
            try:
                response = answer(request)
            except StillComputing as error:
                response = self._message(error.what, error.hint, "", 503)
                response.headers.update({"Refresh": str(_AGAIN), "Retry-After": str(_AGAIN)})
            except ConfigurationError as error:
                response = self._message("That cannot be shown", error.what, error.hint, 400)
            except ConnectorError as error:
                response = self._message("Not now", error.what, error.hint, 503)
            response.headers.update(
                {
                    "Content-Security-Policy": f"{policy()}; frame-ancestors 'none'",
                    "Cache-Control": "no-store",
                    "Referrer-Policy": "no-referrer",
                    "X-Content-Type-Options": "nosniff",
                }
            )
            return response

        return guarded

    def _refusal(self, request: Request) -> Response | None:
        """Without a token only this machine is served, under its own names: a page elsewhere could else point a name of
        its own here, and read along."""
        if self._token is None:
            host = request.url.hostname or ""
            names = {"localhost", "127.0.0.1", "::1", self._settings.http_host}
            return None if host in names else PlainTextResponse("unknown host name\n", 421)
        if hmac.compare_digest(_given(request).encode(), self._token.encode()):
            return None
        realm = {"WWW-Authenticate": 'Basic realm="lifecycle connector: any name, and the token as the password"'}
        return PlainTextResponse("a token is needed\n", 401, realm)

    def _html(
        self, template: str, title: str, here: str, status: int = 200, asked: JsonMap = _NOTHING, **values: object
    ) -> Response:
        """``asked``: the period and the people that every tab goes on with."""
        tabs = [
            {
                "title": TITLES[each],
                "there": _with(f"/report/{each}", asked) if each != "mapping" else "/mapping",
                "here": each == here,
            }
            for each in (*REPORTS, "mapping")
        ]
        given = {"said": "", "who": "", "asked": asked, **values}
        text = render(template, title=title, tabs=tabs, style=style(), policy=policy(), **given)
        return HTMLResponse(text, status_code=status)

    def _message(self, title: str, what: str, hint: str, status: int) -> Response:
        return self._html("message.html", title, "", status, what=what, hint=hint)

    def _report(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in REPORTS:
            return self._message("There is no such report", name, f"there are {', '.join(REPORTS)}", 404)
        wanted, asked = _wanted(request)
        views = self.looks.look(wanted, name)
        report = views.reports[name]
        action, links = request.url.path, _Addresses(views, asked)
        said = views.said_now() if name in _OF_NOW else views.said()
        return self._html(
            "report.html", TITLES[name], name, asked=asked, said=said, report=report, links=links, action=action,
            periods=[] if name in _OF_NOW else list(_periods(action, asked, views.now)),
            is_of_people=name not in NOT_APART,
        )  # fmt: skip

    def _people(self, request: Request) -> Response:
        """Behind a number, or at a stage now."""
        wanted, asked = _wanted(request)
        query = request.query_params
        name, table, row, column = (query.get(each, "") for each in ("report", "table", "row", "column"))
        views = self.looks.look(wanted, name if name in REPORTS else "")
        if stage := query.get("stage", ""):
            return self._list(request, views, f"{TITLES['mapping']}: {stage}", "mapping", views.standing[stage])
        figure = find_figure(views.reports[name], table, row, column) if name in REPORTS else None
        if figure is None:
            return self._message("Nobody is behind that any more", row, "go back to the report, and choose again", 404)
        title = f"{TITLES[name]}: {row.replace(BETWEEN_KEYS, ', ')}, {column}"
        return self._list(request, views, title, name, figure.people, views.said(), figure, asked)

    def _list(
        self,
        request: Request,
        views: Views,
        title: str,
        here: str,
        people: Sequence[str],
        said: str = "",
        figure: Figure = _UNMEASURED,
        asked: JsonMap = _NOTHING,
        who: str = "",
    ) -> Response:
        """A page of them at a time; ``figure``: what was measured of each."""
        query = request.query_params
        start = int(query["from"]) if query.get("from", "").isdecimal() else 0
        part = slice(start, start + _PAGE)
        shown = views.people(people[part], figure.each[part])
        end, number = start + len(shown), count(len(people), "person", "people")
        further = f"{request.url.path}?{urlencode({**dict(query), 'from': end})}" if end < len(people) else ""
        told = number if len(shown) == len(people) else f"{start + 1:,} to {end:,} of {number}" if shown else "nobody"
        return self._html(
            "people.html", title, here, asked=asked, who=who, people=shown, links=_Addresses(views, asked),
            said=f"{told}; {said or views.said_now()}", further=further, unit=figure.unit if figure.each else "",
        )  # fmt: skip

    def _find(self, request: Request) -> Response:
        views, who = self.looks.look(WHAT_MOST_ASK), request.query_params.get("who", "").strip()
        found, links = views.called(who), _Addresses(views)
        if len(found) == 1 and (there := links.person(found[0])):
            return RedirectResponse(there)
        if not found:
            hint = "write a part of the name or of the e-mail address, or the id of the record"
            return self._message("Nobody is called that", who, hint, 404)
        return self._list(request, views, "People", "", found, f"“{who}” is in their name or e-mail address", who=who)

    def _person(self, request: Request) -> Response:
        views = self.looks.look(WHAT_MOST_ASK)
        person = views.person(request.path_params["person"])
        if person is None:
            return self._message(
                "Nobody is called that", request.path_params["person"], "look in a report's lists", 404
            )
        links = _Addresses(views)
        return self._html(
            "person.html", str(person["name"]), "", said="as the next cycle sees them", person=person, links=links
        )

    def _mapping_page(self, _request: Request) -> Response:
        views = self.looks.look(WHAT_MOST_ASK)
        links = _Addresses(views)
        told = views.mapping_page(links)
        return self._html("mapping.html", "Mapping", "mapping", said=views.said_now(), mapping=told, links=links)


class _Addresses:
    """Links to other pages, which ask for the same period and people."""

    most = MOST

    def __init__(self, views: Views, asked: JsonMap = _NOTHING) -> None:
        self._asked = {name: value for name, value in asked.items() if value}
        self.record = views.link

    def people(self, report: Report, table: Table, row: Sequence[Cell], column: str, figure: Figure) -> str:
        if not figure.people:
            return ""
        named = {"report": report.name, "table": table.name, "row": key_of(row), "column": column}
        return f"/people?{urlencode({**self._asked, **named})}"

    def standing(self, stage: str, people: Sequence[str]) -> str:
        return f"/people?{urlencode({'stage': stage})}" if people else ""

    def person(self, person: str) -> str:
        return f"/person/{person}" if person[:3].isalnum() and " " not in person else ""


def _with(path: str, asked: JsonMap) -> str:
    given = {name: value for name, value in asked.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def _periods(path: str, asked: JsonMap, now: datetime) -> Iterator[JsonObject]:
    """The usual one, then this month and those before it."""
    others = {name: asked[name] for name in ("by", "where")}
    yield {
        "title": f"{WEEKS} weeks",
        "there": _with(path, others),
        "here": not asked["since"] and not asked["until"],
    }
    first = now.date().replace(day=1)
    for _ in range(_MONTHS):
        last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        given = {"since": f"{first:%Y-%m-%d}", "until": f"{last:%Y-%m-%d}"}
        yield {
            "title": f"{first:%b}" if first.year == now.year else f"{first:%b %Y}",
            "there": _with(path, {**given, **others}),
            "here": given.items() <= asked.items(),
        }
        first = (first - timedelta(days=1)).replace(day=1)


def _given(request: Request) -> str:
    """The token, as a bearer's or as the password that a browser asks for."""
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return shown.strip()
    try:
        return b64decode(shown, validate=True).decode().partition(":")[2] if scheme.lower() == "basic" else ""
    except (NotBase64, UnicodeDecodeError):
        return ""


def _wanted(request: Request) -> tuple[Wanted, JsonObject]:
    """Raises ConfigurationError for what cannot be asked."""
    asked = {name: request.query_params.get(name, "").strip() for name in _ASKED}
    wanted = Wanted(
        since=date_of(asked["since"] or None),
        until=end_of(asked["until"] or None),
        by=asked["by"],
        where=tuple(condition_of(each) for each in asked["where"].split(";") if each.strip()),
    )
    return wanted, dict(asked)
