"""What counts of each source, as ``sources:`` of the mapping says: a sieve between recording and deciding.

All that a source tells is recorded. The sieve runs when a person is decided, before anything looks at them, so another
mapping takes effect on everything that was ever recorded, without asking the source again. Mappings without the section
have no sieve. Nothing in it looks at the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from connector.base.facts import Activity, Direction, OpportunityRole, Person, Prospect
from connector.lifecycle.amounts import DEAL_KIND
from connector.lifecycle.compare import Comparison
from connector.lifecycle.conditions import all_of
from connector.lifecycle.deals import as_opportunity
from connector.lifecycle.score import ScoreSource
from connector.lifecycle.values import fold, number_of
from connector.lifecycle.view import View

SALESFORCE = "salesforce"
# Sources through which several senders speak, and the attribute that says which of them it was.
FEEDS = {"webhook": "hook", "files": "source", "warehouse": "source"}
TAP = "tap-"  # how the name of a tap begins, each of which is a source
CRM_ID, BY_PROSPECT, EMAIL = MATCH = ("crm_id", "prospect", "email")  # how people are found, the surest first


Prospects = frozenset[tuple[str, str]]  # source, id
Types = Mapping[str, tuple[str, Direction]]  # their word, as ``kind_of`` writes it -> our kind, and its usual direction
NO_TYPES: Types = {}
_NOBODY: Prospects = frozenset()


@dataclass(frozen=True)
class Declared:
    """One source as the mapping declares it. ``through``: it is a sender of its own within these feeds, () for a whole
    source. ``kinds``: what counts (None: all), or with ``but`` what does not. ``score``: the attribute that is its
    score, "" for none of its own (None: unsaid). ``types``: what it calls activities. ``file`` and ``line`` are where
    the mapping says so."""

    name: str
    is_off: bool = False
    through: tuple[str, ...] = ()
    kinds: frozenset[str] | None = None
    but: bool = False
    called: Comparison | None = None
    where: tuple[tuple[str, Comparison], ...] = ()
    match: tuple[str, ...] = MATCH
    score: str | None = None
    deals: bool = False
    types: Types = field(default_factory=dict)
    file: str = ""
    line: int = 0

    @cached_property
    def test(self) -> Callable[[Activity], bool] | None:
        """Whether an activity of it counts, however its person was found; None where every one does."""
        if self.is_off:
            return lambda _activity: False
        tests: list[Callable[[Activity], bool]] = []
        if self.kinds is not None:
            kinds, but = self.kinds, self.but
            tests.append(lambda activity: (activity.kind in kinds) is not but)
        if self.called is not None:
            is_called = self.called.compile()
            tests.append(lambda activity: is_called(activity.name, NO_VIEW))
        tests += [_has(name, compare) for name, compare in self.where]
        if len(tests) <= 1:
            return tests[0] if tests else None
        return all_of(tests)


def _has(name: str, compare: Comparison) -> Callable[[Activity], bool]:
    check = compare.compile()
    return lambda activity: check(activity.attributes.get(name), NO_VIEW)


NO_VIEW: Any = None  # the mapping refuses comparisons with the clock here, and the others look at no view


class Sieve:
    """What counts of a person, by all declared sources."""

    def __init__(self, sources: Sequence[Declared], types: Types = NO_TYPES) -> None:
        self._types = types
        self._words = frozenset(types).union(*(each.types for each in sources))
        self._whole = {each.name: each for each in sources if not each.through}
        self._senders: dict[str, dict[str, Declared]] = {}
        for each in sources:
            for feed in each.through:
                self._senders.setdefault(feed, {})[fold(each.name)] = each
        self._takes_any_address = all(each.match == MATCH for each in sources)
        self._takes_any_prospect = self._takes_any_address and not any(each.is_off for each in sources)

    def of(self, fact: Activity | Prospect) -> Declared | None:
        """What is declared of the fact's source; of its sender rather than of the feed through which it came."""
        if senders := self._senders.get(fact.source):
            name = fact.attributes.get(FEEDS[fact.source])
            if name.__class__ is str and (found := senders.get(fold(name))) is not None:
                return found
        return self._whole.get(fact.source)

    def sift(self, person: Person) -> Person:
        """The person with only what counts; deals that count as opportunities are among the opportunities."""
        by_address = _NOBODY if self._takes_any_address else _by_address(person)
        whole, senders = self._whole, self._senders
        kept: list[Activity] = []
        deals: list[OpportunityRole] = []
        for activity in person.activities:
            source = activity.source
            said = self.of(activity) if source in senders else whole.get(source)
            if said is not None:
                test = said.test
                if test is not None and not test(activity):
                    continue
                if said.match is not MATCH and not _is_found(activity, said.match, by_address):
                    continue
                if said.deals and activity.kind == DEAL_KIND:
                    deals.append(as_opportunity(activity, said.name))
            kept.append(activity)
        prospects = person.prospects
        if prospects and not self._takes_any_prospect:
            prospects = tuple(each for each in prospects if self._speaks(each, by_address))
        is_all = len(kept) == len(person.activities) and len(prospects) == len(person.prospects)
        if is_all and not deals:
            return person
        opportunities = (*person.opportunities, *deals)
        return replace(person, activities=tuple(kept), prospects=prospects, opportunities=opportunities)

    def in_our_words(self, person: Person) -> Person:
        """The person with the kinds that senders' words stand for."""
        words = self._words
        if not words or not any(each.kind in words for each in person.activities):
            return person
        said = (self._in_our_words(each) if each.kind in words else each for each in person.activities)
        return replace(person, activities=tuple(said))

    def _in_our_words(self, activity: Activity) -> Activity:
        """What was said to be inbound is."""
        said = self.of(activity)
        meant = (said.types if said is not None else NO_TYPES).get(activity.kind) or self._types.get(activity.kind)
        if meant is None:
            return activity
        kind, usual = meant
        is_inbound = Direction.INBOUND in {activity.direction, usual}
        return replace(activity, kind=kind, direction=Direction.INBOUND if is_inbound else usual)

    def _speaks(self, prospect: Prospect, by_address: Prospects) -> bool:
        """Whether what a source says of the person counts."""
        said = self.of(prospect)
        if said is None:
            return True
        is_found = BY_PROSPECT in said.match and (
            EMAIL in said.match or (prospect.source, prospect.id) not in by_address
        )
        return is_found and not said.is_off


def _by_address(person: Person) -> Prospects:
    """Prospects that are the person's by nothing but their address."""
    everything = (*person.prospects, *person.former_prospects)
    found = [(each.source, each.id) for each in everything if not each.crm_id]
    return frozenset(each for each in found if person.id != f"{each[0]}:{each[1]}")


def _is_found(activity: Activity, match: Sequence[str], by_address: Prospects) -> bool:
    """Whether the person was found in one of these ways; the store goes the first one that an activity offers."""
    if activity.crm_id:
        return CRM_ID in match
    if activity.prospect_id:
        return BY_PROSPECT in match and (EMAIL in match or (activity.source, activity.prospect_id) not in by_address)
    return EMAIL in match


@dataclass(frozen=True)
class SourceScores(ScoreSource):
    """A score that each source keeps under a name of its own; of several, the largest. A source that says none in
    ``sources:`` has it under ``prospect`` ("": nowhere). A sender may also tell its score with each activity: then the
    newest one counts."""

    sources: tuple[Declared, ...] = ()

    @cached_property
    def _of(self) -> Callable[[Activity | Prospect], Declared | None]:
        return Sieve(self.sources).of

    @cached_property
    def _by_source(self) -> Mapping[str, str]:
        """Senders, and what they call their score."""
        return {each.name: each.score for each in self.sources if each.score and self._may_tell(each)}

    @staticmethod
    def _may_tell(each: Declared) -> bool:
        """Whether it may tell a score with an activity."""
        return bool(each.through) or each.name in FEEDS or each.name.startswith(TAP)

    def read(self, view: View) -> float | None:
        found = [number_of(each.attributes.get(self._name(self._of(each)))) for each in view.person.prospects]
        if self._by_source:
            found += self._scores(view)
        return max((value for value in found if value is not None), default=None)

    def _name(self, said: Declared | None) -> str:
        return self.prospect if said is None or said.score is None else said.score

    def _scores(self, view: View) -> Iterable[float]:
        left = dict(self._by_source)
        for activity in reversed(view.person.activities):
            said = self._of(activity)
            if said is None or said.name not in left:
                continue
            value = number_of(activity.attributes.get(left[said.name]))
            if value is not None and activity.occurred_at > view.now:
                view.look_again(activity.occurred_at)
            elif value is not None:
                del left[said.name]
                yield value
