"""``connector report --html FILE``: all reports, the people behind the numbers and the evidence behind the people, in
one file that asks nobody for anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

from connector.base.clock import Clock, SystemClock
from connector.base.errors import ConfigurationError
from connector.base.json import JsonObject
from connector.base.private import open_private
from connector.base.settings import Settings
from connector.commands.pages.computing import all_listed
from connector.commands.pages.drawing import laid_out, policy, render, style
from connector.commands.pages.views import TITLES, Views
from connector.commands.reporting import REPORTS, Reporter, Wanted
from connector.reports.table import Cell, Figure, Report, Table
from connector.wiring import load_mapping, open_state

_LISTED = 50  # people of one number
_PERSONS = 500  # whose evidence is in the file


class _Anchors:
    """Links into the same file; the lists that they lead to are noted as they are given."""

    most = 200

    is_drawn = False  # from then on nobody is added

    def __init__(self, record: Callable[[str], str]) -> None:
        self.record = record
        self.lists: dict[tuple[str, ...], tuple[str, str, Figure]] = {}
        self.persons: dict[str, str] = {}

    def people(self, report: Report, table: Table, row: Sequence[Cell], column: str, figure: Figure) -> str:
        names = ", ".join(str(cell) for cell in row if isinstance(cell, str))
        return self._list(f"{report.title}: {table.title}, {names}, {column}", figure)

    def standing(self, stage: str, people: Sequence[str]) -> str:
        return self._list(f"{TITLES['mapping']}: {stage}", Figure(len(people), "people", people))

    def _list(self, title: str, figure: Figure) -> str:
        if not figure.people:
            return ""
        key = (*figure.people[:_LISTED], str(len(figure.people)), figure.unit if figure.each else "")
        if key not in self.lists:
            self.lists[key] = (f"list-{len(self.lists) + 1}", title, figure)
            for person in figure.people[:_LISTED]:
                self._note(person)
        return f"#{self.lists[key][0]}"

    def _note(self, person: str) -> None:
        if not self.is_drawn and len(self.persons) < _PERSONS:
            self.persons.setdefault(person, f"person-{len(self.persons) + 1}")

    def person(self, person: str) -> str:
        self._note(person)
        return f"#{self.persons[person]}" if person in self.persons else ""


def html_of(reporter: Reporter, names: Sequence[str]) -> str:
    views = Views(reporter.store, reporter.mapping, reporter.asked, all_listed(reporter.ground))
    anchors = _Anchors(views.link)
    reports = [reporter.report(name) for name in names]
    for report in reports:  # what is linked must be known before anything is drawn
        for table in report.tables:
            for place in chain.from_iterable(laid_out(table).rows[: anchors.most]):
                if isinstance(place.cell, Figure):
                    anchors.people(report, table, place.row, place.column, place.cell)
                elif place.column == "who":
                    anchors.person(place.cell)
    mapping = views.mapping_page(anchors)
    found = {who: told for who in anchors.persons if (told := views.person(who))}
    anchors.persons, anchors.is_drawn = {who: anchors.persons[who] for who in found}, True
    persons = [{**told, "anchor": anchors.persons[who]} for who, told in found.items()]
    lists: list[JsonObject] = [
        {
            "id": anchor,
            "title": title,
            "people": views.people(figure.people[:_LISTED], figure.each[:_LISTED]),
            "unit": figure.unit if figure.each else "",
            "left_off": max(0, len(figure.people) - _LISTED),
        }
        for anchor, title, figure in anchors.lists.values()
    ]
    return render(
        "one_file.html",
        title="Lifecycle reports",
        said=views.said(),
        style=style(),
        policy=policy(),
        tabs=[{"title": TITLES[each], "there": f"#{each}", "here": False} for each in (*names, "mapping")],
        reports=reports,
        mapping=mapping,
        links=anchors,
        lists=lists,
        persons=persons,
    )


def write_html(
    settings: Settings, file: Path, names: Sequence[str], wanted: Wanted, clock: Clock | None = None
) -> None:
    """Raises ConfigurationError where the file cannot be written."""
    clock, mapping = clock or SystemClock(), load_mapping(settings)
    with open_state(settings, clock) as store:
        text = html_of(Reporter(store, mapping, settings, wanted, clock.now()), names or [*REPORTS])
    try:
        with open_private(file) as opened:
            opened.write(text)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}", "name another file") from None
