"""Breaks the code in a seeded sample of places, one at a time, and prints what no test noticed.

    python tools/mutants.py --tests COVERAGE_FILE [--seed 1] [--count 40] [--only connector/lifecycle]

COVERAGE_FILE is of a run of the suite with ``--cov-context=test``, so that each place is tried by the tests that run
it, the most particular ones first, until one fails. ``make mutants`` does both. The mutation libraries try every place
of a program, for hours; a look at a few dozen, the same ones for the same seed, takes minutes.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import coverage

HOUSE = Path(__file__).resolve().parents[1]
LEFT_OUT = ("migrations/",)  # a migration is written once and tried by opening old states
MOST = 150  # tests for one mutant
SECONDS = 300  # for one mutant
TREES = 2  # copies in which mutants are tried at the same time

SWAPS: dict[type[ast.AST], Any] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Continue: ast.Break, ast.Break: ast.Continue,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """``path`` is relative to the house; the text from ``start`` to ``end`` (bytes) becomes ``after``."""

    path: str
    line: int
    start: int
    end: int
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}  {_short(self.before)}  ->  {_short(self.after)}"

    def applied(self, source: bytes) -> bytes:
        return source[: self.start] + self.after.encode() + source[self.end :]


def mutants_of(path: str, source: str) -> list[Mutant]:
    """Every place of a module that can be broken, in order."""
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node in _code(ast.parse(source)):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        before = source.encode()[start:end].decode()
        found += [Mutant(path, node.lineno, start, end, before, after) for after in _changed(node)]
    return found


def _code(node: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """What runs: no imports, annotations, texts, nor what only the type checker sees."""
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            match child:
                case ast.Import() | ast.ImportFrom() | ast.JoinedStr() | ast.Expr(ast.Constant()):
                    continue
                case ast.If(ast.Name("TYPE_CHECKING")):
                    continue
                case ast.expr() | ast.stmt():
                    yield child
            if isinstance(child, ast.AST):
                yield from _code(child)


def _changed(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Compare(left, [op, *ops], comparators) if type(op) in SWAPS:
            yield _text(ast.Compare(left, [SWAPS[type(op)](), *ops], comparators))
        case ast.BoolOp(op, values):
            yield _text(ast.BoolOp(SWAPS[type(op)](), values))
        case ast.BinOp(left, op, right) if type(op) in SWAPS:
            yield _text(ast.BinOp(left, SWAPS[type(op)](), right))
        case ast.UnaryOp(ast.Not(), operand):
            yield _text(operand)
        case ast.Constant(bool() as value):
            yield repr(not value)
        case ast.Constant(int() as value):
            yield repr(value + 1)
        case ast.Continue() | ast.Break():
            yield _text(SWAPS[type(node)]())
        case ast.IfExp(test, body, orelse):
            yield _text(ast.IfExp(test, orelse, body))
        case ast.Expr(ast.Call()):
            yield "pass"
        case ast.Return(ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield "return None"


def _text(node: ast.AST) -> str:
    text = ast.unparse(node)
    return f"({text})" if isinstance(node, ast.expr) else text


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 70 else f"{line[:67]}..."


class Tests:
    """Which tests run a line, as a measured run of the suite says."""

    def __init__(self, file: Path) -> None:
        self._data = coverage.CoverageData(str(file))
        self._data.read()

    def of(self, mutant: Mutant) -> list[str]:
        """Names as pytest takes them, those that run the fewest lines first. For what runs on import, the module's."""
        lines = self._data.contexts_by_lineno(str(HOUSE / mutant.path))
        names = _names(lines.get(mutant.line, ()))
        if not names and mutant.line in lines:
            names = {name for contexts in lines.values() for name in _names(contexts)}
        return sorted(names, key=lambda name: (self._lines[name], name))[:MOST]

    @cached_property
    def _lines(self) -> Counter[str]:
        """How many lines each test runs."""
        return Counter(
            name
            for file in self._data.measured_files()
            for contexts in self._data.contexts_by_lineno(file).values()
            for name in _names(contexts)
        )


def _names(contexts: Iterable[str]) -> set[str]:
    """Of ``path::test[case]@group|run``, or nothing for what runs outside of tests; all cases of a test are tried."""
    return {re.split(r"[\[@|]", each, maxsplit=1)[0] for each in contexts if each}


@dataclass(frozen=True)
class Tree:
    """A copy of the house that can be broken."""

    root: Path

    @classmethod
    def copied(cls, folder: Path) -> Tree:
        root = folder / "house"
        shutil.copytree(HOUSE, root, ignore=shutil.ignore_patterns(".git", ".venv*", ".*_cache", "__pycache__", "dist"))
        for each in HOUSE.glob(".venv*"):
            (root / each.name).symlink_to(each)
        if (shared := HOUSE.parent / "shared").is_dir():
            (folder / "shared").symlink_to(shared)
        return cls(root)

    def outcome(self, mutant: Mutant, tests: Sequence[str]) -> str:
        if not tests:
            return "never run by a test"
        file = self.root / mutant.path
        source = file.read_bytes()
        try:
            file.write_bytes(mutant.applied(source))
            return {True: "survived", False: "noticed", None: "undecided"}[self.passes(tests)]
        finally:
            file.write_bytes(source)

    def passes(self, tests: Sequence[str]) -> bool | None:
        """Whether all of them do; None where they do not end in time."""
        options = ("-n", "0", "-x", "-p", "no:cacheprovider", "--timeout=60", "--hypothesis-seed=1")
        running = subprocess.Popen(
            ["env", f"PYTHONPATH={self.root}", sys.executable, "-B", "-m", "pytest", *options, *tests],
            cwd=self.root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return running.wait(SECONDS) == 0
        except subprocess.TimeoutExpired:
            return None
        finally:
            with suppress(ProcessLookupError):  # what the tests left behind, too
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()


def sample(only: str, seed: int, count: int) -> list[Mutant]:
    files = [each.relative_to(HOUSE).as_posix() for each in sorted((HOUSE / only).rglob("*.py"))]
    places = [
        mutant
        for path in files
        if not any(part in path for part in LEFT_OUT)
        for mutant in mutants_of(path, (HOUSE / path).read_text())
    ]
    return sorted(random.Random(seed).sample(places, min(count, len(places))), key=lambda each: (each.path, each.start))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tests", type=Path, required=True)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--count", type=int, default=40)
    options.add_argument("--only", default="connector", help="a folder")
    asked = options.parse_args()

    known = Tests(asked.tests)
    mutants = {mutant: known.of(mutant) for mutant in sample(asked.only, asked.seed, asked.count)}
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(TREES) as pool:
        trees: SimpleQueue[Tree] = SimpleQueue()
        for number in range(TREES):
            (parent := Path(folder, str(number))).mkdir()
            trees.put(tree := Tree.copied(parent))
        if not tree.passes(sorted({tests[0] for tests in mutants.values() if tests})):
            sys.exit("tests fail before anything is broken: see make pytest")

        def tried(mutant: Mutant) -> tuple[Mutant, str]:
            tree = trees.get()
            try:
                return mutant, tree.outcome(mutant, mutants[mutant])
            finally:
                trees.put(tree)

        for mutant, outcome in pool.map(tried, mutants):
            outcomes[outcome] += 1
            if outcome != "noticed":
                print(f"{outcome}: {mutant}", flush=True)
    print(f"of {len(mutants)} mutants (seed {asked.seed}) " + ", ".join(f"{n} {o}" for o, n in outcomes.most_common()))


if __name__ == "__main__":
    main()
