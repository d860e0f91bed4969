"""What a hold hides, so that a value that a person or a move gave stays until something new leads further.

What is older than a hold leads nobody further; it still keeps them where they are. That goes on when the hold is over:
somebody disqualified who is put on a new deal is at Opportunity by that deal, and not at Customer by an old one.

- Activities count that happened later than what a person set, however late they arrived.
- Opportunities count whose role is younger, or which were closed later; and those that were known and are no longer
  what they were: open, won or lost.
- Rules that held at the time (for an attribute, or for opportunities as they were) are muted: they count again once
  they have ceased to hold, or hold by an activity or an opportunity that is newer.

A person's word is about the past as a whole, so what arrives late does not count either. A move only says that its
facts lead elsewhere: what was not known then counts whenever it arrives, and only muted rules wait.

Remembered as ``hidden``: ``since`` (of what a person set last), ``muted`` (rule -> since when), ``deals`` (opportunity
-> what it was). A CloseDate is a day: what was closed on the day itself counts when it was not known at the time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

from connector.base.facts import OpportunityRole
from connector.base.json import JsonMap, JsonObject
from connector.lifecycle.conditions import Why
from connector.lifecycle.ladder import Ladder
from connector.lifecycle.model import Rule
from connector.lifecycle.opportunity import STATES
from connector.lifecycle.values import time_of
from connector.lifecycle.view import View

Hidden = JsonMap
EVENTS = frozenset({"activity", "opportunity"})  # kinds of evidence that are only seen here when they are newer


def hide(view: View, ladder: Ladder, position: int, since: datetime, before: Hidden | None = None) -> Hidden:
    """What is hidden from a hold on that begins. ``before``: what was hidden until a move gave the value; None: a
    person set it, at ``since``."""
    by_hand = before is None
    start = since.isoformat() if by_hand else (before or {}).get("since")
    seen = _active_since(view, start)
    muted = {
        _key(rule): since.isoformat()
        for at, rule, test in ladder.worth_asking(view)
        if _is_further(ladder, at, position) and test(seen)
    }
    known = {each.opportunity_id: _state(each) for each in view.opportunities if not _closed_after(each, since, view)}
    _look_again(view, seen)
    return _shown({"since": start, "muted": muted, "deals": known})


def ask(view: View, ladder: Ladder, position: int, hidden: Hidden) -> tuple[int, Rule | None, View]:
    """The furthest step with a rule that holds, by what is not hidden from somebody at ``position``; and the view in
    which it does."""
    muted, views = hidden.get("muted", {}), _Views(view, hidden)
    found: tuple[int, Rule | None, View] = (-1, None, view)
    for at, rule, test in ladder.worth_asking(view):
        asked, since = view, None
        if _is_further(ladder, at, position):
            since = muted.get(_key(rule)) if muted else None
            asked = views.newer if since is None else views.new_since(since)
        if test(asked) and (since is None or _is_news(rule.when.why(asked), since)):
            found = at, rule, asked
            break
    views.look_again()
    return found


def still_hidden(view: View, ladder: Ladder, hidden: Hidden | None) -> Hidden | None:
    """Without the rules that have ceased to hold."""
    if hidden is None or not hidden.get("muted"):
        return hidden
    seen = _active_since(view, hidden.get("since"))
    holding = {key for _, rule, test in ladder.rules if (key := _key(rule)) in hidden["muted"] and test(seen)}
    _look_again(view, seen)
    return _shown({**hidden, "muted": {key: at for key, at in hidden["muted"].items() if key in holding}})


class _Views:
    """The person as far as nothing is hidden, made when it is asked for."""

    def __init__(self, view: View, hidden: Hidden) -> None:
        self._view, self._hidden = view, hidden
        self._made: dict[str, View] = {}

    @property
    def newer(self) -> View:
        """For rules that are not muted: known opportunities count as well if they were edited since."""
        start = self._hidden.get("since")
        if start is None:
            return self._view
        return self._get("", start, lambda each: self._is_new(each, start) or self._is_edited(each, start))

    def new_since(self, start: str) -> View:
        """For a rule that is muted since ``start``."""
        return self._get(start, start, lambda each: self._is_new(each, start))

    def look_again(self) -> None:
        for each in self._made.values():
            _look_again(self._view, each)

    def _get(self, key: str, start: str, counts: Callable[[OpportunityRole], bool]) -> View:
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = _active_since(self._view, start)
            made.only([each for each in self._view.opportunities if counts(each)])
        return made

    def _is_new(self, each: OpportunityRole, start: str) -> bool:
        since, known = datetime.fromisoformat(start), self._hidden.get("deals", {}).get(each.opportunity_id)
        began = time_of(each.role.get("CreatedDate")) or time_of(each.opportunity.get("CreatedDate"))
        if began is not None and began > since:
            return True
        if known is not None:
            return bool(known != _state(each))
        if "since" not in self._hidden:
            return True
        closed = _closed(each, self._view)
        return closed is not None and closed.date() >= since.date()

    def _is_edited(self, each: OpportunityRole, start: str) -> bool:
        edited = time_of(each.opportunity.get("SystemModstamp"))
        is_known = each.opportunity_id in self._hidden.get("deals", {})
        return is_known and edited is not None and edited > datetime.fromisoformat(start)


def _active_since(view: View, start: str | None) -> View:
    """The person without what was done until then."""
    return view if start is None else view.later(datetime.fromisoformat(start))


def _is_news(evidence: Why, start: str) -> bool:
    since = datetime.fromisoformat(start)
    return any(each.kind in EVENTS or (each.at is not None and each.at > since) for each in evidence)


def _look_again(view: View, seen: View) -> None:
    if seen is not view and seen.review is not None:
        view.look_again(seen.review)


def _shown(hidden: JsonObject) -> Hidden:
    return {key: value for key, value in hidden.items() if value}


def _is_further(ladder: Ladder, at: int, position: int) -> bool:
    """Beside the funnel nobody is ahead of anything."""
    return at > position or not ladder.steps[position].funnel


def _key(rule: Rule) -> str:
    """A rule is what it says: its name may change, and several may have one."""
    return hashlib.blake2b(rule.when.said.encode(), digest_size=6).hexdigest()


def _state(each: OpportunityRole) -> str:
    return next(state for state in ("won", "open", "lost") if STATES[state](each.opportunity))


def _closed(each: OpportunityRole, view: View) -> datetime | None:
    at = time_of(each.opportunity.get("CloseDate")) if each.opportunity.get("IsClosed") else None
    return at if at is not None and at <= view.now else None


def _closed_after(each: OpportunityRole, since: datetime, view: View) -> bool:
    """On a later day."""
    closed = _closed(each, view)
    return closed is not None and closed.date() > since.date()
