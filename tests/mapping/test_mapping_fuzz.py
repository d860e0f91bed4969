"""Whatever is in a mapping file, it loads or is told what is wrong with it: never a traceback, never a hang."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from connector.lifecycle import decide
from connector.mapping import MappingInvalid, load, loads
from connector.mapping.examples import NOW, somebody
from connector.mapping.include import Gathered
from connector.mapping.load import compile_tree, shipped_names
from connector.mapping.mistakes import Notes
from connector.mapping.tree import Map, Scalar, Seq, parse_yaml

EXAMPLES = (Path(__file__).parents[2] / "docs" / "mapping-examples.md").read_text(encoding="utf-8")
SNIPPETS = [text for text in re.findall(r"```yaml\n(.*?)```", EXAMPLES, re.DOTALL) if "include" not in text]
ODD = (
    "", "~", "true", "-1", "0", "1e400", ".nan", "99999999999999999999", "2026-13-45", ">= ", "> x", "!= ", "never",
    "always", "none", "[]", "{}", "[[]]", "{a: b}", "*x", "&x 1", "!!binary x", "'", '"', ": :", "- -", "\t", "\x00",
    "\u2028", "é", "30 months", "1000000y", "0d", "{stage}", "any", "won", "__class__", "x" * 300,
)  # fmt: skip
VALUES = (None, True, False, 0, -5, 3.5, "", "x", "any", "30d", ">= 71", "present", "2026-01-01", "x" * 200)


def tried(make):
    """A mapping that decides, or mistakes that can be shown; which of the two it was."""
    invalid = None
    try:
        mapping = make()
    except MappingInvalid as error:
        invalid = error
    if invalid is not None:
        assert invalid.mistakes
        assert all(each.what and each.line >= 0 for each in invalid.mistakes)
        assert str(invalid)
        return "refused"
    for object_name in ("Contact", "Lead", "Prospect"):
        decide(somebody(object_name), mapping, NOW)
    assert all(mapping.reads.values())
    return "loaded"


def mutated_text(text, dice):
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        at = dice.randrange(len(text) + 1)
        lines = text.split("\n")
        line = dice.randrange(len(lines))
        text = dice.choice(
            (
                lambda text=text, at=at: text[:at] + dice.choice(ODD) + text[at:],
                lambda text=text, at=at: text[:at] + text[at + dice.randint(1, 9) :],
                lambda text=text, at=at: text[:at],
                lambda lines=lines, line=line: "\n".join([*lines[:line], *lines[line + 1 :]]),
                lambda lines=lines, line=line: "\n".join([*lines[:line], lines[line], *lines[line:]]),
                lambda lines=lines, line=line: "\n".join([*lines[:line], "  " + lines[line], *lines[line + 1 :]]),
                lambda text=text: re.sub(
                    r"\b\w+\b", lambda found: dice.choice((found[0], dice.choice(ODD))), text, count=9
                ),
            )
        )()
    return text


@pytest.mark.parametrize("seed", range(8))
def test_mutated_texts_never_give_a_traceback(seed):
    dice = random.Random(seed)  # noqa: S311 - a repeatable test
    came = set()
    for _ in range(60):
        text = mutated_text(dice.choice(SNIPPETS), dice)
        source = text if dice.random() < 0.8 else text.encode("utf-8", "surrogatepass")
        came.add(tried(lambda source=source: loads(source, "fuzz.yaml")))
    assert came == {"loaded", "refused"}


def mutated_tree(tree, dice, others):
    """The tree with one place changed: another value, another subtree, one entry less or more, another key."""
    if dice.random() < 0.15:
        return dice.choice((Scalar(dice.choice(VALUES), tree.place, str(dice.choice(VALUES))), dice.choice(others)))
    if isinstance(tree, Map) and tree.items:
        items = dict(tree.items)
        key = dice.choice(list(items))
        if dice.random() < 0.15:
            items[dice.choice(("x", "when", "all", key + "s"))] = items.pop(key)
        else:
            items[key] = mutated_tree(items[key], dice, others)
        return Map(items, tree.place, tree.keys)
    if isinstance(tree, Seq) and tree.items:
        rows = list(tree.items)
        at = dice.randrange(len(rows))
        rows[at] = mutated_tree(rows[at], dice, others)
        if dice.random() < 0.2:
            rows.append(dice.choice(rows))
        return Seq(tuple(rows), tree.place)
    return Scalar(dice.choice(VALUES), tree.place, str(dice.choice(VALUES)))


def subtrees(tree):
    yield tree
    for each in tree.items.values() if isinstance(tree, Map) else tree.items if isinstance(tree, Seq) else ():
        yield from subtrees(each)


@pytest.fixture(scope="module")
def trees():
    found = [parse_yaml(text, "fuzz.yaml", Notes()) for text in SNIPPETS]
    return found + [
        parse_yaml(load(name).texts[next(iter(load(name).texts))], name, Notes()) for name in shipped_names()
    ]


@pytest.mark.parametrize("seed", range(6))
def test_mutated_values_never_give_a_traceback(trees, seed):
    dice = random.Random(seed)  # noqa: S311 - a repeatable test
    others = [each for tree in trees for each in subtrees(tree)]
    came = set()
    for _ in range(250):
        tree = dice.choice(trees)
        for _ in range(dice.randint(1, 3)):
            tree = mutated_tree(tree, dice, others)
        if isinstance(tree, Map):
            came.add(tried(lambda tree=tree: compile_tree(Gathered(tree, {}, {}), "fuzz.yaml", Notes())))
    assert came == {"loaded", "refused"}


@pytest.mark.parametrize("name", ["x" * 5000, "x/" * 200, "\x00", "", ".", "/", "é" * 200, "~nobody/x"])
def test_a_name_that_no_file_can_have_is_told_as_one_that_is_not_there(name):
    with pytest.raises(MappingInvalid, match=r"no such mapping"):
        load(name)
    with pytest.raises(MappingInvalid):
        loads(f"include: {json.dumps(name)}\nstages: [{{name: A, when: always}}]\n")
