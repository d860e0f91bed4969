"""A small company on a practice org, at one moment of its life: the same dice make the same company."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from connector.commands import practice
from connector.commands.practice import Practice
from connector.wiring import load_mapping, logbook_of
from practice_org.company.life import live
from practice_org.pardot.system import Pardot
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import app
from tests.torture import moments, wire
from tests.torture.doomed import Ended, alone, command

EMPTY: tuple[str, ...] = ("", "Open - Not Contacted")  # what an org has before anybody said something
STAGE = "Lifecycle_Stage__c"
_BETWEEN = 2.0  # seconds from command to command; the books know seconds
Place = tuple[str, str]  # record, field


@dataclass
class Company:
    """``to_come``: what happens between the cycles of ``connector run``, one thing after the other."""

    practice: Practice
    serve: wire.Serve
    folder: Path
    dice: random.Random
    state: str
    by_hand: dict[Place, str] = field(default_factory=dict)  # what others set, or a conversion carried over
    to_come: list[Callable[[Company], None]] = field(default_factory=list)
    more: Mapping[str, str] = field(default_factory=dict)  # settings
    printed: str = ""

    @property
    def variables(self) -> dict[str, str]:
        return {**self.practice.environment(), "CONNECTOR_STATE": self.state, **self.more}

    def run(self, *words: str, dies_at: int | None = None, faults: wire.Faults = wire.no_faults) -> Ended:
        moments.pass_by(_BETWEEN)
        ended = command(
            words, self.variables, self.folder, serve=self.serve, between=self.goes_on, dies_at=dies_at, faults=faults
        )
        self.printed += ended.printed
        return ended

    def run_alone(self, *words: str) -> Ended:
        """In this process: nothing breaks."""
        moments.pass_by(_BETWEEN)
        ended = alone(words, self.variables, self.folder, self.goes_on)
        self.printed += ended.printed
        return ended

    def goes_on(self) -> None:
        if self.to_come:
            self.to_come.pop(0)(self)

    def moves(self, folder: Path, state: str = "") -> None:
        """Works with a copy of its state from now on: in another folder, or where ``state`` says."""
        for file in self.folder.glob("state.sqlite3*"):
            shutil.copy(file, folder)
        written = self._logbook
        self.folder, self.state = folder, state or str(folder / "state.sqlite3")
        if written.exists():  # of a database it has its name
            self._logbook.parent.mkdir(exist_ok=True)
            shutil.copy(written, self._logbook)

    @property
    def _logbook(self) -> Path:
        return self.folder / logbook_of(self.practice.settings(state=self.state)).path

    def found(self, people: int) -> None:
        """People of every kind, half of them with a past."""
        org = self.practice.org
        begun = moments.now() - timedelta(minutes=5)
        rows = [{"LastName": f"P{n}", "Email": f"p{n}@example.com" if n % 4 else None} for n in range(people)]
        contacts = org.create("Contact", rows, at=begun)
        leads = [{"LastName": f"L{n}", "Company": "C", "Email": f"l{n}@example.com"} for n in range(people)]
        org.create("Lead", leads, at=begun)
        deals = org.create(
            "Opportunity",
            [
                {"Name": f"D{n}", "StageName": "Closed Won" if n % 3 == 0 else "Prospecting", "CloseDate": "2026-01-01"}
                for n in range(people // 2)
            ],
            at=begun,
        )
        roles = [{"ContactId": c, "OpportunityId": d} for c, d in zip(contacts, deals, strict=False)]
        org.create("OpportunityContactRole", roles, at=begun)

    def lives(self, events: int) -> None:
        """What happens is remembered where it is a stage or status that people set."""
        before = self.values()
        org, pardot = self.practice.org, self.practice.pardot
        moments.pass_by(events)
        now = moments.now().replace(microsecond=0)
        for ago in range(events, 0, -1):  # each in a second of its own, so that what changed last is no throw of dice
            live(org, pardot, self.dice, now - timedelta(seconds=ago), events=1)
        for place, value in self.values().items():
            if value not in {before.get(place, ""), *EMPTY}:
                self.by_hand[place] = value

    def plans(self) -> list[Callable[[Company], None]]:
        """What will happen later, decided now, so that it is the same whatever becomes of our writes until then."""
        org = self.practice.org
        contacts = [row["Id"] for row in org.rows("SELECT Id FROM Contact ORDER BY Id")]
        deals = [row["Id"] for row in org.rows("SELECT Id FROM Opportunity ORDER BY Id")]
        roles = [row["Id"] for row in org.rows("SELECT Id FROM OpportunityContactRole ORDER BY Id")]
        buyer, moved, hand = self.dice.sample(contacts, 3)
        deal, role = self.dice.choice(deals), self.dice.choice(roles)

        def more(made: Company) -> None:
            at = moments.now()
            made.practice.org.create("OpportunityContactRole", [{"ContactId": buyer, "OpportunityId": deal}], at=at)
            made.practice.org.update("Opportunity", [{"Id": deal, "StageName": "Closed Won"}], at=at)
            made.sets(hand, STAGE, "Evangelist")

        def less(made: Company) -> None:
            if made.practice.org.rows(f"SELECT Id FROM OpportunityContactRole WHERE Id = '{role}'"):
                made.practice.org.delete("OpportunityContactRole", [role])
            email = f"{moved}@example.com".lower()
            made.practice.org.update("Contact", [{"Id": moved, "Email": email}], at=moments.now())

        return [more, less]

    def sets(self, record: str, name: str, value: str) -> None:
        """As a person does, by hand."""
        self.practice.org.update("Contact", [{"Id": record, name: value}], at=moments.now())
        self.by_hand[record, name] = value

    def values(self) -> dict[Place, str]:
        """Of all living records, in the fields that the mapping writes."""
        found: dict[Place, str] = {}
        for name, status, more in (
            ("Contact", "Lead_Status__c", ""),
            ("Lead", "Status", " WHERE IsConverted = false"),
        ):
            for row in self.practice.org.rows(f"SELECT Id, Lifecycle_Stage__c, {status} FROM {name}{more}"):
                for each in (STAGE, status):
                    found[row["Id"], each] = row[each] or ""
        return found


def company(folder: Path, seed: int, *, state: str = "") -> Company:
    """An empty one, with the fields of the mapping that is shipped, in this process; from now on time does not wait."""
    moments.without_waiting()
    moments.begin()
    wire.without_threads()
    org = PracticeOrg()
    pardot = Pardot(org)
    serve = wire.served_by(app(org, extra_routes=pardot.routes, url=wire.HOME))
    wire.through(serve)  # what is looked at from here
    dice = random.Random(seed)  # noqa: S311 - the same company again is the point
    made = Company(Practice(org, pardot, wire.HOME), serve, folder, dice, state or str(folder / "state.sqlite3"))
    practice.add_fields(org, load_mapping(made.practice.settings()))
    return made
