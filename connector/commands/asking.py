"""What is asked of reports and cannot be had: an error where nothing else was asked, else told with the figures."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta

from connector.base.errors import ConfigurationError
from connector.base.json import JsonMap, JsonObject
from connector.lifecycle.values import fold
from connector.mapping.mistakes import did_you_mean
from connector.reports.paths import OF_ITS_OWN, Stages, name_of, where

_Condition = tuple[str, str, str]  # ("owner", "=" or "!=", "Anna")

NOT_APART = frozenset({"ledger", "health", "repair"})  # what `by` leaves as it is
OF_NOW = frozenset({"ledger", "repair"})  # what knows no period before
_NOT_OF = {"--by": NOT_APART, "--compare": OF_NOW}
_ONLY_OF = {"--verify": "ledger", "--limit": "stuck", "--within": "response"}
_INSTEAD = {
    "--by": "narrow it down with --where NAME=VALUE; the other reports stand side by side",
    "--compare": "ask for another period with --since and --until; the other reports compare",
}


def refuse_what_nothing_uses(names: Sequence[str], options: Collection[str]) -> None:
    """``options``: those that were given. Raises ConfigurationError for one that none of these reports takes."""
    for option in options:
        only = _ONLY_OF.get(option)
        if not any(name not in _NOT_OF.get(option, ()) and only in {None, name} for name in names):
            hint = _INSTEAD.get(option, f"ask for {only}, too")
            raise ConfigurationError(f"{option} changes nothing in {' and '.join(names)}", hint)


def told_with(name: str, by: str, *, compare: bool) -> Iterator[str]:
    """Of one report among others."""
    if by and name in NOT_APART:
        yield f"not side by side by {by}: these figures are of everybody together, or of those whom a filter leaves"
    if compare and name in OF_NOW:
        yield "not compared: this has no figures of the period before"


def with_attribute(rows: dict[str, JsonObject], name: str, fields: Mapping[str, str]) -> dict[str, JsonObject]:
    """People's rows in which an attribute of the mapping (object -> field) stands under its name. Others share them."""
    if not fields or name.casefold() in OF_ITS_OWN:
        return rows
    return {
        person: {**row, name: row.get(fields[row["object"]])} if row["object"] in fields else row
        for person, row in rows.items()
    }


def unmet(conditions: Sequence[_Condition], people: Collection[JsonMap], deals: Collection[JsonMap]) -> Iterator[str]:
    """The conditions that nobody meets, or that leave nobody out; and where all are met, but not by one."""
    rows, is_each_met = [*people, *deals], True
    for name, sign, value in conditions:
        if any(_is(row, name, value) for row in rows):
            continue
        is_each_met = False
        effect = f"{name}!={value} leaves nobody out" if sign == "!=" else "there is nobody to count"
        near = _near(value, {where({"": row}, "", name) for row in rows} - {""})
        yield f"nobody's {name} is {name_of(value)}: {effect}{'; ' if near else ''}{near}"
    if is_each_met and not any(meets(row, conditions) for row in rows):
        yield f"nobody meets all of {' and '.join(''.join(each) for each in conditions)}: there is nobody to count"


def _near(value: str, known: Collection[str]) -> str:
    """A question, if there is something like it."""
    if not value:
        return ""
    longer = sorted(each for each in known if fold(value) in fold(each))
    return f"did you mean {longer[0]}?" if longer else did_you_mean(value, known, otherwise=" ").strip()


def meets(row: JsonMap, conditions: Sequence[_Condition]) -> bool:
    """A person's row, or an opportunity's."""
    return all(_is(row, name, value) == (sign == "=") for name, sign, value in conditions)


def _is(row: JsonMap, name: str, value: str) -> bool:
    return fold(where({"": row}, "", name)) == fold(value)


def limits_of(
    limits: Sequence[tuple[str, timedelta]], stages: Stages, found: Collection[str]
) -> Mapping[str, timedelta]:
    """By the stages' names. Raises ConfigurationError for a stage at which nobody is looked at."""
    known = {fold(each): each for each in (*stages.shown(found), *stages.hidden)}
    for asked, _ in limits:
        stage = known.get(fold(asked))
        if stage is None:
            raise ConfigurationError(f"--limit {asked}: there is no such stage", did_you_mean(asked, known.values()))
        if stage in stages.hidden:
            raise ConfigurationError(f"--limit {asked}: the mapping leaves this stage out of reports", "add --hidden")
        if stage in stages.ends:
            raise ConfigurationError(
                f"--limit {asked}: nobody is stuck where the funnel ends, or beside it", "name a stage on the way"
            )
    return {known[fold(stage)]: span for stage, span in limits}
