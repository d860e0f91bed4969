"""What a trial tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Tried:
    """``wrong``: what is, in words; ``times``: what was tried, such as faults that struck."""

    wrong: list[str]
    times: int = 1


Trials = Mapping[str, Callable[[], Tried]]
