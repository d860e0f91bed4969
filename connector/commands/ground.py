"""What all reports of one moment stand on, read from the state once, whatever is asked of it."""

from __future__ import annotations

from functools import cached_property

from connector.base.facts import Stay
from connector.base.json import JsonObject
from connector.lifecycle.model import Track
from connector.mapping import CompiledMapping
from connector.pipeline.owners import known_owners
from connector.reports.paths import Path, paths_of
from connector.store import Store


class Ground:
    """Everybody's stays and rows."""

    def __init__(self, store: Store, mapping: CompiledMapping) -> None:
        self._store, self._mapping = store, mapping
        self.owners = known_owners(store, mapping).names

    @cached_property
    def stays(self) -> list[Stay]:
        return called_today(self._store.stays("stage"), self._mapping)

    @cached_property
    def paths(self) -> list[Path]:
        return paths_of(self.stays)

    @cached_property
    def path_of(self) -> dict[str, Path]:
        return {each.person: each for each in self.paths}

    @cached_property
    def rows(self) -> dict[str, JsonObject]:
        """With the owner's name as "owner"."""
        rows = self._store.people_rows()
        for each in rows.values():
            owner = str(each.get("OwnerId") or "")
            each["owner"] = self.owners.get(owner, owner)
        return rows

    @cached_property
    def existing(self) -> set[str]:
        return self._store.existing()


def called_today(stays: list[Stay], mapping: CompiledMapping) -> list[Stay]:
    """Under the names that stages have today."""
    former = {old: new for each in tracks_of(mapping, "stage") for old, new in each.migrate.items()}
    if not former:
        return stays
    return [each._replace(stage=former[each.stage]) if each.stage in former else each for each in stays]


def tracks_of(mapping: CompiledMapping, name: str) -> list[Track]:
    """This track of everybody, and of each segment."""
    own = [each for part in mapping.model.segments for each in (part.stage, part.status) if each is not None]
    return [each for each in (*mapping.model.tracks, *own) if each.name == name]
