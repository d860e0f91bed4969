"""``connector plan``: what a mapping would change, against the facts already here. Asks nobody, writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from connector import mapping as mappings
from connector.base.clock import Clock, SystemClock
from connector.base.json import JsonObject
from connector.base.ports import Progress
from connector.base.settings import Settings
from connector.mapping import CompiledMapping
from connector.pipeline.aging import gone_before
from connector.pipeline.by_ids import chunks
from connector.pipeline.decisions import BATCH, Decisions
from connector.pipeline.owners import known_owners
from connector.pipeline.planned import Listing
from connector.pipeline.report import CycleReport
from connector.pipeline.signed_in import known_address
from connector.salesforce.composite import WRITE_ROWS
from connector.salesforce.objects import polled_objects
from connector.store import Store
from connector.wiring import open_state_under


@dataclass(frozen=True)
class Preview:
    """``missing``: object -> fields that the mapping looks at and the state has not read, so that rules over them count
    as not holding here; a cycle would read them first. ``assumed``: owners whom nobody looked up yet.
    ``kept_in_part``: before when it looks at activities of which only some were kept."""

    report: CycleReport
    missing: dict[str, list[str]]
    assumed: list[str]
    kept_in_part: str | None
    write_calls: int  # Salesforce API calls that the writes would cost

    def as_dict(self) -> JsonObject:
        told = self.report.document()
        kept = ["mapping", "people_decided", "people_to_change", "accounts_to_change", "unchanged"]
        kept += ["changes", "rules", "held", *(["people_held"] if self.report.listing is not None else [])]
        return {
            **{name: told[name] for name in kept},
            "owners": self.owners(),
            "missing_fields": self.missing,
            "kept_in_part": self.kept_in_part,
            "owners_not_looked_up": self.assumed,
            "write_calls": self.write_calls,
        }

    def owners(self) -> dict[str, int]:
        """New owner -> people."""
        found: dict[str, int] = {}
        for move, count in self.report.moves().get("owner", {}).items():
            name = move.rpartition(" -> ")[2]
            found[name] = found.get(name, 0) + count
        return found


def run_preview(
    settings: Settings,
    name: str | None,
    progress: Progress,
    listing: Listing | None = None,
    clock: Clock | None = None,
) -> Preview:
    """``name``: the mapping to try, None for the one in force. Raises MappingInvalid, StateError."""
    mapping = mappings.load(name or settings.mapping)
    clock = clock or SystemClock()
    report = CycleReport(kind="plan", dry_run=True, started_at=clock.now(), mapping=mapping.version)
    report.listing = listing
    with open_state_under(mapping, settings, clock) as store:
        owners = known_owners(store, mapping)
        assumed = sorted(name for name in mapping.model.owners() if owners.ids.get(name) == name)
        decisions = Decisions(mapping, store, owners, report.started_at)
        report.owners = owners.names
        if listing is not None:
            listing.of_org(known_address(store), report.owners)
        people = decisions.coming()
        for done, ids in enumerate(chunks(people, BATCH)):
            report.plan(decisions.batch(ids, {}))
            progress("deciding", min((done + 1) * BATCH, len(people)), len(people))
        for batch in decisions.rollup.to_come(decisions.coming_accounts()):
            report.plan_accounts(batch)
        missing, kept_in_part = _missing(store, mapping), gone_before(store, mapping)
    report.duration = round((clock.now() - report.started_at).total_seconds(), 3)
    rows = (report.people_to_change, report.accounts_to_change)
    calls = sum(
        ceil(each / pack) for each in rows for pack in (settings.write_pack, min(settings.write_pack, WRITE_ROWS))
    )
    return Preview(report, missing, assumed, kept_in_part, calls)


def _missing(store: Store, mapping: CompiledMapping) -> dict[str, list[str]]:
    missing = {}
    for each in polled_objects(mapping):
        known = (store.cursor(each.name) or {}).get("fields", [])
        if lacking := sorted(set(each.fields) - set(known)):
            missing[each.name] = lacking
    return missing
