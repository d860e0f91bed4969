"""The compiled mapping: what ``connector.mapping`` makes of YAML, and what ``decide`` takes."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Map
from functools import cached_property

from connector.lifecycle.model import Step
from connector.lifecycle.program import Model, Program, compile_programs


class Mapping:
    """Frozen. ``version`` changes when what is decided may change, not with comments or layout. ``texts`` (file ->
    text, the first one includes the others) is all that pickles: it compiles again in any process."""

    def __init__(
        self,
        name: str,
        version: str,
        model: Model,
        texts: Map[str, str],
        from_texts: Callable[[Map[str, str]], Mapping],
        warnings: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.version = version
        self.model = model
        self.texts = texts
        self.warnings = warnings
        self._from_texts = from_texts

    def __reduce__(self) -> tuple[Callable[[Map[str, str]], Mapping], tuple[dict[str, str]]]:
        return self._from_texts, (dict(self.texts),)

    @property
    def stages(self) -> tuple[Step, ...]:
        return self.model.stages

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
        return compile_programs(self.model)

    def __repr__(self) -> str:
        return f"Mapping({self.name!r}, version={self.version!r})"
