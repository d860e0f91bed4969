"""The section ``write:``: fields that follow from what was decided."""

from __future__ import annotations

from typing import Any

from connector.base.json import JsonObject
from connector.lifecycle.activity import HasActivity
from connector.lifecycle.written import LONGEST, TOUCH_PARTS, Written
from connector.mapping.filters import ACTIVITY_FILTER
from connector.mapping.makers import PerObject
from connector.mapping.mistakes import Place
from connector.mapping.shape import Block, FieldName, Key, MapOf, NameOf, Number, Reading, Word, YesNo
from connector.mapping.steps import Steps

_STAGE, _PART = NameOf("stage"), Word(tuple(TOUCH_PARTS))
_WHATS = {
    "date_of": Key(_STAGE, "when the person came to this stage, the last time"),
    "first_date_of": Key(_STAGE, "the same, the first time"),
    "times": Key(_STAGE, "how often the person came to this stage"),
    "value": Key(
        Word(("previous_stage", "rule", "reason", "since", "days_in_stage")),
        "of the present stage: the one before it, which rule led there, why in words, since when, for "
        "how many days (only written along with other changes)",
    ),
    "first_touch": Key(_PART, "of the first inbound activity"),
    "last_touch": Key(_PART, "of the last inbound activity"),
    "touches": Key(ACTIVITY_FILTER, "how many activities fit"),
    "band": Key(MapOf(Number(), key_words="a band"), "in which band the score is: band: {Cold: 0, Warm: 30, Hot: 71}"),
    "only_at": Key(Steps("stage"), "people fill the field; it is emptied when the person is at another stage"),
}


def _written(values: JsonObject, place: Place, reading: Reading) -> Any:
    said = [what for what in _WHATS if values[what] is not None]
    if len(said) != 1:
        return reading.bad(
            place, f"write needs one of {', '.join(_WHATS)}", "say what the field holds, one thing an entry"
        )
    written = _of(said[0], values, place, reading)
    if written.with_time and not written.is_date:
        reading.bad(place, f"{said[0]}: {written.of or written.what} is no date", "leave out with_time")
    if len({bound for _, bound in written.bands}) < len(written.bands):
        reading.bad(place, "two bands begin at the same number", "give each band the number it begins at")
    return written


def _of(what: str, values: JsonObject, place: Place, reading: Reading) -> Written:
    value, fields = values[what], values["field"]
    more: JsonObject = {name: values[name] for name in ("with_time", "length")} | {"line": place.line}
    if what == "value":
        return Written(fields, value, **more)
    if what == "touches":
        return Written(fields, what, touch=value, **more)
    if what in {"first_touch", "last_touch"}:
        touch = HasActivity(direction="inbound", ignored=reading.ignored_kinds)
        return Written(fields, what, value, touch, **more)
    if what == "band":
        bands = tuple(sorted(value.items(), key=lambda pair: pair[1]))
        return Written(fields, what, values["of"], bands=bands, **more)
    return Written(fields, what, stages=value, **more) if what == "only_at" else Written(fields, what, value, **more)


WRITE = Block(
    "write",
    {
        "field": Key(
            PerObject(FieldName()), "the field; on one object only where you say {Contact: ...}", required=True
        ),
        **_WHATS,
        "of": Key(Word(("score", "fit")), "for band: which number", "score"),
        "with_time": Key(YesNo(), "true: the field is a date with a time", False),
        "length": Key(Number(least=1, most=131072, whole=True), "a text is cut to so many characters", LONGEST),
    },
    _written,
    doc="a field that follows from what was decided; what people write into it is overwritten, but for only_at",
)
