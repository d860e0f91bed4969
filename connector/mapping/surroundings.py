"""What a mapping asks of the account: its fields, its opportunities, its people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector.base.json import JsonObject
from connector.lifecycle.conditions import AccountIs, All, Condition
from connector.lifecycle.opportunity import HasOpportunity
from connector.lifecycle.surroundings import AccountHasOpportunity, AccountIsActive
from connector.mapping.filters import ACTIVITY_FILTER, OPPORTUNITY_FILTER, Filters
from connector.mapping.mistakes import Place
from connector.mapping.shape import BAD, Block, Key, Number, Reading, Shape
from connector.mapping.tree import Map, Tree

PEOPLE_OF_ACCOUNT = Block(
    "people",
    {
        "count": Key(Number(1, 1000, whole=True), "at least so many people, the person among them", required=True),
        "activity": Key(ACTIVITY_FILTER, "did something that fits", required=True),
    },
    lambda values, _place, _reading: AccountIsActive(values["count"], values["activity"]),
    doc="how many people of the account did something",
)
WORDS: dict[str, Key] = {
    "opportunity": Key(OPPORTUNITY_FILTER, "an opportunity of the account, whoever has a role on it"),
    "people": Key(PEOPLE_OF_ACCOUNT, "people of the account who did something"),
}


@dataclass(frozen=True)
class AccountShape(Shape):
    """Fields of the account, and the words above."""

    keys: Mapping[str, Key] = field(default_factory=lambda: WORDS)
    words: str = "a map of fields to comparisons, opportunity or people"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if not isinstance(tree, Map) or not tree.items:
            return Filters().read(tree, reading)
        found: list[Any] = [WORDS[key].shape.read(value, reading) for key, value in tree.items.items() if key in WORDS]
        fields = {key: value for key, value in tree.items.items() if key not in WORDS}
        filters = Filters().read(Map(fields, tree.place, tree.keys), reading) if fields else ()
        if filters is BAD or any(each is BAD for each in found):
            return BAD
        found = [AccountHasOpportunity(each) if isinstance(each, HasOpportunity) else each for each in found]
        return [*found, *(AccountIs(name, compare) for name, compare in filters)]

    def schema(self) -> JsonObject:
        words = {key: {**spec.shape.schema(), "description": spec.doc} for key, spec in WORDS.items()}
        return {**Filters().schema(), "properties": words}


def account_condition(found: Any, _place: Place, _reading: Reading) -> Condition:
    return found[0] if len(found) == 1 else All(tuple(found))
