"""Which conditions may hold for the lack of something: of what was never seen, nobody knows whether it lacks.

``blind``: objects, and fields as ``Contact.Rating__c``, that could not be read yet.
"""

from __future__ import annotations

from collections.abc import Collection

from connector.lifecycle.activity import HasActivity
from connector.lifecycle.compare import Comparison, IsNot, Missing
from connector.lifecycle.conditions import AccountIs, Condition, Not
from connector.lifecycle.opportunity import HasOpportunity
from connector.lifecycle.records import HasRecord
from connector.lifecycle.surroundings import AccountHasOpportunity

_OF_DEALS = frozenset({"Opportunity", "OpportunityContactRole"})
_OF_ACTIVITIES = frozenset(
    {"Task", "Event", "CampaignMember", "EmailMessage", "TaskRelation", "EventRelation", "EmailMessageRelation"}
)
_LINKS = (
    "AccountId",
    "ContactId",
    "OpportunityId",
    "WhoId",
    "IsWon",
    "IsClosed",
)  # without which an object says little


def rests_on_absence(condition: Condition, blind: Collection[str], *, negated: bool = False) -> bool:
    """Whether it may hold because something of these is not there. ``negated``: it must not hold."""
    if isinstance(condition, Not):
        return rests_on_absence(condition.item, blind, negated=not negated)
    if isinstance(condition, AccountHasOpportunity):
        return rests_on_absence(condition.deal, blind, negated=negated)
    if any(rests_on_absence(part, blind, negated=negated) for part in condition.parts()):
        return True
    objects = {name.partition(".")[0] for name in blind if "." not in name or name.endswith(_LINKS)}
    if not objects.isdisjoint(_objects(condition)):
        return negated or _asks_for_none(condition)
    compared = [compare for name, field, compare in condition.compares() if f"{name}.{field}" in blind]
    return any(negated is not _is_of_nothing(each) for each in compared)


def _objects(condition: Condition) -> frozenset[str]:
    if isinstance(condition, HasOpportunity):
        return _OF_DEALS
    if isinstance(condition, HasActivity):
        return _OF_ACTIVITIES
    if isinstance(condition, HasRecord):
        return frozenset({condition.of})
    return frozenset({"Account"}) if isinstance(condition, AccountIs) else frozenset()


def _asks_for_none(condition: Condition) -> bool:
    """Whether one more of them could end it."""
    if isinstance(condition, HasOpportunity):
        return condition.state in {"none", "all_lost"} or bool(condition.which or condition.total)
    if isinstance(condition, HasActivity):
        return bool(condition.latest_of) or condition.after_quiet is not None
    if isinstance(condition, HasRecord):
        return bool(condition.total)
    return isinstance(condition, AccountIs) and _is_of_nothing(condition.compare)


def _is_of_nothing(compare: Comparison) -> bool:
    return any(isinstance(each, Missing | IsNot) for each in compare.walk())
