"""Where those came from who reached a stage, from lists of what they did: see ``oracle``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from tests.data.oracle import Lists, Told

Touches = Mapping[str, list[tuple[datetime, str]]]


def sources(lists: Lists, lead_source: Mapping[str, str], done: Touches) -> Told:
    """Who reached each stage in the period, by where they came from."""
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for number, stage in enumerate(lists.ladder):
        for each in lists.humans:
            at = each.first(*lists.ladder[number:])
            if at is None or not lists.is_in(at):
                continue
            before = sorted(one for one in done.get(each.person, ()) if one[0] <= at)
            touched = {"first touch": before[:1], "last touch": before[-1:]}
            found["sources", "lead source", lead_source.get(each.person) or "(none)", stage].append(each.person)
            for how, some in touched.items():
                found["sources", how, some[0][1] if some else "(none)", stage].append(each.person)
    return {key: (len(who), tuple(sorted(who))) for key, who in found.items()}
