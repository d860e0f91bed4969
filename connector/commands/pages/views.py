"""What stands on each page, as plain values for the templates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cached_property
from itertools import zip_longest
from pathlib import PurePath
from typing import Protocol

from connector.base.facts import Stay
from connector.base.json import JsonMap, JsonObject
from connector.commands.explain import explain_now
from connector.commands.explain_text import (
    condition_in_words,
    found_in_words,
    known_as,
    said_of_entry,
    told_once,
)
from connector.commands.ground import called_today
from connector.commands.pages.computing import UNLISTED, Everybody
from connector.commands.pages.drawing import safe_link
from connector.commands.reporting import stages_of
from connector.commands.screen import NONE
from connector.lifecycle.model import Step
from connector.lifecycle.values import fold
from connector.mapping import CompiledMapping
from connector.pipeline.signed_in import known_address
from connector.reports.paths import A_DAY, BUT_GONE, Asked, by_whom, name_of, paths_of
from connector.reports.table import Cell, Figure, Report, Table
from connector.store import Store

TITLES = {
    "funnel": "Funnel",
    "movement": "Movement",
    "velocity": "Velocity",
    "response": "Response",
    "stuck": "Stuck",
    "engagement": "Engagement",
    "repair": "Repair",
    "ledger": "Ledger",
    "health": "Health",
    "mapping": "Mapping",
}
_RECORD_ID = 18  # characters
_OUTCOMES = {
    "written": "",
    "refused": "refused by Salesforce",
    "changed": "changed by somebody since",
    "waiting": "waiting to be written",
}
BETWEEN_KEYS = " | "
MOST = 300  # rows of a table, and of a person's timeline


class Links(Protocol):
    """Where numbers and people lead; "" for nowhere."""

    most: int

    def people(self, report: Report, table: Table, row: Sequence[Cell], column: str, figure: Figure) -> str: ...
    def standing(self, stage: str, people: Sequence[str]) -> str: ...
    def person(self, person: str) -> str: ...
    def record(self, record: str) -> str: ...


class Views:
    """One look at the state."""

    def __init__(self, store: Store, mapping: CompiledMapping, asked: Asked, everybody: Everybody) -> None:
        self.store, self.mapping, self.period, self.now = store, mapping, asked.period, asked.now
        self.everybody = everybody
        self.reports: dict[str, Report] = {}

    @cached_property
    def address(self) -> str:
        return known_address(self.store)

    def said(self) -> str:
        since, until = self.period
        return f"{since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC, as known at {self.now:%Y-%m-%d %H:%M} UTC"

    def said_now(self) -> str:
        """Of what has no period."""
        return f"as known at {self.now:%Y-%m-%d %H:%M} UTC"

    def people(self, ids: Sequence[str], measured: Sequence[float] = ()) -> list[JsonObject]:
        """Rows of a list of people; ``measured``: a number of each."""
        return [
            {
                "id": person,
                **self.everybody.get(person, UNLISTED)._asdict(),
                "measured": "" if number is None else f"{number:,.1f}",
            }
            for person, number in zip_longest(ids, measured)
        ]

    def called(self, text: str) -> list[str]:
        """Ids of whoever is meant: by record id or address, or else by a part of the name or address."""
        found = self.store.find_people(text)
        if found or not text.strip():
            return found
        part = fold(text)
        return [each for each, told in self.everybody.items() if part in fold(told.name) or part in fold(told.email)]

    def person(self, person_id: str) -> JsonObject | None:
        """None where nobody is called so."""
        ids = self.store.find_people(person_id)
        if not ids:
            return None
        told = explain_now(self.store, ids[0], self.mapping, self.now)
        path = next(iter(paths_of(called_today(self.store.stays_of(told["person"]), self.mapping))), None)
        also = [("one person with", ", ".join(known_as(told)))]
        return {
            "id": told["person"],
            "name": told["name"] or told["email"] or told["person"],
            "email": told["email"],
            "link": self.link(told["person"]),
            "also": [each for each in also if each[1]],
            "tracks": [self._track(each, told["owners"]) for each in sorted(told["decided"], key=_stage_first)],
            "stays": [_stay_row(each, self.now) for each in path.stays] if path else [],
            "rules": _rules(told["now"]["tracks"]),
            "timeline": [
                (
                    each["at"][:16].replace("T", " "),
                    each["source"],
                    f"{each['direction']} {each['kind']}" + ("" if each["counts"] else ", left out"),
                    each["name"],
                )
                for each in told["timeline"][:MOST]
            ],
            "history": [
                (
                    str(each["at"])[:19].replace("T", " "),
                    each["track"],
                    _value(each["old"], told["owners"]),
                    _value(each["new"], told["owners"]),
                    each["rule"],
                    said_of_entry(each),
                )
                for each in told["history"][:MOST]
            ],
        }

    def link(self, record: str) -> str:
        return safe_link(self.address, record) if len(record) == _RECORD_ID else ""

    def _track(self, track: JsonMap, owners: JsonMap) -> JsonObject:
        stands = track["in_salesforce"] if "in_salesforce" in track else track["stands"] or track["value"]
        outcome = track.get("outcome", "")
        more = f": {track['code']} {track['message']}" if outcome == "refused" else ""
        return {
            "name": track["track"],
            "stands": _value(stands, owners),
            "reason": track["reason"],
            "outcome": f"{_OUTCOMES.get(outcome, outcome)}{more}",
            "tone": "bad" if outcome == "refused" else "note",
            "evidence": [
                {
                    "text": each["text"],
                    "ref": each["ref"],
                    "at": str(each["at"] or "")[:16].replace("T", " "),
                    "link": self.link(str(each["ref"])),
                }
                for each in told_once(track["evidence"])
            ],
        }

    @cached_property
    def standing(self) -> dict[str, list[str]]:
        """Stage -> who is there now."""
        found: dict[str, list[str]] = defaultdict(list)
        for person, told in self.everybody.items():
            found[told.stage].append(person)
        return found

    def mapping_page(self, links: Links) -> JsonObject:
        steps = [
            {
                "name": step.name,
                "funnel": step.funnel,
                "hidden": step.reports == "hidden",
                "description": step.description,
                "count": len(self.standing[step.name]),
                "there": links.standing(step.name, self.standing[step.name]),
                "nothing": _nothing(step, {move.to for move in self.mapping.model.stage.moves}),
                "rules": [{"name": rule.name, "when": rule.when.said, "line": rule.line} for rule in step.rules],
            }
            for step in self.mapping.stages
        ]
        every = stages_of(self.mapping, hidden=True)
        known = {*every.funnel, *every.beside}
        moves = [
            (move.name, ", ".join(move.origins) or "anywhere", move.to, move.when.said)
            for move in self.mapping.model.stage.moves
        ]
        tests = [(name, f"{PurePath(file).name}, line {line}") for name, file, line in self.mapping.examples]
        return {
            "name": self.mapping.name,
            "version": self.mapping.version,
            "steps": steps,
            "others": [
                {"name": each, "count": len(who), "there": links.standing(each, who)}
                for each, who in sorted(self.standing.items())
                if who and each and not each.endswith(BUT_GONE) and each not in known
            ],
            "moves": moves,
            "tests": tests,
            "differs": list(self.mapping.differs),
        }


def _stage_first(track: JsonMap) -> tuple[bool, bool]:
    return track["track"] != "stage", track["track"] != "status"


def _nothing(step: Step, moved_to: Collection[str]) -> str:
    if step.name in moved_to:
        return "by the moves below, or set by people" if step.set_by == "people" else "by the moves below"
    return "set by people" if step.set_by == "people" else "no rule of this mapping leads here"


def _stay_row(stay: Stay, now: datetime) -> tuple[str, ...]:
    left = "" if stay.left is None else f"{stay.left:%Y-%m-%d %H:%M}"
    spent = ((stay.left or now) - stay.entered) / A_DAY
    return name_of(stay.stage), f"{stay.entered:%Y-%m-%d %H:%M}", left, f"{spent:,.1f}", stay.how, by_whom(stay)


def _rules(tracks: Sequence[JsonMap]) -> list[tuple[str, ...]]:
    return [
        (
            track["track"],
            rule["to"],
            condition_in_words(rule),
            "yes" if rule["matched"] else "no",
            found_in_words(rule),
            "" if rule["matched"] else str(rule.get("would_change", "")),
        )
        for track in tracks
        for rule in (*track["rules"], *track["moves"])
    ]


def _value(value: object, owners: JsonMap) -> str:
    return NONE if value is None or value == "" else str(owners.get(str(value), value))


def find_figure(report: Report, table: str, row: str, column: str) -> Figure | None:
    """The number that a link names."""
    for each in report.tables:
        if each.name == table and column in each.columns:
            for cells in each.rows:
                figure = cells[each.columns.index(column)]
                if key_of(cells) == row and isinstance(figure, Figure):
                    return figure
    return None


def key_of(row: Sequence[Cell]) -> str:
    """What tells a row from the others."""
    return BETWEEN_KEYS.join(cell for cell in row if isinstance(cell, str))
