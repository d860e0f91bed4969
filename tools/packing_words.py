"""Makes a dictionary for the JSON of a state: ``python tools/packing_words.py FILE``.

It learns from what the connector keeps of generated companies in all sources and with all shipped mappings, and from
records with fields of Salesforce that mappings may ask for. What would be another's with another company is drawn at
random before: names, addresses, titles, texts, times, amounts and the variable parts of ids. So it learns structure,
and a stranger's state gets as small as ours. The same commit and the same version of zstd give the same file.

A dictionary that a state may have been written with never changes: a better one has another number in
``connector/store/packing.py``.
"""

from __future__ import annotations

import ast
import hashlib
import json
import random
import re
import sqlite3
import string
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import zstandard

from connector import mapping as mappings
from connector.base import logs
from connector.base.clock import FrozenClock
from connector.base.ids import id18
from connector.commands.practice import Practice, add_fields, add_owners
from connector.pipeline.backfill import Scope, run_backfill
from connector.pipeline.cycle import run_cycle
from connector.store.packing import LEVEL, NEWEST, unpack
from connector.store.rows import dumps
from connector.store.schema import columns_of
from connector.store.types import Packed
from connector.wiring import open_pipeline
from practice_org.company.build import build_company
from practice_org.company.elsewhere import Elsewhere
from practice_org.company.life import live
from practice_org.hubspot.system import HubSpot
from practice_org.marketo.system import Marketo
from practice_org.pardot.system import Pardot
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.schema import FieldSpec, Schema
from practice_org.serving.server import Server

SIZE, SEGMENT = 64 * 1024, 2000  # bytes of the dictionary, and of what is taken into it at once: whole records
SHORTEST = 24  # characters
ROOT = Path(__file__).parents[1]
NOW = datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
SEEDS = (7, 8)  # a company of 400 people each, for each mapping
CYCLES, EVENTS = 4, 60  # of a living company
MOST = 900  # texts of a column, of each company
MAPPINGS = ("lead-liaison", "customer-lifecycle", "hubspot-style", "score-handoff", "states")
NOBODY = "00000000-0000-0000-0000-000000000000"  # in place of ids that are another each time
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FURTHER = 6  # fields of Salesforce, at most, that a record has beside those of the shipped mappings

# -- what the connector keeps ------------------------------------------------------------------------------------------


def write_mails(org: PracticeOrg) -> None:
    """The generated company writes none."""
    found = org.rows("SELECT Email FROM Contact WHERE Email != null ORDER BY Id LIMIT 100")
    ways = [{"Incoming": True, "Status": "1"}, {"Incoming": False, "Status": "3"}]
    mails = [{"Subject": "Re: Your offer", "FromAddress": each["Email"], "ToAddress": each["Email"]} for each in found]
    org.create("EmailMessage", [{**each, **ways[n % 2], "MessageDate": NOW} for n, each in enumerate(mails)])


def kept(name: str, seed: int) -> Iterator[tuple[str, str]]:
    """Each text of a state, with its column, after some months of a generated company with a shipped mapping."""
    clock = FrozenClock(NOW)
    with TemporaryDirectory() as folder, closing(PracticeOrg(clock=clock, seed=seed)) as org:
        pardot, marketo, hubspot = systems = Pardot(org), Marketo(org), HubSpot(org)
        with Server(org, extra_routes=[route for each in systems for route in each.routes]) as server:
            practice = Practice(org, pardot, server.url, marketo, hubspot)
            mapping, dice = mappings.load(name), random.Random(seed)
            add_fields(org, mapping)
            add_owners(org, mapping)
            build_company(org, pardot, now=NOW, seed=seed)
            write_mails(org)
            Elsewhere(org, pardot, marketo, hubspot).fill(NOW, seed=seed)
            state = Path(folder) / "state.sqlite3"
            settings = practice.settings(state=str(state), mapping=name)
            with open_pipeline(settings, clock=clock) as pipeline:
                run_backfill(pipeline, Scope())
                for _ in range(CYCLES):
                    clock.at += timedelta(days=9)
                    live(org, pardot, dice, clock.now(), events=EVENTS, elsewhere=practice.elsewhere)
                    clock.at += timedelta(minutes=9)
                    run_cycle(pipeline)
        with closing(sqlite3.connect(state)) as connection:
            for column in columns_of(Packed):
                for (text,) in connection.execute(f"SELECT {column.name} FROM {column.table.name} ORDER BY 1"):
                    yield str(column), _UUID.sub(NOBODY, unpack(text) or "")


# -- as another company would have it ----------------------------------------------------------------------------------

LETTERS = "".join(letter * count for letter, count in zip(
    "etaoinsrhldcumfpgwybvkxjqz", (12, 9, 8, 8, 7, 7, 6, 6, 6, 4, 4, 3, 3, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1),
    strict=True,
))  # fmt: skip
ENDINGS = ("com", "com", "com", "de", "co.uk", "org", "net", "io", "fr", "example")
OURS = (  # keys of values that a company, or one of its people, chose
    "FirstName LastName Name Email Title Company Subject Website Phone CallDisposition Campaign.Name appName browser"
    " company details email firstName firstname hs_call_title jobTitle jobtitle lastName lastname name page phone"
    " title url"
)
_TOKEN = re.compile(
    r"(?P<uuid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})|(?P<mail>[\w.+-]+@[\w.-]+)"
    r"|(?P<id>\b(?=[A-Za-z]*\d)[A-Za-z0-9]{15}(?:[A-Z0-9]{3})?\b)"
    r"|(?P<time>\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?)(?P<zone>(?:\.\d{3})?(?:Z|[+-]\d\d:?\d\d)?)"
    r"|(?P<word>[^\W\d_]+|\d+)"
)
_OWN = frozenset(OURS.split())
_NAMED = re.compile(r"(?<=')[^']+(?=')|(?<=opportunity ).*(?= \()|(?<=deal ).*(?= \()")  # in what evidence says
_KIND = re.compile(r"^(?:Call|Email|Meeting): |^(?:Call|Email)$")  # as Salesforce begins a subject


def words() -> set[str]:
    """What no company chooses: the words of the connector, of Salesforce and the other systems, of shipped mappings."""
    files = [*(ROOT / "connector").rglob("*.py"), *(ROOT / "practice_org").rglob("*.py")]
    trees = [ast.parse(each.read_text()) for each in files if each.parent.name != "company"]
    found = [each.value for tree in trees for each in ast.walk(tree)
             if isinstance(each, ast.Constant) and isinstance(each.value, str)]  # fmt: skip
    found += [each.read_text() for each in (ROOT / "mappings").glob("*.yaml")]
    found += [each.read_text() for each in (ROOT / "practice_org/salesforce/tables").glob("*.csv")]
    return {word for text in found for word in re.findall(r"[^\W\d_]+", text)}


class Stranger:
    """One text as another company would have it: what is the same in it stays the same."""

    def __init__(self, dice: random.Random, known: set[str], schema: Schema) -> None:
        self._dice, self._known, self._schema = dice, known, schema
        self._drawn: dict[str, str] = {}
        self._pod = self._of(string.ascii_letters + string.digits, 3)
        self._later = timedelta(days=dice.randrange(-700, 1400))
        self._seconds = timedelta(seconds=dice.randrange(86400))

    def text(self, text: str) -> str:
        value = json.loads(text)
        if isinstance(value, dict) and "SystemModstamp" in value:
            value |= self._further(value)
        return dumps(self._value(value, is_own=False))

    def _value(self, value: Any, *, is_own: bool) -> Any:
        if isinstance(value, dict):
            return {
                self._text(key): each if key == "type" else self._value(each, is_own=key in _OWN)
                for key, each in value.items()
            }
        if isinstance(value, list):
            return [self._value(each, is_own=is_own) for each in value]
        if isinstance(value, str):
            return self._own(value) if is_own else self._text(value)
        if isinstance(value, bool) or value is None or value in {0, 1}:
            return value
        drawn = re.sub(r"[1-9]", lambda _: self._of("123456789", 1), str(value))
        return type(value)(drawn)

    def _own(self, text: str) -> str:
        kind = _KIND.match(text)
        begin = kind.group() if kind else ""
        return begin + _TOKEN.sub(lambda found: self._token(found, is_own=True), text[len(begin) :])

    def _text(self, text: str) -> str:
        named = _NAMED.sub(lambda found: "\0" + self._own(found.group()) + "\0", text)
        parts = named.split("\0")
        parts[::2] = [_TOKEN.sub(lambda found: self._token(found, is_own=False), each) for each in parts[::2]]
        return "".join(parts)

    def _token(self, found: re.Match[str], *, is_own: bool) -> str:
        text = found.group()
        if found["uuid"]:
            return re.sub(r"\d", lambda _: self._of("0123456789abcdef", 1), NOBODY)
        if found["mail"]:
            return self._mail(text)
        if found["time"]:
            return self._time(found["time"]) + found["zone"]
        if found["id"] and id18(text):
            return self._id(text)
        return text if text in self._known and not is_own else self._shape(text)

    def _of(self, letters: str, count: int) -> str:
        return "".join(self._dice.choices(letters, k=count))

    def _shape(self, text: str) -> str:
        """As many letters and digits, large where large ones were; the same for the same."""
        key = text.casefold()
        if key not in self._drawn:
            self._drawn[key] = "".join(self._of(string.digits if each.isdigit() else LETTERS, 1) for each in text)
        drawn = self._drawn[key]
        return "".join(new.upper() if old.isupper() else new for old, new in zip(text, drawn, strict=True))

    def _mail(self, text: str) -> str:
        name, _, domain = text.partition("@")
        shown = re.sub(r"[^\W_]+", lambda found: self._shape(found.group()), f"{name}@{domain.rpartition('.')[0]}")
        ending = self._drawn.setdefault(f"@{domain}", self._dice.choice(ENDINGS))
        return f"{shown}.{ending}"

    def _time(self, text: str) -> str:
        at = datetime.fromisoformat(text) + self._later
        if len(text) > 10 and not text.endswith("00:00:00"):
            at += self._seconds
        return at.isoformat(sep=text[10] if len(text) > 10 else "T")[: len(text)]

    def _id(self, text: str) -> str:
        if text not in self._drawn:
            begin = text[:3] if self._schema.of_id(text) else self._shape(text[:3])
            head = f"{begin}{self._pod}0000{self._of(string.ascii_letters + string.digits, 5)}"
            self._drawn[text] = str(id18(head))[: len(text)]
        return self._drawn[text]

    def _further(self, row: dict[str, Any]) -> dict[str, Any]:
        """Some fields of Salesforce that the rules of others may look at."""
        known = self._schema.of_id(row.get("Id") or "")
        if known is None or self._dice.random() < 0.5:
            return {}
        there = [each for each in known.fields.values() if each.name not in row and not each.custom]
        chosen = self._dice.sample(there, min(len(there), self._dice.randrange(FURTHER)))
        return {each.name: self._a_value(each) for each in chosen}

    def _a_value(self, field: FieldSpec) -> Any:
        if field.type != "boolean" and self._dice.random() < 0.4:
            return None
        made = _VALUES.get(field.type)
        if made is not None:
            return made(self._dice)
        if field.values:
            return self._dice.choice(field.values).value
        if field.type == "reference":
            of = self._schema.find(field.reference_to[0]) if field.reference_to else None
            return str(id18(f"{of.prefix if of else '005'}PO000000{self._of(string.ascii_letters, 4)}"))
        count = self._dice.randrange(1, 4)
        return " ".join(self._of(LETTERS, self._dice.randrange(3, 9)).title() for _ in range(count))


def _number(dice: random.Random) -> int:
    return dice.randrange(1, 10 ** dice.randrange(1, 6))


_VALUES: dict[str, Callable[[random.Random], Any]] = {
    "boolean": lambda dice: dice.random() < 0.3,
    "int": _number,
    **dict.fromkeys(("double", "currency", "percent"), lambda dice: float(_number(dice))),
    "date": lambda _: "2026-06-01",
    "datetime": lambda _: "2026-06-01T10:20:30.000+0000",
    "url": lambda dice: f"https://www.{''.join(dice.choices(LETTERS, k=9))}.com",
    "phone": lambda dice: f"+{_number(dice)}{_number(dice)}",
}


# -- the file ----------------------------------------------------------------------------------------------------------


def strange(texts: list[str], dice: random.Random) -> list[bytes | bytearray | memoryview]:
    known, schema = words(), Schema()
    return [Stranger(dice, known, schema).text(text).encode() for text in texts]


def some(found: Iterable[tuple[str, str]], dice: random.Random) -> Iterator[str]:
    """At most so many of each column."""
    by_column: dict[str, list[str]] = {}
    for column, text in found:
        if len(text) >= SHORTEST:
            by_column.setdefault(column, []).append(text)
    for texts in by_column.values():
        yield from dice.sample(sorted(texts), min(MOST, len(texts)))


def train(samples: list[bytes | bytearray | memoryview]) -> bytes:
    return zstandard.train_dictionary(SIZE, samples, k=SEGMENT, d=8, level=LEVEL, dict_id=NEWEST).as_bytes()


def main(path: Path) -> None:
    logs.configure("console", "CRITICAL")
    dice = random.Random(1)
    texts = [each for name in MAPPINGS for seed in SEEDS for each in some(kept(name, seed), dice)]
    samples = strange(texts, dice)
    dice.shuffle(samples)
    made = train(samples)
    path.write_bytes(made)
    print(f"{path}: {len(made):,} bytes, learned from {len(samples):,} texts, {hashlib.sha256(made).hexdigest()[:6]}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
