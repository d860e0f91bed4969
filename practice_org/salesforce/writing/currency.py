"""Several currencies, switched on, and their rates. It cannot be switched off again, as in Salesforce."""

from __future__ import annotations

import json
from collections.abc import Mapping

from practice_org.salesforce.core import OrgCore
from practice_org.salesforce.currencies import CODE, CODES, DATED, ONLY, codes, has_dated_rates
from practice_org.salesforce.problems import Problem
from practice_org.salesforce.schema import CURRENCY_OBJECTS, DATED_RATES, FieldSpec, Value
from practice_org.salesforce.storage import quoted
from practice_org.salesforce.writing import dml

_WHOLE = ("JPY", "KRW", "HUF", "CLP", "ISK", "VND")  # without decimal places
_OTHERS = ("Organization", "Profile", "PermissionSet", "PermissionSetAssignment", "Group", "GroupMember", "UserRole",
           "RecordType", "OpportunityStage", "LeadStatus", "TaskStatus", *CURRENCY_OBJECTS)  # fmt: skip
_Rates = Mapping[tuple[str, ...], float]  # code, and where it is dated the day -> rate
Dated = Mapping[str, Mapping[str, float]]  # code -> day from which it holds -> rate


def set_only(org: OrgCore, code: str) -> None:
    org.db.write([org.db.set_meta(ONLY, _checked(code))])


def use(org: OrgCore, rates: Mapping[str, float], dated: Dated | None = None) -> None:
    """Several currencies with these rates, of which one, the corporate one, is 1. ``dated``: advanced currency
    management, with these rates besides; those of a day that is there are changed."""
    known = codes(org)
    corporate = known[0] if known else next((code for code, rate in rates.items() if rate == 1), None)
    if corporate is None or rates.get(corporate, 1) != 1 or any(rate <= 0 for rate in rates.values()):
        raise Problem(400, "INVALID_SETTING", "one currency, the corporate one, has the rate 1; no other may be <= 0")
    wanted = [corporate, *(code for code in dict.fromkeys((*known, *map(_checked, rates))) if code != corporate)]
    was_dated = has_dated_rates(org)
    is_dated = was_dated or dated is not None
    org.db.write([org.db.set_meta(CODES, json.dumps(wanted)), org.db.set_meta(DATED, "1" if is_dated else "")])
    restore(org)
    _write(org, "CurrencyType", {(code,): rate for code, rate in rates.items()}, corporate)
    days: _Rates = {(code, day): rate for code, given in (dated or {}).items() for day, rate in given.items()}
    if is_dated and not was_dated:  # what holds when the feature begins, held for ever
        days = {**{(code, "1970-01-01"): rate for code, rate in rates.items()}, **days}
    if days:
        _write(org, "DatedConversionRate", days, corporate)
        _chain(org)


def restore(org: OrgCore) -> None:
    """As it was when the org was left."""
    known = codes(org)
    org.schema.offer(CURRENCY_OBJECTS, on=bool(known))
    org.schema.offer(DATED_RATES, on=has_dated_rates(org))
    if not known:
        return
    values = tuple(Value(code, code, default=not number) for number, code in enumerate(known))
    org.schema.code = FieldSpec(
        CODE, "picklist", "Currency ISO Code", length=3, values=values, restricted=True, defaulted=True,
        default=known[0],
    )  # fmt: skip
    for spec in list(org.schema.objects.values()):
        if spec.name not in _OTHERS and not spec.view:
            spec.add(org.schema.code)
            org.db.table(spec)
            org.db.write([(f"UPDATE {quoted(spec.name)} SET {CODE} = ? WHERE {CODE} IS NULL", [(known[0],)])])
    org.schema_changed = org.clock.now()


def _checked(code: str) -> str:
    if len(code) != 3 or not code.isalpha() or not code.isupper():
        raise Problem(400, "INVALID_SETTING", f"a currency is three capitals, like EUR, and not {code}")
    return code


def _write(org: OrgCore, object_name: str, rates: _Rates, corporate: str) -> None:
    dated = object_name == "DatedConversionRate"
    sql = f"SELECT IsoCode, {'StartDate' if dated else 'IsActive'}, Id FROM {object_name} WHERE IsDeleted = 0"
    there = {(code, day) if dated else (code,): key for code, day, key in org.db.read(sql)}
    new = [
        {"IsoCode": key[0], "ConversionRate": rate} | ({"StartDate": key[1]} if dated else _type_of(key[0], corporate))
        for key, rate in rates.items()
        if key not in there
    ]
    changed = [{"Id": there[key], "ConversionRate": rate} for key, rate in rates.items() if key in there]
    if new:
        dml.add(org, object_name, new)
    if changed:
        dml.change(org, object_name, changed)


def _type_of(code: str, corporate: str) -> dict[str, object]:
    return {"DecimalPlaces": 0 if code in _WHOLE else 2, "IsActive": True, "IsCorporate": code == corporate}


def _chain(org: OrgCore) -> None:
    """Each rate holds until the next one of its currency."""
    sql = "SELECT Id, IsoCode, StartDate FROM DatedConversionRate WHERE IsDeleted = 0 ORDER BY IsoCode, StartDate"
    rows = org.db.read(sql)
    following = [*rows[1:], (None, None, None)]
    after = [(day if code == own else None, key) for (key, own, _), (_, code, day) in zip(rows, following, strict=True)]
    org.db.write([("UPDATE DatedConversionRate SET NextStartDate = ? WHERE Id = ?", after)])
