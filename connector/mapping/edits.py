"""A mapping whose files, included ones too, may be edited while it is in force."""

from __future__ import annotations

from pathlib import Path

from connector.lifecycle.mapping import CompiledMapping
from connector.mapping.load import load


class MappingFiles:
    """Knows what was in the files when they were last read, whether that made a mapping or not."""

    def __init__(self, name_or_path: str | Path) -> None:
        self._name = name_or_path
        self._seen: dict[Path, bytes | None] = {}

    def load(self) -> CompiledMapping:
        """Raises MappingInvalid with every mistake."""
        read: dict[Path, bytes] = {}
        try:
            return load(self._name, read)
        finally:  # files that one mistake kept from being read are looked at as before
            self._seen = {**{path: _content(path) for path in self._seen}, **read}

    def is_edited(self) -> bool:
        return any(_content(path) != known for path, known in self._seen.items())


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
