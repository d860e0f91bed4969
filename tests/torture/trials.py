"""The parts of the proof, and how each is tried: so many of its points, by dice, a fork each."""

from __future__ import annotations

import os
import random
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import monotonic

from tests.postgres import URL_OF_SERVER
from tests.torture import inputs
from tests.torture.crash import SCENARIOS, Case, case, crash
from tests.torture.faults import at_each, weather
from tests.torture.forks import many
from tests.torture.found import Trials, Tried
from tests.torture.warm import warm

_STORMS = 1000  # of one command that are known
_BATCHES = 1000  # of one kind of input that are known
_STATES = ("sqlite", "postgresql") if URL_OF_SERVER else ("sqlite",)


@dataclass(frozen=True)
class Part:
    """``groups``: what makes the trials of each from a seed. ``count``: how many are tried. ``what``: of those."""

    what: str
    count: int
    groups: Mapping[str, Callable[[int], AbstractContextManager[Trials]]]


def _processor() -> float:
    """Seconds, of this process and of those that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


@dataclass
class Told:
    what: str
    seed: int
    tried: int = 0
    known: int = 0
    times: int = 0
    bad: int = 0
    begun: float = field(default_factory=monotonic)
    begun_with: float = field(default_factory=_processor)

    @property
    def took(self) -> str:
        seconds, used = monotonic() - self.begun, _processor() - self.begun_with
        return f"seed {self.seed}, {seconds:,.0f} s, {used:,.0f} s of a processor"

    def __str__(self) -> str:
        points = f"at {self.tried:,} points of {self.known:,}"
        return f"{self.what}: {self.times:,} {points}, {self.bad} with something wrong ({self.took})"


@contextmanager
def _crashes(name: str, on: str, seed: int) -> Iterator[Trials]:
    with case(name, seed, on) as ready:
        yield {str(number): partial(crash, ready, number) for number in range(len(ready.boundaries) + 1)}


@contextmanager
def _faults(name: str, seed: int) -> Iterator[Trials]:
    with case(name, seed) as ready:
        yield at_each(ready)


@contextmanager
def _storms(name: str, seed: int) -> Iterator[Trials]:
    with case(name, seed) as ready:
        yield {str(number): partial(weather, ready, f"{seed}:{number}") for number in range(_STORMS)}


@contextmanager
def _inputs(kind: Callable[[random.Random], Tried], seed: int) -> Iterator[Trials]:
    warm()
    yield {str(number): partial(kind, random.Random(f"{seed}:{number}")) for number in range(_BATCHES)}  # noqa: S311


@contextmanager
def _with_a_state(kind: Callable[[Case, random.Random], Tried], seed: int) -> Iterator[Trials]:
    with case("sync", seed) as ready, _inputs(partial(kind, ready), seed) as made:
        yield made


PARTS = {
    "crash": Part(
        "processes killed",
        1000,
        {f"{name}:{on}": partial(_crashes, name, on) for name in SCENARIOS for on in _STATES},
    ),
    "fault": Part("faults, each alone", 1500, {name: partial(_faults, name) for name in SCENARIOS}),
    "storm": Part("faults, in storms", 1100, {name: partial(_storms, name) for name in SCENARIOS}),
    "input": Part(
        "bad inputs",
        408,
        {each.__name__: partial(_inputs, each) for each in (inputs.mappings, inputs.variables, inputs.messages)}
        | {each.__name__: partial(_with_a_state, each) for each in (inputs.lines, inputs.states, inputs.files)},
    ),
}


def tried(
    name: str,
    *,
    seed: int,
    count: int = 0,
    only: str = "",
    jobs: int = 2,
    tell: Callable[[str], None],
    going: Callable[[Told], None] = lambda _: None,
) -> Told:
    """Each group has an equal share of ``count`` (0: as many as the part promises). ``only``: with this name, or names
    that begin so. ``tell``: of what is wrong; ``going``: of each point that was tried."""
    part, dice = PARTS[name], random.Random(seed)  # noqa: S311 - the same again is the point
    told = Told(part.what, seed)
    groups = {f"{name}:{each}": make for each, make in part.groups.items()}
    groups = {each: make for each, make in groups.items() if each.startswith(only) or only.startswith(f"{each}:")}
    left = count or part.count
    some = dice.sample(sorted(groups), min(left, len(groups)))
    for number, group in enumerate(some):
        share = -(-left // (len(some) - number))
        try:
            with groups[group](seed) as known:
                points = {f"{group}:{each}": does for each, does in known.items()}
                if only.startswith(f"{group}:"):
                    points = {each: does for each, does in points.items() if f"{each}:".startswith(f"{only}:")}
                chosen = dice.sample(sorted(points.items()), min(len(points), share))
                told.known += len(points)
                for point, found in many(chosen, at_once=jobs):
                    left -= 1
                    for each in _counted(told, found):
                        tell(f"SEED={seed} ONLY={point}: {each}")
                    going(told)
        except Exception as error:  # noqa: BLE001 - the others are tried all the same
            if _interrupted(error):
                raise KeyboardInterrupt from None
            told.bad += 1
            tell(f"SEED={seed} ONLY={group}: {traceback.format_exc()}")
    return told


def _counted(told: Told, found: object) -> list[str]:
    wrong, times = (found.wrong, found.times) if isinstance(found, Tried) else ([str(found)], 1)
    told.tried += 1
    told.times += times
    told.bad += bool(wrong)
    return wrong


def _interrupted(error: BaseException | None) -> bool:
    """Also when what was to be tidied then could not be."""
    while error is not None and not isinstance(error, KeyboardInterrupt | SystemExit):
        error = error.__cause__ or error.__context__
    return error is not None
