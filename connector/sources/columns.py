"""Files as other systems export them: columns with other names, times in a form of their own, no column for the type.

Names are compared without regard to case, spaces and underscores, so ``Event ID`` is ``event_id`` by itself; any others
are renamed by settings. A file whose name begins with a kind (or ``person``), as ``form_submit-May.csv`` does, needs no
column ``type``; what persons are has no time.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from connector.base.errors import ConfigurationError
from connector.base.json import JsonMap
from connector.sources.events import KNOWN, PERSON
from connector.sources.kinds import KINDS

_SETTING = "CONNECTOR_ACTIVITY_COLUMNS"
_SERIAL = re.compile(r"[2-7]\d{4}(?:[.,]\d+)?")  # days as a spreadsheet counts them, from 1954 to 2119
_EXCEL = datetime(1899, 12, 30)  # noqa: DTZ001 - a spreadsheet's time is that of wherever it was made


@dataclass(frozen=True, slots=True)
class Columns:
    """``names``: as in the file -> as here. ``time_format``: of Python's strptime, several divided by ``|``, the
    first that fits; ISO 8601 and the day numbers of spreadsheets are always understood.
    ``declared``: kinds of the mapping's own."""

    names: Mapping[str, str] = field(default_factory=dict)
    time_format: str | None = None
    declared: Collection[str] = ()

    @classmethod
    def from_settings(cls, columns: str, time_format: str | None, declared: Collection[str]) -> Self:
        """``columns`` as ``Email Address=email, Date=occurred_at``. Raises ConfigurationError."""
        names: dict[str, str] = {}
        for pair in filter(None, map(str.strip, columns.split(","))):
            theirs, _, ours = (part.strip() for part in pair.rpartition("="))
            if not theirs or not ours:
                raise ConfigurationError(f"{_SETTING} cannot be read at {pair!r}", "write it like Email Address=email")
            names[_bare(theirs)] = ours
        return cls(names, time_format, declared)

    @classmethod
    def of(cls, names: Mapping[str, str]) -> Self:
        """``names``: as there -> as here."""
        return cls({_bare(theirs): ours for theirs, ours in names.items()})

    def renames(self, theirs: str) -> bool:
        """Whether somebody said what this column is called here."""
        return _bare(theirs) in self.names

    def name(self, theirs: str) -> str:
        """What a column is called here: what is not renamed and no word of ours keeps its name, as an attribute."""
        bare = _bare(theirs)
        return self.names.get(bare) or OURS.get(bare) or theirs.strip()

    def type_of(self, file: str) -> str | None:
        """The type that a file's name gives."""
        first = re.split(r"[-. ]", file, maxsplit=1)[0].lower()
        return first if first == PERSON or first in KINDS or first in self.declared else None

    def problem(self, names: Sequence[str], type_: str | None) -> str | None:
        """Why a header will not do. Which type a row has is not known yet, so only a file of persons needs no time."""
        missing = [each for each in _needed(type_) if each not in names]
        if missing:
            return f"the header has no column {' and '.join(missing)}"
        twice = [each for each in dict.fromkeys(names) if names.count(each) > 1 and each in KNOWN]
        return f"the header has the column {twice[0]} twice" if twice else None

    def read(self, values: JsonMap, type_: str | None) -> JsonMap:
        """A record in our words: with the file's type where it has none, and its time in ISO 8601."""
        if type_ is not None and "type" not in values:
            values = {**values, "type": type_}
        at = values.get("occurred_at")
        if isinstance(at, str) and (here := self._time(at.strip())) is not None:
            values = {**values, "occurred_at": here.isoformat()}
        return values

    def _time(self, text: str) -> datetime | None:
        """None for what is written otherwise: that is ISO 8601, or no time. The zone is added where ISO is read."""
        for each in (self.time_format or "").split("|"):
            if each.strip():
                with suppress(ValueError):
                    return datetime.strptime(text, each.strip())  # noqa: DTZ007
        if _SERIAL.fullmatch(text):
            return _EXCEL + timedelta(seconds=round(float(text.replace(",", ".")) * 86400))
        return None


def _needed(type_: str | None) -> tuple[str, ...]:
    if type_ == PERSON:
        return ()
    return ("occurred_at",) if type_ else ("occurred_at", "type")


def _bare(name: str) -> str:
    return re.sub(r"[\s_]+", " ", name).strip().casefold()


OURS = {_bare(each): each for each in KNOWN}
