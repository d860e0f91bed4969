"""Fields, and objects, that are read where the org has them, and left out where it has not.

Newer fields, fields of features that an org can leave off, fields that are hidden from the integration user: the org's
describe says which of them there are. It is asked once a day and kept with the state; what is missing is logged once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from connector.base.errors import Refused
from connector.base.json import JsonMap
from connector.base.ports import PolledObject, Salesforce
from connector.pipeline.hidden import hidden_fields, hidden_yet, without_hidden
from connector.store import Store

log = structlog.get_logger(__name__)

OPTIONAL_FIELDS = "optional fields"  # where they are kept
_KEPT = timedelta(days=1)
NOTHING_OF_IT = "*"  # in place of fields: the object itself is missing
UNSEEN = ("NOT_FOUND", "INVALID_TYPE", "INSUFFICIENT_ACCESS")  # the user cannot see the object at all


def with_optional_fields(
    objects: Sequence[PolledObject], salesforce: Salesforce, store: Store, now: datetime
) -> Sequence[PolledObject]:
    """The objects, each with those of its optional fields that the org has, and without those that were found hidden
    (``hidden.py``), which are looked for again every day."""
    hidden = hidden_fields(store)
    objects = [without_hidden(each, hidden) for each in objects]
    asked = {each.name: sorted(optional_of(each)) for each in objects if each.optional or each.may_lack}
    if not asked:
        return objects
    known = store.cursor(OPTIONAL_FIELDS)
    if known is None or known["asked"] != asked or now - datetime.fromisoformat(known["read_at"]) >= _KEPT:
        missing = {each.name: missing_fields(salesforce, each) for each in objects if each.name in asked}
        if missing != (known or {}).get("missing"):
            _log_missing(objects, missing)
        known = {"asked": asked, "missing": missing, "read_at": now.isoformat()}
        store.set_cursor(OPTIONAL_FIELDS, known)
    missing = {**known["missing"]}
    for name, fields in hidden_yet(store, hidden, missing, now).items():
        missing[name] = sorted({*missing.get(name, ()), *fields})
    there = [each for each in objects if not each.may_lack or NOTHING_OF_IT not in missing.get(each.name, ())]
    return [with_optional(each, missing.get(each.name, ())) for each in there]


def with_optional(each: PolledObject, missing: Sequence[str]) -> PolledObject:
    """The object with its optional fields but these, which are not read even if they once were."""
    there = [name for name in optional_of(each) if name not in missing]
    return replace(each, fields=tuple(sorted({*each.fields, *there})), absent=frozenset(missing) - {*each.fields})


def optional_of(each: PolledObject) -> list[str]:
    return [*each.optional, *(path for paths in each.along.values() for path in paths)]


def missing_fields(salesforce: Salesforce, each: PolledObject) -> list[str]:
    """Those optional fields that the user does not see; with NOTHING_OF_IT where the object is not there."""
    there = _fields_seen(salesforce, each.name)
    if there is None:
        return [NOTHING_OF_IT, *sorted(optional_of(each))]
    for name, paths in each.along.items():
        parent = _fields_seen(salesforce, paths[0].partition(".")[0]) if name in there else None
        there |= {path for path in paths if path.rpartition(".")[2] in (parent or ())}
    along = {path for paths in each.along.values() for path in paths}
    return sorted({*_not_among(there, each.optional), *(along - there)})


def unseen_fields(salesforce: Salesforce, name: str, fields: Sequence[str]) -> list[str]:
    """Those of the fields that the user does not see of an object that is there."""
    there = _fields_seen(salesforce, name)
    return _not_among(there, fields) if there is not None else []


def _not_among(there: Collection[str], fields: Sequence[str]) -> list[str]:
    """Whether a parent has a field, Salesforce says when it is read."""
    return sorted(name for name in {*fields} if name not in there and f"{name.partition('.')[0]}." not in there)


def _fields_seen(salesforce: Salesforce, name: str) -> set[str] | None:
    try:
        described: JsonMap = salesforce.describe(name)
    except Refused as error:
        if error.code not in UNSEEN:
            raise
        return None
    fields = described["fields"]
    parents = {f"{each['relationshipName']}." for each in fields if each.get("relationshipName")}
    return {str(each["name"]) for each in fields} | parents


def _of_a_feature(each: PolledObject) -> set[str]:
    """Fields that an org without the feature has not, and nobody misses."""
    return {*each.along, *(path for paths in each.along.values() for path in paths)}


def _log_missing(objects: Sequence[PolledObject], missing: Mapping[str, Sequence[str]]) -> None:
    """Worth knowing where an activity is made of them; activities that lack one are told by their other fields."""
    for each in objects:
        if each.may_lack and NOTHING_OF_IT in missing.get(each.name, ()):
            tell = log.warning if each.lacking else log.debug
            tell(
                f"the object is not there, or hidden from the user: {each.lacking or 'nothing is missed'}",
                object=each.name,
            )
        elif fields := set(missing.get(each.name, ())) - _of_a_feature(each):
            tell = log.warning if each.also is not None else log.debug
            tell("fields are not there, or hidden from the user", object=each.name, fields=", ".join(sorted(fields)))
