"""The files beside the state in which people may be named, and taking somebody out of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.base.errors import ConfigurationError
from connector.base.json import Json
from connector.base.private import open_private


@dataclass(frozen=True, slots=True)
class Named:
    """Whoever is looked for: ``takes`` gives a text without them, ``ids`` are theirs."""

    takes: Any
    ids: frozenset[str]

    def is_in(self, value: Json) -> bool:
        if isinstance(value, str):
            return value in self.ids or self.takes.finds(value)
        inside: Any = (*value, *value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ()
        return any(self.is_in(each) for each in inside)


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """``inbox``: of webhooks; ``quarantines``: folders; ``copies``: states as they were before an upgrade, which are
    removed whole; ``theirs``: a folder of files that others put there, which are only told."""

    inbox: Path
    quarantines: tuple[Path, ...]
    copies: tuple[Path, ...]
    notes: tuple[Path, ...]
    theirs: Path | None

    def naming(self, who: Named) -> list[str]:
        found = [path for path in (*self._lines(), *self._notes(), *self._theirs()) if _is_in(path, who)]
        if any(who.is_in([name, json.loads(records)]) for _, name, records in self._messages()):
            found.append(self.inbox)
        return [str(each) for each in (*found, *self._copies())]

    def take_out(self, who: Named) -> list[str]:
        """Raises ConfigurationError where one cannot be written. Returns which were."""
        touched = [*self._copies()]
        try:
            for path in self._copies():
                path.unlink()
            for path in (*self._lines(), *self._notes()):
                if _is_in(path, who):
                    _rewrite(path, who)
                    touched.append(path)
            touched += [self.inbox] if self._clean_inbox(who) else []
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(
                f"a file beside the state cannot be written: {error}", "check its permissions, and do it again"
            ) from None
        return [str(each) for each in touched]

    def _lines(self) -> Iterator[Path]:
        for folder in self.quarantines:
            yield from sorted(folder.glob("*.jsonl"))

    def _copies(self) -> list[Path]:
        return [each for each in self.copies if each.is_file()]

    def _notes(self) -> Iterator[Path]:
        yield from (each for each in self.notes if each.is_file())

    def _theirs(self) -> Iterator[Path]:
        if self.theirs is not None:
            yield from (each for each in sorted(self.theirs.glob("*")) if each.is_file())

    def _messages(self) -> list[tuple[int, str, str]]:
        """What they are called by their senders, and what they hold."""
        if not self.inbox.is_file():
            return []
        with closing(sqlite3.connect(self.inbox, timeout=10)) as database:
            return list(database.execute("SELECT seq, message_id, records FROM message"))

    def _clean_inbox(self, who: Named) -> bool:
        """The records that are theirs; the message stays known, so that it is not taken when it is sent again, but
        where its very name names them."""
        changed = []
        for seq, name, text in self._messages():
            records, anonymous = json.loads(text), who.takes(name)
            left = [each for each in records if not who.is_in(each)]
            if (left, anonymous) != (records, name):
                changed.append((json.dumps(left), anonymous, seq))
        if not self.inbox.is_file():
            return False
        with closing(sqlite3.connect(self.inbox, timeout=10, isolation_level=None)) as database:
            database.executemany("UPDATE message SET records = ?, message_id = ? WHERE seq = ?", changed)
            refusals = [
                (who.takes(reason), seq)
                for seq, reason in database.execute("SELECT seq, reason FROM refusal").fetchall()
                if who.is_in(reason)
            ]
            database.executemany("UPDATE refusal SET reason = ? WHERE seq = ?", refusals)
            if changed or refusals:
                database.execute("VACUUM")
        return bool(changed or refusals)


def _is_in(path: Path, who: Named) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return any(who.takes.finds(line) or any(each in line for each in who.ids) for line in file)


def _rewrite(path: Path, who: Named) -> None:
    """Lines stay lines: what is counted stays counted."""
    scratch = path.with_name(f"{path.name}.tmp")
    with path.open(encoding="utf-8", errors="replace") as file, open_private(scratch) as into:
        for line in file:
            into.write(_without(line, who))
    scratch.replace(path)


def _without(line: str, who: Named) -> str:
    try:
        said = json.loads(line)
    except ValueError:
        return str(who.takes(line))
    if isinstance(said, dict) and "text" in said and who.is_in(said["text"]):
        said["text"] = "(forgotten)"
    return json.dumps(who.takes(said), ensure_ascii=False) + "\n"
