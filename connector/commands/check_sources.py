"""``connector check --sources``: signs in to each source, names what is missing or misspelt, and shows one row of each
thing that is read with the person whom it reaches. Writes nothing, moves no cursor."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice

from connector.base.clock import SystemClock
from connector.base.errors import ConfigurationError, ConnectorError, Refused, StateError
from connector.base.facts import PEOPLE, Activity, Prospect, SourcePage
from connector.base.ids import PERSON_PREFIXES
from connector.base.json import JsonObject
from connector.base.ports import Glimpse, Inspectable, Read, Source
from connector.base.settings import Settings
from connector.base.soql import among, select
from connector.commands.screen import out, print_json, shown
from connector.mapping import CompiledMapping
from connector.salesforce import SalesforceClient
from connector.sources import open_sources
from connector.wiring import load_mapping, open_client, open_state

FIRST_PAGES = 5  # of a source that cannot look at itself: until one has a row
Whose = Callable[[Activity | Prospect, Prospect | None], str]


@dataclass
class SourceChecked:
    """``rows``: what was read -> one row of it and whom it reaches."""

    name: str
    account: str | None = None
    problems: list[tuple[str, str]] = field(default_factory=list)  # what is wrong, what to try
    notes: list[str] = field(default_factory=list)
    rows: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> JsonObject:
        wrong = [{"what": what, "hint": hint} for what, hint in self.problems]
        return {
            "source": self.name, "account": self.account, "problems": wrong, "notes": self.notes, "rows": self.rows,
        }  # fmt: skip


def check_sources(settings: Settings) -> list[SourceChecked]:
    """Each source for itself: what is wrong with one keeps no other from being looked at."""
    mapping, clock = load_mapping(settings), SystemClock()
    settings.sign_in()
    with open_client(settings, clock) as salesforce:
        found = open_sources(settings, salesforce.auth, clock, mapping.types_known, mapping.off)
        looked = [_look(each, mapping, _whose(salesforce, mapping)) for each in found]
    for checked in looked:
        _compare(checked, settings)
    return looked


def _compare(checked: SourceChecked, settings: Settings) -> None:
    """Whether it is the account of which the state knows already, as far as there is a state."""
    with suppress(ConfigurationError, StateError), open_state(settings) as store:
        try:
            if checked.account is not None:
                store.check_source(checked.name, checked.account)
        except Refused as error:
            checked.problems.append((error.what, error.hint))


def _look(source: Source, mapping: CompiledMapping, whose: Whose) -> SourceChecked:
    checked = SourceChecked(source.name)
    try:
        checked.account = source.account()
        for seen in _glimpses(source):
            if seen.problem:
                checked.problems.append((f"{seen.what}: {seen.problem}", seen.hint))
            if seen.note:
                checked.notes.append(f"{seen.what}: {seen.note}")
            if seen.page is not None:
                checked.rows[seen.what] = _row(seen.page, whose)
            if seen.attributes:
                checked.problems += _misspelt(source.name, mapping, seen.attributes)
    except ConnectorError as error:
        checked.problems.append((error.what, error.hint))
    return checked


def _glimpses(source: Source) -> Iterator[Glimpse]:
    now = SystemClock().now()
    if isinstance(source, Inspectable):
        yield from source.inspect(now)
        return
    with closing(source.poll(None, now)) as pages:  # type: ignore[type-var]
        found = next((each for each in islice(pages, FIRST_PAGES) if each.activities or each.prospects), None)
    if found is not None:
        yield Glimpse("the first row", found)
        return
    yield Glimpse("rows", note="there is none yet")


def _misspelt(name: str, mapping: CompiledMapping, known: Collection[str]) -> Iterator[tuple[str, str]]:
    """The score that the mapping names, where the source's people cannot have it."""
    for each in mapping.model.sources:
        if each.name == name and each.score and each.score not in known:
            near = get_close_matches(each.score, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"it reads {', '.join(sorted(known)[:20])}"
            yield f"{each.file}:{each.line}: score: {each.score} is nothing that {name} tells of its people", hint


def _row(page: SourcePage, whose: Whose) -> str:
    """One row in words."""
    activity = next(iter(page.activities), None)
    person = next(iter(page.prospects), None)
    if activity is not None:
        own = next((each for each in page.prospects if each.id == activity.prospect_id), None)
        what = f"{activity.kind} of {activity.occurred_at:%Y-%m-%d %H:%M}" + (
            f' "{activity.name}"' if activity.name else ""
        )
        return f"{what}, {whose(activity, own)}"
    if person is None:
        return "there is none yet"
    score = person.attributes.get("score")
    told = f"person {person.id}" + (f", score {score}" if score not in (None, "") else "")
    return f"{told}, {whose(person, person)}"


def _whose(salesforce: SalesforceClient, mapping: CompiledMapping) -> Whose:
    """Asks Salesforce whose an id or address is."""
    more = mapping.identity.fields_of

    def of(fact: Activity | Prospect, person: Prospect | None) -> str:
        crm_id = fact.crm_id or (person.crm_id if person else None)
        addresses = [fact.email, *((person.email, *person.addresses) if person else ())]
        emails = sorted({each for each in addresses if each})
        for name in PEOPLE:
            fields = ["Email", *(each for each in more.get(name, ()) if each != "Email")]
            wanted = [among("Id", [crm_id])] if crm_id else []
            wanted += [among(each, emails) for each in fields] if emails and not crm_id else []
            if not wanted or (crm_id and crm_id[:3] != PERSON_PREFIXES[name]):
                continue
            soql = select(name, ["Id", "Name"], " OR ".join(wanted)) + " LIMIT 1"
            page = salesforce.read([Read(name, soql, alone=True)]).pages.get(name)
            if page is not None and page.rows:
                way = "by its Salesforce id" if crm_id else "by address"
                return f"which is {name} {page.rows[0]['Id']} {page.rows[0]['Name']} ({way})"
        named = crm_id or ", ".join(emails) or "without an address or Salesforce id"
        return f"of {named}, whom Salesforce does not have"

    return of


def show_sources(found: list[SourceChecked], *, as_json: bool) -> int:
    """Returns the exit code: 2 where something is wrong."""
    code = 2 if any(each.problems for each in found) else 0
    if as_json:
        print_json("check_sources", {"sources": [each.as_dict() for each in found]})
        return code
    console = out()
    if not found:
        console.print("settings switch on no source beside Salesforce")
    for each in found:
        state = "[red]is not right[/red]" if each.problems else "is right"
        console.print(
            f"source {shown(each.name)}, account {shown(each.account or 'not told')}: {state}", soft_wrap=True
        )
        for what, hint in each.problems:
            console.print(f"  [red]{shown(what)}[/red]", soft_wrap=True)
            if hint:
                console.print(f"    try: {shown(hint)}", soft_wrap=True)
        for note in each.notes:
            console.print(f"  [dim]note:[/dim] {shown(note)}", soft_wrap=True)
        for what, row in each.rows.items():
            console.print(f"  {shown(what)}: {shown(row)}", soft_wrap=True)
    return code
