"""A mapping made ready: the checked values, and one compiled program an object."""

from __future__ import annotations

from collections.abc import Mapping as Map
from dataclasses import dataclass, field

from connector.lifecycle.conditions import PEOPLE, Condition, Test, everything_read
from connector.lifecycle.ladder import Ladder
from connector.lifecycle.model import Step, Track

OBJECTS = (*PEOPLE, "Prospect")


@dataclass(frozen=True)
class Model:
    """Everything a mapping says, checked. Compiles from values alone."""

    stage: Track
    status: Track | None = None
    lock: Condition | None = None

    @property
    def tracks(self) -> tuple[Track, ...]:
        return (self.stage,) if self.status is None else (self.stage, self.status)

    @property
    def stages(self) -> tuple[Step, ...]:
        return self.stage.steps

    def conditions(self) -> list[Condition]:
        """Every condition, outermost only."""
        found = [self.lock] if self.lock else []
        for track in self.tracks:
            found += [rule.when for step in track.steps for rule in step.rules]
            found += [move.when for move in track.moves]
        return found

    def reads(self) -> dict[str, frozenset[str]]:
        """Object -> API field names that deciding looks at or writes."""
        pairs = {pair for condition in self.conditions() for pair in everything_read(condition)}
        pairs |= {(name, each) for fields in self.writes().values() for name, each in fields.items()}
        names = sorted({name for name, _ in pairs})
        return {name: frozenset(each for owner, each in pairs if owner == name) for name in names}

    def writes(self) -> dict[str, dict[str, str]]:
        """Track -> object -> the field it is written to."""
        return {track.name: dict(track.fields) for track in self.tracks if track.fields}


@dataclass
class Program:
    """A model compiled for the people of one object."""

    model: Model
    object_name: str
    ladders: tuple[Ladder, ...] = field(init=False)
    lock: Test | None = field(init=False)

    def __post_init__(self) -> None:
        self.ladders = tuple(Ladder(track, self.object_name) for track in self.model.tracks)
        self.lock = self.model.lock.compile(self.object_name) if self.model.lock else None


def compile_programs(model: Model) -> Map[str, Program]:
    return {name: Program(model, name) for name in OBJECTS}
