"""Conditions on where a person stands: stage, status, and for how long; and with whom."""

from __future__ import annotations

from dataclasses import dataclass

from connector.base.facts import PEOPLE, Evidence
from connector.lifecycle.calendar import Span
from connector.lifecycle.conditions import Condition, Grounds, Reads, Test
from connector.lifecycle.values import show_duration, show_time
from connector.lifecycle.view import View


@dataclass(frozen=True)
class StandsAt(Condition):
    """The stage or status is one of these. In the rules of a track itself: the one that stands; in what is decided
    after it: the decided one."""

    track: str  # "stage" | "status"
    names: tuple[str, ...]

    def compile(self, object_name: str) -> Test:
        names = frozenset(self.names)
        if self.track == "stage":
            return lambda view: view.stage in names
        return lambda view: view.status in names

    def grounds(self, view: View) -> Grounds:
        since = view.stage_since if self.track == "stage" else view.status_since
        return (Evidence(self.track, view.person.id, self.found(view), since),), since

    def found(self, view: View) -> str:
        value = view.stage if self.track == "stage" else view.status
        return f"{self.track} is {value or 'empty'}"

    def words(self) -> str:
        return f"{self.track} is " + " or ".join(self.names)


@dataclass(frozen=True)
class StandsFor(Condition):
    """In the present stage or status for at least so long. Nobody is anywhere for long on the day they are first
    seen: the clock starts when the connector first sees the value."""

    track: str
    span: Span

    def compile(self, object_name: str) -> Test:
        span, is_stage = self.span, self.track == "stage"

        def test(view: View) -> bool:
            since = view.stage_since if is_stage else view.status_since
            if since is None:
                return False
            if view.now < since + span:
                view.look_again(since + span)
                return False
            return True

        return test

    def grounds(self, view: View) -> Grounds:
        since = view.stage_since if self.track == "stage" else view.status_since
        evidence = (Evidence(self.track, view.person.id, self.found(view), since),)
        return evidence, since + self.span if since else None

    def found(self, view: View) -> str:
        since = view.stage_since if self.track == "stage" else view.status_since
        return f"{self.track} unchanged since {show_time(since)}" if since else "not known since when"

    def words(self) -> str:
        return f"in the {self.track} for {show_duration(self.span)}"


@dataclass(frozen=True)
class OwnedBy(Condition):
    """What kind of owner the person has: of OWNER_KINDS."""

    kinds: tuple[str, ...]

    def compile(self, object_name: str) -> Test:
        kinds = frozenset(self.kinds)
        return lambda view: view.owners.kind_of(view.fields.get("OwnerId")) in kinds

    def grounds(self, view: View) -> Grounds:
        return (Evidence("owner", view.person.id, self.found(view)),), None

    def found(self, view: View) -> str:
        owner = view.fields.get("OwnerId")
        kind = view.owners.kind_of(owner)
        return f"owned by {kind}" if not owner else f"owned by {view.owners.names.get(owner, owner)} ({kind})"

    def words(self) -> str:
        return "owned by " + " or ".join(self.kinds)

    def reads(self) -> Reads:
        yield from ((name, "OwnerId") for name in PEOPLE)
