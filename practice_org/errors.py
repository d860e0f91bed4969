"""What whoever works with a practice org must change: what is wrong, and what to try."""

from __future__ import annotations


class PracticeError(Exception):
    """``what`` is wrong (and with which thing), and what to try (``hint``); both are for people."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}\n  try: {self.hint}" if self.hint else self.what
