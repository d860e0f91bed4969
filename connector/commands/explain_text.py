"""``connector explain`` for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from connector.commands.screen import NONE, grid, out, print_json, shown
from connector.pipeline.planned import EMPTY

TIMELINE = 20  # activities shown; --json has all


def explanations(people: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(people)
        return
    console = out()
    for person in people:
        explanation(console, person)


def explanation(console: Console, person: Mapping[str, Any], *, rules: bool = True, history: bool = True) -> None:
    """One person: every track with its rule, reason and evidence, then what happened so far."""
    email = f" <{person['email']}>" if person.get("email") else ""
    console.print(
        f"[bold]{shown(str(person.get('name') or person['person']))}[/bold]{shown(email)}"
        f" ({person['object']} {person['person']})"
    )
    if followers := person.get("joined_by_email"):
        names = ", ".join(f"{each['object']} {each['id']}" for each in followers)
        one_of = f"the same e-mail address as {names}: one person (identity: by_email), written to this record only"
        console.print(f"  {one_of}", soft_wrap=True)
    if unknown := person.get("unknown_before"):
        firsts = ", ".join(f"{name} on {at[:10]}" for name, at in sorted(unknown.items()))
        console.print(f"  fields as first read, which was later: {shown(firsts)}", soft_wrap=True)
    refused = person.get("refused") or ()
    for each in refused:
        said = f"Salesforce refused to write it: {each['code']}: {each['message']}"
        console.print(f"  [red]{shown(said)}[/red] (connector retry tries again)", soft_wrap=True)
    for track in person["decided"]:
        console.print(f"  {_headline(track, is_refused=bool(refused))}", soft_wrap=True)
        for each in track["evidence"]:
            at = f" {str(each['at'])[:10]}" if each.get("at") else ""
            console.print(f"    - {shown(each['text'])} [dim]({shown(each['ref'])}{at})[/dim]", soft_wrap=True)
    if people := person.get("people"):
        members = [(each["person"], each["stage"], each["rule"] or NONE) for each in people]
        console.print(grid("People, as far as they came by themselves", ("person", "stage", "rule"), members))
    if rules and "now" in person:
        rules_table(console, person["now"]["tracks"])
    if timeline := person.get("timeline") if history else None:
        happened = [
            (
                each["at"][:16].replace("T", " "),
                each["source"],
                f"{each['direction']} {each['kind']}" + ("" if each["counts"] else ", left out"),
                each["name"],
            )
            for each in timeline[:TIMELINE]
        ]
        more = f" (the last {TIMELINE} of {len(timeline):,})" if len(timeline) > TIMELINE else ""
        console.print(grid(f"Timeline{more}", ("at (UTC)", "source", "what", "name"), happened))
    if history and person.get("history"):
        rows = [
            (
                str(each["at"])[:19],
                each["track"],
                f"{each['old'] or EMPTY} -> {each['new'] or EMPTY}",
                each["rule"],
                each["result"],
            )
            for each in person["history"]
        ]
        console.print(grid("History", ("at", "track", "from -> to", "rule", "Salesforce"), rows))


def _headline(track: Mapping[str, Any], *, is_refused: bool) -> str:
    """What stands in Salesforce, and what was decided where that is something else."""
    decided, stands = track["value"] or track["current"] or "", track["stands"] or ""
    differs = is_refused and decided != stands
    said = f"decided {decided or NONE}, which is not written: {track['reason']}" if differs else track["reason"]
    return f"{track['track']}: [bold]{shown(stands if differs else decided) or NONE}[/bold] - {shown(said)}"


def _because(rule: Mapping[str, Any]) -> str:
    """What was found, and what would change the answer, which often says what was found itself."""
    found, lacks = _found(rule), rule.get("would_change", "")
    takes = f"it takes {lacks}" if lacks else ""
    return takes if found and f"({found})" in lacks else "; ".join(part for part in (found, takes) if part)


def _found(rule: Mapping[str, Any]) -> str:
    """Of a compound rule, what was found of each clause that lacks something, or of all where none does."""
    parts = rule.get("parts", ())
    if not parts:
        return str(rule.get("found", ""))
    if rule.get("would_change"):
        return ""  # it says itself what is there instead
    return "; ".join(dict.fromkeys(found for part in parts if (found := _found(part))))


def _condition(rule: Mapping[str, Any]) -> str:
    """In words, with the clauses of a compound rule."""
    parts = [_condition(part) for part in rule.get("parts", ())]
    if not parts:
        return str(rule["condition"])
    if rule["condition"] == "not":
        return f"not {parts[0]}"
    joined = (" and " if rule["condition"] == "all of" else " or ").join(parts)
    return f"({joined})" if rule["condition"] == "any of" else joined


def rules_table(console: Console, tracks: Sequence[Mapping[str, Any]]) -> None:
    """Every rule: whether it holds, what was found, and what would change the answer."""
    rows = [
        (track["track"], rule["to"], _condition(rule), "yes" if rule["matched"] else "no", _because(rule))
        for track in tracks
        for rule in track["rules"]
    ]
    if rows:
        console.print(grid("Rules", ("track", "to", "when", "holds", "because"), rows))
