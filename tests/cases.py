"""How many random cases a property is tried with."""

from hypothesis import settings


def cases(quick: int) -> int:
    """So many with `make test`, ten times as many with `make long`."""
    return quick * settings().max_examples // settings.get_profile("quick").max_examples
