"""``connector report``: the state and the mapping become what a report is computed from. Reads the state; only
``--verify`` asks Salesforce."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from connector.base.clock import Clock, SystemClock
from connector.base.errors import ConfigurationError
from connector.base.facts import PEOPLE, Direction, Person
from connector.base.json import JsonMap, JsonObject
from connector.base.settings import Settings
from connector.commands.asking import NOT_APART, OF_NOW, limits_of, meets, told_with, unmet, with_attribute
from connector.commands.ground import Ground, tracks_of
from connector.commands.status import grouped
from connector.commands.verifying import verified
from connector.lifecycle.handoff import WORKED_ON
from connector.lifecycle.values import fold
from connector.mapping import CompiledMapping
from connector.reports import ledger as books
from connector.reports.compared import with_before
from connector.reports.engagement import Inbound, Origin, engagement_report, reached_anywhere
from connector.reports.funnel import funnel
from connector.reports.health import health_report
from connector.reports.movement import movement
from connector.reports.paths import Asked, Path, Period, Stages, stages_in, where
from connector.reports.repair import repair
from connector.reports.response import Handed, answered_at, response
from connector.reports.table import Report, side_by_side
from connector.reports.velocity import stuck, velocity
from connector.store import Store
from connector.wiring import load_mapping, open_state

WEEKS = 13  # of a period that nobody asked for
_BATCH = 2000  # people
_INSTANT = timedelta(microseconds=1)  # what was settled now is in it


@dataclass(frozen=True)
class Wanted:
    """What a report is asked for. ``where``: ("owner", "=" or "!=", "Anna"). ``limits``: stage -> how long.
    ``compare``: with the period before."""

    since: datetime | None = None
    until: datetime | None = None
    by: str = ""
    where: tuple[tuple[str, str, str], ...] = ()
    hidden: bool = False
    limits: tuple[tuple[str, timedelta], ...] = ()
    within: timedelta = timedelta(hours=24)
    verify: bool = False
    compare: bool = False


class Reporter:
    """Reads what reports need, once, whichever of them are asked for."""

    def __init__(
        self,
        store: Store,
        mapping: CompiledMapping,
        settings: Settings,
        wanted: Wanted,
        now: datetime,
        ground: Ground | None = None,
    ) -> None:
        """``ground``: shared with reports of other periods and people."""
        self.store, self.mapping, self.settings, self.wanted = store, mapping, settings, wanted
        self._now, self.ground = now, ground or Ground(store, mapping)
        self.owners = self.ground.owners

    def report(self, name: str) -> Report:
        report = self._report(name)
        if self.wanted.compare and name not in OF_NOW:
            report = with_before(report, self._before._report(name))
        notes = [*self._unmet, *told_with(name, self.wanted.by, compare=self.wanted.compare)]
        return replace(report, notes=notes)

    @cached_property
    def _unmet(self) -> list[str]:
        return list(unmet(self.wanted.where, self.rows.values(), self._lonely_deals)) if self.wanted.where else []

    @cached_property
    def _before(self) -> Reporter:
        since, until = self.asked.period.before
        wanted = replace(self.wanted, since=since, until=until, compare=False)
        return Reporter(self.store, self.mapping, self.settings, wanted, self._now, self.ground)

    def _report(self, name: str) -> Report:
        make = REPORTS[name]
        if self.wanted.by and name not in NOT_APART:
            groups: dict[str, list[Path]] = defaultdict(list)
            for each in self.paths:
                groups[self.value_of(each.person, self.wanted.by) or "(none)"].append(each)
            parts = [(value, make(self, paths)) for value, paths in sorted(groups.items())]
            return side_by_side(make(self, self.paths), self.wanted.by, parts)
        return make(self, self.paths)

    # -- what was asked

    @cached_property
    def asked(self) -> Asked:
        return asked_of(self.mapping, self.wanted, self._now)

    @cached_property
    def paths(self) -> list[Path]:
        every = self.ground.paths
        return (
            [each for each in every if self._is_meant(self.rows.get(each.person, {}))] if self.wanted.where else every
        )

    @cached_property
    def _meant(self) -> Set[str]:
        """Of who is there now."""
        everybody = self.ground.existing
        return (
            {each for each in everybody if self._is_meant(self.rows.get(each, {}))} if self.wanted.where else everybody
        )

    def _is_meant(self, row: JsonMap) -> bool:
        """Of a person or an opportunity."""
        return meets(row, self.wanted.where)

    def value_of(self, person: str, name: str) -> str:
        return where(self.rows, person, name)

    @cached_property
    def rows(self) -> dict[str, JsonObject]:
        """Raises ConfigurationError where a field is asked for that nobody has."""
        rows = self.ground.rows
        asked = [self.wanted.by, *(each[0] for each in self.wanted.where)]
        for name in (each for each in asked if each):
            rows = with_attribute(rows, name, self.mapping.attributes.get(name.casefold(), {}))
            if rows and not any(where({"": row}, "", name) for row in rows.values()):
                raise ConfigurationError(
                    f"nobody has a value for {name}",
                    "use object, owner, account, lead source, or an attribute or field that the mapping reads",
                )
        return rows

    # -- one report each

    def funnel(self, paths: Sequence[Path]) -> Report:
        return funnel(paths, self.asked)

    def movement(self, paths: Sequence[Path]) -> Report:
        return movement(paths, self.asked)

    def velocity(self, paths: Sequence[Path]) -> Report:
        return velocity(paths, self.asked)

    def stuck(self, paths: Sequence[Path]) -> Report:
        return stuck(paths, self.asked, self.rows, self._limits)

    @cached_property
    def _limits(self) -> Mapping[str, timedelta]:
        return limits_of(self.wanted.limits, self.asked.stages, stages_in(self.ground.paths))

    def response(self, paths: Sequence[Path]) -> Report:
        theirs = {each.person for each in paths}
        handed = [each for each in self.handed_off if each.person in theirs]
        return response(handed, self.asked, self.wanted.within, self.rows)

    @cached_property
    def handed_off(self) -> list[Handed]:
        """Until the end of the period; who is called otherwise today goes by today's name."""
        lines = {each.person: each.line for each in self.ground.stays}
        now_called = {each.line: each.person for each in self.ground.stays}
        once: dict[tuple[str, datetime], JsonObject] = {}
        for each in self.store.hand_offs():
            called = str(each["person"])
            person = now_called.get(lines.get(called, ""), called)
            once[person, datetime.fromisoformat(each["at"])] = each
        found = {key: each for key, each in once.items() if key[1] < self.asked.period.until}
        touches = self._touches(sorted({person for person, _ in found}))
        return [
            Handed(
                person, at, self.owners.get(str(each["to"]), str(each["to"] or "")), answered_at(at, touches[person])
            )
            for (person, at), each in sorted(found.items())
        ]

    def _touches(self, people: Sequence[str]) -> dict[str, list[datetime]]:
        """When our side called, met or wrote."""
        found: dict[str, list[datetime]] = defaultdict(list)
        for person in self._facts(people):
            found[person.id] = [
                each.occurred_at
                for each in person.activities
                if each.source == "salesforce" and each.direction is Direction.OUTBOUND and each.kind in WORKED_ON.kinds
            ]
        return found

    def _facts(self, people: Sequence[str]) -> Iterator[Person]:
        for start in range(0, len(people), _BATCH):
            yield from self.store.facts_of(people[start : start + _BATCH], around=frozenset())

    def engagement(self, paths: Sequence[Path]) -> Report:
        theirs = {each.person for each in paths}
        scores = {person: self._scores[person] for person in theirs & self._scores.keys()}
        origins = {person: self._origins[person] for person in theirs & self._origins.keys()}
        return engagement_report(paths, self.asked, scores, self._inbound(paths), origins)

    def _inbound(self, paths: Sequence[Path]) -> Inbound:
        """What several of them share is counted once."""
        did: dict[tuple[str, str], tuple[str, str, str]] = {}
        whose: dict[tuple[str, str, str], dict[str, None]] = defaultdict(dict)
        for path in paths:
            for key, what in self._did.get(path.person, {}).items():
                did[key] = what
                whose[what][path.person] = None
        return [(*what, number, tuple(whose[what])) for what, number in sorted(Counter(did.values()).items())]

    @cached_property
    def _scores(self) -> dict[str, str]:
        return {
            person: str(each["value"] or each["stands"] or "")
            for person, each in self.store.tracks_now("score").items()
            if person in self.ground.existing
        }

    @cached_property
    def _origins(self) -> dict[str, Origin]:
        """Of whoever reached a stage in the period."""
        return {
            each.id: Origin(self.value_of(each.id, "lead source"), _touched(self._counting(each)))
            for each in self._facts(reached_anywhere(self.paths, self.asked))
        }

    @cached_property
    def _did(self) -> dict[str, dict[tuple[str, str], tuple[str, str, str]]]:
        """Person -> source and id -> day, source and kind of what they did in the period; only what counts when they
        are decided. What several of them share is told of each."""
        period, theirs = self.asked.period, {each.person for each in self.paths} & self.ground.existing
        who = [each for each in self.store.people_who_did(period.since, period.until) if each in theirs]
        return {
            person.id: {
                (each.source, each.id): (f"{each.occurred_at:%Y-%m-%d}", each.source, each.kind)
                for each in self._counting(person).activities
                if each.direction is Direction.INBOUND and period.has(each.occurred_at)
            }
            for person in self._facts(who)
        }

    def _counting(self, person: Person) -> Person:
        return self.mapping.programs[person.object].counting(person)

    def repair(self, _paths: Sequence[Path]) -> Report:
        """Deals by what their own records say; lines of files are nobody's, and always told."""
        deals = [each for each in self._lonely_deals if self._is_meant(each)]
        meant = self._meant
        unknown: dict[str, dict[str, list[str]]] = {}
        held: dict[str, list[str]] = {}
        for name in ("stage", "status"):
            known = {fold(value) for value in values_of(self.mapping, name)}
            strange: dict[str, list[str]] = defaultdict(list)
            held[name] = []
            for person, each in sorted(self.store.tracks_now(name).items()):
                if known and each["stands"] and fold(each["stands"]) not in known and person in meant:
                    strange[each["stands"]].append(person)
                if (each["memory"].get("hold") or {}).get("by") == "person" and person in meant:
                    held[name].append(person)
            unknown[name] = strange
        refused = [each for each in self.store.set_aside(None) if each["person_id"] in meant or not self.wanted.where]
        whose = {each["record_id"]: each["person_id"] for each in refused}
        groups = [{**each, "people": [whose[record] for record in each["records"]]} for each in grouped(refused)]
        return repair(deals, groups, unknown, held, _quarantined(self.settings))

    @cached_property
    def _lonely_deals(self) -> list[JsonObject]:
        """Those without a contact role, with the owner's name as "owner"."""
        return [
            {**each, "owner": self.owners.get(str(each.get("OwnerId")), str(each.get("OwnerId") or ""))}
            for each in self.store.deals_without_roles()
        ]

    def health(self, paths: Sequence[Path]) -> Report:
        period = self.asked.period
        days = [
            period.until.date() - timedelta(days=back)
            for back in range(min(14, (period.until - period.since).days + 1))
        ]
        calls = {day: {api: sum(made.values()) for api, made in self.store.calls_on(day).items()} for day in days}
        cycles = self.store.cycles_between(period.since, period.until)
        return health_report(paths, self.asked, cycles, calls, self.settings.api_daily_budget)

    def ledger(self, paths: Sequence[Path]) -> Report:
        """With all stages. What Salesforce counts is of everybody."""
        asked = self.asked._replace(stages=stages_of(self.mapping, hidden=True))
        wrong = self._wrong()
        if self.wanted.where:
            wrong = [each for each in wrong if self._is_meant(self.rows.get(each.person, {}))]
        checked = [each for each in books.CHECKS if each != "Salesforce"]
        if self.wanted.verify:
            wrong += self._verified()
            checked.append("Salesforce")
        return books.ledger(paths, asked, wrong, checked)

    def _wrong(self) -> list[books.Wrong]:
        """Whoever differs between our own books."""
        stays, paths, accepts = self.ground.stays, self.ground.paths, accepting(self.mapping)
        tracks, waiting = self.store.tracks_now("stage"), set(self.store.dirty())
        fields = self.mapping.writes.get("stage", {})
        values = {
            person: str(row.get(fields[row["object"]]) or "")
            for person, row in self.rows.items()
            if row["live"] and row["object"] in fields and person not in waiting
        }
        wrong = books.one_stage_each(stays, paths, {each for each in self.ground.existing if each in tracks})
        wrong += books.what_stands(stays, values, tracks, accepts)
        wrong += books.what_is_remembered(*self.store.stages_told())
        known = values_of(self.mapping, "stage")
        return wrong + books.what_was_written(stays, self.store.stages_logged(), accepts, known)

    def _verified(self) -> list[books.Wrong]:
        return verified(self.settings, self.store, self.rows, self.mapping.writes.get("stage", {}))


def asked_of(mapping: CompiledMapping, wanted: Wanted, now: datetime) -> Asked:
    """Raises ConfigurationError for a period that is none."""
    now += _INSTANT
    until = min(wanted.until or now, now)
    since = wanted.since or until - timedelta(weeks=WEEKS)
    if since >= until:
        raise ConfigurationError("the period ends before it begins", "give --since an earlier date than --until")
    return Asked(stages_of(mapping, hidden=wanted.hidden), Period(since, until), now)


def _touched(person: Person) -> list[tuple[datetime, str]]:
    return [
        (each.occurred_at, f"{each.source} {each.kind}")
        for each in person.activities
        if each.direction is Direction.INBOUND
    ]


def _quarantined(settings: Settings) -> dict[str, int]:
    """Lines by file, of files and of taps."""
    found: dict[str, int] = {}
    folders = [settings.activity_folder / "quarantine"] if settings.activity_folder else []
    folders += [settings.taps_quarantine] if settings.taps_file else []
    for file in (each for folder in folders for each in sorted(folder.glob("*.jsonl"))):
        with file.open("rb") as lines:
            found[file.name] = sum(1 for _ in lines)
    return {name: count for name, count in found.items() if count}


def stages_of(mapping: CompiledMapping, *, hidden: bool) -> Stages:
    """In the mapping's order; those of segments that it does not have, behind them."""
    steps = {step.name: step for track in reversed(tracks_of(mapping, "stage")) for step in track.steps}
    steps = {step.name: step for step in mapping.stages} | steps
    left_out = frozenset(name for name, step in steps.items() if step.reports == "hidden" and not hidden)
    shown = [step for name, step in steps.items() if name not in left_out]
    order = tuple(step.name for step in shown if step.funnel)
    ends = {step.name for step in shown if step.terminal or not step.funnel} | set(order[-1:])
    takes = {step.name: " or ".join(rule.when.said for rule in step.rules) for step in shown if step.rules}
    beside = tuple(step.name for step in shown if not step.funnel)
    return Stages(order, beside, left_out, frozenset(ends), takes)


def values_of(mapping: CompiledMapping, track: str) -> set[str]:
    """What Salesforce may say for its steps."""
    return {step.value(each) for one in tracks_of(mapping, track) for step in one.steps for each in PEOPLE}


def accepting(mapping: CompiledMapping) -> Callable[[str, str], bool]:
    values: dict[str, set[str]] = defaultdict(set)
    for one in tracks_of(mapping, "stage"):
        for step in one.steps:
            values[step.name] |= {fold(step.value(each)) for each in PEOPLE}
        for old, new in one.migrate.items():
            values[new].add(fold(old))
    return lambda stage, value: value == stage or fold(value) in values.get(stage, ())


REPORTS: dict[str, Callable[[Reporter, Sequence[Path]], Report]] = {
    "funnel": Reporter.funnel,
    "movement": Reporter.movement,
    "velocity": Reporter.velocity,
    "response": Reporter.response,
    "stuck": Reporter.stuck,
    "engagement": Reporter.engagement,
    "repair": Reporter.repair,
    "ledger": Reporter.ledger,
    "health": Reporter.health,
}


def run_reports(
    settings: Settings, names: Sequence[str], wanted: Wanted, clock: Clock | None = None
) -> tuple[list[Report], Asked]:
    clock, mapping = clock or SystemClock(), load_mapping(settings)
    with open_state(settings, clock) as store:
        reporter = Reporter(store, mapping, settings, wanted, clock.now())
        return [reporter.report(name) for name in names], reporter.asked
