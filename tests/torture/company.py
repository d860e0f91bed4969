"""A small company on a practice org, at one moment of its life: the same dice make the same company."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connector.commands import practice
from connector.commands.practice import Practice
from connector.wiring import load_mapping
from practice_org.company.life import live
from tests.torture.doomed import Ended, command

EMPTY: tuple[str, ...] = ("", "Open - Not Contacted")  # what an org has before anybody said something
Place = tuple[str, str]  # record, field


@dataclass
class Company:
    practice: Practice
    folder: Path
    dice: random.Random
    state: str
    by_hand: dict[Place, str] = field(default_factory=dict)  # what others set, or a conversion carried over
    printed: str = ""

    @property
    def variables(self) -> dict[str, str]:
        return {**self.practice.environment(), "CONNECTOR_STATE": self.state}

    def run(self, *words: str, dies_at: int | None = None) -> Ended:
        ended = command(words, self.variables, self.folder, dies_at=dies_at)
        self.printed += ended.printed
        return ended

    def found(self, people: int) -> None:
        """People of every kind, half of them with a past."""
        org = self.practice.org
        begun = datetime.now(UTC) - timedelta(minutes=5)  # noqa: TID251
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
        now = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - the org's own clock
        for ago in range(events, 0, -1):  # each in a second of its own, so that what changed last is no throw of dice
            live(org, pardot, self.dice, now - timedelta(seconds=ago), events=1)
        for place, value in self.values().items():
            if value not in {before.get(place, ""), *EMPTY}:
                self.by_hand[place] = value

    def values(self) -> dict[Place, str]:
        """Of all living records, in the fields that the mapping writes."""
        found: dict[Place, str] = {}
        for name, status, more in (
            ("Contact", "Lead_Status__c", ""),
            ("Lead", "Status", " WHERE IsConverted = false"),
        ):
            for row in self.practice.org.rows(f"SELECT Id, Lifecycle_Stage__c, {status} FROM {name}{more}"):
                for each in ("Lifecycle_Stage__c", status):
                    found[row["Id"], each] = row[each] or ""
        return found


@contextmanager
def company(folder: Path, seed: int, *, state: str = "") -> Iterator[Company]:
    """An empty one, with the fields of the mapping that is shipped."""
    with practice.serve() as served:
        dice = random.Random(seed)  # noqa: S311 - the same company again is the point
        made = Company(served, folder, dice, state or str(folder / "state.sqlite3"))
        practice.add_fields(served.org, load_mapping(served.settings()))
        yield made
