"""Amounts of money: compared in the currency that a rule names, else in the corporate one.

What is read of an org with several currencies becomes amounts here (:func:`with_amounts`), before anything is decided:
the rates come in as a value, so deciding stays pure.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from connector.base.facts import PEOPLE, Activity, Circle, OpportunityRole, Person, Row
from connector.base.money import CODE, Currencies, Money, MoneySum, code_field, shown_number
from connector.lifecycle.compare import ORDERS, Against, Check, Comparison, OneOf, Order
from connector.lifecycle.values import number_of, show

if TYPE_CHECKING:
    from connector.lifecycle.view import View

DEAL_KIND = (
    "deal"  # the kind of activity that is a deal of another system; its attribute ``state`` is open, won or lost
)
AMOUNT_OF_DEAL = ("amount", "Amount")
_CODE_OF_DEAL = ("currency", "currency_code", "deal_currency_code", CODE)
_SALESFORCE, _RESPONSE, _MEMBER, _ROLE = "salesforce", "campaign_response", "CampaignMember", "OpportunityContactRole"
_CONVERTED = "with amounts"  # where a circle keeps itself
SALES_OBJECTS = ("Task", "Event")  # which share their custom fields
_COUNTS = frozenset(("Probability", "NumberOfEmployees", "TotalOpportunityQuantity", "ForecastCategoryOrder"))


@dataclass(frozen=True)
class Priced(Comparison):
    """``>= 10000 EUR``. A number of an org with one currency is one in that currency."""

    asks: ClassVar[str] = "number"
    sign: str
    bound: float
    currency: str

    def compile(self) -> Check:
        compare, bound, currency = {**ORDERS, "=": operator.eq}[self.sign], self.bound, self.currency

        def test(value: Any, _view: View) -> bool:
            found = value.into(currency) if isinstance(value, Money | MoneySum) else number_of(value)
            return found is not None and bool(compare(found, bound))

        return test

    def words(self) -> str:
        return f"{self.sign} {show(self.bound)} {self.currency}"


def currencies_in(compare: Comparison) -> list[str]:
    return [each.currency for each in compare.walk() if isinstance(each, Priced)]


def may_be_amount(name: str, compare: Comparison) -> bool:
    """Whether a field is compared as one with an amount would be."""
    if name.rpartition(".")[2] in _COUNTS:
        return False
    return any(
        isinstance(each, Priced | Order | Against)
        or (isinstance(each, OneOf) and any(type(value) in (int, float) for value in each.values))
        for each in compare.walk()
    )


def shown_amount(value: Any, compare: Comparison) -> str:
    """A value for people; an amount as it is, and as it was compared."""
    return value.converted(currencies_in(compare)) if isinstance(value, Money) else show(value)


def added(rows: Iterable[Row], name: str) -> float:
    """The sum of a field."""
    numbers = [found for row in rows if (found := number_of(row.get(name))) is not None]
    amounts = [each for each in numbers if isinstance(each, Money)]
    return MoneySum(amounts) if amounts else sum(numbers)


def amounts_told(filters: Sequence[tuple[str, Comparison]], row: Row) -> str:
    """The amounts that filters look at, for people; "" where they look at none."""
    return ", ".join(
        f"{name} {value.converted(currencies_in(compare))}"
        for name, compare in filters
        if isinstance(value := row.get(name), Money)
    )


def with_amounts(person: Person, currencies: Currencies) -> Person:
    """The person with numbers of currency fields as amounts; as they are in an org with one currency."""
    if not currencies.rates:
        return person
    changes: dict[str, Any] = {}
    if names := currencies.fields.get(person.object if person.object in PEOPLE else ""):
        changes["fields"] = _row(person.fields, names, currencies)
    if names := currencies.fields.get("Account"):
        changes["account"] = _row(person.account, names, currencies)
    if {"Opportunity", _ROLE} & currencies.fields.keys():
        changes["opportunities"] = tuple(_of_role(each, currencies) for each in person.opportunities)
        changes["account_opportunities"] = tuple(_of_role(each, currencies) for each in person.account_opportunities)
    if any(each.object in currencies.fields for each in person.records):
        changes["records"] = tuple(
            replace(each, row=_row(each.row, currencies.fields.get(each.object, ()), currencies))
            for each in person.records
        )
    if any(each.kind == DEAL_KIND or each.source == _SALESFORCE for each in person.activities):
        changes["activities"] = tuple(_of_activity(each, currencies) for each in person.activities)
    if person.colleagues:
        changes["colleagues"] = _of_circle(person.colleagues, currencies)
    return replace(person, **changes)


def _of_circle(circle: Circle, currencies: Currencies) -> Circle:
    """The same value for each of them."""
    if _CONVERTED not in circle.known:
        circle.known[_CONVERTED] = Circle(with_amounts(each, currencies) for each in circle)
    found: Circle = circle.known[_CONVERTED]
    return found


def _row(row: Row, names: Iterable[str], currencies: Currencies, day: str = "") -> Row:
    """``day``: by whose rate the row's own amounts are converted, where that is not today's."""
    found = {}
    for name in names:
        value = row.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool | Money):
            code = str(row.get(code_field(name)) or currencies.corporate)
            found[name] = currencies.amount(value, code, "" if "." in name else day)
    return {**row, **found} if found else row


def _of_role(each: OpportunityRole, currencies: Currencies) -> OpportunityRole:
    day, fields = str(each.opportunity.get("CloseDate") or "")[:10], currencies.fields
    return replace(
        each,
        role=_row(each.role, fields.get(_ROLE, ()), currencies),
        opportunity=_row(each.opportunity, fields.get("Opportunity", ()), currencies, day),
    )


def _of_activity(each: Activity, currencies: Currencies) -> Activity:
    if each.kind == DEAL_KIND:
        return _of_deal(each, currencies)
    if each.source != _SALESFORCE:
        return each
    objects = (_MEMBER,) if each.kind == _RESPONSE else SALES_OBJECTS
    names = frozenset[str]().union(*(currencies.fields.get(name, ()) for name in objects))
    return replace(each, attributes=_row(each.attributes, names, currencies)) if names else each


def _of_deal(each: Activity, currencies: Currencies) -> Activity:
    """A deal of another system: without a currency it is in the corporate one."""
    code = next((str(found) for name in _CODE_OF_DEAL if (found := each.attributes.get(name))), currencies.corporate)
    day = str(each.attributes.get("close_date") or each.occurred_at.date())[:10]
    found = {
        name: currencies.amount(number, code.upper(), day)
        for name in AMOUNT_OF_DEAL
        if (number := number_of(each.attributes.get(name))) is not None
    }
    return replace(each, attributes={**each.attributes, **found}) if found else each


def bounds_told(compare: Comparison, currencies: Currencies) -> list[str]:
    """What a comparison asks for, in each currency of the org: by the rates of today."""
    found = []
    for each in compare.walk():
        if isinstance(each, Order | Priced):
            code = each.currency if isinstance(each, Priced) else currencies.corporate
            bound = shown_number(each.bound)
            if currencies.rate(code):
                bound = Money(each.bound, code, currencies).converted(_first(currencies.rates, code))
            found.append(f"{each.sign} {bound}")
    return found


def _first(rates: Mapping[str, float], but: str) -> list[str]:
    return [code for code in sorted(rates) if code != but][:5]
