"""What a write makes of a HubSpot record: pure, from what is set and what is given to what will be set, or a refusal.

The lifecycle stage only moves forward in the order of its options; clearing it first (an empty value) lets it go back.
What HubSpot answers to a value that goes back is reported both ways, so the caller says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from practice_org.hubspot.gate import HubSpotError, invalid
from practice_org.hubspot.objects import ObjectType, Property
from practice_org.hubspot.search import milliseconds

STAGE = "lifecyclestage"
_ADDRESS = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+\Z")

Body = dict[str, str | int]


class Backward(Enum):
    """What to do about a lifecycle stage that would go back."""

    IGNORE = auto()
    REFUSE = auto()
    ALLOW = auto()  # as a person does in HubSpot's own pages


def changed(kind: ObjectType, old: Mapping[str, str | int], given: Mapping[str, Any], now: int, how: Backward) -> Body:
    """The properties that are set after the write; ``now`` in milliseconds. Raises HubSpotError 400 with every
    property that is wrong."""
    body: Body = dict(old)
    wrong: list[dict[str, Any]] = []
    for name, value in given.items():
        known = kind.properties.get(name)
        try:
            if known is None:
                raise _Wrong("PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
            if known.read_only and how is not Backward.ALLOW:
                raise _Wrong("READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.')
            stored = _stored(known, value)
            if name == STAGE and stored is not None and how is not Backward.ALLOW and _is_back(known, old, str(stored)):
                if how is Backward.REFUSE:
                    raise _Wrong("INVALID_LIFECYCLE_STAGE", f"{stored} is before {old[STAGE]}")
                continue
        except _Wrong as problem:
            wrong.append({"isValid": False, "message": problem.message, "error": problem.error, "name": name})
            continue
        if stored is None:
            body.pop(name, None)
        else:
            body[name] = stored
    if wrong:
        raise invalid("Property values were not valid: " + json.dumps(wrong, separators=(",", ":")))
    _stamp_stage(kind, old, body, now)
    if "hs_is_closed" in kind.properties:
        stage = str(body.get("dealstage", ""))
        body["hs_is_closed"] = str(stage in ("closedwon", "closedlost")).lower()
        body["hs_is_closed_won"] = str(stage == "closedwon").lower()
    return body


class _Wrong(Exception):
    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error, self.message = error, message


def _stored(known: Property, value: Any) -> str | int | None:
    """As it is kept; None clears."""
    if value is None or value == "":
        return None
    if known.type == "datetime":
        try:
            return milliseconds(value)
        except (TypeError, ValueError):
            raise _Wrong("INVALID_LONG", f"{value} was not a valid long.") from None
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if known.type == "number":
        try:
            float(text)
        except ValueError:
            raise _Wrong("INVALID_DOUBLE", f"{text} was not a valid double.") from None
    if known.type == "enumeration" and known.options and text not in dict(known.options):
        allowed = ", ".join(option for option, _ in known.options)
        raise _Wrong("INVALID_OPTION", f"{text} was not one of the allowed options: [{allowed}]")
    if known.name == "email":
        text = text.strip().lower()
        if not _ADDRESS.match(text):
            raise _Wrong("INVALID_EMAIL", f"Email address {text} is invalid")
    return text


def _is_back(known: Property, old: Mapping[str, str | int], value: str) -> bool:
    order = [option for option, _ in known.options]
    current = str(old.get(STAGE, ""))
    return current in order and order.index(value) < order.index(current)


def _stamp_stage(kind: ObjectType, old: Mapping[str, str | int], body: Body, now: int) -> None:
    """The dates at which stages were entered and left."""
    before, after = old.get(STAGE), body.get(STAGE)
    if before == after:
        return
    for what, stage in (("exited", before), ("entered", after)):
        name = f"hs_v2_date_{what}_{stage}"
        if stage and name in kind.properties:
            body[name] = now


def conflict(existing: int) -> HubSpotError:
    return HubSpotError(409, "CONFLICT", f"Contact already exists. Existing ID: {existing}")
