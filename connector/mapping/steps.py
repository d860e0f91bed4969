"""Shapes that begin with a sign: ``">= Opportunity"``, ``"> 4h"``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from connector.base.json import JsonObject
from connector.mapping.shape import BAD, ListOf, NameOf, Reading, Shape, business_span, parse_duration
from connector.mapping.tree import Scalar, Tree

_SIGNED = re.compile(r"(>=|<=|>|<)\s*(.+)")


@dataclass(frozen=True)
class Steps(Shape):
    """Names of stages or statuses; ``">= Opportunity"`` names all from there on that are in the funnel."""

    kind: str

    @property
    def words(self) -> str:  # type: ignore[override]  # computed, where the others have a constant
        return f"the name of a {self.kind}, a list of such, or like '>= Name'"

    def read(self, tree: Tree, reading: Reading) -> Any:
        signed = _SIGNED.fullmatch(tree.text.strip()) if isinstance(tree, Scalar) else None
        if signed is None:
            return ListOf(NameOf(self.kind)).read(tree, reading)
        name = NameOf(self.kind).read(Scalar(signed[2].strip(), tree.place, signed[2]), reading)
        if name is BAD:
            return BAD
        ladders = reading.ladders if self.kind == "stage" else [list(reading.names[self.kind])]
        if not any(name in ladder for ladder in ladders):
            what = f"{name} is beside the funnel: no stage is before or behind it"
            return reading.bad(tree.place, what, "name the stages that you mean")
        chosen: dict[str, None] = {}
        for names in ladders:
            at, sign = names.index(name) if name in names else -1, signed[1]
            there = names[at if sign == ">=" else at + 1 :] if sign[0] == ">" else names[: at + (sign == "<=")]
            chosen |= dict.fromkeys(there) if at >= 0 else {}
        return tuple(chosen) or reading.bad(
            tree.place, f"no {self.kind} is {sign} {name}", "it is at the end of the list"
        )

    def schema(self) -> JsonObject:
        return ListOf(NameOf(self.kind)).schema()


@dataclass(frozen=True)
class SignedSpan(Shape):
    """``"> 4h"``"""

    words: str = "a sign and a length of time, like '> 4h'"

    def read(self, tree: Tree, reading: Reading) -> Any:
        signed = _SIGNED.fullmatch(tree.text.strip()) if isinstance(tree, Scalar) else None
        span = (business_span(signed[2], reading) or parse_duration(signed[2])) if signed else None
        return (signed[1], span) if signed and span else self._mismatch(tree, reading, "write it like '> 4h'")

    def schema(self) -> JsonObject:
        return {"type": "string", "pattern": "^(>=|<=|>|<)"}
