"""``connector check``: everything that is wrong, at once, before anything is read or written."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from connector.base.clock import SystemClock
from connector.base.errors import ConfigurationError, ConnectorError, Refused
from connector.base.json import JsonMap, JsonObject
from connector.base.money import Currencies
from connector.base.ports import PolledObject, Read
from connector.base.settings import Settings
from connector.commands.check_values import lacking_by_record_type, try_dry_rows
from connector.commands.screen import grid, out, print_json, shown
from connector.commands.status import read_sources, unknown_types
from connector.lifecycle.amounts import bounds_told
from connector.lifecycle.ladder import UNKNOWN, Ladder
from connector.lifecycle.sources import TAP
from connector.mapping import CompiledMapping, MappingInvalid, Mistake, check_org, load, long_tags, unseen_changes
from connector.pipeline.aging import gone_before, said_of_gone
from connector.pipeline.currencies import currencies_of, said_of_unknown, unknown_currencies, with_codes
from connector.pipeline.optional_fields import NOTHING_OF_IT, UNSEEN, missing_fields, with_optional
from connector.pipeline.owners import look_up_owners
from connector.salesforce import SalesforceClient
from connector.salesforce.activities import BOUNCE_FIELDS
from connector.salesforce.objects import FOR_REPORTS, polled_objects
from connector.salesforce.persons import IS_PERSON
from connector.sources import SOURCES, switched_on
from connector.wiring import load_mapping, open_client, open_state


@dataclass
class CheckReport:
    """``org``: None when there are no credentials to ask one with. ``sources``: those that are read."""

    mapping: str
    mistakes: list[Mistake] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # of the org: nothing is wrong
    differs: list[str] = field(default_factory=list)  # what included tests say that is not so any more
    org: str | None = None
    reads: dict[str, list[str]] = field(default_factory=dict)
    writes: dict[str, dict[str, str]] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)
    amounts: list[str] = field(default_factory=list)  # what is compared, in each currency of the org

    def as_dict(self) -> JsonObject:
        return {
            "mapping": self.mapping,
            "org": self.org,
            "mistakes": [
                {"file": each.file, "line": each.line, "what": each.what, "hint": each.hint} for each in self.mistakes
            ],
            "warnings": self.warnings,
            "notes": self.notes,
            "differs": self.differs,
            "reads": self.reads,
            "writes": self.writes,
            "sources": self.sources,
            "amounts": self.amounts,
        }


def run_check(settings: Settings, *, dry_row: bool = False) -> CheckReport:
    """``dry_row``: also has the org try each value. Raises Refused when the org cannot be asked; what is wrong with
    mapping or org is in the report."""
    report = CheckReport(mapping=settings.mapping)
    try:
        mapping = load_mapping(settings)
    except MappingInvalid as error:
        report.mistakes = list(error.mistakes)
        return report
    report.warnings, report.differs = [*mapping.warnings, *_sources(mapping, settings)], [*mapping.differs]
    report.warnings += _of_the_state(mapping, settings)
    report.sources = read_sources(settings, mapping)
    objects = polled_objects(mapping)
    report.reads = {each.name: list(each.fields) for each in objects}
    report.writes = {track: dict(fields) for track, fields in mapping.writes.items()}
    if settings.has_credentials():
        with open_client(settings, SystemClock()) as salesforce:
            report.org = salesforce.identity()
            described = describes(salesforce, mapping)
            report.warnings += _clock(salesforce)
            report.mistakes = check_org(mapping, described) + _owners(mapping, salesforce)
            currencies = _amounts(mapping, salesforce, report)
            report.warnings += [*unseen_changes(mapping, described), *long_tags(mapping, described)]
            report.warnings += _in_use(mapping, salesforce) if not report.mistakes else ()
            _by_record_type(mapping, salesforce, described, report)
            if dry_row and not report.mistakes:
                _dry_row(mapping, salesforce, described, report)
            report.notes += _person_accounts(mapping, described)
            for each in objects:
                missing = missing_fields(salesforce, each)
                report.warnings += _hidden(each, described[each.name], mapping)
                if each.may_lack and NOTHING_OF_IT in missing:
                    del report.reads[each.name]
                    if each.lacking:
                        report.warnings.append(f"the integration user cannot see {each.name}: {each.lacking}")
                    continue
                [seen] = with_codes([with_optional(each, missing)], currencies)
                report.reads[each.name] = list(seen.fields)
                report.warnings += _no_bounces(each, missing)
                report.warnings += _lost_by_reports(each, missing)
    return report


def _by_record_type(
    mapping: CompiledMapping, salesforce: SalesforceClient, described: Mapping[str, JsonMap | None], report: CheckReport
) -> None:
    for each in lacking_by_record_type(mapping, salesforce, described):
        report.mistakes += [each] if isinstance(each, Mistake) else []
        report.warnings += [each] if isinstance(each, str) else []


def _dry_row(
    mapping: CompiledMapping, salesforce: SalesforceClient, described: Mapping[str, JsonMap | None], report: CheckReport
) -> None:
    rules = [rule for handoff in mapping.model.handoffs for rule in handoff.owners_named]
    owners = look_up_owners(rules, salesforce, (), SystemClock().now())["ids"] if rules else {}
    notes, warnings, kept = try_dry_rows(mapping, salesforce, described, owners, SystemClock())
    report.notes += notes
    report.warnings += warnings
    report.mistakes += [Mistake(_file(mapping), 0, each, "look at the record") for each in kept]


def _file(mapping: CompiledMapping) -> str:
    return next(iter(mapping.texts), mapping.name)


def check_files(files: Sequence[Path]) -> list[CheckReport]:
    """Mappings by themselves, as an editor or a hook asks: no settings, no org."""
    reports = []
    for file in files:
        report = CheckReport(mapping=str(file))
        try:
            mapping = load(str(file))
            report.warnings, report.differs = [*mapping.warnings], [*mapping.differs]
        except MappingInvalid as error:
            report.mistakes = list(error.mistakes)
        except ConfigurationError as error:
            report.mistakes = [Mistake(str(file), 0, error.what, error.hint)]
        reports.append(report)
    return reports


def _sources(mapping: CompiledMapping, settings: Settings) -> Iterator[str]:
    """What mapping and settings say differently of the sources."""
    on = switched_on(settings)
    for each in mapping.model.sources:
        feeds = each.through or ((each.name,) if each.name in SOURCES else ())
        where = f"{each.file}:{each.line}: {each.name}"
        if each.is_off and each.name in on:
            yield f"{where} is switched on by settings, and off by the mapping: it is not read"
        elif not each.is_off and each.name.startswith(TAP) and each.name not in on:
            yield f"{where} is no tap that settings know: name it in the file of CONNECTOR_TAPS_FILE"
        elif not each.is_off and feeds and not any(feed in on for feed in feeds):
            through = f" comes through {' or '.join(feeds)}, which" if each.through else ""
            needed = " or ".join(
                " and ".join(f"CONNECTOR_{name.upper()}" for name in SOURCES[feed][0]) for feed in feeds
            )
            yield f"{where}{through} is not switched on by settings: set {needed}"
        if each.name == "hubspot" and each.deals and "deals" not in settings.hubspot_reads.replace(" ", "").split(","):
            yield f"{where} counts deals as opportunities, and reads none: add deals to CONNECTOR_HUBSPOT_READS"


def _of_the_state(mapping: CompiledMapping, settings: Settings) -> Iterator[str]:
    """What senders called activities that were read before, and which of them are gone, as far as there is a state."""
    try:
        with open_state(settings) as store:
            found, before = unknown_types(store, mapping), gone_before(store, mapping)
    except ConnectorError:
        return
    if before:
        yield said_of_gone(before)
    for each in found:
        yield (
            f"{each['count']:,} x {each['type']} of {each['source']} is no kind of activity that the mapping knows:"
            f" kept, and no engagement until it says what it is, as in activities: {{types: {{{each['type']}: call}}}}"
        )


def _in_use(mapping: CompiledMapping, salesforce: SalesforceClient) -> Iterator[str]:
    """Values that people have and the mapping does not know: another ladder was here before."""
    written = {(each.name, name): api for each in mapping.model.tracks for name, api in each.fields.items()}
    for (track, name), api in sorted(written.items()):
        who = " AND IsConverted = false" if name == "Lead" else ""  # a converted lead is never written
        soql = f"SELECT {api}, COUNT(Id) people FROM {name} WHERE {api} != null{who} GROUP BY {api}"
        try:
            rows = salesforce.read([Read(name, soql)]).pages[name].rows
        except Refused as error:
            yield f"the values of {name}.{api} in use could not be counted: {error.what}"
            continue
        ladders = [Ladder(each, name) for each in mapping.model.tracks if each.name == track]
        for row in sorted(rows, key=lambda each: -int(each["people"])):
            value = str(row[api])
            if all(ladder.position_of(value, {}) == UNKNOWN for ladder in ladders):
                yield (
                    f"{int(row['people']):,} x {name}.{api} is {value}, which is no {track} of the mapping: they are"
                    f" left alone; to take them over write migrate: {{{track}: {{{value}: ...}}}}"
                )


def _clock(salesforce: SalesforceClient) -> Iterator[str]:
    if off := salesforce.auth.clock_off:
        minutes, way = abs(off.total_seconds()) / 60, "behind" if off.total_seconds() > 0 else "ahead"
        yield f"this machine's clock is {minutes:.1f} minutes {way}: the sign-in goes by the server's; set it right"


def _hidden(each: PolledObject, described: JsonMap | None, mapping: CompiledMapping) -> Iterator[str]:
    """What is read of every org, and hidden in this one; what the mapping names is a mistake (``check_org``)."""
    if described is None:
        if each.name not in mapping.reads and not each.may_lack:
            yield (
                f"the integration user cannot see {each.name}: everything else is read, and what it tells counts"
                f" nowhere; give the permission set Read on {each.name}"
            )
        return
    there = {field["name"] for field in described["fields"]}
    gone = [name for name in each.fields if "." not in name and name not in there]
    if hidden := sorted(set(gone) - mapping.reads.get(each.name, frozenset())):
        names = ", ".join(f"{each.name}.{name}" for name in hidden)
        yield f"hidden from the integration user, and done without: {names}; give the permission set Read on them"


def _no_bounces(each: PolledObject, missing: Sequence[str]) -> Iterator[str]:
    if gone := [name for name in BOUNCE_FIELDS if name in missing]:
        yield (
            f"the mapping names email_bounce, and the org has no {' and no '.join(gone)} on {each.name}: turn on bounce"
            f" management, or give the permission set access; until then Salesforce tells no bounces of a {each.name}"
        )


def _lost_by_reports(each: PolledObject, missing: Sequence[str]) -> Iterator[str]:
    for name, lost in FOR_REPORTS.get(each.name, {}).items():
        if name in missing:
            yield (
                f"hidden from the integration user: {each.name}.{name}; {lost}; give the permission set Read on it"
                " (connector setup makes one)"
            )


def _person_accounts(mapping: CompiledMapping, described: Mapping[str, JsonMap | None]) -> Iterator[str]:
    fields = {each["name"] for each in (described.get("Contact") or {}).get("fields", ())}
    if IS_PERSON not in fields:
        return
    yield (
        "person accounts are on: a person is their Contact; its custom fields are written through it, or as X__pc"
        " through the Account where the org refuses that; owner and standard fields through the Account"
    )
    if mapping.reads.get("Opportunity") and mapping.model.deals.without_roles == ("ignore",):
        yield (
            "an opportunity of a person account without a contact role moves nobody; to let it move its person write"
            " opportunities: {without_roles: primary_contact, primary_contact_field: PersonContactId}"
        )


def _amounts(mapping: CompiledMapping, salesforce: SalesforceClient, report: CheckReport) -> Currencies:
    """Tells what the rules' amounts are in the org's currencies, and which of those it has not."""
    file = _file(mapping)
    try:
        currencies = currencies_of(salesforce, mapping)
    except ConfigurationError as error:
        report.mistakes.append(Mistake(file, 0, error.what, error.hint))
        return Currencies()
    report.amounts = sorted(
        {
            f"{name}.{field} {amount}"
            for condition in mapping.model.walk()
            for name, field, compare in condition.compares()
            if field in currencies.fields.get(name, ())
            for amount in bounds_told(compare, currencies)
        }
    )
    if unknown := unknown_currencies(mapping, currencies):
        report.mistakes.append(Mistake(file, 0, *said_of_unknown(unknown, currencies)))
    return currencies


def _owners(mapping: CompiledMapping, salesforce: SalesforceClient) -> list[Mistake]:
    rules = [rule for handoff in mapping.model.handoffs for rule in handoff.owners_named]
    try:
        if rules:
            look_up_owners(rules, salesforce, mapping.model.away, SystemClock().now())
    except ConfigurationError as error:
        line = rules[0].line if len(mapping.texts) == 1 else 0  # it may be of what is included
        return [Mistake(_file(mapping), line, error.what, error.hint)]
    return []


def describes(salesforce: SalesforceClient, mapping: CompiledMapping) -> dict[str, JsonMap | None]:
    """Object -> describe of everything that is read or written; None for an object the user cannot see."""
    names = {each.name for each in polled_objects(mapping)}
    names |= {name for fields in mapping.writes.values() for name in fields}
    return {name: _describe(salesforce, name) for name in sorted(names)}


def _describe(salesforce: SalesforceClient, name: str) -> JsonMap | None:
    try:
        return salesforce.describe(name)
    except Refused as error:
        if error.code in UNSEEN:
            return None
        raise


def show_files(reports: Sequence[CheckReport], form: str) -> int:
    """Returns the exit code. ``form``: text, json or github."""
    code = 2 if any(report.mistakes for report in reports) else 0
    if form == "json":
        print_json("check_files", {"mappings": [report.as_dict() for report in reports]})
        return code
    console = out()
    for report in reports:
        _for_github(report) if form == "github" else _notes(console, report)
        if not report.mistakes:
            console.print(f"{shown(report.mapping)} is right", soft_wrap=True)
    return code


def show_check(report: CheckReport, form: str) -> int:
    """As :func:`show_files`."""
    if form == "json":
        print_json("check", report.as_dict())
    elif form == "github":
        _for_github(report)
    else:
        _show_text(report)
    return 2 if report.mistakes else 0


def _show_text(report: CheckReport) -> None:
    console = out()
    _notes(console, report)
    if report.mistakes:
        count = len(report.mistakes)
        console.print(
            f"{count} mistake{'s' if count > 1 else ''} in {shown(report.mapping)}; nothing was read or written"
        )
        if report.org:
            console.print("connector setup makes the fields, values and rights that the org lacks")
        return
    rows = [(name, ", ".join(fields)) for name, fields in report.reads.items()]
    console.print(grid("Reads", ("object", "fields"), rows))
    writes = [
        (track, ", ".join(f"{name}.{field}" for name, field in fields.items()))
        for track, fields in report.writes.items()
    ]
    console.print(grid("Writes", ("track", "fields"), writes))
    for each in report.amounts:
        console.print(f"compared: {shown(each)}", soft_wrap=True)
    console.print(f"sources read beside Salesforce: {', '.join(report.sources) or 'none'}")
    where = f"the org {report.org} has all of it" if report.org else "no credentials are set, so no org was asked"
    console.print(f"mapping {shown(report.mapping)} is right; {where}")


def _for_github(report: CheckReport) -> None:
    """Commands of GitHub's workflows, which shows them beside the lines."""
    for each in report.mistakes:
        place = {"file": each.file, "line": each.line} if each.line else {"file": each.file}
        where = ",".join(f"{name}={_escaped(str(value), inside=True)}" for name, value in place.items())
        text = f"{each.what}; try: {each.hint}" if each.hint else each.what
        sys.stdout.write(f"::error {where}::{_escaped(text)}\n")
    for warning in (*report.differs, *report.warnings):
        sys.stdout.write(f"::warning file={_escaped(report.mapping, inside=True)}::{_escaped(warning)}\n")
    for note in report.notes:
        sys.stdout.write(f"::notice::{_escaped(note)}\n")


def _escaped(text: str, *, inside: bool = False) -> str:
    pairs = [("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), *((":", "%3A"), (",", "%2C")) * inside]
    for plain, written in pairs:
        text = text.replace(plain, written)
    return text


def _notes(console: Console, report: CheckReport) -> None:
    for mistake in report.mistakes:
        console.print(f"[red]{shown(mistake.where)}:[/red] {shown(mistake.what)}", soft_wrap=True)
        if mistake.hint:
            console.print(f"  try: {shown(mistake.hint)}", soft_wrap=True)
    for note in report.notes:
        console.print(f"[dim]note:[/dim] {shown(note)}", soft_wrap=True)
    for said in report.differs:
        console.print(f"[dim]differs from what it includes:[/dim] {shown(said)}", soft_wrap=True)
    for warning in report.warnings:
        console.print(f"[yellow]warning:[/yellow] {shown(warning)}", soft_wrap=True)
