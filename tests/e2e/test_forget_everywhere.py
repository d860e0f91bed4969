"""Somebody is planted in every table and file by what really happens; forgotten, they are in none of them."""

import json
import os
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from connector.base.clock import FrozenClock, SystemClock
from connector.base.errors import ConnectorError
from connector.pipeline.cycle import run_cycle
from connector.salesforce import open_salesforce
from connector.sources.webhook.inbox import Inbox
from connector.wiring import open_pipeline
from practice_org.salesforce.core import Rule
from tests.e2e.kept import files_in, tables_of
from tests.e2e.shell import Shell
from tests.postgres import BOTH

NAME, OTHER, PHONE, WORDS = "Zoraida Quibblewick", "Zora Quibblewick", "0170-5551234", "likes herrings"
MAIL, OLD, TWIN = "zoraida@quibble.example", "zq.old@quibble.example", "zora@quibble.example"
TOLD = (NAME, OTHER, "Quibblewick", "quibble.example", PHONE, WORDS)
HELD_IN = {"record", "activity", "prospect", "address", "history", "log", "set_aside", "track"}


class Place:
    """A state with somebody in it, and all that lies beside it."""

    def __init__(self, site, shell: Shell, folder: Path, state: str) -> None:
        self.site, self.shell, self.folder, self.state = site, shell, folder, state
        self.shell.env = site.practice.environment() | {
            "CONNECTOR_STATE": state,
            "CONNECTOR_WEBHOOK_INBOX": str(folder / "webhooks.sqlite3"),
            "CONNECTOR_WEBHOOK_PORT": "0",
            "CONNECTOR_WEBHOOK_TOKEN": "a-token-of-more-than-twenty",
            "CONNECTOR_ACTIVITY_FOLDER": str(folder / "dropped"),
            "CONNECTOR_TAPS_QUARANTINE": str(folder / "quarantine"),
            "CONNECTOR_OVERLAP": "0",
        }

    def told_in(self) -> dict[str, set[str]]:
        """Table or file -> what of them is there."""
        found: dict[str, set[str]] = {}
        for name, said in (*tables_of(self.state), *files_in(self.folder)):
            if not name.endswith(".csv"):  # files of others stay
                found.setdefault(name, set()).update(one for one in TOLD if one.lower() in said.lower())
        return {name: words for name, words in found.items() if words}

    def live(self) -> str:
        """From the first sight on, until a write of which nobody knows."""
        org, inbox, now = self.site.org, Inbox(self.folder / "webhooks.sqlite3"), SystemClock().now()
        person, twin = org.create(
            "Contact",
            [
                {"FirstName": "Zoraida", "LastName": "Quibblewick", "Email": OLD, "Phone": PHONE},
                {"FirstName": "Zora", "LastName": "Quibblewick", "Email": TWIN},
            ],
        )
        org.create("Contact", [{"LastName": "Stays", "Email": "ann@stays.example"}])
        org.create("Task", [{"WhoId": person, "Subject": f"{NAME} {WORDS}", "Status": "Completed"}])
        self.site.practice.pardot.add_prospects([{"email": OLD, "firstName": "Zoraida", "lastName": "Quibblewick"}])
        event = {"type": "form_submit", "email": OLD, "name": WORDS, "event_id": f"x-{OLD}"}
        inbox.put("tool", f"id-{OLD}", b"1", [{**event, "occurred_at": "2026-01-01T00:00:00Z"}], now)
        inbox.refuse("tool", f"email {MAIL} is nobody's", now)
        (self.folder / "dropped").mkdir()
        rows = ("occurred_at,email,event_id,name", f"2026-01-02T00:00:00Z,{OLD},c1,{WORDS}", f"soon,{OLD},c2,{NAME}")
        (self.folder / "dropped" / "calls.csv").write_text(
            "".join(f"{kind},{each}\n" for kind, each in zip(("type", "call", "call"), rows, strict=True))
        )
        os.utime(self.folder / "dropped" / "calls.csv", (1, 1))  # long finished
        assert self.shell("backfill").returncode in {0, 3}
        other = {**event, "occurred_at": "2026-02-02T00:00:00Z", "name": f"{NAME} again"}  # its id is another fact's
        inbox.put("tool", f"id2-{OLD}", b"2", [other], now)
        org.update("Contact", [{"Id": person, "Email": MAIL, "Title": WORDS}])
        org.merge("Contact", person, [twin])
        (deal,) = org.create(
            "Opportunity", [{"Name": f"{NAME} - fleet", "StageName": "Closed Won", "CloseDate": "2026-01-01"}]
        )
        org.create("OpportunityContactRole", [{"OpportunityId": deal, "ContactId": person}])
        org.set_validation("Contact", Rule(f"{NAME} does not move", lambda _old, new: new["LastName"] == "Quibblewick"))
        assert self.shell("sync").returncode == 3
        org.rules["Contact"].clear()
        assert self.shell("failures", "retry").returncode == 0
        self.lose_an_answer()
        org.update("Opportunity", [{"Id": deal, "Name": "Fleet"}])
        return person

    def settings(self):
        env = {name.removeprefix("CONNECTOR_").lower(): value for name, value in self.shell.env.items()}
        return self.site.practice.settings(**env)

    def lose_an_answer(self) -> None:
        faults = self.site.org.faults
        with open_pipeline(self.settings()) as pipeline:
            nobody_waits = FrozenClock(pipeline.clock.now())
            with closing(open_salesforce(self.settings(), nobody_waits)) as salesforce, suppress(ConnectorError):
                update = salesforce.update

                def cut(changes):
                    faults.on("cut_off")
                    return update(changes)

                salesforce.update = cut  # type: ignore[method-assign]
                run_cycle(replace(pipeline, salesforce=salesforce))
            faults.off("cut_off")
            assert pipeline.store.intents()


@pytest.fixture(params=BOTH)
def place(request, site, shell: Shell, tmp_path: Path):
    folder = tmp_path / "made"
    folder.mkdir()
    on_server = request.param == "postgresql"
    state = request.getfixturevalue("emptied_state") if on_server else str(folder / "state.sqlite3")
    return Place(site, shell, folder, state)


@pytest.mark.parametrize("how", ["asked for", "by itself"])
def test_whoever_was_everywhere_is_nowhere(place, how):
    person = place.live()
    before = place.told_in()
    assert before.keys() >= {*HELD_IN, "webhooks.sqlite3", "calls.csv.jsonl"}, sorted(before)
    if how == "asked for":
        assert json.loads(place.shell("forget", MAIL, "--yes", "--json").stdout)["result"] == "forgotten"
    else:
        place.site.org.delete("Contact", [person])
        assert place.shell("sync").returncode == 0
        assert place.told_in()
        assert place.shell("sync", CONNECTOR_FORGET_DELETED_DAYS="0").returncode == 0
    assert place.told_in() == {}
    with open_pipeline(place.settings()) as pipeline:
        assert "stage" in {each["track"] for each in pipeline.store.history(person)}
