"""Accounts as far as the furthest of their people, for mappings that ask.

Before deciding, each person is told how far the others of the account came by rules of their own. What the account
lends a person lifts nobody, so nothing circles.

An account is decided, written and settled as people are, after them: it is dirty once the own stage of one of its
people changed and that is settled, when a person comes or goes, or when its record, the mapping or somebody's request
says so. Deciding it also marks its people, so that the next cycle looks at the colleagues of those who moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from connector.base.facts import Decision, Person
from connector.lifecycle.accounts import ACCOUNT_TRACK, Reached, decide_account, roll_up
from connector.lifecycle.measures import AccountStageIs
from connector.mapping import CompiledMapping
from connector.pipeline.blind import waiting_objects
from connector.pipeline.planned import Planned
from connector.store import Settled, Store, own_stage

_BATCH = 1000  # accounts at a time
Moved = tuple[str, str | None, str]  # account, own stage, rule


@dataclass
class RollUp:
    """One pass over the plan: does nothing unless the mapping wants it."""

    mapping: CompiledMapping
    store: Store
    moved: dict[str, Moved] = field(default_factory=dict)  # people whose own stage changes, not settled yet
    stood: dict[str, dict[str, str | None]] = field(default_factory=dict)  # account -> those people -> stage before

    def __post_init__(self) -> None:
        self.is_asked = any(isinstance(each, AccountStageIs) for each in self.mapping.model.walk())
        self.field = self.mapping.model.account_field
        self.is_wanted = self.is_asked or self.field is not None

    def with_colleagues(self, people: Sequence[Person]) -> Sequence[Person]:
        """The people with how far the others of their accounts came before this pass: what is settled on the way counts
        from the next one on, however many people are decided at a time."""
        if not self.is_asked:
            return people
        stages = self.store.people_of_accounts(sorted({_account(each) for each in people} - {""}))
        came = {account: {person: stage for person, (stage, _) in found.items()} for account, found in stages.items()}
        return [replace(each, account_stage=self._others(each, came)) for each in people]

    def note(self, decided: Sequence[tuple[Person, Decision]]) -> None:
        """Remembers the people whose own stage changes."""
        if not self.is_wanted:
            return
        for person, decision in decided:
            account = _account(person)
            track = next((each for each in decision.tracks if each.track == "stage"), None)
            if account and track is not None:
                stage = own_stage(track.memory)
                before = own_stage(person.memory.get("stage", {}))
                if stage != before:
                    self.stood.setdefault(account, {})[person.id] = before
                    self.moved[person.id] = (account, stage, track.rule)

    def settle(self, settled: Sequence[Settled]) -> list[str]:
        """The accounts to be looked at, now that this is settled: not those of people whose row was refused."""
        known = [(self.moved.pop(each.person_id, None), each.is_open) for each in settled] if self.moved else []
        return sorted({moved[0] for moved, is_open in known if moved is not None and not is_open})

    def dirty(self) -> Iterator[dict[str, int]]:
        """Accounts to be looked at, with their marks, in batches; none while accounts cannot be read."""
        after = ""
        while marks := self.store.next_dirty(_BATCH, after, of_accounts=True):
            if "Account" in waiting_objects(self.store):
                return
            after = marks[-1][0]
            yield dict(marks)

    def to_come(self, accounts: Iterable[str]) -> Iterator[list[Planned]]:
        """What will be planned of these accounts, and of those of the people noted, once all of it is settled."""
        moved: dict[str, dict[str, Moved]] = {}
        for person, each in self.moved.items():
            moved.setdefault(each[0], {})[person] = each
        wanted = sorted({*accounts, *moved})
        for start in range(0, len(wanted), _BATCH):
            yield self._planned(dict.fromkeys(wanted[start : start + _BATCH], 0), moved)

    def take(self, marks: Mapping[str, int]) -> list[Planned]:
        """These accounts, decided and planned. Marks the colleagues, and drops accounts that nobody reads."""
        if self.is_asked:
            self.store.mark_people_of(sorted(marks))
        planned = self._planned(marks, {})
        gone = marks.keys() - {each.id for each in planned}
        self.store.drop_dirty([(account, marks[account]) for account in sorted(gone)])
        return planned

    def _planned(self, marks: Mapping[str, int], moved: Mapping[str, Mapping[str, Moved]]) -> list[Planned]:
        if self.field is None:
            return []
        accounts = list(marks)
        people, memories = self.store.people_of_accounts(accounts), self.store.memories(accounts, ACCOUNT_TRACK)
        found: list[Planned] = []
        for account, row in self.store.records(accounts).items():
            reached = {person: Reached(*each) for person, each in people.get(account, {}).items()}
            for person, (_, stage, rule) in moved.get(account, {}).items():
                reached.pop(person, None)
                if stage:
                    reached[person] = Reached(stage, rule)
            planned = decide_account(account, row, reached, memories.get(account, {}), self.field, self.mapping)
            found.append(Planned(account, marks[account], *planned, name=str(row.get("Name") or "")))
        return found

    def _others(self, person: Person, came: Mapping[str, Mapping[str, str | None]]) -> str | None:
        stages = {**came.get(_account(person), {}), **self.stood.get(_account(person), {})}
        return roll_up((stage for other, stage in stages.items() if other != person.id), self.mapping)


def _account(person: Person) -> str:
    return str(person.fields.get("AccountId") or "")
