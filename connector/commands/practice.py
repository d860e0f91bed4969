"""A practice org ready for use: served, filled, with the fields that a mapping writes, and settings that reach it."""

from __future__ import annotations

import json
import random
import sqlite3
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.routing import BaseRoute

from connector.base import settings as settings_module
from connector.base.clock import SystemClock
from connector.base.errors import ConfigurationError
from connector.base.settings import Settings
from connector.mapping import Mapping as CompiledMapping
from connector.pipeline.daemon import Stop
from connector.sandbox.company import Size, build_company
from connector.sandbox.hubspot import HubSpot
from connector.sandbox.life import live
from connector.sandbox.loader import LoadReport, load_folder
from connector.sandbox.marketo import Marketo
from connector.sandbox.org import PracticeOrg
from connector.sandbox.pardot import Pardot
from connector.sandbox.schema import FieldSpec, Value
from connector.sandbox.server import Server

SYSTEMS = ("pardot", "marketo", "hubspot")  # the marketing systems that can stand beside the org


@dataclass(frozen=True)
class Practice:
    """A served practice org, with the marketing systems that stand beside it."""

    org: PracticeOrg
    pardot: Pardot
    url: str
    marketo: Marketo | None = None
    hubspot: HubSpot | None = None

    def credentials(self) -> dict[str, str]:
        """What a client needs: the first line that ``connector sandbox`` prints."""
        given = self.org.credentials
        return {
            "url": self.url,
            "access_token": given.access_token,
            "client_id": given.client_id,
            "client_secret": given.client_secret,
            "username": given.username,
            "private_key_file": str(given.private_key_file),
            "pardot_business_unit_id": self.pardot.business_unit_id,
        }

    def environment(self) -> dict[str, str]:
        """The variables that let the connector sign in by JWT bearer and read everything that is served."""
        given = self.credentials()
        variables = {
            "CONNECTOR_SALESFORCE_LOGIN_URL": self.url,
            "CONNECTOR_SALESFORCE_CLIENT_ID": given["client_id"],
            "CONNECTOR_SALESFORCE_USERNAME": given["username"],
            "CONNECTOR_SALESFORCE_PRIVATE_KEY_FILE": given["private_key_file"],
            "CONNECTOR_PARDOT_URL": self.url,
            "CONNECTOR_PARDOT_BUSINESS_UNIT_ID": given["pardot_business_unit_id"],
        }
        if self.marketo:
            variables |= {
                "CONNECTOR_MARKETO_URL": self.url,
                "CONNECTOR_MARKETO_CLIENT_ID": self.marketo.client_id,
                "CONNECTOR_MARKETO_CLIENT_SECRET": self.marketo.client_secret,
            }
        if self.hubspot:
            variables |= {"CONNECTOR_HUBSPOT_URL": self.url, "CONNECTOR_HUBSPOT_TOKEN": self.hubspot.token}
        return variables

    def settings(self, **others: Any) -> Settings:
        """Settings that reach this org, whatever the environment says."""
        variables = {name.removeprefix("CONNECTOR_").lower(): value for name, value in self.environment().items()}
        return settings_module.explicit(**variables | others)


@contextmanager
def serve(*, port: int = 0, persist: Path | None = None, systems: Collection[str] = ("pardot",)) -> Iterator[Practice]:
    """A practice org on a loopback port, closed at the end; ``systems`` of :data:`SYSTEMS` beside it (Account
    Engagement always is)."""
    org = _open(persist)
    try:
        pardot = Pardot(org)
        marketo = Marketo(org) if "marketo" in systems else None
        hubspot = HubSpot(org) if "hubspot" in systems else None
        routes = [route for each in (pardot, marketo, hubspot) if each for route in each.routes]
        with _server(org, routes, port) as server:
            yield Practice(org, pardot, server.url, marketo, hubspot)
    finally:
        org.close()


def _open(persist: Path | None) -> PracticeOrg:
    try:
        return PracticeOrg(str(persist) if persist else ":memory:")
    except sqlite3.Error as error:
        raise ConfigurationError(
            f"{persist} cannot hold a practice org: {error}",
            "name a file in a folder that can be written, or one that connector sandbox made",
        ) from None


def _server(org: PracticeOrg, routes: Sequence[BaseRoute], port: int) -> Server:
    try:
        return Server(org, port=port, extra_routes=routes)
    except OSError as error:
        raise ConfigurationError(
            f"port {port} of 127.0.0.1 cannot be served: {error.strerror}", "use another --port; 0 takes a free one"
        ) from None


def add_fields(org: PracticeOrg, mapping: CompiledMapping) -> None:
    """The fields that a mapping writes, where the org lacks them: of their types, and with the values that it gives."""
    for track, fields in mapping.writes.items():
        for object_name, field in fields.items():
            known = org.schema.get(object_name).find(field)
            values = _values(mapping, track, object_name)
            if known is None:
                org.define(object_name, [_field(mapping, track, field, values)])
            elif known.type in {"picklist", "multipicklist"}:
                had = [value.value for value in known.values]
                org.set_picklist(object_name, field, had + [each for each in values if each not in had])


def add_owners(org: PracticeOrg, mapping: CompiledMapping) -> None:
    """The users and queues that a mapping hands people to, where the org lacks them and they are not named by id."""
    for owner, is_queue in mapping.model.owners().items():
        _add_owner(org, owner, is_queue)


def _values(mapping: CompiledMapping, track: str, object_name: str) -> list[str]:
    """What a picklist of this track must hold."""
    if track == "tags":
        return [tag.name for tag in mapping.model.tags]
    steps = {each.name: each.steps for each in mapping.model.tracks}
    of = "stage" if track in {"highest_stage", "account_stage"} else track
    return list(dict.fromkeys(step.value(object_name) for step in steps.get(of, ())))


def _field(mapping: CompiledMapping, track: str, name: str, values: Sequence[str]) -> FieldSpec:
    what = track.split(" ", maxsplit=1)[0]
    if what in {"score", "fit", "days"}:
        return FieldSpec(name, "double", precision=18)
    if what in {"entered", "exited"}:
        return FieldSpec(name, "date" if mapping.model.dates is None or mapping.model.dates.as_date else "datetime")
    if track == "tags" and mapping.model.tag_separator != ";":
        return FieldSpec(name, "textarea", length=255)
    kind = "multipicklist" if track == "tags" else "picklist"
    return FieldSpec(name, kind, values=tuple(Value(each, each) for each in values))


def _add_owner(org: PracticeOrg, owner: str, is_queue: bool) -> None:
    if is_queue:
        known = {row[key] for row in org.rows("SELECT Name, DeveloperName, Id FROM Group") for key in row}
        if owner not in known:
            org.create("Group", [{"Name": owner, "DeveloperName": owner.replace(" ", "_"), "Type": "Queue"}])
    elif "@" in owner and not any(owner in row.values() for row in org.rows("SELECT Username, Email FROM User")):
        first, _, last = owner.partition("@")[0].partition(".")
        name = {"FirstName": first.title(), "LastName": last.title() or "Example"}
        org.create("User", [{**name, "Username": owner, "Email": owner, "IsActive": True}])


def fill(practice: Practice, *, sample: Size | None = None, data: Path | None = None) -> Mapping[str, int]:
    """Rows by object of what was loaded: nothing into an org that was kept and has its people already."""
    counts: dict[str, int] = {}
    if any(practice.org.rows(f"SELECT Id FROM {name} LIMIT 1") for name in ("Contact", "Lead")):
        return counts
    if data:
        report: LoadReport = load_folder(practice.org, data)
        counts.update(report.loaded)
    if sample:
        counts.update(build_company(practice.org, practice.pardot, now=SystemClock().now(), size=sample))
    return counts


def serve_until(practice: Practice, *, every: float, stop: Stop, tell: Callable[[str], None]) -> None:
    """Lets the company live, one event every ``every`` seconds (0: none), until ``stop``."""
    dice = random.Random()  # noqa: S311 - a believable company, nothing to guard
    clock = SystemClock()
    while not stop.wait(every or None):
        for line in live(practice.org, practice.pardot, dice, clock.now(), events=1):
            tell(line)


def told(practice: Practice, loaded: Mapping[str, int]) -> Iterator[str]:
    """For the person who started it: what is there, and how to reach it."""
    if loaded:
        yield "loaded " + ", ".join(f"{count:,} {name}" for name, count in loaded.items())
    yield f"practice org at {practice.url}; end it with Ctrl-C. To work with it, in another shell:"
    for name, value in practice.environment().items():
        yield f"  export {name}={value}"
    yield "  connector backfill"


def announce(practice: Practice) -> None:
    """The one line on stdout: JSON."""
    sys.stdout.write(json.dumps(practice.credentials()) + "\n")
    sys.stdout.flush()
