"""Accounts as far as the furthest of their people, for mappings that ask.

Before deciding, each person is told how far the others of the account came by rules of their own. When somebody's own
stage changes, the colleagues are marked, so that the next cycle looks at them again, and the account's field, if the
mapping names one, is written at the end of the cycle. What the account lends a person lifts nobody, so nothing circles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from connector.facts import Change, Decision, Person, RecordChange
from connector.lifecycle.accounts import roll_up
from connector.lifecycle.measures import AccountStageIs
from connector.mapping import Mapping
from connector.store import Store, own_stage

TRACK = "account_stage"


@dataclass
class RollUp:
    """One cycle's roll-up: does nothing unless the mapping asks."""

    mapping: Mapping
    store: Store
    moved: set[str] = field(default_factory=set)  # accounts of people whose own stage changed

    def __post_init__(self) -> None:
        self.is_asked = any(isinstance(each, AccountStageIs) for each in self.mapping.model.walk())
        self.field = self.mapping.model.account_field

    def tell(self, people: Sequence[Person]) -> Sequence[Person]:
        """The people with how far the others of their accounts came."""
        if not self.is_asked:
            return people
        stages = self.store.stages_of_accounts(sorted({_account(each) for each in people} - {""}))
        return [replace(each, account_stage=self._others(each, stages.get(_account(each), {}))) for each in people]

    def note(self, decided: Sequence[tuple[Person, Decision]]) -> None:
        """Remembers the accounts of people whose own stage changes."""
        if self.is_asked or self.field:
            self.moved |= {_account(person) for person, decision in decided if _moves(person, decision)} - {""}

    def mark(self) -> None:
        """Lets the next cycle look at the colleagues of those who moved."""
        if self.is_asked and self.moved:
            self.store.mark_people_of(sorted(self.moved))

    def changes(self) -> list[RecordChange]:
        """The account fields that differ."""
        if self.field is None:
            return []
        accounts = sorted(self.moved)
        stages, rows = self.store.stages_of_accounts(accounts), self.store.records(accounts)
        found = []
        for account in accounts:
            new = roll_up(stages.get(account, {}).values(), self.mapping)
            old = rows.get(account, {}).get(self.field)
            if account in rows and new != old:
                change = Change(TRACK, self.field, old, new)
                found.append(RecordChange(account, "Account", account, (change,), account))
        return found

    def _others(self, person: Person, stages: dict[str, str]) -> str | None:
        return roll_up((stage for other, stage in stages.items() if other != person.id), self.mapping)


def _account(person: Person) -> str:
    return str(person.fields.get("AccountId") or "")


def _moves(person: Person, decision: Decision) -> bool:
    before = own_stage(person.memory.get("stage", {}))
    return any(own_stage(track.memory) != before for track in decision.tracks if track.track == "stage")
