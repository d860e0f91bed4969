"""A person's stays: at which step of a track they stood, from when to when, and what brought them there.

They follow from what is remembered of a track, and are kept as rows of their own, since every report is made of them:
settling a person closes the stay that is over and opens the one that began. A person whose record became another one
(a converted lead, a merged contact) goes on there, on the same *line*.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from connector.base.json import JsonMap, JsonObject
from connector.lifecycle.dates import INFERRED, OBSERVED
from connector.store.dialect import run_many
from connector.store.links import IDS, rows_in
from connector.store.rows import read_json
from connector.store.schema import HISTORY, STAY, TRACK
from connector.store.undoing import UNDONE

BY_RULE, BY_HAND, FIRST_SIGHT, TAKEN_OVER = "rule", "person", "first sight", "taken over"
UNDECIDED = "(not decided)"  # in place of a rule: a value that the mapping does not know, or whose change is refused
OVERWRITTEN = "overwritten"  # in a track's memory: what stood before a value that was sent, and never seen there
_STAGE = "stage"
_OF_A_LADDER = '"record":'  # in the memory of tracks with steps only
_OPEN = select(STAY).where(STAY.c.person_id.in_(IDS), STAY.c.left_at.is_(None))
_INSERT = insert(STAY).values({each.name: bindparam(each.name) for each in STAY.columns if each.name != "id"})
_CLOSE = update(STAY).where(STAY.c.id == bindparam("stay")).values(left_at=bindparam("left"), became=bindparam("heir"))
_MEMORIES = (
    select(HISTORY.c.ref, HISTORY.c.track, HISTORY.c.until, HISTORY.c.said)
    .where(HISTORY.c.track != "")
    .order_by(HISTORY.c.id)
)
_TRACKS = select(*(TRACK.c[name] for name in ("person_id", "track", "memory", "since", "at", "rule", "stands")))
_Key = tuple[str, str]  # person, track


def follow(connection: Connection, tracks: Mapping[_Key, JsonMap], changed: Collection[_Key], at: str) -> None:
    """Brings the stays of these people up to what was just decided: rows of ``track``, those that ``changed``, and
    when."""
    opened = {(row.person_id, row.track): row for row in rows_in(connection, _OPEN, {key[0] for key in tracks})}
    standing = {key: read_json(row["memory"]) for key, row in tracks.items() if _may_tell(key, row, changed, opened)}
    former = {each for memory in standing.values() for each in memory.get("took", ())}
    theirs = {(row.person_id, row.track): row for row in rows_in(connection, _OPEN, sorted(former))}
    closed: list[JsonObject] = []
    begun: list[JsonObject] = []
    for key, memory in standing.items():
        heirs_of = [theirs[each, key[1]] for each in memory.get("took", ()) if (each, key[1]) in theirs]
        stays, ends = _follow_one(key, tracks[key], memory, opened.get(key), heirs_of, at)
        begun += stays
        closed += ends
    run_many(connection, _CLOSE, closed)
    run_many(connection, _INSERT, [{**each, "line": _unlike(each["line"], each["person_id"])} for each in begun])


def _unlike(line: str, person: str) -> str | None:
    return line if line != person else None


def _may_tell(key: _Key, row: JsonMap, changed: Collection[_Key], opened: Mapping[_Key, Any]) -> bool:
    if key in changed or key not in opened:
        return _OF_A_LADDER in row["memory"] or (key[1] == _STAGE and row["memory"] == "{}")
    return False


def _follow_one(
    key: _Key, row: JsonMap, memory: JsonMap, opened: Any, former: Sequence[Any], at: str
) -> tuple[list[JsonObject], list[JsonObject]]:
    """Stays that begin, those that end."""
    person, track = key
    if memory and "at" not in memory:  # the track is not decided for people at their stage
        return [], [_end(each, at, None if each is opened else person) for each in (opened, *former) if each]
    stage, told_since = _where(row, memory)
    ends = [_end(each, at, person) for each in former]
    if opened is not None and opened.stage == stage:
        return [], ends
    before = opened or _goes_on(former, stage)
    is_same = before is not None and before.stage == stage
    is_old = before is not None and (told_since or "") < before.entered_at  # of an earlier time at this stage
    since = at if is_same or is_old or not told_since else told_since
    made: JsonObject = {
        "person_id": person,
        "track": track,
        "stage": stage,
        "entered_at": since,
        "left_at": None,
        "how": OBSERVED if before is not None else INFERRED,
        "by": TAKEN_OVER
        if is_same
        else _by_whom(
            row,
            is_undecided=_is_undecided(row, memory),
            was_here=opened is not None,
            took_over=bool(former),
        ),
        "rule": _rule(row, memory),
        "line": (before.line or before.person_id) if before is not None else person,
        "became": None,
        "seen_at": at,
    }
    passed = [] if is_same else list(_passed(memory, made, before))
    begun = _in_a_row([*passed, made])
    if before is not None:
        ends = [each for each in ends if each["stay"] != before.id]
        ends.append(_end(before, begun[0]["entered_at"], None if before is opened else person))
    return begun, ends


def _where(row: JsonMap, memory: JsonMap) -> tuple[str, str | None]:
    """The step, and since when; or what stands where that is no step of the mapping, or nothing was ever taken."""
    if _is_undecided(row, memory):
        return row["stands"] or "", None
    return memory.get("at") or memory.get("written") or "", memory.get("since")


def _is_undecided(row: JsonMap, memory: JsonMap) -> bool:
    return not memory or (row["stands"] or "") != (memory.get("written") or "")


def _rule(row: JsonMap, memory: JsonMap) -> str:
    if _is_undecided(row, memory):
        return UNDECIDED
    return str(row["rule"]) if row["verdict"] == "moves" else ""


def _goes_on(former: Sequence[Any], stage: str) -> Any:
    """Of those who became this person, the one whose stay goes on."""
    return max(former, key=lambda each: (each.stage == stage, each.entered_at, each.id), default=None)


def _by_whom(row: JsonMap, *, is_undecided: bool, was_here: bool, took_over: bool) -> str:
    is_moved = row["verdict"] == "moves" and not is_undecided
    if took_over and not (is_moved and row["rule"]):
        return TAKEN_OVER
    if is_moved:
        return BY_RULE
    return BY_HAND if was_here else FIRST_SIGHT


def _passed(memory: JsonMap, made: JsonMap, before: Any) -> Iterator[JsonObject]:
    """Steps on the way that the facts vouch for, in time."""
    found = [
        (max(when, before.entered_at if before is not None else ""), position, step)
        for position, (step, (when, how)) in enumerate(memory.get("entered", {}).items())
        if how == INFERRED and step != made["stage"] and when <= made["entered_at"]
    ]
    was_told = before is not None and not (before.by == FIRST_SIGHT and before.rule == UNDECIDED)
    if was_told and made["by"] != BY_RULE:  # what is remembered is of the move before
        return
    if was_told:  # what was passed earlier was told then
        when_of = {step: told[0] for step, told in memory.get("entered", {}).items()}
        found = [each for each in found if when_of[each[2]] >= before.entered_at]
        found = [each for each in found if each[2] != before.stage and when_of[each[2]] > when_of.get(before.stage, "")]
    for when, _, step in sorted(found):
        yield {**made, "stage": step, "entered_at": when, "how": INFERRED}


def _in_a_row(stays: list[JsonObject]) -> list[JsonObject]:
    for each, following in pairwise(stays):
        each["left_at"] = following["entered_at"]
    return stays


def _end(stay: Any, at: str, heir: str | None) -> JsonObject:
    return {"stay": stay.id, "left": max(at, stay.entered_at), "heir": heir}


class Version(NamedTuple):
    """What was remembered of a person's track, from a time on."""

    at: str
    person: str
    track: str
    memory: JsonMap
    verdict: str
    rule: str
    stands: str


class _Kept(NamedTuple):
    id: int
    person_id: str
    track: str
    stage: str
    entered_at: str
    line: str
    by: str
    rule: str


def replayed(versions: Iterable[Version]) -> list[JsonObject]:
    """The stays that follow from memories alone, in order of time: for a state that had none, and to check those that
    are there."""
    made: list[JsonObject] = []
    opened: dict[_Key, _Kept] = {}
    for each in sorted(versions, key=lambda version: version[:3]):
        key = (each.person, each.track)
        row = {"verdict": each.verdict, "rule": each.rule, "stands": each.stands}
        former = [opened[old, each.track] for old in each.memory.get("took", ()) if (old, each.track) in opened]
        begun, ends = _follow_one(key, row, each.memory, opened.get(key), former, each.at)
        for end in ends:
            gone = made[end["stay"]]
            gone |= {"left_at": end["left"], "became": end["heir"]}
            opened.pop((gone["person_id"], gone["track"]), None)
        for stay in begun:
            if stay["left_at"] is None:
                kept = (stay[name] for name in ("person_id", "track", "stage", "entered_at", "line", "by", "rule"))
                opened[key] = _Kept(len(made), *kept)
            made.append(stay)
    return made


def versions(connection: Connection) -> Iterator[Version]:
    """Everything that was ever remembered of tracks with steps."""
    before: dict[_Key, list[tuple[str, JsonMap]]] = defaultdict(list)
    for row in connection.execute(_MEMORIES):
        if _OF_A_LADDER in row.said or (row.track == _STAGE and row.said == "{}"):
            before[row.ref, row.track].append((row.until, read_json(row.said)))
    for row in connection.execute(_TRACKS):
        key = (row.person_id, row.track)
        is_told = _OF_A_LADDER in row.memory or (row.track == _STAGE and row.memory == "{}")
        memories = [*before.pop(key, ()), *([("", read_json(row.memory))] if is_told else ())]
        at = row.since or (memories[0][1].get("since") if memories else None) or row.at
        for until, memory in memories:
            is_last = not until
            rule = row.rule if is_last else memory.get("rule") or ""
            by_hand = (memory.get("hold") or {}).get("by") == "person"  # a rule may lead there as well
            moved = bool(rule) and not memory.get("start") and not by_hand
            if memory:
                stood = memory.get(UNDONE, {}).get("stands", memory.get(OVERWRITTEN, memory.get("written")))
                yield Version(at, *key, memory, "moves" if moved else "stays", rule, stood or "")
            at = until
        if is_told and _is_undecided({"stands": row.stands}, memories[-1][1]):
            yield Version(max(row.at, at), *key, memories[-1][1], "stays", "", row.stands)
