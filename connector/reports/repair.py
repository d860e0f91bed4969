"""What is in the way of right numbers, what to do about it, and with which command."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from connector.base.json import JsonMap
from connector.reports.advice import advice
from connector.reports.table import Figure, Report, Table, people

_SHOWN = 200  # opportunities that are listed


def repair(
    deals: Sequence[JsonMap],
    refused: Sequence[JsonMap],
    unknown: Mapping[str, Mapping[str, Sequence[str]]],
    held: Mapping[str, Sequence[str]],
    quarantined: Mapping[str, int],
) -> Report:
    """``deals``: opportunities without contact roles, each with "owner"; ``refused``: by code and message; ``unknown``:
    track -> value -> people; ``held``: track -> people whose value was set by hand; ``quarantined``: file -> lines."""
    todo = Table("todo", "What to do", ("what", "how many", "what to do", "command"))
    whole = sum(each["count"] for each in refused)
    strange = sorted({who for values in unknown.values() for them in values.values() for who in them})
    lines = sum(quarantined.values())
    rows = (
        (
            "opportunities without contact roles",
            Figure(len(deals), "number"),
            "they move nobody: give them a contact role, or say in the mapping whom they concern",
            "connector plan --list",
        ),
        (
            "refused by Salesforce",
            Figure(whole, "number"),
            "what each code asks for is listed below; then let them be tried again",
            "connector failures retry",
        ),
        (
            "values that the mapping does not know",
            people(strange),
            "add them to the mapping, or to migrate: with what they were called before",
            "connector check",
        ),
        (
            "set by hand",
            people(sorted({who for them in held.values() for who in them})),
            "they stay as long as manual: says; nothing to do unless there are too many",
            "connector explain PERSON",
        ),
        (
            "lines in quarantine",
            Figure(lines, "number"),
            "mend them in the file named below, and put them into a new file in the folder",
            "connector sync",
        ),
    )
    for row in rows:
        todo.add(*row)
    tables = [todo, _owners(deals), _deals(deals), _refused(refused), _unknown(unknown), _held(held)]
    files = Table("quarantine", "Lines in quarantine", ("file", "lines"))
    for name, count in sorted(quarantined.items()):
        files.add(name, Figure(count, "number"))
    return Report("repair", "Repair", [*tables, files])


def _amount(deal: JsonMap) -> float:
    value = deal.get("Amount")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _owners(deals: Sequence[JsonMap]) -> Table:
    groups: dict[str, list[JsonMap]] = defaultdict(list)
    for each in deals:
        groups[str(each.get("owner") or "(not read)")].append(each)
    table = Table("deals_by_owner", "Opportunities without contact roles, by owner", ("owner", "deals", "amount"))
    table.note = "amounts as they stand in the records, whatever the currency; 0 where Amount is hidden"
    for owner, theirs in sorted(groups.items(), key=lambda each: (-len(each[1]), each[0])):
        table.add(owner, Figure(len(theirs), "number"), Figure(sum(map(_amount, theirs)), "number"))
    return table


def _deals(deals: Sequence[JsonMap]) -> Table:
    columns = ("id", "name", "stage", "owner", "amount")
    table = Table(
        "deals", "Opportunities without contact roles", columns, note=f"the {_SHOWN} with the largest amounts"
    )
    for each in sorted(deals, key=lambda deal: (-_amount(deal), str(deal.get("Id"))))[:_SHOWN]:
        told = (str(each.get(name) or "") for name in ("Id", "Name", "StageName", "owner"))
        table.add(*told, Figure(_amount(each), "number"))
    return table


def _refused(refused: Sequence[JsonMap]) -> Table:
    table = Table("refused", "Refused by Salesforce", ("code", "message", "what to do", "records"))
    for each in refused:
        table.add(each["code"], each["message"], advice(each["code"]), Figure(each["count"], "people", each["people"]))
    return table


def _unknown(unknown: Mapping[str, Mapping[str, Sequence[str]]]) -> Table:
    table = Table("unknown", "Values that the mapping does not know", ("track", "value", "people"))
    for track, values in unknown.items():
        for value, who in sorted(values.items()):
            table.add(track, value, people(who))
    return table


def _held(held: Mapping[str, Sequence[str]]) -> Table:
    table = Table("held", "Set by hand", ("track", "people"))
    for track, who in held.items():
        table.add(track, people(who))
    return table
