"""What follows from what: whether one condition surely holds whenever another does, or surely never does.

Careful on one side only: True is certain, False means "cannot tell".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from connector.lifecycle.activity import HasActivity
from connector.lifecycle.calendar import is_no_longer
from connector.lifecycle.compare import Comparison, DateOrder, IsNot, IsPresent, Missing, OneOf, Order
from connector.lifecycle.conditions import AccountIs, All, Always, AnyOf, Condition, FieldIs, Never, Not, ObjectIs
from connector.lifecycle.measures import ScoreIs
from connector.lifecycle.opportunity import HasOpportunity
from connector.lifecycle.records import HasRecord
from connector.lifecycle.values import fold
from connector.lifecycle.whereabouts import StandsAt

WIDER = {  # a person with an opportunity in the state has one in these, too
    "open": {"any"},
    "won": {"any", "closed"},
    "lost": {"any", "closed"},
    "closed": {"any"},
    "all_lost": {"any", "closed", "lost"},
}
APART = ({"all_lost", "won"}, {"all_lost", "open"})  # states that nobody has at once


def implies(a: Condition, b: Condition) -> bool:
    """Whoever fits ``a`` fits ``b``."""
    if a == b or isinstance(b, Always) or isinstance(a, Never):
        return True
    if isinstance(a, AnyOf):
        return all(implies(item, b) for item in a.items)
    if isinstance(b, All):
        return all(implies(a, item) for item in b.items)
    return (
        (isinstance(a, All) and any(implies(item, b) for item in a.items))
        or (isinstance(b, AnyOf) and any(implies(a, item) for item in b.items))
        or (isinstance(a, Not) and isinstance(b, Not) and implies(b.item, a.item))
        or (type(a) is type(b) and type(a) in LEAF_IMPLIES and LEAF_IMPLIES[type(a)](a, b))
    )


def excludes(a: Condition, b: Condition) -> bool:
    """Nobody fits both."""
    if isinstance(a, Never) or isinstance(b, Never):
        return True
    if (isinstance(a, Not) and implies(b, a.item)) or (isinstance(b, Not) and implies(a, b.item)):
        return True
    for one, other in ((a, b), (b, a)):
        if isinstance(one, AnyOf):
            return all(excludes(item, other) for item in one.items)
        if isinstance(one, All) and any(excludes(item, other) for item in one.items):
            return True
    return type(a) is type(b) and type(a) in LEAF_EXCLUDES and LEAF_EXCLUDES[type(a)](a, b)


def _deal_implies(a: HasOpportunity, b: HasOpportunity) -> bool:
    if "none" in {a.state, b.state} or b.state == "all_lost" or a.which != b.which or b.total:
        return a == b
    return (
        b.state in {a.state, *WIDER.get(a.state, ())}
        and set(b.where) <= set(a.where)
        and set(b.role) <= set(a.role)
        and b.count <= a.count
        and b.since in {"", a.since}
    )


def _deal_excludes(a: HasOpportunity, b: HasOpportunity) -> bool:
    states = {a.state, b.state}
    is_plain = not any(each.where or each.role or each.since or each.which or each.total for each in (a, b))
    return is_plain and (states in APART or ("none" in states and len(states) == 2))


def _activity_implies(a: HasActivity, b: HasActivity) -> bool:
    plain = ((), None, False)
    if (a.latest_of, a.after_quiet, a.upcoming) != plain or (b.latest_of, b.after_quiet, b.upcoming) != plain:
        return a == b
    if b.kinds:
        covers = bool(a.kinds) and set(a.kinds) <= set(b.kinds)
    else:
        covers = not (set(a.kinds) & b.ignored if a.kinds else b.ignored - a.ignored)
    return (
        covers
        and b.direction in {"any", a.direction}
        and b.name in {None, a.name}
        and b.source in {None, a.source}
        and set(b.where) <= set(a.where)
        and (b.within is None or (a.within is not None and is_no_longer(a.within, b.within)))
        and b.since in {"", a.since}
        and b.count <= a.count
    )


def _record_implies(a: HasRecord, b: HasRecord) -> bool:
    if b.total or a.of != b.of:
        return a == b
    return set(b.where) <= set(a.where) and b.count <= a.count and b.since in {"", a.since}


LEAF_IMPLIES: dict[type, Callable[[Any, Any], bool]] = {
    FieldIs: lambda a, b: a.fields == b.fields and compares_within(a.compare, b.compare),
    AccountIs: lambda a, b: a.field == b.field and compares_within(a.compare, b.compare),
    ScoreIs: lambda a, b: a.of == b.of and compares_within(a.compare, b.compare),
    StandsAt: lambda a, b: a.track == b.track and set(a.names) <= set(b.names),
    ObjectIs: lambda a, b: set(a.names) <= set(b.names),
    HasOpportunity: _deal_implies,
    HasActivity: _activity_implies,
    HasRecord: _record_implies,
}
LEAF_EXCLUDES: dict[type, Callable[[Any, Any], bool]] = {
    FieldIs: lambda a, b: a.fields == b.fields and excludes_values(a.compare, b.compare),
    AccountIs: lambda a, b: a.field == b.field and excludes_values(a.compare, b.compare),
    ScoreIs: lambda a, b: a.of == b.of and excludes_values(a.compare, b.compare),
    StandsAt: lambda a, b: a.track == b.track and not set(a.names) & set(b.names),
    ObjectIs: lambda a, b: not set(a.names) & set(b.names),
    HasOpportunity: _deal_excludes,
}


def compares_within(a: Comparison, b: Comparison) -> bool:
    """Every value that passes ``a`` passes ``b``."""
    if a == b:
        return True
    if isinstance(a, OneOf) and isinstance(b, OneOf):
        return _texts(a) <= _texts(b)
    if isinstance(a, Order) and isinstance(b, Order):
        return a.sign[0] == b.sign[0] and _is_inside(a, b)
    if isinstance(b, IsPresent):
        return (isinstance(a, OneOf) and False not in a.values) or isinstance(a, Order | DateOrder)
    return isinstance(b, IsNot) and excludes_values(a, b.item)


def _is_inside(a: Order, b: Order) -> bool:
    if a.bound == b.bound:
        return len(a.sign) <= len(b.sign)  # > 5 is inside >= 5
    return (a.bound > b.bound) == (a.sign[0] == ">")


def _texts(compare: OneOf) -> set[str]:
    return {fold(str(value)) for value in compare.values}


def excludes_values(a: Comparison, b: Comparison) -> bool:
    """No value passes both."""
    for one, other in ((a, b), (b, a)):
        if isinstance(one, IsNot):
            return compares_within(other, one.item)
        if isinstance(one, Missing):
            return compares_within(other, IsPresent())
    if isinstance(a, OneOf) and isinstance(b, OneOf):
        return not _texts(a) & _texts(b)
    if isinstance(a, Order) and isinstance(b, Order) and a.sign[0] != b.sign[0]:
        low, high = (a, b) if a.sign[0] == ">" else (b, a)
        is_touching = low.bound == high.bound and len(low.sign) == len(high.sign) == 2
        return low.bound >= high.bound and not is_touching
    return False


def impossible(condition: Condition) -> str:
    """Why nobody can ever fit it; "" when somebody might."""
    if isinstance(condition, Never):
        return "it says never"
    if isinstance(condition, Not) and isinstance(condition.item, Always):
        return "it says not always"
    if isinstance(condition, AnyOf):
        reasons = [impossible(item) for item in condition.items]
        return reasons[0] if all(reasons) else ""
    return _clash(list(_flat(condition))) if isinstance(condition, All) else ""


def _clash(items: list[Condition]) -> str:
    """Two that exclude each other, or one that nobody fits."""
    for number, item in enumerate(items):
        if reason := impossible(item):
            return reason
        for other in items[number + 1 :]:
            if excludes(item, other):
                return f"{item.words()}, and {other.words()}, cannot both hold"
    return ""


def _flat(condition: Condition) -> Iterator[Condition]:
    if isinstance(condition, All):
        for item in condition.items:
            yield from _flat(item)
    else:
        yield condition
