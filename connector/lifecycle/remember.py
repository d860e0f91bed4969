"""What is remembered of a track until the next time, as JSON: where somebody stands, since when, by which rule."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from connector.lifecycle.dates import stage_dates
from connector.lifecycle.ladder import NOWHERE, Ladder, Memory, Standing
from connector.lifecycle.view import View


def plain(view: View, ladder: Ladder, position: int, entered: datetime | None, rule: str) -> dict[str, Any]:
    """What is remembered of everybody, of somebody who stands where the rules say."""
    name = ladder.names[position]
    return {
        "written": ladder.values[position],
        "at": name,
        "since": entered.isoformat() if entered is not None else None,
        "answer": name,
        "rule": rule,
        "record": view.person.id,
    }


def add_kept(
    view: View,
    ladder: Ladder,
    standing: Standing,
    target: int,
    entered: datetime | None,
    memory: Memory,
    remembered: dict[str, Any],
) -> None:
    """What is remembered besides, where the mapping wants it."""
    if ladder.has_lifts:
        remembered["own"] = _own(view, ladder, standing, target, memory)
    if ladder.keeps_highest:
        remembered["highest"] = _highest(ladder, standing.position, target, memory)
    if ladder.keeps_dates:
        remembered |= stage_dates(view, ladder, memory, standing.position, target, entered)


def _own(view: View, ladder: Ladder, standing: Standing, target: int, memory: Memory) -> str | None:
    """The furthest step that the person reached without being lifted by others of the account. What a person set, or
    what stood there from the beginning, counts as reached."""
    reached = {ladder.own_answer(view), ladder.positions.get(memory.get("own") or "", NOWHERE)}
    if standing.is_new or (standing.hold is not None and standing.hold["by"] == "person"):
        reached.add(standing.position)
    return ladder.names[min(max(reached), target)]


def _highest(ladder: Ladder, position: int, target: int, memory: Memory) -> str | None:
    """The furthest stage of the funnel ever stood at."""
    stood = {position, target, ladder.positions.get(memory.get("highest") or "", NOWHERE)}
    return ladder.names[max((each for each in stood if each >= 0 and ladder.steps[each].funnel), default=NOWHERE)]
