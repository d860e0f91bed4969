"""One word for one thing: the page of words, and the public names of the code."""

from __future__ import annotations

import ast
import importlib
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
NAMES = re.findall(r"`((?:base|lifecycle|pipeline|store|commands)\.[\w.]+)`", PAGE)
SHARED = (
    *(f"base/{name}" for name in ("facts", "ports", "errors", "heartbeat")),
    "lifecycle/model",
    *(f"pipeline/{name}" for name in ("cycle", "decisions", "report", "approval", "daemon", "backfill")),
)
RETIRED = {"Passing", "Desk", "Turns", "dealer", "Dealer", "staffed", "offered", "tell", "told", "Told"}


def modules() -> dict[str, ast.Module]:
    found = [path for path in (ROOT / "connector").rglob("*.py") if "migrations" not in path.parts]
    return {
        path.relative_to(ROOT / "connector").with_suffix("").as_posix(): ast.parse(path.read_text()) for path in found
    }


MODULES = modules()


def public(tree: ast.Module) -> set[str]:
    """What a module defines for others, or could."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        names |= {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
    return {name for name in names if not name.startswith("_")} - {"log"}


@pytest.mark.parametrize("name", NAMES)
def test_every_name_on_the_page_is_in_the_code(name: str) -> None:
    parts = name.split(".")
    found: object = importlib.import_module("connector." + ".".join(parts[:2]))
    for part in parts[2:]:
        found = getattr(found, part)


@pytest.mark.parametrize("module", SHARED)
def test_every_class_that_rooms_share_is_on_the_page(module: str) -> None:
    classes = {node.name for node in MODULES[module].body if isinstance(node, ast.ClassDef)}
    known = {name.rpartition(".")[2] for name in NAMES if name.startswith(module.replace("/", "."))}
    assert {name for name in classes if not name.startswith("_")} <= known


def test_no_public_name_is_defined_twice() -> None:
    where: dict[str, list[str]] = defaultdict(list)
    for module, tree in MODULES.items():
        for name in public(tree):
            where[name].append(module)
    assert {name: places for name, places in where.items() if len(places) > 1} == {}


def test_words_that_were_given_up_stay_away() -> None:
    named = {name for tree in MODULES.values() for name in public(tree)}
    methods = {node.name for tree in MODULES.values() for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert RETIRED & (named | methods) == set()
