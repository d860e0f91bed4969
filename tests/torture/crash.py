"""The crash harness: a command is killed at one boundary, the next one recovers, and then everything must hold."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from sqlalchemy.engine import make_url

from connector.base.json import JsonObject
from practice_org.salesforce.core import Rule
from tests.postgres import plain, server
from tests.torture.company import Company, Place, company
from tests.torture.doomed import HUNG, KILLED, Ended, heard, said
from tests.torture.forks import forked
from tests.torture.found import Tried
from tests.torture.invariants import Seen, cursors_of, wrong
from tests.torture.places import folder
from tests.torture.warm import still, warm

PEOPLE, EVENTS = 6, 14
_INTERRUPTED = 130

Words = tuple[str, ...]


def founded(made: Company) -> Sequence[Words]:
    """Nothing was read yet."""
    made.found(PEOPLE)
    made.lives(EVENTS)
    return [("backfill",)]


def lived_on(made: Company) -> Sequence[Words]:
    """Everything was read, and then things happened."""
    founded(made)
    _done(made, "backfill")
    made.lives(EVENTS)
    return [("sync",)]


def running(made: Company) -> Sequence[Words]:
    """The daemon's cycles, between which more happens."""
    lived_on(made)
    made.to_come = made.plans()
    return [("run",)]


def to_undo(made: Company) -> Sequence[Words]:
    """What a cycle wrote is put back, also where others went on since."""
    lived_on(made)
    _done(made, "sync")
    made.lives(EVENTS // 2)
    return [("rollback", "2", "--apply"), ("sync",)]


def refused(made: Company) -> Sequence[Words]:
    """Salesforce refused some rows, which are tried again now that it does not."""
    founded(made)
    for name in ("Contact", "Lead"):
        made.practice.org.set_validation(
            name, Rule("not yet", lambda old, new: old is not None and str(new["LastName"])[-1] in "135")
        )
    assert made.run("backfill").code == 3, made.printed
    made.practice.org.rules.clear()
    return [("failures", "retry"), ("sync",)]


def _done(made: Company, *words: str) -> None:
    ended = made.run(*words)
    assert ended.code == 0, ended.printed


SCENARIOS: Mapping[str, Callable[[Company], Sequence[Words]]] = {
    "backfill": founded,
    "sync": lived_on,
    "run": running,
    "rollback": to_undo,
    "retry": refused,
}


@dataclass(frozen=True)
class Case:
    """A company at the moment before some commands, and how it ends when nothing breaks: its values, and the
    boundaries on its way. Whatever is tried with it is tried in a fork of its own."""

    made: Company
    commands: Sequence[Words]
    cursors: Sequence[Mapping[str, JsonObject]]
    values: Mapping[Place, str]
    boundaries: Sequence[str]

    @contextmanager
    def copy(self) -> Iterator[Company]:
        """Only in a fork: the company with a state of its own."""
        with ExitStack() as held:
            place, state = Path(held.enter_context(folder())), ""
            if "://" in self.made.state:
                state = plain(held.enter_context(server().database(make_url(self.made.state).database or "")))
            self.made.moves(place, state)
            yield self.made

    def recovered(self, made: Company, *cursors: Mapping[str, JsonObject]) -> list[str]:
        """What is wrong after the commands were given again, and nothing breaks any more."""
        for words in self.commands:
            if (ended := made.run_alone(*words)).code != 0:
                return [f"what came afterwards, {words[0]}, {how(ended)}"]
        seen = [*self.cursors, *cursors, cursors_of(made)]
        return wrong(Seen(made, self.values, seen))


@contextmanager
def case(name: str, seed: int, on: str = "sqlite") -> Iterator[Case]:
    with ExitStack() as held:
        place = Path(held.enter_context(folder()))
        state = plain(held.enter_context(server().database())) if on == "postgresql" else ""
        rehearsed(on)
        made = company(place, seed, state=state)
        commands = SCENARIOS[name](made)
        cursors = [] if name == "backfill" else [cursors_of(made)]
        start = Case(made, commands, cursors, {}, ())
        still()
        values, boundaries = forked(partial(_unbroken, start))
        yield replace(start, values=values, boundaries=boundaries)


@cache
def rehearsed(on: str) -> None:
    """What is done after a trial, and a little of what is tried, was done once in this process."""
    warm()
    with ExitStack() as held:
        place = Path(held.enter_context(folder()))
        state = plain(held.enter_context(server().database())) if on == "postgresql" else ""
        made = company(place, 1, state=state)
        founded(made)
        before = os.getcwd()
        os.chdir(place)
        with heard(os.devnull):
            for words in ("backfill", "sync --json", "rollback 1 --apply", "failures retry", "sync"):
                if said(words.split(), made.variables) == _INTERRUPTED:
                    raise KeyboardInterrupt
                made.lives(EVENTS)
        os.chdir(before)
        wrong(Seen(made, {}, [cursors_of(made)]))


def _unbroken(start: Case) -> tuple[Mapping[Place, str], Sequence[str]]:
    boundaries: list[str] = []
    with start.copy() as made:
        for words in start.commands:
            ended = made.run(*words)
            assert ended.code == 0, f"{words[0]} {how(ended)}"
            boundaries += ended.passed
        return made.values(), boundaries


def crash(ready: Case, dies_at: int) -> Tried:
    return Tried(_crash(ready, dies_at))


def _crash(ready: Case, dies_at: int) -> list[str]:
    """What is wrong after the commands died there (0: nowhere) and were given again; empty when all is well."""
    with ready.copy() as made:
        left = dies_at
        for words in ready.commands:
            died = made.run(*words, dies_at=left)
            if died.code == KILLED:
                break
            left -= len(died.passed)
            if died.code != 0:
                return [f"it was to die at boundary {dies_at}, and {how(died)}"]
        if dies_at and died.code != KILLED:
            return [f"it was to die at boundary {dies_at}, and {how(died)}"]
        return ready.recovered(made, *([cursors_of(made)] if ready.cursors else []))


def how(ended: Ended) -> str:
    said = ended.printed[-2500 if ended.code == HUNG else -600 :]
    return f"hung: {said}" if ended.code == HUNG else f"ended with {ended.code}: {said}"
