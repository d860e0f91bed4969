"""``connector explain`` for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from connector.base.json import JsonMap
from connector.base.text import count
from connector.commands.screen import NONE, grid, out, print_json, shown
from connector.lifecycle.plan import NUMBERS
from connector.pipeline.planned import EMPTY, is_beside

TIMELINE = 20  # activities shown; --json has all
BECAME = {  # of what was decided
    "refused": "{decided} was decided and refused: {reason}",
    "waiting": "{decided} was decided and is not written yet: {reason}",
    "changed": "somebody changed it since {decided} was written: {reason}",
}


def explanations(people: Sequence[JsonMap], *, as_json: bool) -> None:
    if as_json:
        print_json("explain", {"people": people})
        return
    console = out()
    for person in people:
        explanation(console, person)


def explanation(console: Console, person: JsonMap, *, rules: bool = True, history: bool = True) -> None:
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
    if was := known_as(person):
        console.print(f"  [dim]one person with {shown(', '.join(was))}[/dim]", soft_wrap=True)
    if unknown := person.get("unknown_before"):
        firsts = ", ".join(f"{name} on {at[:10]}" for name, at in sorted(unknown.items()))
        console.print(f"  fields as first read, which was later: {shown(firsts)}", soft_wrap=True)
    is_past = "unknown_before" in person
    names = person.get("owners", {})
    refused = [each for each in person["decided"] if each.get("outcome") == "refused"]
    for said in dict.fromkeys(f"{each['code']}: {each['message']}" for each in refused):
        retry = "" if is_past else " (connector failures retry tries again)"
        console.print(f"  [red]Salesforce refused to write it: {shown(said)}[/red]{retry}", soft_wrap=True)
    for track in person["decided"]:
        console.print(f"  {_headline(track, names)}", soft_wrap=True)
        for each in told_once(track["evidence"]):
            at = f" {str(each['at'])[:10]}" if each.get("at") else ""
            console.print(f"    - {shown(each['text'])} [dim]({shown(each['ref'])}{at})[/dim]", soft_wrap=True)
    for line in () if is_past else _to_come(person, names):
        console.print(f"  {shown(line)}", soft_wrap=True)
    if people := person.get("people"):
        members = [(each["name"] or "", each["person"], each["stage"], each["rule"] or NONE) for each in people]
        columns = ("name", "record", "stage", "rule")
        console.print(grid("People, as far as they came by themselves", columns, members))
    if further := person.get("further_fields"):
        stand = [(each["field"], each["what"], _value(each["in_salesforce"], names, EMPTY)) for each in further]
        console.print(grid("Further fields", ("field", "what", "in Salesforce"), stand))
    if rules and "now" in person:
        rules_table(console, person["now"]["tracks"])
    if timeline := person.get("timeline") if history else None:
        happened = [
            (
                each["at"][:16].replace("T", " "),
                each["source"],
                f"{each['direction']} {each['kind']}" + (f", {each['because']}" if each["because"] else ""),
                each["name"],
            )
            for each in timeline[:TIMELINE]
        ]
        more = f" (the last {TIMELINE} of {len(timeline):,})" if len(timeline) > TIMELINE else ""
        console.print(grid(f"Timeline{more}", ("at (UTC)", "source", "what", "name"), happened))
    if history and person.get("history"):
        history_table(console, person["history"], names)


def known_as(person: JsonMap) -> list[str]:
    """What else they are, with whence it is and its days, as far as they are known."""
    themselves = {person["person"], str(person.get("email") or "").lower()}
    return [_known_as(each) for each in person.get("identifiers", ()) if each["value"] not in themselves]


def _known_as(identifier: JsonMap) -> str:
    more = [identifier["whence"]] if identifier["kind"] == "address" else []
    more += [f"{each} {identifier[each][:10]}" for each in ("since", "until") if identifier[each]]
    return f"{identifier['value']} ({', '.join(more)})" if more else str(identifier["value"])


def history_table(console: Console, history: Sequence[JsonMap], names: Mapping[str, str]) -> None:
    told = [each for each in history if not is_beside(each["track"])]
    rows = [
        (
            str(each["at"])[:19].replace("T", " "),
            each["track"],
            f"{_value(each['old'], names, EMPTY)} -> {_value(each['new'], names, EMPTY)}",
            each["rule"],
            said_of_entry(each, in_short=True),
        )
        for each in told
    ]
    beside = len(history) - len(told)
    title = f"History (--json also has {count(beside, 'write')} of dates and further fields)" if beside else "History"
    console.print(grid(title, ("at (UTC)", "track", "from -> to", "rule", "Salesforce"), rows))


def said_of_entry(entry: JsonMap, *, in_short: bool = False) -> str:
    """What became of an entry of the log in Salesforce."""
    said = entry["message"]
    if entry["result"] == "applied":
        return f"written; {said}" if said else "written"
    return f"refused: {entry['code']}" if in_short else f"refused: {entry['code']} {said}"


def _value(value: Any, names: Mapping[str, str], nothing: str = NONE) -> str:
    return nothing if value is None or value == "" else names.get(str(value), str(value))


def _headline(track: JsonMap, names: Mapping[str, str]) -> str:
    """What stands in Salesforce, and what was decided where that is something else."""
    decided = _value(track["current"] if track["value"] is None else track["value"], names)
    reason = track["reason"].removeprefix(f"{decided}: ")
    stands = _value(track["in_salesforce"], names) if "in_salesforce" in track else decided
    if "in_salesforce" not in track and decided == NONE:
        return f"{track['track']}: {shown(track['reason'])}"
    said = BECAME.get(track.get("outcome", ""), "{reason}").format(decided=decided, reason=reason)
    return f"{track['track']}: [bold]{shown(stands)}[/bold] - {shown(said)}"


def _to_come(person: JsonMap, names: Mapping[str, str]) -> Iterator[str]:
    """What the next cycle decides otherwise."""
    before = {each["track"]: each["value"] for each in person["decided"]}
    for each in person.get("now", {}).get("tracks", ()):
        if each["verdict"] == "moves" and each["value"] != before.get(each["track"]):
            yield f"the next cycle moves {each['track']} to {_value(each['value'], names)}: {each['reason']}"


def _because(rule: JsonMap) -> str:
    """What was found, and what would change the answer, where that is not the condition itself."""
    found, lacks, when = found_in_words(rule), rule.get("would_change", ""), condition_in_words(rule)
    if lacks in {when, f"({when})", when[1:-1], f"{when} ({found})"}:
        return found
    takes = f"it takes {lacks}" if lacks else ""
    if rule.get("parts") or f"({found})" in lacks:
        found = "" if lacks else found  # what it takes says what is there instead
    return "; ".join(part for part in (found, takes) if part)


def found_in_words(rule: JsonMap) -> str:
    """Of a compound rule, what was found of each clause."""
    parts = rule.get("parts", ())
    if not parts:
        return str(rule.get("found", ""))
    return "; ".join(dict.fromkeys(found for part in parts if (found := found_in_words(part))))


def told_once(evidence: Sequence[JsonMap]) -> list[JsonMap]:
    """Two conditions of a rule may stand on the same."""
    return [each for number, each in enumerate(evidence) if each not in evidence[:number]]


def condition_in_words(rule: JsonMap) -> str:
    """In words, with the clauses of a compound rule."""
    parts = [condition_in_words(part) for part in rule.get("parts", ())]
    if not parts:
        return str(rule["condition"])
    if rule["condition"] == "not":
        return f"not {parts[0]}"
    joined = (" and " if rule["condition"] == "all of" else " or ").join(parts)
    return f"({joined})" if rule["condition"] == "any of" else joined


def rules_table(console: Console, tracks: Sequence[JsonMap]) -> None:
    """Every rule: whether it holds, what was found, and what would change the answer."""
    rows = [
        (track["track"], to, condition_in_words(rule), "yes" if rule["matched"] else "no", _because(rule))
        for track in tracks
        if track["track"] not in NUMBERS  # whose evidence says where the points come from
        for to, rule in _rules(track)
    ]
    if rows:
        console.print(grid("Rules", ("track", "to", "when", "holds", "because"), rows))


def _rules(track: JsonMap) -> Iterator[tuple[str, JsonMap]]:
    """Where each rule leads, and the rule; moves out of where somebody stands with their names."""
    for rule in track["rules"]:
        yield rule["to"], rule
    for rule in track["moves"]:
        yield rule["to"] if track["track"] == "owner" else f"{rule['to']} ({rule['rule']})", rule
