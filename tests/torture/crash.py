"""The crash harness: a command is killed at one boundary, the next one recovers, and then everything must hold."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.postgres import plain, server
from tests.torture.company import Company, Place, company
from tests.torture.doomed import HUNG, KILLED, Ended
from tests.torture.invariants import Seen, cursors_of, wrong

PEOPLE, EVENTS = 6, 14


@dataclass(frozen=True)
class Scenario:
    """The command that dies, in a company that these dice made. ``settled``: it had been read before, and lived on."""

    words: tuple[str, ...]
    settled: bool
    seed: int

    on: str = "sqlite"

    @contextmanager
    def ready(self) -> Iterator[Company]:
        with ExitStack() as held:
            folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="torture-")))
            state = plain(held.enter_context(server().database())) if self.on == "postgresql" else ""
            made = held.enter_context(company(folder, self.seed, state=state))
            made.found(PEOPLE)
            made.lives(EVENTS)
            if self.settled:
                assert made.run("backfill").code == 0, made.printed
                made.lives(EVENTS)
            yield made


SCENARIOS = {
    "backfill": Scenario(("backfill",), settled=False, seed=1),
    "sync": Scenario(("sync",), settled=True, seed=1),
}


@dataclass(frozen=True)
class Unbroken:
    """How a scenario ends when nothing breaks, and the boundaries on its way."""

    values: dict[Place, str]
    boundaries: tuple[str, ...]


def unbroken(scenario: Scenario) -> Unbroken:
    with scenario.ready() as made:
        ended = made.run(*scenario.words)
        assert ended.code == 0, ended.printed
        return Unbroken(made.values(), ended.passed)


def crash(scenario: Scenario, dies_at: int, expected: Unbroken) -> list[str]:
    """What is wrong after it died there and was run again; empty when all is well."""
    with scenario.ready() as made:
        cursors = [cursors_of(made)] if scenario.settled else []
        died = made.run(*scenario.words, dies_at=dies_at)
        if died.code != KILLED:
            return [f"it was to die at boundary {dies_at}, and {_how(died)}"]
        if scenario.settled:
            cursors.append(cursors_of(made))
        recovered = made.run(*scenario.words)
        if recovered.code != 0:
            return [f"what came after the crash {_how(recovered)}"]
        cursors.append(cursors_of(made))
        return wrong(Seen(made, expected.values, cursors))


def _how(ended: Ended) -> str:
    said = ended.printed[-600:]
    return f"hung: {said}" if ended.code == HUNG else f"ended with {ended.code}: {said}"
