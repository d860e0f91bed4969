"""Field values on their way in: Python, JSON and CSV values -> what is stored, and what the API checks of them.

Stored: str, int (also for booleans), float or None; datetimes as ``2026-01-31T23:01:01.000+0000`` (UTC, whole
seconds, as Salesforce's audit fields are), dates as ``2026-01-31``. The empty string is null, as in Salesforce.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from practice_org.salesforce import ids
from practice_org.salesforce.problems import Problem
from practice_org.salesforce.schema import FieldSpec, ObjectSpec

Stored = str | int | float | None
_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s.,;]{2,}\Z")
_OFFSET = re.compile(r"([+-]\d\d):?(\d\d)\Z")


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def moment(text: str) -> datetime:
    """Any ISO form Salesforce takes or sends, as an aware datetime; without an offset it is UTC."""
    parsed = datetime.fromisoformat(_OFFSET.sub(r"\1:\2", text.strip().replace("Z", "+00:00")))
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _text(spec: FieldSpec, raw: Any) -> str | None:
    text = raw if isinstance(raw, str) else str(raw)
    return text or None


def _boolean(spec: FieldSpec, raw: Any) -> int:
    if isinstance(raw, str):
        lowered = raw.strip().lower()
        if lowered in ("true", "1", "yes"):
            return 1
        if lowered in ("false", "0", "no", ""):
            return 0
        raise ValueError(raw)
    return 1 if raw else 0


def _number(spec: FieldSpec, raw: Any) -> float | None:
    if isinstance(raw, str) and not raw.strip():
        return None
    value = float(raw)
    if not math.isfinite(value):
        raise ValueError(raw)
    return round(value, spec.scale) if spec.scale else value


def _whole(spec: FieldSpec, raw: Any) -> int | None:
    return None if isinstance(raw, str) and not raw.strip() else int(float(raw))


def _date(spec: FieldSpec, raw: Any) -> str | None:
    if isinstance(raw, datetime):
        return raw.date().isoformat()
    if isinstance(raw, date):
        return raw.isoformat()
    text = str(raw).strip()
    return date.fromisoformat(text[:10]).isoformat() if text else None


def _datetime(spec: FieldSpec, raw: Any) -> str | None:
    if isinstance(raw, datetime):
        return stamp(raw if raw.tzinfo else raw.replace(tzinfo=UTC))
    if isinstance(raw, str):
        if len(raw) == 28 and raw.endswith(".000+0000"):
            return raw
        return stamp(moment(raw)) if raw.strip() else None
    if isinstance(raw, date):
        return f"{raw.isoformat()}T00:00:00.000+0000"
    raise ValueError(raw)


def _reference(spec: FieldSpec, raw: Any) -> str | None:
    text = str(raw).strip()
    return ids.full(text, spec.label or spec.name) if text else None


def _several(spec: FieldSpec, raw: Any) -> str | None:
    return ";".join(raw) or None if isinstance(raw, list | tuple) else _text(spec, raw)


_STORE: dict[str, Callable[[FieldSpec, Any], Stored]] = {
    "boolean": _boolean,
    "double": _number,
    "currency": _number,
    "percent": _number,
    "int": _whole,
    "date": _date,
    "datetime": _datetime,
    "reference": _reference,
    "id": _reference,
    "multipicklist": _several,
}
_JSON_NAMES = {"double": "double", "currency": "double", "percent": "double", "int": "int", "boolean": "boolean"}


def store(spec: FieldSpec, raw: Any) -> Stored:
    """``raw`` as stored. Raises a JSON_PARSER_ERROR or MALFORMED_ID problem for what does not fit the type."""
    if raw is None:
        return 0 if spec.type == "boolean" else None
    try:
        return _STORE.get(spec.type, _text)(spec, raw)
    except (ValueError, TypeError, OverflowError):
        name = _JSON_NAMES.get(spec.type, spec.type)
        kind = {str: "VALUE_STRING", bool: "VALUE_TRUE", int: "VALUE_NUMBER_INT"}.get(type(raw), "VALUE")
        text = (
            f"Cannot deserialize instance of {name} from {kind} value {raw} or request may be missing a required field"
        )
        raise Problem(400, "JSON_PARSER_ERROR", text, (spec.name,)) from None


def check(spec: FieldSpec, value: Stored) -> Problem | None:
    """What the API refuses of one stored value: length, e-mail, restricted picklist."""
    if value is None or not isinstance(value, str):
        return None
    if spec.length and len(value) > spec.length and spec.type not in ("date", "datetime", "multipicklist"):
        text = f"{spec.label}: data value too large: {value} (max length={spec.length})"
        return Problem(400, "STRING_TOO_LONG", text, (spec.name,))
    if spec.type == "email" and not _EMAIL.match(value):
        return Problem(400, "INVALID_EMAIL_ADDRESS", f"{spec.label}: invalid email address: {value}", (spec.name,))
    if spec.restricted and spec.values:
        known = {v.value.lower() for v in spec.values if v.active}
        for part in value.split(";") if spec.type == "multipicklist" else (value,):
            if part.lower() not in known:
                text = f"{spec.label}: bad value for restricted picklist field: {part}"
                return Problem(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", text, (spec.name,))
    return None


def defaults(spec: ObjectSpec) -> dict[str, Stored]:
    """What a new record has where nothing was given."""
    return {
        f.name: store(f, f.default) if f.default is not None else 0
        for f in spec.fields.values()
        if f.default is not None or f.type == "boolean"
    }


def read(spec: FieldSpec, value: Stored) -> Any:
    """A stored value as the API sends it."""
    return bool(value) if spec.type == "boolean" else value


def later(text: str, seconds: int) -> str:
    return stamp(moment(text) + timedelta(seconds=seconds))
