"""What must hold after whatever happened: one table, used by every part of the proof."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from connector.base.clock import SystemClock
from connector.base.json import JsonObject
from connector.commands.reporting import Wanted, run_reports
from connector.store import open_store
from tests.torture.company import EMPTY, STAGE, Company, Place

_THROUGH = ("through", "deleted_through", "generation", "full_at")  # of a cursor: what only grows


@dataclass(frozen=True)
class Seen:
    """What is looked at once the dust has settled. ``expected``: the values of the same company when nothing broke.
    ``cursors``: as they were, oldest first."""

    company: Company
    expected: Mapping[Place, str]
    cursors: Sequence[Mapping[str, JsonObject]]

    @cached_property
    def written(self) -> Mapping[Place, list[tuple[str, str]]]:
        """What the log says that Salesforce took: old and new, oldest first."""
        found: dict[Place, list[tuple[str, str]]] = defaultdict(list)
        with open_store(self.company.state, clock=SystemClock()) as store:
            for entry in store.written():
                for change in entry["changes"]:
                    place = entry["record_id"], change["field"]
                    found[place].append((change["old"] or "", change["new"] or ""))
        return found


def cursors_of(company: Company) -> dict[str, JsonObject]:
    with open_store(company.state, clock=SystemClock()) as store:
        return store.cursors()


def the_end_is_the_same(seen: Seen) -> Iterator[str]:
    values = seen.company.values()
    for place in sorted(values.keys() | seen.expected.keys()):
        both = {values.get(place), seen.expected.get(place)}
        if len(both) > 1 and not _hangs_on_a_hand(seen, place, both):
            yield f"{place} is {values.get(place)!r}, and {seen.expected.get(place)!r} when nothing breaks"


def _hangs_on_a_hand(seen: Seen, place: Place, values: set[str | None]) -> bool:
    """A status that nobody said yet goes on from a lead to its contact while the stage has one. Where somebody set a
    stage that has none, the carrying hangs on whether a cycle came before them, and what stands is left alone."""
    record, name = place
    return name != STAGE and (record, STAGE) in seen.company.by_hand and values <= {*EMPTY}


def what_is_ours_is_in_the_log_once(seen: Seen) -> Iterator[str]:
    written = seen.written
    for place, value in seen.company.values().items():
        entries = written.get(place, [])
        for entry in entries:
            if entries.count(entry) > 1 and place not in seen.company.by_hand:
                yield f"{place}: {entry} is in the log {entries.count(entry)} times"
        is_ours = value not in EMPTY and seen.company.by_hand.get(place) != value
        if is_ours and (not entries or entries[-1][1] != value):
            yield f"{place} is {value!r}, which the log does not say: {entries}"


def no_hand_is_invented(seen: Seen) -> Iterator[str]:
    hands = {place[0] for place in seen.company.by_hand}
    with open_store(seen.company.state, clock=SystemClock()) as store:
        for stay in store.stays():
            if stay.by == "person" and stay.person not in hands:
                yield f"{stay.person} is at {stay.stage} by hand, says the state, and nobody set it"


def what_people_set_stands(seen: Seen) -> Iterator[str]:
    written = seen.written
    values = seen.company.values()
    for place, value in seen.company.by_hand.items():
        if place in values and values[place] != value and value not in {old for old, _ in written.get(place, [])}:
            yield f"{place} was set to {value!r} by hand and is {values[place]!r}, and the log has no such change"


def cursors_only_go_on(seen: Seen) -> Iterator[str]:
    for before, after in zip(seen.cursors, seen.cursors[1:], strict=False):
        for name, cursor in before.items():
            for each in _THROUGH:
                was, now = cursor.get(each), after.get(name, {}).get(each)
                if was is not None and (now is None or now < was):
                    yield f"the cursor {name} went back: {each} was {was} and is {now}"


def the_ledger_closes(seen: Seen) -> Iterator[str]:
    settings = seen.company.practice.settings(state=seen.company.state)
    (report,), _ = run_reports(settings, ["ledger"], Wanted(verify=True))
    if not report.good:
        wrong = next(table for table in report.tables if table.name == "wrong")
        yield f"the ledger: {report.said} {wrong.rows[:3]}"


def a_second_look_changes_nothing(seen: Seen) -> Iterator[str]:
    before = seen.company.values()
    ended = seen.company.run_alone("sync", "--json")
    document = json.loads(ended.printed[ended.printed.index("{\n") :])
    if ended.code != 0 or document["written"] or seen.company.values() != before:
        yield f"a second look ended with {ended.code} and wrote {document['written']}: {document['changes']}"


def nothing_secret_is_printed(seen: Seen) -> Iterator[str]:
    given = seen.company.practice.org.credentials
    for name in ("client_secret", "refresh_token", "access_token"):
        if getattr(given, name) in seen.company.printed:
            yield f"the {name} was printed"
    if re.search(r"BEGIN \w* ?PRIVATE KEY", seen.company.printed):
        yield "a private key was printed"


def nobody_sees_a_traceback(seen: Seen) -> Iterator[str]:
    if "Traceback" in seen.company.printed:
        yield "a traceback: " + seen.company.printed[seen.company.printed.index("Traceback") :][-600:]


INVARIANTS: dict[str, Callable[[Seen], Iterator[str]]] = {
    "the values are those of a run in which nothing broke": the_end_is_the_same,
    "every value of ours is in the log once": what_is_ours_is_in_the_log_once,
    "nothing is by hand that no hand did": no_hand_is_invented,
    "what people set stands, or is in the log": what_people_set_stands,
    "cursors never go back": cursors_only_go_on,
    "the ledger closes": the_ledger_closes,
    "a second look changes nothing": a_second_look_changes_nothing,
    "no secret is printed": nothing_secret_is_printed,
    "no traceback is printed": nobody_sees_a_traceback,
}


def wrong(seen: Seen) -> list[str]:
    return [f"{name}: {each}" for name, check in INVARIANTS.items() for each in check(seen)]
