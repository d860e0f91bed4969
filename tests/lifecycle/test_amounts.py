"""Amounts by themselves: numbers in the corporate currency that know their own."""

import json
import pickle

from connector.base.facts import Activity, Circle, Direction, Person
from connector.base.money import Currencies, Money, MoneySum
from connector.lifecycle.amounts import with_amounts
from tests.lifecycle.someone import NOW

ORG = Currencies(
    "EUR", {"EUR": 1, "JPY": 160, "USD": 1.07}, {"JPY": 0}, {"JPY": (("1970-01-01", 160.0), ("2026-01-01", 100.0))}
)


def test_an_amount_is_a_number_in_the_corporate_currency_that_pickles_and_is_json():
    yen = pickle.loads(pickle.dumps(Money(50_000, "JPY", ORG)))  # noqa: S301 - our own
    assert (yen, yen.into("JPY"), str(yen)) == (312.5, 50_000, "50000 JPY = 312.5 EUR")
    assert json.dumps({"Amount": yen}) == '{"Amount": 312.5}'
    assert pickle.loads(pickle.dumps(MoneySum([yen, yen]))).into("JPY") == 100_000  # noqa: S301 - our own


def test_a_bound_that_is_met_exactly_is_not_missed_by_a_fraction():
    assert Money(10_700, "USD", ORG) >= 10_000
    assert Money(10_000, "EUR", ORG).into("USD") == 10_700


def test_the_rate_of_a_day_is_the_last_one_that_began_by_then():
    assert [ORG.rate("JPY", day) for day in ("1969-12-31", "2025-12-31", "2026-01-01", "2030-01-01", "")] == [
        160, 160, 100, 100, 160,
    ]  # fmt: skip
    assert ORG.rate("CHF") is None


def test_an_amount_in_a_currency_that_nobody_knows_is_a_text_and_compares_with_nothing():
    assert ORG.amount(5000, "CHF") == "5000 CHF"


def test_a_deal_of_another_system_is_in_the_currency_that_it_names():
    def deal(**attributes):
        return Activity("hook", "1", "deal", Direction.INBOUND, NOW, attributes={"amount": "16000", **attributes})

    person = Person("003", "Contact", {}, activities=(deal(currency="jpy", close_date="2025-05-01"), deal()))
    yen, plain = (each.attributes["amount"] for each in with_amounts(person, ORG).activities)
    assert (yen, plain) == (100, 16_000)
    assert with_amounts(person, Currencies(only="EUR")) is person


def test_what_colleagues_did_has_amounts_too_and_is_the_same_value_for_all_of_them():
    deal = Activity("hook", "1", "deal", Direction.INBOUND, NOW, attributes={"amount": 160_000, "currency": "JPY"})
    circle = Circle([Person("003A", "Contact", {}, activities=(deal,)), Person("003B", "Contact", {})])
    first, second = (with_amounts(Person(each.id, "Contact", {}, colleagues=circle), ORG).colleagues for each in circle)
    assert first is second
    [found] = first[0].activities
    assert str(found.attributes["amount"]) == "160000 JPY = 1600 EUR"
