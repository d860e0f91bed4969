"""How many calls a day the systems allow, where they do not say it themselves: the least that any customer has."""

from __future__ import annotations

ALLOWANCES: dict[str, tuple[int, str]] = {
    "pardot": (25_000, "the smallest edition's; others have 50,000 or 100,000"),
    "marketo": (50_000, "the usual one, shared by everything that uses the instance"),
    "hubspot": (250_000, "the smallest one"),
}
