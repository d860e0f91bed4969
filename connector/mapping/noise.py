"""What of ``activities:`` says whose doing counts: scanners, ourselves, tests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from connector.base.json import JsonMap, JsonObject
from connector.lifecycle.noise import Noise
from connector.mapping.makers import OrNone
from connector.mapping.shape import Block, Key, ListOf, Number, Reading, Shape, Word, YesNo
from connector.mapping.tree import Scalar, Tree

_SECONDS = re.compile(r"(\d{1,4})\s*(?:s|sec|seconds?)")
_OWN = re.compile(r"(?:[^@\s]+@|@|\.)?[^@\s.]+(?:\.[^@\s.]+)+")
USUAL_NOISE = Noise()


@dataclass(frozen=True)
class Seconds(Shape):
    words: str = "some seconds"

    def read(self, tree: Tree, reading: Reading) -> Any:
        found = _SECONDS.fullmatch(tree.text.strip()) if isinstance(tree, Scalar) else None
        return timedelta(seconds=int(found[1])) if found else self._mismatch(tree, reading, "write it like 10s")

    def schema(self) -> JsonObject:
        return {"type": "string", "pattern": f"^{_SECONDS.pattern}$"}


@dataclass(frozen=True)
class OwnShape(Shape):
    words: str = "a domain, or an e-mail address"

    def read(self, tree: Tree, reading: Reading) -> Any:
        text = tree.text.strip() if isinstance(tree, Scalar) else ""
        return text if _OWN.fullmatch(text) else self._mismatch(tree, reading, "write acme.com or qa@acme.com")

    def schema(self) -> JsonObject:
        return {"type": "string"}


SCANNERS = Block(
    "scanners",
    {
        "flagged": Key(YesNo(), "true: what the source itself takes for a machine's is left out", USUAL_NOISE.flags),
        "after_send": Key(
            OrNone(Seconds()), "clicks and opens so soon after the mail was sent are a scanner's", timedelta(seconds=10)
        ),
        "burst": Key(OrNone(Number(2, 100, whole=True)), "so are clicks on so many links at once", USUAL_NOISE.burst),
        "within": Key(Seconds(), "what is at once", USUAL_NOISE.within),
    },
    short=Word(("count",)),
    short_key="use",
    doc="what mail scanners do, which open every link; count: it counts as if people did it",
)
OURS_KEYS = {
    "scanners": Key(SCANNERS, SCANNERS.doc),
    "ourselves": Key(
        ListOf(OwnShape()),
        "our own domains and addresses: what they do does not count",
        (),
        example="ourselves: [acme.com, .acme.dev, qa.of.acme@gmail.com]",
    ),
    "tests": Key(
        Word(("ignore", "count")),
        "what addresses made for tests do: test@..., test2@..., ...+test@..., and domains that end in .test, .invalid",
        "ignore",
    ),
}


def make_noise(said: JsonMap | None) -> Noise:
    """What is left out, of the section ``activities:``."""
    if said is None:
        return USUAL_NOISE
    scanners, own, tests = said["scanners"], tuple(said["ourselves"]), said["tests"] == "ignore"
    if scanners is None:
        return Noise(own=own, tests=tests)
    if scanners["use"] == "count":
        return Noise(flags=False, after_send=None, burst=None, own=own, tests=tests)
    return Noise(
        flags=scanners["flagged"],
        after_send=None if scanners["after_send"] == () else scanners["after_send"],
        burst=None if scanners["burst"] == () else int(scanners["burst"]),
        within=scanners["within"],
        own=own,
        tests=tests,
    )
