"""``connector check``: everything that is wrong, at once, before anything is read or written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector.clock import SystemClock
from connector.errors import ConfigurationError, Refused
from connector.mapping import Mapping as CompiledMapping
from connector.mapping import MappingInvalid, Mistake, check_org
from connector.salesforce import SalesforceClient
from connector.settings import Settings
from connector.staff import find
from connector.wiring import load_mapping, open_client, polled_objects


@dataclass
class CheckReport:
    """``org``: None when there are no credentials to ask one with."""

    mapping: str
    mistakes: list[Mistake] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    org: str | None = None
    reads: dict[str, list[str]] = field(default_factory=dict)
    writes: dict[str, dict[str, str]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {
            "mapping": self.mapping,
            "org": self.org,
            "mistakes": [
                {"file": each.file, "line": each.line, "what": each.what, "hint": each.hint} for each in self.mistakes
            ],
            "warnings": self.warnings,
            "reads": self.reads,
            "writes": self.writes,
        }


def run_check(settings: Settings) -> CheckReport:
    """Raises Refused when the org cannot be asked; what is wrong with mapping or org is in the report."""
    report = CheckReport(mapping=settings.mapping)
    try:
        mapping = load_mapping(settings)
    except MappingInvalid as error:
        report.mistakes = list(error.mistakes)
        return report
    report.warnings = list(mapping.warnings)
    report.reads = {each.name: list(each.fields) for each in polled_objects(mapping)}
    report.writes = {track: dict(fields) for track, fields in mapping.writes.items()}
    if settings.has_credentials():
        with open_client(settings, SystemClock()) as salesforce:
            report.org = salesforce.identity()
            report.mistakes = check_org(mapping, describes(salesforce, mapping)) + _owners(mapping, salesforce)
    return report


def _owners(mapping: CompiledMapping, salesforce: SalesforceClient) -> list[Mistake]:
    rules = [rule for handoff in mapping.model.handoffs for rule in handoff.owners]
    try:
        if rules:
            find(rules, salesforce)
    except ConfigurationError as error:
        return [Mistake(mapping.name, rules[0].line, error.what, error.hint)]
    return []


def describes(salesforce: SalesforceClient, mapping: CompiledMapping) -> dict[str, Mapping[str, Any] | None]:
    """Object -> describe of everything that is read or written; None for an object the user cannot see."""
    names = {each.name for each in polled_objects(mapping)}
    names |= {name for fields in mapping.writes.values() for name in fields}
    return {name: _describe(salesforce, name) for name in sorted(names)}


def _describe(salesforce: SalesforceClient, name: str) -> Mapping[str, Any] | None:
    try:
        return salesforce.describe(name)
    except Refused as error:
        if error.code in {"NOT_FOUND", "INVALID_TYPE"}:
            return None
        raise
