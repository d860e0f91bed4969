"""A year of the living sample company, week by week, on a clock of its own: every figure of every report is what lists
say (``oracle``), the lists are what the org itself said after each cycle, and the ledger closes every week."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from connector.base.clock import FrozenClock
from connector.base.settings import Settings
from connector.commands.asking import NOT_APART, OF_NOW
from connector.commands.practice import Practice, add_fields, add_owners
from connector.commands.reporting import Reporter, Wanted
from connector.mapping import CompiledMapping, load
from connector.pipeline.backfill import Scope, run_backfill
from connector.pipeline.cycle import run_cycle
from connector.pipeline.report import CycleReport
from connector.reports.compared import COMPARED
from connector.reports.table import Figure, Report
from connector.store.ids import id_text
from connector.wiring import open_pipeline, open_state
from practice_org.company.build import build_company
from practice_org.company.life import live
from practice_org.pardot.system import Pardot
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server
from tests.data import asked, oracle, planted
from tests.data.datasets import LADDER
from tests.data.oracle import DAY, HOUR, Told, differences, of_report
from tests.data.origins import sources
from tests.raw import words_of

BEGINS = datetime(2025, 1, 1, 12, tzinfo=UTC)  # a Wednesday
WEEKS, EVENTS = 52, 14
BESIDE = ("Evangelist", "Disqualified", "Other")
FUNNEL = tuple(each for each in LADDER if each not in BESIDE)
MAPPING = """
include: lead-liaison
fields: {score: {Contact: Score__c, Lead: Score__c}}
score:
  points: [{activity: form_submit, points: 40}, {activity: [email_click, page_view, visit], points: 15}]
thresholds: {warm: {at: 50, again_below: 30}}
handoff:
  when: {threshold: warm}
  reassign: [nobody, queue, integration user, colleague]
  owner:
    - {when: {title: {contains: head}}, user: ben@example.com}
    - {when: {account: {Industry: Technology}}, user: anna@example.com}
    - {round_robin: [anna@example.com, ben@example.com]}
"""
NOW_THERE = """
SELECT Id, Lifecycle_Stage__c FROM Contact WHERE IsDeleted = 0
UNION ALL SELECT Id, Lifecycle_Stage__c FROM Lead WHERE IsDeleted = 0 AND IsConverted = 0
"""


@dataclass
class Year:
    """What happened, as it was seen from outside."""

    practice: Practice
    settings: Settings
    mapping: CompiledMapping
    clock: FrozenClock
    stood: dict[datetime, dict[str, str]] = field(default_factory=dict)  # after each cycle: person -> stage, in the org
    cycles: list[tuple[datetime, CycleReport]] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)  # day -> calls that the org counted
    planted: planted.Planted = field(default_factory=planted.Planted)  # on the last day

    def note(self, report: CycleReport) -> None:
        rows = self.practice.org.db.read(NOW_THERE)
        self.stood[self.clock.now()] = {person: stage or "" for person, stage in rows}
        self.cycles.append((report.started_at, report))

    def report(self, name: str, **wanted: object) -> Report:
        with open_state(self.settings, self.clock) as store:
            meant = Wanted(**wanted)  # type: ignore[arg-type]
            return Reporter(store, self.mapping, self.settings, meant, self.clock.now()).report(name)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        state = sqlite3.connect(self.settings.state.removeprefix("sqlite:///"))
        words = words_of(state)
        state.create_function("named", 1, lambda value: id_text(words, value), deterministic=True)
        try:
            return state.execute(sql).fetchall()
        finally:
            state.close()

    def dated_back(self, at: datetime) -> list[str]:
        """Who came to a stage before a moment, as was seen after it."""
        rows = self.rows("SELECT person_id, entered_at, seen_at FROM report_stay WHERE track = 'stage'")
        times = [
            (str(who), datetime.fromisoformat(str(came)), datetime.fromisoformat(str(seen))) for who, came, seen in rows
        ]
        return [who for who, came, seen in times if came <= at < seen]

    def lists(self, since: datetime, until: datetime) -> oracle.Lists:
        state = sqlite3.connect(self.settings.state.removeprefix("sqlite:///"))
        try:
            humans = oracle.humans_of(state, FUNNEL)
        finally:
            state.close()
        others = sorted({one.stage for each in humans for one in each.stood} - {*LADDER})
        now = self.clock.now() + timedelta(microseconds=1)
        return oracle.Lists(humans, FUNNEL, (*BESIDE, *others), since, until, now)


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Year]:
    folder = tmp_path_factory.mktemp("year")
    (folder / "mine.yaml").write_text(MAPPING)
    clock, mapping = FrozenClock(BEGINS), load(str(folder / "mine.yaml"))
    org = PracticeOrg(clock=clock)
    pardot = Pardot(org)
    try:
        with Server(org, extra_routes=pardot.routes) as server:
            practice = Practice(org, pardot, server.url)
            add_fields(org, mapping)
            add_owners(org, mapping)
            build_company(org, pardot, now=clock.now())
            files = {"state": f"sqlite:///{folder}/state.sqlite3", "mapping": str(folder / "mine.yaml")}
            (folder / "drops").mkdir()
            files["activity_folder"] = str(folder / "drops")
            quick = {"reconcile_interval": 0, "sweep_days": 0}  # comparisons that find nothing, slowly
            settings = practice.settings(**files, **quick)
            made = Year(practice, settings, mapping, clock)
            live_a_year(made)
            yield made
    finally:
        org.close()


def live_a_year(year: Year) -> None:
    dice = random.Random(11)  # noqa: S311 - the same life each time is the point
    org, clock = year.practice.org, year.clock
    with open_pipeline(year.settings, clock=clock) as pipeline:
        year.note(run_backfill(pipeline, Scope()))
        for pair in range(WEEKS // 2):
            for _ in range(2):
                clock.sleep((5 * DAY).total_seconds())
                live(org, year.practice.pardot, dice, clock.now(), events=EVENTS)
                clock.sleep((2 * DAY).total_seconds())
            if pair == WEEKS // 2 - 1:
                folder = year.settings.activity_folder
                assert folder is not None
                year.planted = planted.plant(org, folder, clock.now())
            before = org.calls["total"]
            year.note(run_cycle(pipeline))
            year.calls[f"{clock.now():%Y-%m-%d}"] += org.calls["total"] - before
            clock.sleep(60)


def periods() -> list[tuple[datetime, datetime]]:
    """A quarter, one that begins in the middle of a week, and most of the year."""
    at = [datetime(2025, month, day, tzinfo=UTC) for month, day in ((3, 3), (6, 2), (8, 6), (9, 11), (2, 1), (12, 1))]
    return [(at[0], at[1]), (at[2], at[3]), (at[4], at[5])]


def test_the_lists_say_what_the_org_said_after_each_cycle(year: Year) -> None:
    """So that figures which equal the lists equal what was. Left out is who was dated back since, as by a contact role
    on a deal that was won before."""
    humans = year.lists(*periods()[0]).humans
    now_called = oracle.called_now(humans)
    assert len(year.stood) == WEEKS // 2 + 1
    for at, stood in year.stood.items():
        just_after = at + timedelta(seconds=30)
        told = [(each.person, one.stage) for each in humans for one in each.stood if one.at(just_after)]
        assert len(told) == len(dict(told)), "everybody is in one place"
        late = {now_called[who] for who in year.dated_back(just_after)}
        assert len(late) < len(stood) / 10, "or too little was checked"
        in_crm = Counter(stage for who, stage in told if who[:3] in {"003", "00Q"} and now_called[who] not in late)
        assert in_crm == Counter(stage for who, stage in stood.items() if now_called[who] not in late), at


def test_the_ledger_closes_for_every_week_of_the_year(year: Year) -> None:
    found = year.report("ledger", since=BEGINS, until=year.clock.now(), verify=True)
    assert found.good, found.said
    weeks = found.table("weeks")
    assert len({row[0] for row in weeks.rows}) == WEEKS + 1
    for row in weeks.rows:
        opening, entered, left, closing = (each.value or 0 for each in row[2:6] if isinstance(each, Figure))
        assert opening + entered - left == closing, row
    lists = year.lists(BEGINS, year.clock.now())
    assert differences(oracle.ledger(lists), of_report(found, weeks=2)) == []


ENDS = {*BESIDE, FUNNEL[-1]}
WORKED_ON = ("call", "meeting", "email_sent", "email_reply")
WITHOUT_ROLES = """
SELECT u.Name, count(*), sum(o.Amount) FROM Opportunity o JOIN User u ON u.Id = o.OwnerId WHERE o.IsDeleted = 0
AND o.Id NOT IN (SELECT OpportunityId FROM OpportunityContactRole WHERE IsDeleted = 0) GROUP BY u.Name
"""
LEAD_SOURCES = "SELECT Id, LeadSource FROM Contact UNION ALL SELECT Id, LeadSource FROM Lead"
ADDRESSES = "SELECT Id, lower(Email) FROM Lead UNION ALL SELECT Id, lower(Email) FROM Contact WHERE IsDeleted = 0"
DONE = """
SELECT a.occurred_at, a.ref, a.kind, coalesce(a.crm_id, named(p.crm_id)), coalesce(p.email, a.email), a.prospect
FROM report_activity a LEFT JOIN prospect p ON named(p.ref) = a.prospect WHERE a.direction = 'inbound'
"""
Expected = dict[str, tuple[Told, dict[str, int]]]  # report -> its figures, and its tables


@pytest.fixture(scope="module")
def told_of(year: Year) -> Callable[[oracle.Lists], Expected]:
    """What lists of some people say of everything that is reported of people."""
    everybody = year.lists(*periods()[0]).humans
    now_called = oracle.called_now(everybody)
    handed = {
        (now_called[str(who)], datetime.fromisoformat(str(at))): str(owner)
        for who, at, owner in year.rows("SELECT person_id, at, owner_id FROM report_handoff")
    }
    by_us = "SELECT crm_id, occurred_at FROM report_activity WHERE ref LIKE 'salesforce:%' AND direction = 'outbound'"
    touched = defaultdict(list)
    for who, at in year.rows(f"{by_us} AND kind IN {WORKED_ON}"):
        if str(who) in now_called:
            touched[now_called[str(who)]].append(datetime.fromisoformat(str(at)))
    org = year.practice.org.db
    by_address = {address: now_called.get(who, who) for who, address in org.read(ADDRESSES) if address}
    done = defaultdict(list)
    for at, ref, kind, crm_id, email, prospect in year.rows(DONE):
        person = now_called.get(str(crm_id)) or by_address.get(email) or now_called.get(str(prospect))
        what = f"{str(ref).partition(':')[0]} {kind}"
        done[person or "nobody known"].append((datetime.fromisoformat(str(at)), what))
    origin = {who: source or "" for who, source in org.read(LEAD_SOURCES)}
    scored = year.rows("SELECT person_id, score FROM report_person WHERE score IS NOT NULL")

    def told(lists: oracle.Lists) -> Expected:
        theirs = {each.person for each in lists.humans}
        given = [(who, at, owner) for (who, at), owner in handed.items() if who in theirs]
        whose = theirs if len(theirs) < len(everybody) else {*done}
        what = [each for who in whose for each in done.get(who, ())]
        points = {str(who): float(str(score)) for who, score in scored if who in theirs}
        engaged = oracle.activities(lists, what) | oracle.scores(points) | sources(lists, origin, done)
        return oracle.of_stages(lists, ENDS) | {
            "response": (oracle.response(lists, given, touched, 24 * HOUR), {"owners": 1}),
            "engagement": (engaged, {"activity": 2, "scores": 1, "sources": 2}),
        }

    return told


@pytest.mark.parametrize("number", [0, 1, 2])
def test_every_report_of_people_is_what_the_lists_say(
    year: Year, told_of: Callable[[oracle.Lists], Expected], number: int
) -> None:
    since, until = periods()[number]
    for name, (told, tables) in told_of(year.lists(since, until)).items():
        assert sum(value != 0 for value, _ in told.values()) > 5, name
        report = year.report(name, since=since, until=until, hidden=True)
        assert differences(told, of_report(report, **tables)) == [], name


def said_in_org(year: Year) -> asked.Records:
    prospects = {str(row[0]) for row in year.rows("SELECT named(ref) FROM prospect")}
    return asked.records(year.practice.org.db.read(asked.RECORDS), prospects)


FILTERS = [
    (("object", "="),),
    (("owner", "="),),
    (("owner", "!="), ("object", "=")),
    (("account", "="),),
    (("lead source", "="),),
    (("lead source", "!="),),
    (("Title", "="),),
]


@pytest.mark.parametrize("names", FILTERS, ids=[" ".join(map("".join, each)) for each in FILTERS])
def test_a_filter_leaves_whom_the_org_names(
    year: Year, told_of: Callable[[oracle.Lists], Expected], names: tuple[tuple[str, str], ...]
) -> None:
    since, until = periods()[2]
    said, lists = said_in_org(year), year.lists(since, until)
    often = {name: Counter(filter(None, (said[each.person][name] for each in lists.humans))) for name, _ in names}
    where = tuple((name, sign, often[name].most_common(1)[0][0]) for name, sign in names)
    left = asked.only(lists, said, where)
    assert 0 < len(left.humans) < len(lists.humans)
    for name, (told, tables) in told_of(left).items():
        report = year.report(name, since=since, until=until, hidden=True, where=where)
        assert differences(told, of_report(report, **tables)) == [], name


@pytest.mark.parametrize("by", ["owner", "lead source", "object"])
def test_side_by_side_is_what_the_lists_say_of_each(
    year: Year, told_of: Callable[[oracle.Lists], Expected], by: str
) -> None:
    since, until = periods()[0]
    said, lists = said_in_org(year), year.lists(since, until)
    values = {said[each.person][by] for each in lists.humans}
    parts = {value or "(none)": told_of(asked.only(lists, said, [(by, "=", value)])) for value in values}
    for name, (_, tables) in told_of(lists).items():
        if name in NOT_APART:
            continue
        told = asked.side_by_side({value: each[name][0] for value, each in parts.items()})
        report = year.report(name, since=since, until=until, hidden=True, by=by)
        fronts = {table: front + 1 for table, front in tables.items()}
        assert differences(told, of_report(report, **fronts)) == [], name


def test_beside_each_figure_stands_that_of_the_period_before(
    year: Year, told_of: Callable[[oracle.Lists], Expected]
) -> None:
    since, until = periods()[1]
    lists = year.lists(since, until)
    earlier = told_of(replace(lists, since=lists.before, until=since))
    for name, (told, tables) in earlier.items():
        fronts = {table: front for table, front in tables.items() if table in COMPARED}
        report = year.report(name, since=since, until=until, hidden=True, compare=True)
        if name in OF_NOW or not fronts:
            continue
        found = of_report(report, **fronts)
        before = {
            (*key[:-1], key[-1].removesuffix(", before")): each for key, each in found.items() if ", b" in key[-1]
        }
        columns = {(key[0], key[-1]) for key in before}
        expected = {key: each for key, each in told.items() if (key[0], key[-1]) in columns}
        assert sum(value != 0 for value, _ in expected.values()) > 5, name
        assert differences(expected, before) == [], name
        ours = {key: each for key, each in found.items() if ", b" not in key[-1]}
        alone = of_report(year.report(name, since=since, until=until, hidden=True), **fronts)
        assert differences(alone, ours) == [], "what stands first is the period's"


@pytest.mark.parametrize("number", [0, 1, 2])
def test_how_late_changes_were_written_is_what_the_stays_and_the_cycles_say(year: Year, number: int) -> None:
    since, until = periods()[number]
    rows = year.rows("SELECT entered_at, seen_at FROM report_stay WHERE how = 'observed' AND moved_by = 'rule'"
                     " AND track = 'stage'")  # fmt: skip
    moves = [(datetime.fromisoformat(str(came)), datetime.fromisoformat(str(seen))) for came, seen in rows]
    assert {seen for _, seen in moves} <= {*year.stood}, "it is settled in a cycle"
    told = asked.lateness(moves, since, until)
    assert told["lateness", "moves"][0] > 5
    assert differences(told, of_report(year.report("health", since=since, until=until), lateness=0)) == []


def test_health_and_repair_are_what_the_org_and_the_cycles_say(year: Year) -> None:
    health = of_report(year.report("health", since=BEGINS, until=year.clock.now()), cycles=1, calls=2)
    reports = [report for _, report in year.cycles]
    assert {report.result for report in reports} == {"done"}
    told: Told = {
        ("cycles", "done", "cycles"): (len(reports), ()),
        ("cycles", "done", "people decided"): (sum(each.people_decided for each in reports), ()),
        ("cycles", "done", "records written"): (sum(each.written for each in reports), ()),
        ("cycles", "done", "refused"): (sum(each.refused for each in reports), ()),
    }
    assert differences(told, {key: value for key, value in health.items() if key in told}) == []
    last = max(year.calls)
    expired = 1  # the call that found its session over, which the org does not count
    assert health["calls", last, "salesforce", "calls"][0] == year.calls[last] + expired
    deals = {name: (count, amount or 0) for name, count, amount in year.practice.org.db.read(WITHOUT_ROLES)}
    repair = of_report(year.report("repair"), deals_by_owner=1)
    assert deals
    assert {key[1]: (repair[*key[:2], "deals"][0], repair[*key[:2], "amount"][0]) for key in repair} == deals


STANDS_BY_HAND = "SELECT person_id FROM report_stay WHERE track = 'stage' AND left_at IS NULL AND moved_by = 'person'"


def test_what_is_refused_unknown_held_and_quarantined_is_what_was_planted(year: Year) -> None:
    report = year.report("repair")
    found = of_report(report, refused=2, unknown=2, quarantine=1, held=1)
    there, said = year.planted, ("FIELD_CUSTOM_VALIDATION_EXCEPTION", planted.REFUSES)
    told = asked.by_value("refused", ((said, who) for who in there.refused), "records")
    told |= asked.by_value("unknown", ((("stage", planted.STAGE), who) for who in there.strange))
    told |= asked.by_value("unknown", ((("status", planted.STATUS), who) for who in there.strange_status))
    told["quarantine", "late.jsonl.jsonl", "lines"] = (len(planted.BAD_LINES), ())
    held = {key: each for key, each in found.items() if key[0] == "held"}
    assert differences(told, {key: each for key, each in found.items() if key not in held}) == []
    by_hand = {str(who) for (who,) in year.rows(STANDS_BY_HAND)}
    assert {*held["held", "stage", "people"][1]} == by_hand - {*there.strange}
    assert {*there.by_hand} <= {*held["held", "stage", "people"][1]}
    where = (("object", "=", "Lead"),)
    only = of_report(year.report("repair", where=where), refused=2, unknown=2)
    assert [key[:3] for key in only] == [("unknown", "status", planted.STATUS)]
