"""What looks like engagement and is no person's: mail scanners, tests, and ourselves.

Scanners at the recipient's mail server open every link as the mail comes in. They give themselves away by when they do
it: within seconds of the send, or many links at once. Some systems flag them themselves. All of it is recorded, and
left out when a person is decided, before anything looks at them. What is left out follows from all that a person did,
in whatever order it was told, and nothing here looks at the clock.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

from connector.base.facts import Activity, Direction, Person
from connector.lifecycle.values import fold, time_of

BY_SCANNER, BY_OURSELVES, BY_TEST = "by a scanner", "by ourselves", "a test"
_Key = tuple[str, str]  # source, id

_OF_MAILS = frozenset({"email_click", "email_open"})
SENDS_AND_DOINGS = _OF_MAILS | {"email_sent"}  # by whose times scanners are told
_FLAGGED = _OF_MAILS | {"link_click", "page_view", "visit"}
# HubSpot's, Marketo's, anybody's
FLAGS = frozenset({"filteredEvent", "Bot Activity", "Is Bot Activity", "is_bot", "bot"})
_MAILS = (  # which mail it was: Account Engagement, Marketo, HubSpot, anybody
    "listEmailId", "emailId", "emailTemplateId", "primaryAttributeValueId", "emailCampaignId", "mail_id", "email_id",
)  # fmt: skip
_LINKS = ("url", "Link", "link")
_SENT_AT = "sent_at"
_COARSE = frozenset({"files", "warehouse", "webhook"})  # whose times may well be whole minutes, or days
_TRUE = frozenset({"true", "yes", "1"})
# test@, test7@, ann+test@, and the ends of names that belong to nobody, by RFC 2606
_OF_TESTS = re.compile(r"(?:^|\+)test(?:ing|er)?\d*@|[@.](?:test|invalid|localhost)$")


@dataclass(frozen=True)
class Noise:
    """``flags``: what a source itself takes for a machine's is a scanner's. ``after_send``: so are clicks and opens so
    soon after the mail; ``burst``: and clicks on so many links ``within`` a moment (None: not told by that). ``own``:
    our domains ("acme.com", ".acme.com" for whatever ends so) and addresses. ``tests``: addresses made for tests, too,
    are nobody's."""

    flags: bool = True
    after_send: timedelta | None = timedelta(seconds=10)
    burst: int | None = 3
    within: timedelta = timedelta(seconds=1)
    own: tuple[str, ...] = ()
    tests: bool = True

    def sift(self, person: Person) -> Person:
        """The person without it."""
        if not person.activities:
            return person
        found = self.of(person)
        if found:
            kept = tuple(each for each in person.activities if (each.source, each.id) not in found)
            person = replace(person, activities=kept)
        return person if self.flags else _unflagged(person)

    def of(self, person: Person) -> Mapping[_Key, str]:
        """What is left out, and whose doing it was."""
        found: dict[_Key, str] = {}
        if doings := [each for each in person.activities if each.kind in _FLAGGED]:
            if self.flags:
                for each in doings:
                    if not FLAGS.isdisjoint(each.attributes) and _is_flagged(each):
                        found[each.source, each.id] = BY_SCANNER
            if (mails := [each for each in doings if each.kind in _OF_MAILS]) and self._may_be_scanned(mails, person):
                doings = [each for each in mails if _is_exact(each)]
                found.update(((each.source, each.id), BY_SCANNER) for each in self._scanned(doings, person))
        if self.tests or self.own:
            found.update(self._nobodys(person))
        return found

    def _may_be_scanned(self, doings: Sequence[Activity], person: Person) -> bool:
        """Whether any of them is near to a send or to others: of most people none is, so this is what it costs."""
        times = [each.occurred_at for each in doings]
        if self.burst is not None and len(times) >= self.burst:
            within = self.within
            if any(last - first <= within for first, last in zip(times, times[self.burst - 1 :], strict=False)):
                return True
        if (soon := self.after_send) is None:
            return False
        if any(_SENT_AT in each.attributes for each in doings):
            return True
        sent = [each.occurred_at for each in person.activities if each.kind == "email_sent"]
        return bool(sent) and any((place := bisect_right(sent, at)) and at - sent[place - 1] <= soon for at in times)

    def _scanned(self, doings: Sequence[Activity], person: Person) -> Iterator[Activity]:
        """By when they were done."""
        if self.after_send is not None:
            sent = [each for each in person.activities if each.kind == "email_sent" and _is_exact(each)]
            times = [each.occurred_at for each in sent]
            for each in doings:
                place = bisect_right(times, each.occurred_at)
                if (place or _SENT_AT in each.attributes) and self._is_too_soon(each, sent, place):
                    yield each
        if self.burst is not None and len(doings) >= self.burst:
            clicks: dict[str, list[Activity]] = defaultdict(list)
            for each in doings:
                if each.kind == "email_click":
                    clicks[each.source].append(each)
            for some in clicks.values():
                pairs = zip(some, some[self.burst - 1 :], strict=False)
                if any(last.occurred_at - first.occurred_at <= self.within for first, last in pairs):
                    yield from self._bursts(some)

    def _is_too_soon(self, doing: Activity, sent: Sequence[Activity], place: int) -> bool:
        """``place``: how many of the mails were sent until then."""
        assert self.after_send is not None  # noqa: S101 - asked only then
        at, earliest = doing.occurred_at, doing.occurred_at - self.after_send
        told = time_of(doing.attributes.get(_SENT_AT))
        if told is not None and earliest <= told <= at:
            return True
        while place and sent[place - 1].occurred_at >= earliest:
            place -= 1
            if sent[place].source == doing.source and _may_be_of(sent[place], doing):
                return True
        return False

    def _bursts(self, clicks: Sequence[Activity]) -> Iterator[Activity]:
        """All clicks of every moment that has enough links in it."""
        links: Counter[Any] = Counter()
        first = told = 0  # the moment's first click, and the first that is not told of yet
        for last, click in enumerate(clicks):
            links[_link(click)] += 1
            while click.occurred_at - clicks[first].occurred_at > self.within:
                left = _link(clicks[first])
                links[left] -= 1
                if not links[left]:
                    del links[left]
                first += 1
            if len(links) >= (self.burst or 0):
                yield from clicks[max(first, told) : last + 1]
                told = last + 1

    def _nobodys(self, person: Person) -> Iterator[tuple[_Key, str]]:
        """What our own people and test addresses did; what was done to them is left alone."""
        address = person.fields.get("Email") or next(iter(sorted(each.email or "" for each in person.prospects)), "")
        theirs = self._whose(str(address).strip())
        for each in person.activities:
            if theirs or (each.email and each.email != address):
                whose = theirs or self._whose(each.email or "")
                if whose and each.direction is Direction.INBOUND:
                    yield (each.source, each.id), whose

    def _whose(self, address: str) -> str:
        """Whose an address is, "" for that of other people."""
        if self.own and self._is_own(address):
            return BY_OURSELVES
        folded = address.lower()
        may_be = self.tests and ("test" in folded or folded.endswith(("invalid", "localhost")))
        return BY_TEST if may_be and _OF_TESTS.search(folded) else ""

    def _is_own(self, address: str) -> bool:
        exact, ends = self._own
        folded = fold(address)
        domain = folded.rpartition("@")[2]
        return domain in exact or folded in exact or (bool(ends) and domain.endswith(ends))

    @cached_property
    def _own(self) -> tuple[frozenset[str], tuple[str, ...]]:
        folded = [fold(each).removeprefix("@") for each in self.own]
        return frozenset(folded), tuple(each for each in folded if each.startswith("."))


def _is_flagged(doing: Activity) -> bool:
    said = doing.attributes
    return any(str(said[name]).strip().lower() in _TRUE for name in FLAGS if name in said)


def _unflagged(person: Person) -> Person:
    """What a source took for a machine's was recorded as no engagement; here it is the person's all the same."""
    if not any(each.kind in _FLAGGED and each.direction is Direction.OUTBOUND for each in person.activities):
        return person
    turned: Iterable[Activity] = (
        replace(each, direction=Direction.INBOUND) if each.kind in _FLAGGED and _is_flagged(each) else each
        for each in person.activities
    )
    return replace(person, activities=tuple(turned))


def _is_exact(doing: Activity) -> bool:
    """Whether its time is one of seconds."""
    at = doing.occurred_at
    return doing.source not in _COARSE or bool(at.second or at.microsecond)


def _may_be_of(mail: Activity, doing: Activity) -> bool:
    """Whether it may be this mail: where both say which one, it must be."""
    said = [(mail.attributes[name], doing.attributes[name]) for name in _MAILS if _is_told(name, mail, doing)]
    return not said or any(str(one) == str(other) for one, other in said)


def _is_told(name: str, *doings: Activity) -> bool:
    return all(each.attributes.get(name) not in (None, "") for each in doings)


def _link(click: Activity) -> Any:
    """Which link of the mail; one that does not say it counts as one of its own."""
    said = next((str(click.attributes[name]) for name in _LINKS if _is_told(name, click)), None)
    return said if said is not None else (click.source, click.id)
