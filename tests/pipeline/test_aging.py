"""Activities that are old and matter to no rule leave the state: nobody is decided otherwise, nothing is read again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from connector.base import logs
from connector.base.facts import Activity, Direction, SourcePage
from connector.base.settings import explicit
from connector.commands.check import run_check
from connector.commands.cycle_text import cycle, show_plan
from connector.commands.plan import run_preview
from connector.commands.reporting import REPORTS, Reporter, Wanted
from connector.pipeline.aging import AGING
from connector.pipeline.backfill import Scope, run_backfill
from connector.pipeline.cycle import silent
from connector.reports.table import Report
from connector.store.schema import ACTIVITY
from tests.fakes import START
from tests.pipeline.conftest import STAGE, World

KEEP = timedelta(days=100)


def done(world: World, kind: str, days: list[int], **whose: Any) -> None:
    """Through the source, so many days ago."""
    made = (
        Activity("fake", f"{kind}{day}", kind, Direction.INBOUND, START - timedelta(days=day), **whose) for day in days
    )
    world.source.pages.append(SourcePage({}, tuple(made)))


def calls(world: World, person: str, days: list[int]) -> None:
    for day in days:
        row = {"WhoId": person, "Subject": "Call", "TaskSubtype": "Call", "Status": "Completed", "IsClosed": True}
        at = (START - timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        world.org.put("Task", {"Id": world.id("Task"), **row, "CompletedDateTime": at, "CreatedDate": at})


def refs(world: World) -> list[str]:
    with world.store._read() as connection:
        return [row[0] for row in connection.execute(select(ACTIVITY.c.ref).order_by(ACTIVITY.c.ref))]


def reports(world: World) -> list[Report]:
    """Of a period of which everything is there."""
    asked = Wanted(since=START - KEEP, until=START + timedelta(minutes=1))
    reporter = Reporter(world.store, world.pipeline.mapping, explicit(), asked, START + timedelta(minutes=1))
    return [reporter.report(each) for each in REPORTS if each != "health"]  # which is about the cycles themselves


def test_the_first_and_the_last_stay_and_nobody_moves(world: World) -> None:
    ada = world.contact("ada@example.com")
    done(world, "email_click", list(range(50, 400)), email="ada@example.com")
    world.cycle()
    stage = world.stage(ada)
    tracks, before = world.store.tracks_now("stage"), reports(world)
    assert len(refs(world)) == 350
    world.evidence = KEEP
    report = world.cycle()
    assert report.to_change == 0
    assert len(refs(world)) == 50 + 2  # a minute later, the hundredth day is old, too
    assert "fake:email_click399" in refs(world)
    assert world.cycle().people_decided == 0
    assert world.store.tracks_now("stage") == tracks
    assert reports(world) == before
    assert world.stage(ada) == stage


def test_what_two_people_share_stays_while_either_needs_it(world: World) -> None:
    world.contact("both@example.com", Id="003000000000001AAA")
    world.contact("both@example.com", Id="003000000000002AAA")
    done(world, "email_click", list(range(200, 210)), email="both@example.com")
    done(world, "form_submit", [205], crm_id="003000000000001AAA")
    world.evidence = KEEP
    world.cycle()
    assert refs(world) == ["fake:email_click200", "fake:email_click209", "fake:form_submit205"]


def test_what_belongs_to_nobody_waits_for_its_person(world: World) -> None:
    done(world, "email_click", list(range(200, 210)), email="nobody@example.com")
    world.evidence = KEEP
    world.cycle()
    world.cycle()
    assert len(refs(world)) == 10


def test_a_backfill_brings_it_back_until_it_is_looked_at_again(world: World) -> None:
    calls(world, world.contact("ada@example.com"), list(range(200, 220)))
    world.evidence = KEEP
    world.cycle()
    assert len(refs(world)) == 2
    run_backfill(world.pipeline, Scope())
    assert len(refs(world)) == 20
    world.wait(8 * 86400)
    world.cycle()
    assert len(refs(world)) == 2


def test_by_default_a_pipeline_keeps_everything(world: World) -> None:
    world.contact("ada@example.com")
    done(world, "email_click", list(range(50, 400)), email="ada@example.com")
    world.cycle()
    world.cycle()
    assert len(refs(world)) == 350
    assert world.store.cursor(AGING) is None


def test_a_mapping_that_looks_at_what_left_is_warned_of(world: World, tmp_path: Path, state: Path, capsys: Any) -> None:
    logs.configure("json", "WARNING")
    ada = world.contact("ada@example.com")
    done(world, "email_click", list(range(200, 220)), email="ada@example.com")
    world.evidence = KEEP
    assert world.cycle().kept_in_part is None
    assert world.stage(ada)
    text = f"fields: {{stage: {{Contact: {STAGE}, Lead: {STAGE}}}}}\nstages:\n  - {{name: Suspect, when: always}}\n"
    world.mapping = text + "  - {name: Engaged, when: {activity: {direction: inbound, count: 9}}}\n"
    path = tmp_path / "further.yaml"
    path.write_text(world.mapping)
    before = (START - KEEP).date().isoformat()
    said = f"the mapping looks at activities before {before}, of which only some were kept"
    here = explicit(state=world.address or f"sqlite:///{state}")
    further = here.model_copy(update={"mapping": str(path)})
    assert [each for each in run_check(further).warnings if said in each]
    assert not [each for each in run_check(here).warnings if "kept" in each]
    for name, text in ((str(path), said), (None, "")):
        shown = run_preview(here, name, silent)
        show_plan(shown, as_json=False)
        assert text in (told := flat(capsys.readouterr().out))
        assert bool(text) is ("kept in part" in told) is bool(shown.as_dict()["kept_in_part"])
    backfill = run_backfill(world.pipeline, Scope(), dry_run=True)
    assert str(backfill.as_dict()["kept_in_part"])[:10] == before
    assert "only some were kept" in capsys.readouterr().err  # as when any mapping comes into force
    cycle(backfill, as_json=False)
    assert said in flat(capsys.readouterr().out)


def flat(text: str) -> str:
    return " ".join(text.split())
