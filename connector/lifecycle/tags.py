"""Tags: labels that rules add and remove, in a field that others write to as well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connector.base.facts import Evidence, TrackDecision
from connector.lifecycle.conditions import Condition, Test, can_hold
from connector.lifecycle.values import fold
from connector.lifecycle.view import ByPresence, Present, View


@dataclass(frozen=True)
class Tag:
    """``keep``: once added, it stays when the condition no longer holds."""

    name: str
    when: Condition
    keep: bool = False
    line: int = 0


def joiner(separator: str) -> str:
    """What is between two tags: values of a multi-select picklist have no space between them."""
    return separator if separator == ";" else f"{separator} "


CompiledTag = tuple[Tag, str, Test | None]  # tag, folded name, test (None: cannot hold)


@dataclass
class Labeller:
    """The tags compiled for one object. ``separator``: ``;`` for a multi-select picklist."""

    tags: tuple[Tag, ...]
    object_name: str
    field: str | None
    separator: str = ";"

    def __post_init__(self) -> None:
        self._compiled: list[CompiledTag] = [
            (tag, fold(tag.name), tag.when.compile(self.object_name)) for tag in self.tags
        ]
        self._relevant = ByPresence(self._worth_asking)

    def _worth_asking(self, present: Present) -> tuple[CompiledTag, ...]:
        return tuple((tag, key, test if can_hold(tag.when, present) else None) for tag, key, test in self._compiled)

    def _parts(self, text: str) -> dict[str, str]:
        return {fold(part): part.strip() for part in text.split(self.separator) if part.strip()}

    def decide(self, view: View) -> TrackDecision:
        """The whole value of the field: tags of others as they are, ours as the rules say."""
        memory: Mapping[str, str] = view.memory.get("tags", {})
        value = view.fields.get(self.field) if self.field else memory.get("written")
        current = str(value) if value else ""
        there = self._parts(current) if current else {}
        added: list[Tag] = []
        removed: list[str] = []
        for tag, key, test in self._relevant[view.present]:
            if test is not None and test(view):
                if key not in there:
                    added.append(tag)
                    there[key] = tag.name
            elif not tag.keep and key in there:
                removed.append(there.pop(key))
        if not added and not removed:
            return TrackDecision(
                "tags", current or None, current or None, "", "stays", "tags as they are", memory=memory
            )
        evidence: tuple[Evidence, ...] = ()
        for tag in added:
            evidence += tag.when.why(view)
        said = [f"adds {tag.name}" for tag in added] + [f"removes {name}" for name in removed]
        written = joiner(self.separator).join(there.values())
        return TrackDecision(
            track="tags",
            value=written,
            current=current or None,
            rule=", ".join([tag.name for tag in added] or removed),
            verdict="moves",
            reason=" and ".join(said),
            evidence=evidence,
            memory={"written": written} if self.field is None else {},
        )
