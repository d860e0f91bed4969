"""Several currencies: which an org has, and what an amount is in the corporate one.

A rate is how many units of a currency one unit of the corporate currency is. Without the feature none of it exists: no
object, no field.
"""

from __future__ import annotations

import json

from practice_org.salesforce.core import OrgCore

CODE = "CurrencyIsoCode"
CODES = "currencies"  # where they are kept, the corporate one first
ONLY = "only_currency"  # of an org without the feature
DATED = "dated_rates"


def codes(org: OrgCore) -> list[str]:
    """The corporate currency and the others; none where the org has but one."""
    found: list[str] = json.loads(org.db.meta(CODES) or "[]")
    return found


def only(org: OrgCore) -> str:
    """The currency of an org that has but one."""
    return org.db.meta(ONLY) or "USD"


def has_dated_rates(org: OrgCore) -> bool:
    return org.db.meta(DATED) == "1"


def converted(sql: str, alias: str, object_name: str) -> str:
    """An amount in the corporate currency, which is that of the user, as SQL."""
    rate = f"SELECT c.ConversionRate FROM CurrencyType c WHERE c.IsoCode = {alias}.{CODE} AND c.IsDeleted = 0"
    if object_name == "Opportunity":
        dated = (
            f"SELECT d.ConversionRate FROM DatedConversionRate d WHERE d.IsoCode = {alias}.{CODE} AND d.IsDeleted = 0"
            f" AND d.StartDate <= {alias}.CloseDate ORDER BY d.StartDate DESC LIMIT 1"
        )
        return f"ROUND({sql} / COALESCE(({dated}), ({rate})), 2)"
    return f"ROUND({sql} / ({rate}), 2)"
