"""Every figure of the reports, computed again from lists: who stood where from when to when, as SQL reads it from the
state, and what the org itself and the sources hold. It shares nothing with the reports but the definitions of
docs/reports.md.

A figure is told as {(table, row, column): (value, people)}, without those that are nothing.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from connector.reports.table import Figure, Report

DAY, HOUR, WEEK = timedelta(days=1), timedelta(hours=1), timedelta(weeks=1)
WAYS = {"rule": "by rule", "person": "by hand", "first sight": "first sight", "taken over": "taken over"}
Key = tuple[str, ...]
Told = dict[Key, tuple[float, tuple[str, ...]]]


@dataclass(frozen=True)
class Stood:
    """One line of the list."""

    person: str
    stage: str
    since: datetime
    until: datetime | None
    how: str
    by: str
    became: str | None

    def at(self, moment: datetime) -> bool:
        return self.since < moment and (self.until is None or moment <= self.until)


@dataclass
class Human:
    """``person``: what they are called now; ``names``: all they were called; ``stood`` in time."""

    person: str
    stood: list[Stood]
    names: set[str] = field(default_factory=set)

    def first(self, *stages: str) -> datetime | None:
        return min((each.since for each in self.stood if each.stage in stages), default=None)

    @property
    def went(self) -> datetime | None:
        return self.stood[-1].until


@dataclass(frozen=True)
class Lists:
    """What is counted. ``ladder``: the stages of the funnel in order; ``beside``: the others."""

    humans: Sequence[Human]
    ladder: Sequence[str]
    beside: Sequence[str]
    since: datetime
    until: datetime
    now: datetime

    @property
    def stages(self) -> list[str]:
        return [*self.ladder, *self.beside]

    @property
    def before(self) -> datetime:
        return self.since - (self.until - self.since)

    @property
    def mondays(self) -> list[datetime]:
        day = datetime(self.since.year, self.since.month, self.since.day, tzinfo=UTC)
        first = day - self.since.weekday() * DAY
        return [
            first + number * WEEK
            for number in range((self.until - first) // WEEK + 1)
            if first + number * WEEK < self.until
        ]

    def is_in(self, at: datetime | None) -> bool:
        return at is not None and self.since <= at < self.until


def moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def humans_of(state: sqlite3.Connection, ladder: Sequence[str]) -> list[Human]:
    columns = "line, person_id, stage, entered_at, left_at, how, moved_by, became"
    rows = state.execute(f"SELECT {columns} FROM report_stay WHERE track = 'stage'").fetchall()
    lines: dict[str, list[Stood]] = defaultdict(list)
    names: dict[str, set[str]] = defaultdict(set)
    for line, person, stage, entered, left, how, by, became in rows:
        since, until = moment(entered), moment(left)
        assert since is not None
        lines[line].append(Stood(person, stage, since, until and max(since, until), how, by, became))
        names[line] |= {line, person}
    place = {stage: number for number, stage in enumerate(ladder)}
    never = datetime.max.replace(tzinfo=UTC)
    found = []
    for line, stood in lines.items():
        stood.sort(key=lambda each: (each.since, each.until or never, place.get(each.stage, -1)))
        found.append(Human(stood[-1].person, list(_one_after_the_other(stood)), names[line]))
    return found


def _one_after_the_other(stood: Sequence[Stood]) -> Iterator[Stood]:
    """Who is taken over at the same stage stood there all the time."""
    parts: list[list[Stood]] = []
    for each in stood:
        goes_on = parts and parts[-1][-1].stage == each.stage and each.by == "taken over" and parts[-1][-1].until
        parts[-1].append(each) if goes_on else parts.append([each])
    for part in parts:
        first, last = part[0], part[-1]
        yield Stood(last.person, first.stage, first.since, last.until, first.how, first.by, last.became)


def called_now(humans: Sequence[Human]) -> dict[str, str]:
    """Every name that anybody had -> what they, or those who they became, are called now."""
    found = {name: each.person for each in humans for name in each.names}
    heirs = {each.person: each.stood[-1].became for each in humans if each.stood[-1].became}
    for name, person in found.items():
        while heirs.get(person, person) != person:
            person = str(heirs[person])  # noqa: PLW2901 - the next step of the chain
        found[name] = person
    return found


def percentile(values: Iterable[float], part: float) -> float:
    """As PERCENTILE.INC of a spreadsheet."""
    ordered = sorted(values)
    place = part * (len(ordered) - 1)
    below = ordered[int(place)]
    above = ordered[min(int(place) + 1, len(ordered) - 1)]
    return below * (1 - place % 1) + above * (place % 1)


# -- one report each


def funnel(lists: Lists) -> Told:
    told: Told = {}
    for stage in lists.stages:
        there = [_there(lists, stage, at) for at in (lists.until, lists.since)]
        told["stages", stage, "at the end"], told["stages", stage, "at the start"] = map(_people, there)
        told["stages", stage, "change"] = (len(there[0]) - len(there[1]), ())
        came = [
            each for each in lists.humans if any(one.stage == stage and lists.is_in(one.since) for one in each.stood)
        ]
        told["stages", stage, "entered"] = _people(each.person for each in came)
    for number, stage in enumerate(lists.ladder):
        firsts = [(each.person, each.first(*lists.ladder[number:])) for each in lists.humans]
        told["stages", stage, "reached"] = _people(who for who, at in firsts if lists.is_in(at))
        before = [who for who, at in firsts if at is not None and lists.before <= at < lists.since]
        told["stages", stage, "reached before"] = _people(before)
    for table, reading in (("conversion", _through), ("conversion_own", _itself)):
        told |= _conversion(lists, table, reading)
    return told


def _there(lists: Lists, stage: str, at: datetime) -> list[str]:
    return [each.person for each in lists.humans for one in each.stood if one.stage == stage and one.at(at)]


Reading = Callable[[Lists, Human, str], list[datetime]]


def _through(lists: Lists, human: Human, stage: str) -> list[datetime]:
    at = human.first(*lists.ladder[lists.ladder.index(stage) :])
    return [] if at is None else [at]


def _itself(_lists: Lists, human: Human, stage: str) -> list[datetime]:
    return [each.since for each in human.stood if each.stage == stage]


def _conversion(lists: Lists, table: str, reading: Reading) -> Told:
    told: Told = {}
    for number, stage in enumerate(lists.ladder):
        cohorts = []
        for since, until in ((lists.since, lists.until), (lists.before, lists.since)):
            starts = {
                each.person: (each, [at for at in reading(lists, each, stage) if since <= at < until])
                for each in lists.humans
            }
            cohorts.append({who: (each, min(times)) for who, (each, times) in starts.items() if times})
        told[table, stage, "came in"] = _people(cohorts[0])
        for further in lists.ladder[number + 1 :]:
            shares = []
            for cohort in cohorts:
                went = [
                    who
                    for who, (each, start) in cohort.items()
                    if any(start <= at < lists.now for at in reading(lists, each, further))
                ]
                shares.append((len(went) / len(cohort) if cohort else 0.0, tuple(sorted(went))))
            told[table, stage, f"to {further}"] = shares[0]
            if further == lists.ladder[number + 1]:
                told[table, stage, "next step"], told[table, stage, "next step before"] = shares
    return told


def movement(lists: Lists) -> Told:
    found: dict[Key, list[str]] = defaultdict(list)
    for each in lists.humans:
        here = "(new)"
        steps = [(one.since, one.stage, WAYS[one.by]) for one in each.stood]
        for at, stage, way in [*steps, *([(each.went, "(gone)", "")] if each.went else [])]:
            for monday in lists.mondays:
                if monday <= at < min(monday + WEEK, lists.until):
                    week = f"{monday:%Y-%m-%d}"
                    found["weeks", week, stage, "entered"].append(each.person)
                    found["weeks", week, here, "left"].append(each.person)
                    found["weeks", week, stage, way].append(each.person)
            if lists.is_in(at):
                found["matrix", here, f"to {stage}"].append(each.person)
            here = stage
    told = {
        key: _people(who)
        for key, who in found.items()
        if not {"(new)", "(gone)"} & {key[-2] if key[0] == "weeks" else ""}
    }
    for week in (f"{monday:%Y-%m-%d}" for monday in lists.mondays):
        for stage in lists.stages:
            came, left = (len(found["weeks", week, stage, way]) for way in ("entered", "left"))
            told["weeks", week, stage, "balance"] = (came - left, ())
    return told


def ledger(lists: Lists) -> Told:
    """Opening and closing are who stands there; who came and left are the differences between one day and the next."""
    told: Told = {}
    for monday in lists.mondays:
        week, end = f"{monday:%Y-%m-%d}", min(monday + WEEK, lists.until)
        for stage in lists.stages:
            stood = [(each.person, one) for each in lists.humans for one in each.stood if one.stage == stage]
            for name, at in (("opening", monday), ("closing", end)):
                told["weeks", week, stage, name] = _people(who for who, one in stood if one.at(at))
            told["weeks", week, stage, "entered"] = _people(who for who, one in stood if monday <= one.since < end)
            gone = [who for who, one in stood if one.until is not None and monday <= one.until < end]
            told["weeks", week, stage, "left"] = _people(gone)
    return told


def velocity(lists: Lists) -> Told:
    spans: dict[Key, list[tuple[float, str]]] = defaultdict(list)
    for each in lists.humans:
        for one in each.stood:
            if lists.is_in(one.until):
                assert one.until is not None
                spans["in_stage", one.stage, one.how].append(((one.until - one.since) / DAY, each.person))
        steps = [*pairwise(lists.ladder), (lists.ladder[0], lists.ladder[-1])]
        for old, new in steps:
            start, end = each.first(old), each.first(*lists.ladder[lists.ladder.index(new) :])
            if start is not None and end is not None and start <= end and lists.is_in(end):
                first = [
                    next(one for one in each.stood if one.stage == old),
                    next(one for one in each.stood if one.since == end),
                ]
                how = "observed" if all(one.how == "observed" for one in first) else "inferred"
                spans["between", old, new, how].append(((end - start) / DAY, each.person))
    told: Told = {}
    for key, found in spans.items():
        days, who = [each[0] for each in found], tuple(sorted(each[1] for each in found))
        told[*key, "left" if key[0] == "in_stage" else "came"] = (len(found), who)
        told[*key, "median"], told[*key, "90th percentile"] = ((percentile(days, part), who) for part in (0.5, 0.9))
        told[*key, "longest"] = (max(days), ())
    return told


def stuck(lists: Lists, ends: Collection[str]) -> Told:
    told: Told = {}
    for stage in (each for each in lists.stages if each not in ends):
        stays = [(each, one) for each in lists.humans for one in each.stood if one.stage == stage]
        over = [
            (one.until - one.since) / DAY
            for each, one in stays
            if one.until and one.until != one.since and not (one.became and one is each.stood[-1])
        ]
        there = {each.person: (lists.until - one.since) / DAY for each, one in stays if one.at(lists.until)}
        told["stages", stage, "stand there"] = _people(there)
        if len(over) < 5:
            continue
        limit = max(percentile(over, 0.9), 1.0)
        told["stages", stage, "limit"] = (limit, ())
        late = {who: days for who, days in there.items() if days > limit}
        told["stages", stage, "too long"] = _people(late)
        told |= {("people", who, "days"): (days, (who,)) for who, days in late.items()}
        told |= {("people", who, "limit"): (limit, ()) for who in late}
    return told


def response(
    lists: Lists, handed: Sequence[tuple[str, datetime, str]], touched: dict[str, list[datetime]], within: timedelta
) -> Told:
    """``handed``: person, when, the owner's name; ``touched``: person -> when our side called, met or wrote."""
    told: Told = {}
    took = {
        (who, at): next((one - at for one in sorted(touched.get(who, ())) if one >= at), None) for who, at, _ in handed
    }
    groups = {owner: [each for each in handed if each[2] == owner] for owner in sorted({each[2] for each in handed})}
    here = {owner: [each[:2] for each in theirs if lists.is_in(each[1])] for owner, theirs in groups.items()}
    here = {owner: theirs for owner, theirs in here.items() if theirs}
    if len(here) > 1:
        here["all"], groups["all"] = [each for theirs in here.values() for each in theirs], list(handed)
    for owner, theirs in here.items():
        told["owners", owner, "handed off"] = _people(who for who, _ in theirs)
        answers = [(took[each], each[0]) for each in theirs]
        hours = [span / HOUR for span, _ in answers if span is not None]
        people = tuple(sorted(who for span, who in answers if span is not None))
        told["owners", owner, "touched"] = (len(people), people)
        if hours:
            told["owners", owner, "median"] = (percentile(hours, 0.5), people)
            told["owners", owner, "90th percentile"] = (percentile(hours, 0.9), people)
        soon = tuple(sorted(who for span, who in answers if span is not None and span <= within))
        told["owners", owner, "within 24 hours"] = (len(soon) / len(theirs), soon)
        earlier = [each[:2] for each in groups[owner] if lists.before <= each[1] < lists.since]
        early = tuple(sorted(each[0] for each in earlier if (span := took[each]) is not None and span <= within))
        told["owners", owner, "before"] = (len(early) / len(earlier) if earlier else 0.0, early)
        waits = [each for each in theirs if took[each] is None]
        told["owners", owner, "open breaches"] = _people(who for who, at in waits if lists.now - at > within)
    return told


def activities(lists: Lists, done: Iterable[tuple[datetime, str]]) -> Told:
    """``done``: when and what, of everybody who is there."""
    weeks: dict[Key, int] = defaultdict(int)
    for at, what in done:
        if lists.is_in(at):
            monday = max(each for each in lists.mondays if each <= at)
            weeks["activity", f"{monday:%Y-%m-%d}", what, "activities"] += 1
    return {key: (count, ()) for key, count in weeks.items()}


def scores(points: dict[str, float]) -> Told:
    bands = {who: int(score // 10) * 10 for who, score in points.items()}
    return {
        ("scores", f"{band} to {band + 9}", "people"): _people(who for who, one in bands.items() if one == band)
        for band in set(bands.values())
    }


def of_stages(lists: Lists, ends: Collection[str]) -> dict[str, tuple[Told, dict[str, int]]]:
    """Report -> what the lists say of it, and its tables, with how many columns name a row. ``ends``: where nobody is
    stuck."""
    return {
        "funnel": (funnel(lists), {"stages": 1, "conversion": 1, "conversion_own": 1}),
        "movement": (movement(lists), {"weeks": 2, "matrix": 1}),
        "velocity": (velocity(lists), {"in_stage": 2, "between": 3}),
        "stuck": (stuck(lists, ends), {"stages": 1, "people": 1}),
        "ledger": (ledger(lists), {"weeks": 2}),
    }


# -- the two sides compared


def _people(who: Iterable[str]) -> tuple[float, tuple[str, ...]]:
    found = tuple(sorted(who))
    return len(found), found


def of_report(report: Report, **named: int) -> Told:
    """The same of a report. ``named``: table -> how many of its columns, the first ones, say what a row is about."""
    told: Told = {}
    for name, front in named.items():
        table = report.table(name)
        for row in table.rows:
            key = (name, *map(str, row[:front]))
            for column, cell in zip(table.columns, row, strict=True):
                if isinstance(cell, Figure) and cell.value is not None:
                    told[*key, column] = (cell.value, tuple(sorted(cell.people)))
    return told


def differences(ours: Told, theirs: Told) -> list[str]:
    """Figures that are not the same; what is nothing on both sides is none. Longest spans name one of their people."""
    found = []
    for key in sorted({*ours, *theirs}):
        (here, who), (there, them) = ours.get(key, (0.0, ())), theirs.get(key, (0.0, ()))
        are_same = abs(here - there) < 1e-6 and (
            who == them or key[-1] in {"longest", "limit", "activities"} or here == 0
        )
        if not are_same:
            found.append(f"{key}: {here:g} in the lists, {there:g} in the report; {sorted({*who} ^ {*them})[:5]}")
    return found
