"""The compiled mapping: what ``connector.mapping`` makes of YAML, and what ``decide`` takes."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Map
from functools import cached_property

from connector.lifecycle.activity import HasActivity
from connector.lifecycle.allocation import Desk
from connector.lifecycle.model import Identity, Step
from connector.lifecycle.program import Model, Program, compile_programs


class Mapping:
    """Frozen. ``version`` changes when what is decided may change, not with comments or layout. ``texts`` (file ->
    text, the first one includes the others) and the desk are all that pickles: it compiles again in any process."""

    def __init__(
        self,
        name: str,
        version: str,
        model: Model,
        texts: Map[str, str],
        from_texts: Callable[[Map[str, str]], Mapping],
        warnings: tuple[str, ...] = (),
        desk: Desk | None = None,
    ) -> None:
        self.name = name
        self.version = version
        self.model = model
        self.texts = texts
        self.warnings = warnings
        self.desk = desk or Desk()
        self._from_texts = from_texts

    def __reduce__(self) -> tuple[Callable[..., Mapping], tuple[object, ...]]:
        return _again, (self._from_texts, dict(self.texts), self.desk)

    def at_desk(self, desk: Desk) -> Mapping:
        """The same mapping for an org with these owners. Without one, nobody is handed to anybody."""
        return Mapping(self.name, self.version, self.model, self.texts, self._from_texts, self.warnings, desk)

    @property
    def stages(self) -> tuple[Step, ...]:
        return self.model.stage.steps

    @property
    def identity(self) -> Identity:
        return self.model.identity

    @cached_property
    def owners(self) -> Map[str, bool]:
        """Every owner people may be handed to, as the mapping names it -> whether it is a queue."""
        return self.model.owners()

    def kinds_named(self, source: str | None = None) -> frozenset[str]:
        """The activity kinds that are named: in conditions, and of the sources (of one only, when one is given)."""
        asked = {kind for each in self.model.walk() if isinstance(each, HasActivity) for kind in each.kinds}
        declared = [each for each in self.model.sources if source in (None, each.name) and not each.but]
        return frozenset(asked.union(*(each.kinds or () for each in declared)))

    @property
    def off(self) -> frozenset[str]:
        """The sources that are switched off."""
        return frozenset(each.name for each in self.model.sources if each.is_off)

    @cached_property
    def reads(self) -> Map[str, frozenset[str]]:
        """Object -> API field names to read beyond Id and SystemModstamp."""
        return self.model.reads()

    @cached_property
    def writes(self) -> Map[str, Map[str, str]]:
        """Track -> object -> field."""
        return self.model.writes()

    @cached_property
    def programs(self) -> Map[str, Program]:
        """Object -> the program that decides its people."""
        return compile_programs(self.model, self.desk)

    def __repr__(self) -> str:
        return f"Mapping({self.name!r}, version={self.version!r})"


def _again(from_texts: Callable[[Map[str, str]], Mapping], texts: Map[str, str], desk: Desk) -> Mapping:
    return from_texts(texts).at_desk(desk)
