"""Building SOQL safely: names are checked, values are quoted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from simple_salesforce.format import quote_soql_value

from connector.base.errors import ConfigurationError

_NAME = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*){0,5}", re.ASCII)


def name(text: str) -> str:
    """``text`` if it can be an object's or field's API name, with up to five relationships before it."""
    if not _NAME.fullmatch(text):
        raise ConfigurationError(f"{text!r} is not the API name of an object or field", "check the mapping's spelling")
    return text


def literal(value: Any) -> str:
    """A value as SOQL writes it; datetimes in UTC to the second, as SystemModstamp is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(quote_soql_value(value))


def keyset(stamp: datetime, record_id: str) -> str:
    """The condition for rows behind (stamp, id) in the order of SystemModstamp, Id: many rows share one second."""
    at = literal(stamp)
    return f"(SystemModstamp > {at} OR (SystemModstamp = {at} AND Id > {literal(record_id)}))"


def among(field: str, values: Iterable[str]) -> str:
    """The condition for rows whose field has one of these values, of which there is one at least."""
    return f"{name(field)} IN ({', '.join(literal(value) for value in values)})"


def select(object_name: str, fields: Sequence[str], where: str = "", order_by: Sequence[str] = ()) -> str:
    """One statement; ``where`` is a condition built by this module."""
    parts = [f"SELECT {', '.join(name(field) for field in fields)} FROM {name(object_name)}"]
    if where:
        parts.append(f"WHERE {where}")
    if order_by:
        parts.append(f"ORDER BY {', '.join(name(field) for field in order_by)}")
    return " ".join(parts)
