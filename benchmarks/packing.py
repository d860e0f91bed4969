"""What the JSON of a state takes, a column and a person, and how long a value of it takes to pack and to read: as text,
deflated with the first dictionary, and with the one that is used now.

    python benchmarks/packing.py [small|large]         after the backfill of a generated company
    python benchmarks/packing.py --state PATH          a SQLite state that is there; it is only read
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from cycle import served, settings_for  # type: ignore[import-not-found]  # beside this file

from connector.pipeline.backfill import Scope, run_backfill
from connector.pipeline.cycle import run_cycle
from connector.store import packing
from connector.store.schema import HEAD, columns_of
from connector.store.types import Packed
from connector.wiring import open_pipeline

MOST = 20_000  # values of a column that are looked at
TIMES = 5
assert HEAD  # what fills the metadata


def deflated(text: str) -> str | bytes:
    """As ``pack`` did with the first dictionary."""
    if len(text) < packing._SHORTEST or packing._FOR_VIEWS in text:
        return text
    packed = packing._deflated(text.encode())
    return packed if len(packed) < len(text) else text


def quickest(work: Callable[[], Iterable[object]], values: int) -> float:
    """Microseconds of a processor a value."""
    took = []
    for _ in range(TIMES):
        start = time.process_time()
        deque(work(), maxlen=0)
        took.append(time.process_time() - start)
    return min(took) * 1e6 / max(1, values)


def show(name: str, texts: Sequence[str], each: float) -> tuple[float, ...]:
    """``each``: how many of them a person has."""
    sizes, times = [sum(map(len, texts)) / len(texts)], []
    for how in (deflated, packing.pack.__wrapped__):
        values = [*map(how, texts)]
        sizes.append(sum(map(len, values)) / len(values))
        packs, reads = partial(map, how, texts), partial(map, packing.unpack, values)
        times += [quickest(packs, len(texts)), quickest(reads, len(texts))]
    shown = "".join(f"{size:>10.1f}" for size in sizes) + "".join(f"{took:>10.1f}" for took in times)
    print(f"{name:<24}{each:>10.2f}{shown}")
    return tuple(each * size for size in sizes)


def measure(state: str) -> None:
    with closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as connection:
        (people,) = connection.execute("SELECT count(*) FROM settled").fetchone()
        print(f"{people:,} people; bytes of a value, and microseconds to pack and to read it")
        heads = ("a person", "as text", "deflated", "now", "deflates", "reads", "packs", "reads")
        print(f"{'':<24}" + "".join(f"{head:>10}" for head in heads))
        found = []
        for column in columns_of(Packed):
            (count,) = connection.execute(f"SELECT count(*) FROM {column.table.name}").fetchone()
            some = f"SELECT {column.name} FROM {column.table.name} LIMIT {MOST} OFFSET {max(0, count - MOST) // 2}"
            texts = [packing.unpack(value) or "" for (value,) in connection.execute(some)]
            if texts:
                found.append(show(str(column), texts, count / people))
    print("a person:", ", ".join(f"{sum(sizes):,.0f}" for sizes in zip(*found, strict=True)), "bytes")


def main() -> None:
    if sys.argv[1:2] == ["--state"]:
        measure(sys.argv[2])
        return
    with tempfile.TemporaryDirectory() as folder:
        state = str(Path(folder) / "state.sqlite3")
        sample = sys.argv[1] if len(sys.argv) > 1 else "small"
        with served(sample) as given, open_pipeline(settings_for(given, state)) as pipeline:
            run_backfill(pipeline, Scope())
            run_cycle(pipeline)
        measure(state)


if __name__ == "__main__":
    main()
