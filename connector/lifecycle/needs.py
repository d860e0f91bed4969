"""The fields that an org must have for what a mapping writes: what each holds, on which object, with which values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum, auto

from connector.lifecycle.mapping import CompiledMapping
from connector.lifecycle.written import COUNT_KINDS, LONGEST, Written


class Holds(StrEnum):
    """What a field is for."""

    NUMBER = auto()
    DATE = auto()
    TIME = auto()
    TEXT = auto()
    ONE_OF = auto()
    SOME_OF = auto()
    REFERENCE = auto()


@dataclass(frozen=True)
class NeededField:
    """``track`` says what is written there. ``values``: those of a picklist, in their order; ``length``: of a text."""

    object_name: str
    name: str
    holds: Holds
    track: str
    values: tuple[str, ...] = ()
    length: int = 0

    @property
    def is_custom(self) -> bool:
        return self.name.endswith("__c")


def needed_fields(mapping: CompiledMapping) -> list[NeededField]:
    """One for each object and field. Where two tracks share one, its values are those of both."""
    found: dict[tuple[str, str], NeededField] = {}
    for track, fields in mapping.writes.items():
        for object_name, name in fields.items():
            kind, values, length = _shape(mapping, track, object_name)
            known = found.get((object_name, name))
            values = _distinct([*(known.values if known else ()), *values])
            found[object_name, name] = NeededField(object_name, name, kind, track, values, length)
    return list(found.values())


def _shape(mapping: CompiledMapping, track: str, object_name: str) -> tuple[Holds, Iterable[str], int]:
    """Kind, values and length."""
    model = mapping.model
    if written := next((each for each in model.written if each.track == track), None):
        return _shape_of(mapping, written, object_name)
    what = track.split(" ", maxsplit=1)[0]
    on = Holds.DATE if model.dates is None or model.dates.as_date else Holds.TIME
    kinds = {"entered": on, "exited": on, "how": Holds.TEXT, "owner": Holds.REFERENCE} | dict.fromkeys(
        ("score", "fit", "days"), Holds.NUMBER
    )
    if what == "tags":
        names = [tag.name for tag in model.tags]
        is_list, length = model.tag_separator == ";", max(LONGEST, len(model.tag_separator.join(names)))
        return (Holds.SOME_OF, names, 0) if is_list else (Holds.TEXT, (), length)
    if what in kinds:
        return kinds[what], (), LONGEST if kinds[what] == Holds.TEXT else 0
    return Holds.ONE_OF, _steps(mapping, track, object_name), 0


def _shape_of(mapping: CompiledMapping, written: Written, object_name: str) -> tuple[Holds, Iterable[str], int]:
    if written.what in COUNT_KINDS:
        return Holds.NUMBER, (), 0
    if written.is_date:
        return (Holds.TIME if written.with_time else Holds.DATE), (), 0
    if written.what == "previous_stage":
        return Holds.ONE_OF, _steps(mapping, "stage", object_name), 0
    if written.bands:
        return Holds.ONE_OF, [band for band, _ in written.bands], 0
    return Holds.TEXT, (), written.length


def _steps(mapping: CompiledMapping, track: str, object_name: str) -> Iterator[str]:
    """What a picklist of this track must hold: the stages for all that follows from the stage."""
    model = mapping.model
    name = "stage" if track in {"highest_stage", "account_stage"} else track
    for each in (each for each in model.tracks if each.name == name):
        yield from (step.value(object_name) for step in each.steps)


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
