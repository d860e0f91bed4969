"""``connector practice``: a practice org with the fields that a mapping writes, and settings that reach it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import practice_org.practice as served
from connector.base import settings as settings_module
from connector.base.errors import ConfigurationError
from connector.base.settings import Settings
from connector.lifecycle.needs import Holds, NeededField, needed_fields
from connector.lifecycle.written import LONGEST
from connector.mapping import CompiledMapping
from practice_org.company.build import Size
from practice_org.errors import PracticeError
from practice_org.practice import SYSTEMS, Tell, announce, serve_until
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.schema import FieldSpec, Value

__all__ = [
    "SYSTEMS",
    "Practice",
    "add_fields",
    "add_owners",
    "announce",
    "fill",
    "instructions",
    "serve",
    "serve_until",
    "use_currencies",
]


@dataclass(frozen=True)
class Practice(served.Practice):
    """A served practice org that this connector can be pointed at."""

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
    """As :func:`practice_org.practice.serve`. Raises ConfigurationError."""
    with _ours(), served.serve(port=port, persist=persist, systems=systems) as made:
        yield Practice(**vars(made))


def fill(
    practice: Practice,
    *,
    sample: Size | None = None,
    data: Path | None = None,
    tell: Tell = lambda _: None,
    everywhere: bool = True,
) -> Mapping[str, int]:
    """Rows by object of what was loaded. Raises ConfigurationError."""
    with _ours():
        return served.fill(practice, sample=sample, data=data, tell=tell, everywhere=everywhere)


def use_currencies(org: PracticeOrg, text: str) -> None:
    """As :func:`practice_org.practice.use_currencies`. Raises ConfigurationError."""
    with _ours():
        served.use_currencies(org, text)


@contextmanager
def _ours() -> Iterator[None]:
    """The practice org's errors are the user's mistakes, as ours are."""
    try:
        yield
    except PracticeError as error:
        raise ConfigurationError(error.what, error.hint) from error


def add_fields(org: PracticeOrg, mapping: CompiledMapping) -> None:
    """The fields that a mapping writes, where the org lacks them: of their types, and with the values that it gives."""
    for need in needed_fields(mapping):
        known = org.schema.get(need.object_name).find(need.name)
        if known is None:
            org.define(need.object_name, [_field(need)])
        elif known.type in {"picklist", "multipicklist"}:
            had = [value.value for value in known.values]
            org.set_picklist(need.object_name, need.name, had + [each for each in need.values if each not in had])


def add_owners(org: PracticeOrg, mapping: CompiledMapping) -> None:
    """The users and queues that a mapping hands people to, where the org lacks them and they are not named by id."""
    for owner, is_queue in mapping.model.owners().items():
        _add_owner(org, owner, is_queue)


def _field(need: NeededField) -> FieldSpec:
    kind = "textarea" if need.holds == Holds.TEXT and need.length > LONGEST else _KINDS[need.holds]
    precision = 18 if need.holds == Holds.NUMBER else 0
    values = tuple(Value(each, each) for each in need.values)
    return FieldSpec(need.name, kind, length=need.length, precision=precision, values=values)


_KINDS = {
    Holds.NUMBER: "double",
    Holds.DATE: "date",
    Holds.TIME: "datetime",
    Holds.TEXT: "string",
    Holds.ONE_OF: "picklist",
    Holds.SOME_OF: "multipicklist",
}


def _add_owner(org: PracticeOrg, owner: str, is_queue: bool) -> None:
    if is_queue:
        known = {row[key] for row in org.rows("SELECT Name, DeveloperName, Id FROM Group") for key in row}
        if owner not in known:
            org.create("Group", [{"Name": owner, "DeveloperName": owner.replace(" ", "_"), "Type": "Queue"}])
    elif "@" in owner and not any(owner in row.values() for row in org.rows("SELECT Username, Email FROM User")):
        first, _, last = owner.partition("@")[0].partition(".")
        name = {"FirstName": first.title(), "LastName": last.title() or "Example"}
        org.create("User", [{**name, "Username": owner, "Email": owner, "IsActive": True}])


def instructions(practice: Practice, loaded: Mapping[str, int], *, is_bare: bool = False) -> Iterator[str]:
    """For the person who started it: what is there, how to reach it, and what to begin with."""
    if loaded:
        yield "loaded " + ", ".join(f"{count:,} {name}" for name, count in loaded.items())
    yield f"practice org at {practice.url}; end it with Ctrl-C. To work with it, in another shell:"
    for name, value in practice.environment().items():
        yield f"  export {name}={value}"
    yield "  connector setup --deploy" if is_bare else "  connector backfill"
