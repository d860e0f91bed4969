"""The currencies of an org and their rates: facts that are read once an hour, or once a day where there is but one.

It costs one call, and one more for every 2,000 dated rates; nothing where a mapping compares no amounts. A rate that
changed has everybody decided again who has an amount in that currency.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from connector.base.errors import ConfigurationError, Refused
from connector.base.json import JsonMap, JsonObject
from connector.base.money import CODE, Currencies, code_field
from connector.base.ports import PolledObject, Read, Salesforce
from connector.lifecycle.amounts import DEAL_KIND
from connector.mapping import CompiledMapping
from connector.pipeline.by_ids import rows_from
from connector.pipeline.optional_fields import UNSEEN
from connector.store import Store

log = structlog.get_logger(__name__)

CURRENCIES = "currencies"  # where they are kept
_KEPT, _KEPT_ONE = timedelta(hours=1), timedelta(days=1)
_TYPES = "SELECT IsoCode, ConversionRate, DecimalPlaces, IsCorporate FROM CurrencyType"
_OF_ACTIVITIES = frozenset(("Task", "Event", "CampaignMember"))
_DATED = "SELECT IsoCode, StartDate, ConversionRate FROM DatedConversionRate ORDER BY IsoCode, StartDate"


def find_currencies(mapping: CompiledMapping, salesforce: Salesforce, store: Store, now: datetime) -> Currencies:
    """Those of the org, read again where what is known of them is too old; none where the mapping compares no amounts.
    Raises ConfigurationError for a currency that the mapping names and the org has not."""
    asked = {name: sorted(fields) for name, fields in sorted(mapping.amounts.items())}
    if not asked:
        return Currencies()
    kept = store.cursor(CURRENCIES)
    if kept is None or kept["asked"] != asked or not _is_fresh(kept, now):
        found = read_currencies(salesforce, mapping.amounts)
        if kept is not None and (codes := _moved(kept, found)):
            _decide_again(mapping, store, {*kept["fields"], *found["fields"]}, codes)
        store.set_cursor(CURRENCIES, {**found, "asked": asked, "read_at": now.isoformat()})
        kept = found
    currencies = _currencies(kept)
    if unknown := unknown_currencies(mapping, currencies):
        raise ConfigurationError(*said_of_unknown(unknown, currencies))
    return currencies


def known_currencies(store: Store, mapping: CompiledMapping) -> Currencies:
    """As they were read last."""
    kept = store.cursor(CURRENCIES) if mapping.amounts else None
    return _currencies(kept) if kept is not None else Currencies()


def with_codes(objects: Sequence[PolledObject], currencies: Currencies) -> Sequence[PolledObject]:
    """The objects that have amounts, with the fields that name the currencies."""
    return [
        replace(each, fields=tuple(sorted({*each.fields, *map(code_field, currencies.fields[each.name])})))
        if each.name in currencies.fields
        else each
        for each in objects
    ]


def read_currencies(salesforce: Salesforce, amounts: Mapping[str, frozenset[str]]) -> JsonObject:
    """``rates``, ``places``, ``dated`` and ``fields`` as in :class:`Currencies`, as JSON. ``amounts``: the fields that
    are compared, by object."""
    reads = [Read("CurrencyType", _TYPES, alone=True), Read("DatedConversionRate", _DATED, alone=True)]
    answers = salesforce.read(reads)
    if "CurrencyType" in answers.refused:
        return _of_one(salesforce, answers.refused["CurrencyType"])
    types, of_dates = (
        rows_from(salesforce, each, answers.pages[each.name]) if each.name in answers.pages else [] for each in reads
    )
    if not types:
        return _of_one(salesforce, None)
    dated: dict[str, list[list[object]]] = {}
    for row in of_dates:
        dated.setdefault(str(row["IsoCode"]), []).append([str(row["StartDate"]), float(row["ConversionRate"])])
    return {
        "only": "",
        "corporate": next((str(row["IsoCode"]) for row in types if row["IsCorporate"]), ""),
        "rates": {str(row["IsoCode"]): float(row["ConversionRate"]) for row in types},
        "places": {str(row["IsoCode"]): int(row["DecimalPlaces"]) for row in types},
        "dated": dated,
        "fields": {
            name: found
            for name, fields in sorted(amounts.items())
            if (found := sorted(each for each in fields if _is_amount(salesforce, name, each)))
        },
    }


def currencies_of(salesforce: Salesforce, mapping: CompiledMapping) -> Currencies:
    """As the org tells them now."""
    return _currencies(read_currencies(salesforce, mapping.amounts)) if mapping.amounts else Currencies()


def unknown_currencies(mapping: CompiledMapping, currencies: Currencies) -> list[str]:
    """Those that the mapping names and the org has not. Where the org has one and does not tell which, it is the one
    that is named, and of several only one can be."""
    named = mapping.currencies
    if not currencies.rates and not currencies.only:
        return named if len(named) > 1 else []
    return [code for code in named if not currencies.knows(code)]


def said_of_unknown(unknown: Sequence[str], currencies: Currencies) -> tuple[str, str]:
    """What is wrong, and what to do."""
    has = ", ".join(sorted(currencies.rates)) or currencies.only or "a single currency"
    what = f"the mapping compares with amounts in {' and '.join(unknown)}, and the org has {has}"
    return what, f"name one of {has}" if currencies.rates or currencies.only else "name one currency, or none"


def _currencies(kept: JsonMap) -> Currencies:
    return Currencies(
        corporate=kept["corporate"],
        rates=kept["rates"],
        places=kept["places"],
        dated={code: tuple((day, rate) for day, rate in rates) for code, rates in kept["dated"].items()},
        fields={name: frozenset(fields) for name, fields in kept["fields"].items()},
        only=kept["only"],
    )


def _is_fresh(kept: JsonMap, now: datetime) -> bool:
    return now - datetime.fromisoformat(kept["read_at"]) < (_KEPT if kept["rates"] else _KEPT_ONE)


def _decide_again(mapping: CompiledMapping, store: Store, objects: set[str], codes: Sequence[str]) -> None:
    """Whoever has an amount in one of the currencies; in any, where rules name one of them."""
    has_deals = DEAL_KIND in mapping.kinds_named() or any(each.deals for each in mapping.model.sources)
    if has_deals or objects & _OF_ACTIVITIES:
        people = store.mark_all_dirty()
    else:
        people = store.mark_amounts(sorted(objects), () if {*codes} & {*mapping.currencies} else codes)
    log.info("rates changed: whoever has amounts in them is decided again", currencies=",".join(codes), people=people)


def _of_one(salesforce: Salesforce, refused: Refused | None) -> JsonObject:
    if refused is not None and refused.code not in UNSEEN:
        raise refused
    is_several, only = salesforce.single_currency()
    if is_several:
        raise ConfigurationError(
            "the org has several currencies, and the integration user cannot see CurrencyType, so amounts cannot be"
            " compared",
            "give the integration user's permission set Read on CurrencyType",
        )
    return {"only": only, "corporate": "", "rates": {}, "places": {}, "dated": {}, "fields": {}}


def _is_amount(salesforce: Salesforce, name: str, path: str) -> bool:
    """Whether it is a currency field, of the object or of the parent that the path leads to."""
    first, is_path, rest = path.partition(".")
    fields = _fields_of(salesforce, name)
    if not is_path:
        kinds = {each["name"]: each.get("type") for each in fields}
        return CODE in kinds and kinds.get(path) == "currency"
    parents = [to for each in fields if each.get("relationshipName") == first for to in each.get("referenceTo") or ()]
    return any(_is_amount(salesforce, parent, rest) for parent in parents)


def _fields_of(salesforce: Salesforce, name: str) -> Sequence[JsonMap]:
    try:
        fields: Sequence[JsonMap] = salesforce.describe(name)["fields"]
    except Refused as error:
        if error.code not in UNSEEN:
            raise
        return ()
    return fields


def _moved(kept: JsonMap, found: JsonMap) -> list[str]:
    """Currencies with another rate than before; all of them where the corporate one is another."""
    codes = sorted({*kept["rates"], *found["rates"]})
    if kept["corporate"] != found["corporate"] or kept["fields"] != found["fields"]:
        return codes
    return [
        code
        for code in codes
        if any(kept[what].get(code) != found[what].get(code) for what in ("rates", "dated", "places"))
    ]
