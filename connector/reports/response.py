"""From hand-off to first touch: how soon sales reach out to whom they were given."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from connector.base.json import JsonMap
from connector.reports.paths import Asked
from connector.reports.table import Figure, Report, Table, people, quantile, share

HOUR = timedelta(hours=1)


class Handed(NamedTuple):
    """``touched``: when the owner's side first called, met or wrote afterwards."""

    person: str
    at: datetime
    owner: str
    touched: datetime | None


def answered_at(at: datetime, touches: Sequence[datetime]) -> datetime | None:
    return min((each for each in touches if each >= at), default=None)


def response(handed: Sequence[Handed], asked: Asked, limit: timedelta, rows: Mapping[str, JsonMap]) -> Report:
    """``handed``: all that were made before the period ends."""
    said = _hours(limit)
    owners = Table(
        "owners",
        "By owner",
        ("owner", "handed off", "touched", "median", "90th percentile", f"within {said}", "before", "open breaches"),
        note="hours from hand-off to the first call, meeting or e-mail to the person, of the hand-offs of the period;"
        f" before: within {said}, in the period before; open breaches: not touched yet, for longer than that",
        picture="bars",
        drawn="open breaches",
        empty="Nobody was handed off in this period; the mapping says under handoff: who is, and to whom.",
    )
    now = asked.now
    here = [each for each in handed if asked.period.has(each.at)]
    earlier = [each for each in handed if asked.period.before.has(each.at)]
    late = {each for each in handed if each.touched is None and now - each.at > limit}
    groups: dict[str, list[Handed]] = defaultdict(list)
    for each in here:
        groups[each.owner or "(nobody)"].append(each)
    parts = sorted(groups.items()) + ([("all", here)] if len(groups) > 1 else [])
    for owner, theirs in parts:
        before = [each for each in earlier if owner in {"all", each.owner or "(nobody)"}]
        spans = sorted((each.touched - each.at) / HOUR for each in theirs if each.touched is not None)
        touched = [each.person for each in theirs if each.touched is not None]
        whole = [each.person for each in theirs]
        owners.add(
            owner,
            people(whole),
            people(touched),
            Figure(quantile(spans, 0.5), "hours", touched),
            Figure(quantile(spans, 0.9), "hours", touched),
            share(_in_time(theirs, limit), whole),
            share(_in_time(before, limit), [each.person for each in before]),
            people([each.person for each in theirs if each in late]),
        )
    waiting = Table(
        "waiting",
        "Waiting for a first touch",
        ("who", "name", "owner", "handed off", "hours ago", "so far"),
        note="everybody who was handed off by the end of the period, in it or before, and not called, met or written to"
        " until now, by their last hand-off; the longest first",
        empty="Nobody waits.",
    )
    last = {each.person: each for each in sorted(handed, key=lambda one: one.at)}
    waits = [each for each in last.values() if each.touched is None and rows.get(each.person, {}).get("live", True)]
    for each in sorted(waits, key=lambda one: (one.at, one.person)):
        row = rows.get(each.person, {})
        name = str(row.get("Name") or row.get("Email") or "")
        ago = Figure((now - each.at) / HOUR, "hours", (each.person,))
        since, is_late = f"{each.at:%Y-%m-%d %H:%M}", "late" if each in late else "in time"
        waiting.add(each.person, name, each.owner or "(nobody)", since, ago, is_late)
    return Report("response", "Response", [owners, waiting])


def _in_time(handed: Sequence[Handed], limit: timedelta) -> list[str]:
    return [each.person for each in handed if each.touched is not None and each.touched - each.at <= limit]


def _hours(limit: timedelta) -> str:
    return f"{limit / HOUR:g} hours" if limit != HOUR else "1 hour"
