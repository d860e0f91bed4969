"""The compiled mapping: what ``connector.mapping`` makes of YAML, and what ``decide`` takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from connector.base.facts import Direction
from connector.lifecycle.activity import HasActivity
from connector.lifecycle.amounts import currencies_in, may_be_amount
from connector.lifecycle.folding import Folding, folding_of
from connector.lifecycle.model import Identity, Step
from connector.lifecycle.program import Model, Program, compile_programs
from connector.lifecycle.surroundings import AccountHasOpportunity, AccountIsActive


class CompiledMapping:
    """Frozen. ``version`` changes when what is decided may change, not with comments or layout. ``texts`` (file ->
    text, the first one includes the others) are all that pickles: it compiles again in any process."""

    def __init__(
        self,
        name: str,
        version: str,
        model: Model,
        texts: Mapping[str, str],
        from_texts: Callable[[Mapping[str, str]], CompiledMapping],
        warnings: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.version = version
        self.model = model
        self.texts = texts
        self.warnings = warnings
        self.differs: tuple[str, ...] = ()  # what tests of included files say that is not so here
        self.attributes: Mapping[str, Mapping[str, str]] = {}  # name, in small letters -> object -> field
        self.examples: tuple[tuple[str, str, int], ...] = ()  # its tests: name, file, line; they hold
        self._from_texts = from_texts

    def __reduce__(self) -> tuple[Callable[..., CompiledMapping], tuple[object, ...]]:
        return self._from_texts, (dict(self.texts),)

    @property
    def stages(self) -> tuple[Step, ...]:
        return self.model.stages

    @property
    def identity(self) -> Identity:
        return self.model.identity

    @cached_property
    def owners(self) -> Mapping[str, bool]:
        """Every owner people may be handed to, as the mapping names it -> whether it is a queue."""
        return self.model.owners()

    def kinds_named(self, source: str | None = None) -> frozenset[str]:
        """The activity kinds that are named: in conditions, and of the sources (of one only, when one is given)."""
        asked = {kind for each in self.model.walk() if isinstance(each, HasActivity) for kind in each.kinds}
        declared = [each for each in self.model.sources if source in (None, each.name) and not each.but]
        return frozenset(asked.union(*(each.kinds or () for each in declared)))

    @cached_property
    def types_known(self) -> frozenset[str]:
        """Every type of activity, beside the canonical ones, of which the mapping says something."""
        words = frozenset(self.model.types).union(*(each.types for each in self.model.sources))
        return words | self.kinds_named() | frozenset(self.model.own_kinds)

    @cached_property
    def means_all(self) -> frozenset[str]:
        """The directions of which a condition looks at whatever was done, without naming the kind."""
        asked = [each for each in self.model.walk() if isinstance(each, HasActivity) and not each.kinds]
        ways = {each.direction for each in asked if not each.latest_of}
        return frozenset(Direction) if "any" in ways else frozenset(ways)

    @cached_property
    def around(self) -> frozenset[str]:
        """What of people's accounts is looked at: of the words of the store."""
        asked = {each.asks for each in self.model.walk() if isinstance(each, AccountHasOpportunity | AccountIsActive)}
        asked |= {"domains"} if self.model.leads_by_domain else set()
        asked |= {"records"} if self.model.records else set()
        return frozenset(asked | ({"roleless"} if self.model.deals.without_roles != ("ignore",) else set()))

    @cached_property
    def amounts(self) -> Mapping[str, frozenset[str]]:
        """Object -> its fields that are compared, summed or ranked as amounts of money may be."""
        found: dict[str, set[str]] = {}
        for condition in self.model.walk():
            for name, field, compare in condition.compares():
                if may_be_amount(field, compare):
                    found.setdefault(name, set()).add(field)
        if "Amount" in self.reads.get("Opportunity", ()):
            found.setdefault("Opportunity", set()).add("Amount")
        return {name: frozenset(fields) for name, fields in found.items()}

    @cached_property
    def currencies(self) -> list[str]:
        """Those that it names."""
        compares = [each for condition in self.model.walk() for _, _, each in condition.compares()]
        return sorted({code for each in compares for code in currencies_in(each)})

    @property
    def off(self) -> frozenset[str]:
        """The sources that are switched off."""
        return frozenset(each.name for each in self.model.sources if each.is_off)

    @cached_property
    def reads(self) -> Mapping[str, frozenset[str]]:
        """Object -> API field names to read beyond Id and SystemModstamp."""
        return self.model.reads()

    @cached_property
    def writes(self) -> Mapping[str, Mapping[str, str]]:
        """Track -> object -> field."""
        return self.model.writes()

    @cached_property
    def folding(self) -> Folding:
        """Which old activities no rule can tell from others."""
        return folding_of(self.model)

    @cached_property
    def programs(self) -> Mapping[str, Program]:
        """Object -> the program that decides its people."""
        return compile_programs(self.model)

    def __repr__(self) -> str:
        return f"CompiledMapping({self.name!r}, version={self.version!r})"
