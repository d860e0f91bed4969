"""Amounts of an org that has several currencies.

A rate is how many units of a currency one unit of the corporate currency is. An amount is a number, its value in the
corporate currency, so that whatever compares, sums and ranks numbers does so in one currency; it also knows what it is
in its own, and can be had in any other. Converted amounts are rounded to the decimal places of their currency.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

CODE = "CurrencyIsoCode"  # the field of a record that names its currency
_PLACES = 2  # where the org does not say


def code_field(name: str) -> str:
    """The field that names the currency of an amount: of a parent's amount, the parent's."""
    parent, dot, _ = name.rpartition(".")
    return f"{parent}{dot}{CODE}"


@dataclass(frozen=True)
class Currencies:
    """``rates``: code -> rate; none in an org with one currency, which is ``only`` as far as it tells. ``dated``: code
    -> (day from which it holds, rate), in order, for opportunities by their close date. ``fields``: object -> fields
    with amounts, of those that are compared."""

    corporate: str = ""
    rates: Mapping[str, float] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)
    dated: Mapping[str, tuple[tuple[str, float], ...]] = field(default_factory=dict)
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    only: str = ""

    def rate(self, code: str, day: str = "") -> float | None:
        """The rate on a day, where the org has dated ones; None for a currency that it has not."""
        known = self.dated.get(code) if day else None
        at = bisect_right(known, (day, float("inf"))) if known else 0
        return known[at - 1][1] if known and at else self.rates.get(code)

    def rounded(self, amount: float, code: str) -> float:
        return round(amount, self.places.get(code, _PLACES))

    def knows(self, code: str) -> bool:
        """Whether amounts can be compared with some in this currency."""
        return code in self.rates if self.rates else self.only in {"", code}

    def amount(self, value: float, code: str, day: str = "") -> Money | str:
        """A text, which compares with no number, where nobody knows the rate."""
        return Money(value, code, self, day) if self.rate(code, day) else f"{shown_number(value)} {code}"


class Money(float):
    """Its value in the corporate currency."""

    __slots__ = ("_currencies", "_day", "amount", "code")
    amount: float
    code: str
    _currencies: Currencies
    _day: str

    def __new__(cls, amount: float, code: str, currencies: Currencies, day: str = "") -> Money:
        value = amount if code == currencies.corporate else amount / (currencies.rate(code, day) or 1)
        made = super().__new__(cls, currencies.rounded(value, currencies.corporate))
        made.amount, made.code, made._currencies, made._day = amount, code, currencies, day
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return Money, (self.amount, self.code, self._currencies, self._day)

    def into(self, code: str) -> float | None:
        """In another currency, by the rates of the same day; None where the org has no such currency."""
        if code == self.code:
            return self.amount
        ours, theirs = self._currencies.rate(self.code, self._day), self._currencies.rate(code, self._day)
        return self._currencies.rounded(self.amount / ours * theirs, code) if ours and theirs else None

    def converted(self, codes: Iterable[str] = ()) -> str:
        """As it is, and converted: into these currencies, else into the corporate one."""
        wanted = dict.fromkeys([*codes] or [self._currencies.corporate])
        others = [
            f"{shown_number(value)} {code}" for code in wanted if code != self.code and (value := self.into(code))
        ]
        itself = f"{shown_number(self.amount)} {self.code}"
        return f"{itself} = {' = '.join(others)}" if others else itself

    def __str__(self) -> str:
        return self.converted()


class MoneySum(float):
    """Several amounts together, each converted by itself."""

    __slots__ = ("_parts",)
    _parts: tuple[Money, ...]

    def __new__(cls, parts: Iterable[Money]) -> MoneySum:
        found = tuple(parts)
        made = super().__new__(cls, sum(float(each) for each in found))
        made._parts = found
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return MoneySum, (self._parts,)

    def into(self, code: str) -> float | None:
        converted = [each.into(code) for each in self._parts]
        return None if None in converted else round(sum(each or 0.0 for each in converted), 6)


def shown_number(number: float) -> str:
    """For people: without a fraction that is none."""
    return str(int(number)) if float(number).is_integer() else str(float(number))
