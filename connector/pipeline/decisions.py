"""Deciding people, as the next cycle does it: the one place where roll-up, deciding, owners and planning come together.

A cycle, its dry run, ``connector plan`` and ``connector explain`` all decide through here, so that they say the same.
One :class:`Decisions` is one pass: people in the order of their ids, because owners get people by turns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from connector.base.facts import Decision, Person
from connector.lifecycle import Assigner, Owners, decide, plan
from connector.lifecycle.amounts import with_amounts
from connector.mapping import CompiledMapping
from connector.pipeline.blind import Forward, waiting_ids
from connector.pipeline.by_ids import chunks
from connector.pipeline.currencies import known_currencies
from connector.pipeline.late import after_late, before_late
from connector.pipeline.planned import Planned
from connector.pipeline.rollup import RollUp
from connector.pipeline.undone import keep_undone, without_undone
from connector.store import CAME_LATE, UNDONE, KeptCursor, Settled, Store

BATCH = 1000  # people decided at a time
KEPT = 10  # batches of a plan that is kept between being counted and being written; a larger one is made twice
Made = tuple[dict[str, int], list[Planned]]  # the marks of a batch, and the batch
TURNS, PROMISED = "turns", "promised"  # where it is kept how many people each owner was given, and is to be given


def adopt(store: Store, mapping: CompiledMapping) -> None:
    """Puts a mapping in force: whatever it may decide otherwise than the one before is dirty."""
    store.mark_all_dirty()
    text = "\n".join(f"# {name}\n{text}" for name, text in mapping.texts.items())
    rolls_up, joins = RollUp(mapping, store).is_wanted, mapping.identity
    records, around = mapping.model.records, mapping.around
    store.set_mapping_version(mapping.version, text, around=around, rolls_up=rolls_up, joins=joins, records=records)


class Decisions:
    """``owners``: those of the org that the mapping names (``connector.pipeline.owners``)."""

    def __init__(self, mapping: CompiledMapping, store: Store, owners: Owners, now: datetime) -> None:
        self.mapping, self.now = mapping, now
        self.rollup = RollUp(mapping, store)
        self.assigner = Assigner(owners, dict(store.cursor(TURNS) or {}), dict(store.cursor(PROMISED) or {}))
        self.currencies = known_currencies(store, mapping)
        self._store = store
        self._forward = Forward(mapping, store)
        self._waiting = waiting_ids(self._forward.waiting)  # how the ids of those begin who are not decided now
        self._kept: list[Made] | None = None  # the whole plan, once it is made

    def facts(self, ids: Sequence[str]) -> Sequence[Person]:
        """What is recorded of these people, and of those around them."""
        found: Sequence[Person] = self._store.facts_of(ids, around=self.mapping.around)
        if self.currencies.rates:
            found = [with_amounts(each, self.currencies) for each in found]
        return self.rollup.with_colleagues(found)

    def batch(self, ids: Sequence[str], marks: Mapping[str, int]) -> list[Planned]:
        """These people, in this order, with the number of each one's dirty mark (0: without one)."""
        people = self.facts(ids)
        decided = [(each, self._decide(each)) for each in people]
        self.rollup.note(decided)
        return [self._planned(person, decision, marks.get(person.id, 0)) for person, decision in decided]

    def _decide(self, person: Person) -> Decision:
        if not any(UNDONE in each or CAME_LATE in each for each in person.memory.values()):  # as of nearly everybody
            return self._forward.hold(person, decide(person, self.mapping, self.now, self.assigner))
        stood = before_late(without_undone(person), self.mapping)
        held = self._forward.hold(person, decide(stood, self.mapping, self.now, self.assigner))
        return after_late(person, keep_undone(person, held, self.mapping.version), self.mapping)

    def _planned(self, person: Person, decision: Decision, mark: int) -> Planned:
        name = str(person.fields.get("Name") or person.fields.get("Email") or "")
        return Planned(person.id, mark, decision, plan(person, decision, self.mapping), person.object, name)

    def again(self) -> Decisions:
        """What plans the same once more: this, where it kept its plan."""
        return self if self._kept is not None else self.afresh()

    def afresh(self) -> Decisions:
        """Another pass, from what is kept by now."""
        return Decisions(self.mapping, self._store, self.assigner.owners, self.now)

    def dirty(self, only: frozenset[str] | None = None) -> Iterator[Made]:
        """Everybody who is dirty, or of these only; the second time what was kept of the first."""
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[Made] = []
        for made in self._plan(only):
            if len(kept) <= KEPT:
                kept.append(made)
            yield made
        self._kept = kept if len(kept) <= KEPT else None

    def _plan(self, only: frozenset[str] | None) -> Iterator[Made]:
        after = ""
        while marks := self._store.next_dirty(BATCH, after):
            after = marks[-1][0]
            wanted = {
                person: mark
                for person, mark in marks
                if (only is None or person in only) and not person.startswith(self._waiting)
            }
            yield wanted, self.batch(list(wanted), wanted)

    def coming(self) -> list[str]:
        """Whom the next cycle decides, in its order, as far as the facts are read."""
        if self._store.mapping_version() != self.mapping.version:
            found = self._store.people_in()
        else:
            found = sorted({*self._store.dirty(), *self._store.due(self.now)})
        return [each for each in found if not each.startswith(self._waiting)]

    def coming_accounts(self) -> list[str]:
        """The accounts it decides after them, beside those of people who move."""
        if self.rollup.field is None:
            return []
        if self._store.mapping_version() != self.mapping.version:
            return self._store.accounts()
        return [account for marks in self.rollup.dirty() for account in marks]

    def turn_of(self, person: Person) -> Assigner:
        """Whose turn it is when the next cycle comes to this person: those who come before have had theirs. They are
        only decided where it matters, for somebody who is handed to one of several."""
        trial = Assigner(self.assigner.owners)
        decide(person, self.mapping, self.now, trial)
        if trial.counts:  # somebody was given a person
            before = [each for each in self.coming() if each < person.id]
            for ids in chunks(before, BATCH):
                self.batch(ids, {})
        return self.assigner

    def settle(self, settled: Sequence[Settled]) -> tuple[Sequence[KeptCursor], Sequence[str]]:
        """What is kept with it, and the accounts that must be looked at now."""
        taken = [self.assigner.settle(each.decision, self.mapping, is_open=each.is_open) for each in settled]
        cursors: list[KeptCursor] = (
            [(TURNS, self.assigner.kept), (PROMISED, self.assigner.promised)] if any(taken) else []
        )
        return cursors, self.rollup.settle(settled)
