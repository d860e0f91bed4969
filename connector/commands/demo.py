"""``connector demo``: everything the connector does, on a company that does not exist, in half a minute.

A practice org is served by this process on a free loopback port; the connector reaches it over HTTP like a real one.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from connector.base.clock import SystemClock
from connector.base.facts import Person
from connector.base.folders import state_folder
from connector.base.json import JsonMap
from connector.base.private import private_folder
from connector.commands import cycle_text, explain_text, screen
from connector.commands.explain import explain_now
from connector.commands.practice import SYSTEMS, Practice, add_fields, fill, serve
from connector.pipeline.backfill import Scope, run_backfill
from connector.pipeline.cycle import Pipeline, run_cycle
from connector.pipeline.report import CycleReport
from connector.store import Store
from connector.wiring import load_mapping, open_pipeline
from practice_org.company.life import live
from practice_org.salesforce.org import PracticeOrg

CYCLES = 3
_EVENTS = 12  # that happen before each cycle
SEED = 11


def run_demo(*, as_json: bool) -> None:
    """Prints what happened; raises ConnectorError when it did not work."""
    state = _state_file()
    with serve(systems=SYSTEMS) as practice:
        settings = practice.settings(state=str(state), overlap=0.0, marketo_extracts=False)
        mapping = load_mapping(settings)
        stage_field = mapping.writes["stage"]["Contact"]
        add_fields(practice.org, mapping)
        with screen.steps(as_json) as step:
            step("Building a sample company in a practice org")
            fill(practice, sample="small", everywhere=False)
            somebody = _heard_of_everywhere(practice)
            with open_pipeline(settings) as pipeline:
                before = _stages(practice, pipeline)
                step("Backfill: reading everything, deciding everybody, writing what differs")
                reports = [run_backfill(pipeline, Scope())]
                middle = _stages(practice, pipeline)
                happened: list[str] = []
                for number, lines in enumerate(_lives(practice, stage_field), 1):
                    happened += lines
                    step(f"Cycle {number}: {len(lines)} things happened; polling, deciding, writing")
                    reports.append(run_cycle(pipeline))
                after = _stages(practice, pipeline)
                people = _worth_explaining(pipeline.store)
                now = pipeline.clock.now()
                documents = [explain_now(pipeline.store, each.id, mapping, now) for each in people]
                joined = explain_now(pipeline.store, somebody, mapping, now)
        told = {
            "funnel": {"before": before, "after_backfill": middle, "after_cycles": after},
            "happened": happened,
            "changes": _changes(reports),
            "explained": documents,
            "heard_of_everywhere": joined,
            "cycles": [report.as_dict() for report in reports],
            "org_counted_calls": practice.org.calls["total"],
            "state": str(state),
        }
        if as_json:
            screen.print_json("demo", told)
        else:
            _show(screen.out(), told, reports)


def _state_file() -> Path:
    """A new state: in the state folder, or where that cannot be written in a temporary one."""
    folder = state_folder()
    try:
        private_folder(folder)
        path = folder / "demo.sqlite3"
        for old in folder.glob(f"{path.name}*"):
            old.unlink()
        path.touch()
        path.unlink()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="connector-demo-")) / "demo.sqlite3"
    return path.resolve()


def _heard_of_everywhere(practice: Practice) -> str:
    """A contact whom Account Engagement, Marketo and HubSpot each know something of; returns the id."""
    first = "SELECT Id, Email FROM Contact WHERE Email != null ORDER BY CreatedDate, Id LIMIT 1"
    contact = practice.org.rows(first)[0]
    now = SystemClock().now()
    if practice.marketo:
        lead = {"email": contact["Email"], "sfdcContactId": contact["Id"]}
        form = {"activityTypeId": 2, "activityDate": now - timedelta(days=20), "primaryAttributeValue": "Buying guide"}
        practice.marketo.add_activities([{"leadId": practice.marketo.add_leads([lead])[0], **form}])
    if practice.hubspot:
        known = practice.hubspot.add_contacts([{"email": contact["Email"]}])
        meeting = {"hs_meeting_title": "Demo", "hs_timestamp": now - timedelta(days=10), "contacts": known}
        practice.hubspot.add_engagements("meetings", [{"hs_meeting_outcome": "COMPLETED", **meeting}])
    prospect = practice.pardot.add_prospects([{"email": contact["Email"], "salesforceContactId": contact["Id"]}])
    click = {"type": 1, "typeName": "Email", "details": "Invitation", "createdAt": now - timedelta(days=5)}
    practice.pardot.add_activities([{"prospectId": prospect[0], **click}])
    return str(contact["Id"])


def _lives(practice: Practice, stage_field: str) -> Iterator[list[str]]:
    """What happens before each cycle; what comes about hangs on the day, but a customer is always won."""
    dice = random.Random(SEED)  # noqa: S311
    for number in range(CYCLES):
        won = [_customer_won(practice.org, stage_field)] if number == 0 else []
        yield won + live(practice.org, practice.pardot, dice, SystemClock().now(), events=_EVENTS - len(won))


def _customer_won(org: PracticeOrg, stage_field: str) -> str:
    """Wins the first open deal of somebody who is no customer yet; returns what happened."""
    condition = f"Opportunity.IsClosed = false AND Contact.{stage_field} = 'Opportunity'"
    columns = "OpportunityId, Opportunity.Name, Contact.Name"
    role = org.rows(f"SELECT {columns} FROM OpportunityContactRole WHERE {condition} ORDER BY Id LIMIT 1")[0]
    today = SystemClock().now().date().isoformat()
    org.update("Opportunity", [{"Id": role["OpportunityId"], "StageName": "Closed Won", "CloseDate": today}])
    return f"Deal won: {role['Opportunity']['Name']}, with {role['Contact']['Name']}"


def _stages(practice: Practice, pipeline: Pipeline) -> dict[str, int]:
    """People by stage as the org itself says, in the mapping's order: nothing of ours is asked."""
    counts: Counter[str] = Counter()
    for object_name, field in pipeline.mapping.writes["stage"].items():
        where = " WHERE IsConverted = false" if object_name == "Lead" else ""
        for row in practice.org.rows(f"SELECT {field} stage, COUNT(Id) n FROM {object_name}{where} GROUP BY {field}"):
            counts[row["stage"] or screen.NONE] += row["n"]
    order = [screen.NONE, *(stage.name for stage in pipeline.mapping.stages)]
    return {name: counts[name] for name in order}


def _changes(reports: list[CycleReport]) -> dict[str, dict[str, int]]:
    changes: dict[str, Counter[str]] = {}
    for report in reports:
        for track, moves in report.changes.items():
            changes.setdefault(track, Counter()).update(moves)
    return {track: dict(moves.most_common()) for track, moves in changes.items()}


def _worth_explaining(store: Store) -> list[Person]:
    """Three people of different stages, those moved last first."""
    chosen: dict[str, str] = {}
    for stage in ("Customer", "Opportunity", "Engaged", "Suspect"):
        if len(chosen) < 3 and (found := store.moved_to("stage", stage, limit=1)):
            chosen[stage] = found[0]
    return store.facts_of(list(chosen.values()))


def _show(console: Console, told: JsonMap, reports: list[CycleReport]) -> None:
    funnel = told["funnel"]
    rows = [
        (stage, *(f"{funnel[when][stage]:,}" for when in ("before", "after_backfill", "after_cycles")))
        for stage in funnel["before"]
        if any(funnel[when][stage] for when in funnel)
    ]
    title = "People by stage, as Salesforce has them"
    console.print(screen.grid(title, ("stage", "before", "after backfill", "now"), rows, right=(1, 2, 3)))
    cycle_text.changes_table(console, told["changes"], "Changes")
    console.print("[bold]What happened between the cycles[/bold]")
    for line in told["happened"][:8]:
        console.print(f"  {line}", markup=False)
    if more := len(told["happened"]) - 8:
        console.print(f"  ... and {more} more")
    console.print("\n[bold]Three decisions, explained[/bold]")
    for document in told["explained"]:
        explain_text.explanation(console, document, rules=False, history=False)
    console.print("\n[bold]One person, heard of in Salesforce and three marketing systems[/bold]")
    explain_text.explanation(console, told["heard_of_everywhere"], rules=False)
    rows = [
        (
            each.kind,
            f"{sum(each.read.values()):,}",
            f"{each.people_decided:,}",
            f"{each.written:,}",
            f"{each.api_calls['total']:,}",
            f"{each.duration:.2f} s",
        )
        for each in reports
    ]
    columns = ("what", "rows read", "people decided", "written", "Salesforce API calls", "time")
    console.print(screen.grid("What it cost", columns, rows, right=(1, 2, 3, 4, 5)))
    state = told["state"]
    console.print(f"The state, with every decision and its evidence, is in {state}", soft_wrap=True)
    console.print("[bold]Go on[/bold]")
    program = _program()
    for command, does in (
        (f"CONNECTOR_STATE={state} {program} status", "what the state knows"),
        (f"{program} practice --sample small --live 5", "serves a practice org that lives, and prints how to reach it"),
        (f"{program} run", "the daemon: in another shell, after the export lines that practice printed"),
        (f"{program} check", "the first step with your own org: see README, Connect an org"),
    ):
        console.print(f"  {command}\n      {does}", soft_wrap=True, markup=False)


def _program() -> str:
    """How this program is called from here."""
    if shutil.which("connector"):
        return "connector"
    beside = Path(sys.executable).with_name("connector")
    if not beside.exists():
        return f"{sys.executable} -m connector"
    here = Path.cwd()
    return str(beside.relative_to(here)) if beside.is_relative_to(here) else str(beside)
