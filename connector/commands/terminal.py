"""The last edge before a terminal: whatever is drawn, by whomever, has nothing in it that commands one."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from connector.base.text import fit_lines


class Terminal(Console):
    """A console whose texts are cleaned when they are drawn; what rich itself sends to move a cursor stays."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for each in super().render(renderable, options):
            yield each if each.control else Segment(fit_lines(each.text), each.style)
