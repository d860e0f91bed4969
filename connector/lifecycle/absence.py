"""What might turn out otherwise once more is seen: of what was never seen, nobody knows whether it is there.

A condition that holds *may end* then: ``not:`` a click, a score below a number, the opposite of a field that is hidden.
One that does not hold *may begin*: a click, a score from a number on. Nobody is moved by a rule that may end; what may
begin moves them on later. Both are said of conditions, not of people, and in doubt say yes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from connector.lifecycle.activity import HasActivity
from connector.lifecycle.compare import Comparison, Every, IsNot, Missing, OneOf, Order
from connector.lifecycle.conditions import AccountIs, Condition, Not, ProspectIs
from connector.lifecycle.measures import AccountStageIs, HandedOff, ResponseTime, ScoreIs, ThresholdOn
from connector.lifecycle.opportunity import HasOpportunity
from connector.lifecycle.program import Model
from connector.lifecycle.records import HasRecord
from connector.lifecycle.sources import SALESFORCE
from connector.lifecycle.surroundings import AccountHasOpportunity, AccountIsActive

SOURCE = "source "  # what is blind: before the name of a marketing source
_OF_DEALS = frozenset({"Opportunity", "OpportunityContactRole"})
_OF_ACTIVITIES = frozenset(
    {"Task", "Event", "CampaignMember", "EmailMessage", "TaskRelation", "EventRelation", "EmailMessageRelation"}
)
# without which an object says little
LINK_FIELDS = ("AccountId", "ContactId", "OpportunityId", "WhoId", "IsWon", "IsClosed")
_FROM_SALESFORCE = OneOf((SALESFORCE,))
_Measure = ScoreIs | ThresholdOn | AccountStageIs | ResponseTime | HandedOff
_OF_ACCOUNT = (AccountHasOpportunity, AccountIsActive, AccountIs)


class Unseen:
    """``blind``: objects, fields as ``Contact.Rating__c``, and sources as ``source marketo`` that were never read."""

    def __init__(self, model: Model, blind: Collection[str]) -> None:
        self._sources = frozenset(name.removeprefix(SOURCE) for name in blind if name.startswith(SOURCE))
        self._fields = frozenset(name for name in blind if "." in name and not name.startswith(SOURCE))
        linking = {name.partition(".")[0] for name in self._fields if name.endswith(LINK_FIELDS)}
        self._objects = frozenset(blind) - self._fields | linking
        self._has_deals = not self._sources.isdisjoint(each.name for each in model.sources if each.deals)
        self._scores = {each.name: each for each in model.scores}
        self._handoffs = model.handoffs
        self._known: dict[tuple[str, bool], bool] = {}  # score and direction, or hand-off, once asked

    def may_end(self, condition: Condition) -> bool:
        """Whether it may hold because something is not there that may well be."""
        return self._may_turn(condition, ends=True)

    def may_begin(self, condition: Condition) -> bool:
        return self._may_turn(condition, ends=False)

    def may_differ(self, condition: Condition) -> bool:
        return self.may_end(condition) or self.may_begin(condition)

    def score_may_be(self, name: str, *, higher: bool) -> bool:
        """Whether the score or fit, once all is seen, may be higher (or lower) than it is now."""
        key = (name, higher)
        if key not in self._known:
            self._known[key] = False  # a score that looks at itself
            self._known[key] = self._score_may_be(name, higher)
        return self._known[key]

    def handoff_may_happen(self, name: str) -> bool:
        key = (f"hand-off {name}", True)
        if key not in self._known:
            self._known[key] = False  # one that looks at hand-offs
            self._known[key] = any(each.name == name and self.may_begin(each.when) for each in self._handoffs)
        return self._known[key]

    def _score_may_be(self, name: str, higher: bool) -> bool:
        score = self._scores.get(name)
        if score is None:
            return False
        if score.source is not None:
            fields = score.source.fields
            if fields is None:
                return bool(self._sources) and higher  # the largest of all counts
            return not self._fields.isdisjoint(f"{of}.{field}" for of, field in fields.items())
        return any(self._may_turn(each.when, ends=(each.points > 0) is not higher) for each in score.points)

    def _may_turn(self, condition: Condition, *, ends: bool) -> bool:
        if isinstance(condition, Not):
            return self._may_turn(condition.item, ends=not ends)
        if isinstance(condition, _OF_ACCOUNT) and "Contact" in self._objects:
            return True  # nobody knows of which account people are
        if isinstance(condition, AccountHasOpportunity):
            return self._may_turn(condition.deal, ends=ends)
        if isinstance(condition, _Measure):
            return self._measure_may_turn(condition, ends)
        if any(self._may_turn(part, ends=ends) for part in condition.parts()):
            return True
        return self._facts_may_turn(condition, ends)

    def _measure_may_turn(self, condition: _Measure, ends: bool) -> bool:
        if isinstance(condition, ScoreIs):
            return self._number_may_turn(condition.of, condition.compare, ends)
        if isinstance(condition, ThresholdOn):
            return self.score_may_be(condition.of, higher=not ends)
        if isinstance(condition, ResponseTime):  # the first touch may have been an earlier one
            return self._is_blind_to(condition) and (condition.sign[0] == ">") is ends
        if isinstance(condition, HandedOff):
            named = condition.by or [each.name for each in self._handoffs]
            return condition.expected is not ends and any(self.handoff_may_happen(name) for name in named)
        return bool(self._objects or self._fields or self._sources)

    def _facts_may_turn(self, condition: Condition, ends: bool) -> bool:
        if self._is_blind_to(condition) and (_may_end_by_more if ends else _may_begin_by_more)(condition):
            return True
        return any(self._field_may_turn(condition, compare, ends) for compare in self._compared_blindly(condition))

    def _compared_blindly(self, condition: Condition) -> Iterator[Comparison]:
        for name, field, compare in condition.compares():
            if not self._fields.isdisjoint({f"{name}.{each}" for each in (field, *compare.others())}):
                yield compare

    def _field_may_turn(self, condition: Condition, compare: Comparison, ends: bool) -> bool:
        if isinstance(condition, HasOpportunity) and condition.state == "none":
            ends = not ends  # one that fits ends it
        elif _is_of_all(condition):
            return True
        return _holds_of_nothing(compare) is ends

    def _number_may_turn(self, name: str, compare: Comparison, ends: bool) -> bool:
        ways = [up for up in (True, False) if self.score_may_be(name, higher=up)]
        score = self._scores.get(name)
        if ways and score is not None and score.source is not None and _holds_of_nothing(compare) is ends:
            return True
        return any(_may_end_of_number(compare, up) if ends else _may_end_of_number(compare, not up) for up in ways)

    def _is_blind_to(self, condition: Condition) -> bool:
        if isinstance(condition, HasOpportunity):
            return self._has_deals or not self._objects.isdisjoint(_OF_DEALS)
        if isinstance(condition, HasActivity):
            return self._may_come(condition)
        if isinstance(condition, ResponseTime):
            return bool(self._sources) or not self._objects.isdisjoint(_OF_ACTIVITIES)
        if isinstance(condition, HasRecord):
            return condition.of in self._objects
        if isinstance(condition, ProspectIs):
            return bool(self._sources)
        return isinstance(condition, AccountIs) and "Account" in self._objects

    def _may_come(self, condition: HasActivity) -> bool:
        """Also under another name: senders have names of their own."""
        if not self._objects.isdisjoint(_OF_ACTIVITIES):
            return True
        return bool(self._sources) and condition.source != _FROM_SALESFORCE


def _may_end_by_more(condition: Condition) -> bool:
    if isinstance(condition, AccountIs | ProspectIs):
        return _holds_of_nothing(condition.compare)
    return _is_of_all(condition)


def _may_begin_by_more(condition: Condition) -> bool:
    return not (isinstance(condition, HasOpportunity) and condition.state == "none")


def _is_of_all(condition: Condition) -> bool:
    """Whether it is said of all of them together, so that one more could end it."""
    if isinstance(condition, HasOpportunity):
        return condition.state in {"none", "all_lost"} or bool(condition.which or condition.total)
    if isinstance(condition, HasActivity):
        return bool(condition.latest_of) or condition.after_quiet is not None
    return isinstance(condition, HasRecord) and bool(condition.total)


def _holds_of_nothing(compare: Comparison) -> bool:
    """Whether an empty value passes."""
    if isinstance(compare, Every):
        return all(_holds_of_nothing(each) for each in compare.items)
    if isinstance(compare, IsNot):
        return not _holds_of_nothing(compare.item)
    return isinstance(compare, Missing) or (isinstance(compare, OneOf) and False in compare.values)


def _may_end_of_number(compare: Comparison, up: bool) -> bool:
    """Whether a number that passes may fail once it is larger (``up``) or smaller."""
    if isinstance(compare, Every):
        return any(_may_end_of_number(each, up) for each in compare.items)
    if isinstance(compare, IsNot):
        return _may_end_of_number(compare.item, not up)
    return not isinstance(compare, Order) or (compare.sign[0] == "<") is up
