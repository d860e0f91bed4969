"""What a cycle reports: one value, filled as the cycle goes on, kept in the state, printed by every command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from connector.base.errors import ConnectorError
from connector.base.facts import Decision, Outcome, RecordChange, Result
from connector.base.json import JsonObject
from connector.base.text import count
from connector.pipeline.approval import HeldBack
from connector.pipeline.object_reader import Polled
from connector.pipeline.planned import Listing, Planned, counted_as, named


@dataclass
class CycleReport:
    """Counts of one cycle. ``changes``: track -> "from -> to" -> people. Durations in seconds."""

    kind: str  # "sync" | "backfill"
    dry_run: bool
    started_at: datetime
    mapping: str  # version
    org: str = ""  # its id, once it has told it
    read: dict[str, int] = field(default_factory=dict)
    facts_changed: dict[str, int] = field(default_factory=dict)
    unknown_types: dict[str, int] = field(default_factory=dict)
    unmapped: int = 0  # activities of senders whose type neither we nor the mapping know
    not_understood: dict[str, int] = field(default_factory=dict)  # source -> rows that were not taken
    same_ids: dict[str, int] = field(default_factory=dict)  # source -> facts that came with the id of another
    sources_failed: dict[str, str] = field(default_factory=dict)
    swept: dict[str, JsonObject] = field(default_factory=dict)  # source -> what a sweep found that came to its end
    unread: dict[str, str] = field(default_factory=dict)  # object -> why it could not be read
    unseen: dict[str, int] = field(default_factory=dict)  # object -> rows that are hidden, it seems
    hidden: dict[str, list[str]] = field(default_factory=dict)  # object -> fields that are
    blind: list[str] = field(default_factory=list)  # what was never seen, for which nobody is moved back
    kept_in_part: str | None = None  # before when the mapping looks at activities of which only some were kept
    drift: dict[str, dict[str, int]] = field(default_factory=dict)  # object -> what the reconcile repaired
    people_decided: int = 0
    people_to_change: int = 0
    accounts_to_change: int = 0
    changes: dict[str, Counter[str]] = field(default_factory=dict)
    rules: dict[str, Counter[str]] = field(default_factory=dict)  # track -> rule -> people changed by it
    held: Counter[str] = field(default_factory=Counter)
    written: int = 0
    unchanged: int = 0
    waiting: int = 0
    unanswered: int = 0  # of those who wait: Salesforce did not answer, or their row stayed locked
    set_aside: Counter[str] = field(default_factory=Counter)
    api_calls: dict[str, int] = field(default_factory=dict)
    source_calls: dict[str, dict[str, int]] = field(default_factory=dict)
    duration: float = 0.0
    result: Literal["done", "held", "interrupted", "failed"] = "interrupted"  # until the cycle says how it went
    error: str = ""
    hint: str = ""
    held_back: HeldBack | None = None
    listing: Listing | None = None  # who it is, where somebody asks
    owners: Mapping[str, str] = field(default_factory=dict)  # id -> name, of those whom people go to and come from

    def read_from(self, polled: Polled) -> None:
        self.read = dict(polled.read)
        self.facts_changed = dict(polled.changed)
        self.unknown_types = dict(polled.unknown_types)
        self.unmapped, self.not_understood = polled.unmapped, dict(polled.bad)
        self.same_ids = dict(polled.same_ids)
        self.unseen, self.drift = dict(polled.unseen), dict(polled.drift)
        self.hidden, self.blind = dict(polled.hidden), list(polled.blind)
        self.unread = {name: _advised(error) for name, error in polled.unread.items()}
        self.swept = dict(polled.swept)
        self.sources_failed = {name: _advised(error) for name, error in polled.failed.items()}

    def plan(self, batch: Sequence[Planned]) -> None:
        """Counts what would be written, by track and from -> to."""
        if self.listing is not None:
            self.listing.add(batch)
        for planned in batch:
            self.people_decided += 1
            self.held.update(track.track for track in planned.decision.tracks if track.verdict == "held")
            if planned.change is None:
                self.unchanged += 1
            else:
                self.people_to_change += 1
                self._count(planned.decision, planned.change)

    def plan_accounts(self, batch: Sequence[Planned]) -> None:
        if self.listing is not None:
            self.listing.add(batch)
        for planned in batch:
            if planned.change is not None:
                self.accounts_to_change += 1
                self._count(planned.decision, planned.change)

    def _count(self, decision: Decision, change: RecordChange) -> None:
        rules = {track.track: track.rule for track in decision.tracks}
        for each in change.changes:
            moves = self.changes.setdefault(each.track, Counter())
            moves[f"{counted_as(each.track, each.old)} -> {counted_as(each.track, each.new)}"] += 1
            self.rules.setdefault(each.track, Counter())[rules.get(each.track, "")] += 1

    def moves(self) -> dict[str, dict[str, int]]:
        """Track -> "from -> to" -> people, the most frequent first, owners by name."""
        found = {track: dict(moves.most_common()) for track, moves in self.changes.items()}
        return found | {track: named(moves, self.owners) for track, moves in found.items() if track == "owner"}

    @property
    def to_change(self) -> int:
        """Records of Salesforce that the plan changes."""
        return self.people_to_change + self.accounts_to_change

    @property
    def said_to_change(self) -> str:
        accounts = f" and {count(self.accounts_to_change, 'account')}" if self.accounts_to_change else ""
        return f"{count(self.people_to_change, 'person', 'people')}{accounts}"

    def fail(self, what: str, hint: str = "") -> None:
        self.result, self.error, self.hint = "failed", what, hint

    @property
    def refused(self) -> int:
        return sum(self.set_aside.values())

    @property
    def left(self) -> int:
        """Decided, and not come to: accounts whose people were refused, or whatever is behind where the run ended."""
        return 0 if self.dry_run else max(0, self.to_change - self.written - self.refused - self.waiting)

    @property
    def limit(self) -> int | None:
        return self.held_back.limit if self.held_back else None

    def outcome(self, outcome: Outcome) -> None:
        if outcome.result is Result.SET_ASIDE:
            self.set_aside[outcome.code or "UNKNOWN"] += 1
        elif outcome.result is Result.WAITING:
            self.waiting += 1
            self.unanswered += not outcome.overtaken
        else:
            self.written += 1

    def finish(self, now: datetime, calls: Mapping[str, int], source_calls: Mapping[str, Mapping[str, int]]) -> None:
        self.duration = round((now - self.started_at).total_seconds(), 3)
        self.api_calls = {**calls, "total": sum(calls.values())}
        self.source_calls = {name: dict(counts) for name, counts in source_calls.items()}

    @property
    def exit_code(self) -> int:
        """0 done, 3 records were set aside or not answered, or fields hidden, unread or not understood, 4 a source was
        down."""
        if self.sources_failed:
            return 4
        left = (self.set_aside, self.unanswered, self.unseen, self.unread, self.hidden, self.unmapped)
        return 3 if any(left) or self.not_understood else 0

    def as_dict(self) -> JsonObject:
        """JSON values, as they are kept."""
        return {
            "kind": self.kind,
            "dry_run": self.dry_run,
            "started_at": self.started_at.isoformat(),
            "duration": self.duration,
            "mapping": self.mapping,
            "org": self.org,
            "read": self.read,
            "facts_changed": self.facts_changed,
            "unknown_types": self.unknown_types,
            "not_understood": self.not_understood,
            "same_ids": self.same_ids,
            "sources_failed": self.sources_failed,
            "swept": self.swept,
            "unseen": self.unseen,
            "unread": self.unread,
            "hidden_fields": self.hidden,
            "never_seen": self.blind,
            "kept_in_part": self.kept_in_part,
            "drift": self.drift,
            "people_decided": self.people_decided,
            "people_to_change": self.people_to_change,
            "accounts_to_change": self.accounts_to_change,
            "changes": {track: dict(moves.most_common()) for track, moves in self.changes.items()},
            "rules": {track: dict(rules.most_common()) for track, rules in self.rules.items()},
            "held": dict(self.held),
            "written": self.written,
            "unchanged": self.unchanged,
            "waiting": self.waiting,
            "refused": self.refused,
            "left": self.left,
            "set_aside": dict(self.set_aside),
            "api_calls": self.api_calls,
            "source_calls": self.source_calls,
            "result": self.result,
            "held_back": self.held_back.said if self.held_back else None,
            "error": self.error,
        }

    def document(self) -> JsonObject:
        """What ``--json`` prints, but for who it is."""
        held = {"people_held": self.listing.people_held} if self.listing is not None else {}
        return {**self.as_dict(), "changes": self.moves(), **held}

    def summary(self) -> JsonObject:
        """The keys of the log line of a cycle, in a fixed order; "set_aside" by code, "api_calls" by kind."""
        return {
            "kind": self.kind,
            "read": sum(self.read.values()),
            "facts_changed": sum(self.facts_changed.values()),
            "decided": self.people_decided,
            "written": self.written,
            "unchanged": self.unchanged,
            "waiting": self.waiting,
            "set_aside": dict(self.set_aside),
            "changes": {track: dict(moves.most_common()) for track, moves in self.changes.items()},
            "api_calls": self.api_calls,
            "seconds": self.duration,
            **({"held_back": self.held_back.said} if self.held_back else {}),
            **({"error": self.error} if self.error else {}),
            **({"hint": self.hint} if self.hint else {}),
            **({"drift": self.drift} if self.drift else {}),
            **({"sources_failed": ",".join(sorted(self.sources_failed))} if self.sources_failed else {}),
        }


def _advised(error: ConnectorError) -> str:
    return f"{error.what}; {error.hint}" if error.hint else error.what
