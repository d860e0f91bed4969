"""``connector setup``: the org's side of a mapping, as a project to look at and to deploy, or sent at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from connector.base.clock import SystemClock
from connector.base.errors import ConfigurationError
from connector.base.json import JsonMap, JsonObject
from connector.base.ports import Read
from connector.base.settings import Settings
from connector.commands.check import describes
from connector.commands.screen import note, out, print_json, shown
from connector.lifecycle.needs import Holds, NeededField, needed_fields
from connector.mapping import CompiledMapping
from connector.salesforce import SalesforceClient
from connector.salesforce.access import access_of
from connector.salesforce.deploying import Deployed, assign, refuse_hidden, send
from connector.salesforce.metadata import (
    LEAD_STATUS,
    LEAD_STATUS_FIELD,
    Blueprint,
    FieldFile,
    lead_statuses,
    more_values,
    new_field,
    project,
)
from connector.salesforce.objects import polled_objects
from connector.wiring import load_mapping, open_client

_PICKLISTS = {"picklist", "multipicklist"}


@dataclass
class SetupReport:
    """``adds``: what the org lacks and gets. ``by_hand``: what only a person can do."""

    mapping: str
    org: str | None = None
    adds: list[str] = field(default_factory=list)
    by_hand: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    out: str | None = None
    deployed: str | None = None  # what the org said last
    problems: list[str] = field(default_factory=list)
    assigned_to: str | None = None

    def as_dict(self) -> JsonObject:
        return dict(vars(self))


@dataclass(frozen=True)
class _Plan:
    blueprint: Blueprint
    by_hand: Sequence[str]


def run_setup(settings: Settings, out: Path) -> SetupReport:
    """Writes the project; with credentials it holds only what the org lacks. Raises ConfigurationError and Refused."""
    mapping = load_mapping(settings)
    report = SetupReport(mapping.name, out=str(out))
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigurationError(f"{out} is not empty; nothing was written", "name a new folder")
    version = settings.salesforce_api_version
    if settings.has_credentials():
        with open_client(settings, SystemClock()) as salesforce:
            plan, version = _plan(mapping, salesforce), salesforce.api_version()
            report.org = salesforce.identity()
    else:
        plan = _plan(mapping, None)
    files = {**project(plan.blueprint, version), "README.md": _readme(mapping, plan)}
    for path, text in files.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_text(text, encoding="utf-8")
    report.adds, report.by_hand, report.files = plan.blueprint.adds, list(plan.by_hand), list(files)
    return report


def run_deploy(settings: Settings, assignee: str | None, *, yes: bool) -> SetupReport:
    """Has the org check everything, asks, and sends it. Raises ConfigurationError, Refused and Transient."""
    mapping = load_mapping(settings)
    report, clock = SetupReport(mapping.name), SystemClock()
    with open_client(settings, clock) as salesforce:
        plan = _plan(mapping, salesforce)
        report.org, report.adds, report.by_hand = salesforce.identity(), plan.blueprint.adds, list(plan.by_hand)
        note(f"the org {report.org} checks it")
        checked = send(salesforce, plan.blueprint, clock, check_only=True)
        _note(report, checked)
        if not checked.is_good:
            return report
        refuse_hidden(plan.blueprint, checked)
        for line in _outlook(report):
            note(line)
        if not yes and not typer.confirm("Send it?", err=True):
            report.deployed = "not sent"
            return report
        _note(report, send(salesforce, plan.blueprint, clock, check_only=False))
        if report.deployed == "Succeeded":
            report.assigned_to = assign(salesforce, assignee)
    return report


def _note(report: SetupReport, said: Deployed) -> None:
    report.deployed, report.problems = said.status, list(said.problems)


def _plan(mapping: CompiledMapping, salesforce: SalesforceClient | None) -> _Plan:
    needs = needed_fields(mapping)
    described: Mapping[str, JsonMap | None] = describes(salesforce, mapping) if salesforce else {}
    files, by_hand = [], [*_owners(mapping)]
    for need in needs:
        made = _file(need, described)
        if isinstance(made, FieldFile):
            files.append(made)
        elif made:
            by_hand.append(made)
    statuses, new = _statuses(needs, described, salesforce)
    access = access_of(mapping, polled_objects(mapping), needs, described)
    return _Plan(Blueprint(files, access, statuses, new, bool(described)), by_hand)


def _file(need: NeededField, described: Mapping[str, JsonMap | None]) -> FieldFile | str | None:
    """The field as it is sent; a sentence where a person must look; None where nothing is to do."""
    where = f"{need.object_name}.{need.name}"
    fields = (described.get(need.object_name) or {}).get("fields", ())
    found = next((each for each in fields if each["name"] == need.name), None)
    if found is None and need.is_custom:
        return new_field(need)
    if found is None:
        unseen = f"give the integration user access to {where}" if described else None
        return f"see that {where} has the values {', '.join(need.values)}" if need.values else unseen
    active = {each["value"] for each in found.get("picklistValues", ()) if each.get("active")}
    is_list = need.holds in {Holds.ONE_OF, Holds.SOME_OF} and found.get("type") in _PICKLISTS
    if not is_list or active.issuperset(need.values) or (need.object_name, need.name) == LEAD_STATUS_FIELD:
        return None  # Lead.Status has a value set of its own
    if not need.is_custom or found.get("dependentPicklist"):
        return f"add to the picklist {where}: {', '.join(each for each in need.values if each not in active)}"
    return more_values(need, found)


def _statuses(
    needs: Sequence[NeededField], described: Mapping[str, JsonMap | None], salesforce: SalesforceClient | None
) -> tuple[Sequence[tuple[str, Any]], Sequence[str]]:
    need = next((each for each in needs if (each.object_name, each.name) == LEAD_STATUS_FIELD), None)
    found = next((each for each in (described.get("Lead") or {}).get("fields", ()) if each["name"] == "Status"), None)
    if need is None or found is None or salesforce is None:
        return (), ()
    soql = f"SELECT ApiName, MasterLabel, IsDefault, IsConverted FROM {LEAD_STATUS} ORDER BY SortOrder"
    return lead_statuses(salesforce.read([Read(LEAD_STATUS, soql)]).pages[LEAD_STATUS].rows, found, need.values)


def _owners(mapping: CompiledMapping) -> Iterator[str]:
    if users := sorted(owner for owner, is_queue in mapping.owners.items() if not is_queue):
        yield f"the users {', '.join(users)} must be there and active, or name yours in the mapping"
    if queues := sorted(owner for owner, is_queue in mapping.owners.items() if is_queue):
        yield f"the queues {', '.join(queues)} must be there, for each object that is handed to them"


_README = """# The org's side of the mapping {name}

Nothing here removes or renames anything, and no layout is touched. Look at it, then:

```sh
sf project deploy validate --manifest manifest/package.xml --target-org YOUR_ORG
sf project deploy start --manifest manifest/package.xml --target-org YOUR_ORG
sf org assign permset --name Lifecycle_Connector --target-org YOUR_ORG --on-behalf-of THE_INTEGRATION_USER
```

`connector setup --deploy` does the same three steps. {known}

## It adds

{adds}

and the permission set Lifecycle Connector: it names each object and field that is read or written, and nothing else.
Of the objects that are read it shows all records (View All Records). Edit changes a record only where sharing lets it:
where the organization-wide default of Contact or Lead is not Public Read/Write, put the integration user above all
owners in the role hierarchy, or share the records with that user.

## By hand

{by_hand}

## How the connector signs in

1. Make a key and a certificate on the machine that runs the connector; the key stays there:

   ```sh
   openssl req -x509 -newkey rsa:2048 -nodes -days 730 -subj /CN=lifecycle-connector \\
     -keyout key.pem -out certificate.pem
   ```
2. In Setup, App Manager (or External Client App Manager), make an app named Lifecycle Connector. Enable OAuth. As
   callback write `https://login.salesforce.com/services/oauth2/success`; nobody is ever sent there.
3. Upload `certificate.pem` under *Use digital signatures* (*JWT bearer flow*).
4. Choose the scopes *Manage user data via APIs (api)* and *Perform requests at any time (refresh_token,
   offline_access)*; with Account Engagement also *Manage Pardot services (pardot_api)*.
5. Under *Policies*, set *Permitted Users* to *Admin approved users are pre-authorized*, and add the permission set
   Lifecycle Connector, or the profile of the integration user, to the app.
6. Put the consumer key, the user's name and the path of `key.pem` into `.env` (`connector init` writes one), and run
   `connector check`.
"""
_OF_AN_ORG = "The files hold only what the org lacked when they were made."
_OF_NONE = """They were made without looking at an org: a field of the same name that is there
already would get these values instead of its own. With credentials `connector setup` looks first, and adds."""


def _readme(mapping: CompiledMapping, plan: _Plan) -> str:
    adds = plan.blueprint.adds or ["no field and no value: the org has all of them"]
    return _README.format(
        name=mapping.name,
        known=_OF_AN_ORG if plan.blueprint.is_of_an_org else _OF_NONE,
        adds="\n".join(f"- {each}" for each in adds),
        by_hand="\n".join(f"- {each}" for each in plan.by_hand or ["nothing"]),
    )


def show_setup(report: SetupReport, *, as_json: bool) -> None:
    if as_json:
        print_json("setup", report.as_dict())
        return
    for line in _lines(report):
        out().print(shown(line), soft_wrap=True)


def _outlook(report: SetupReport) -> Iterator[str]:
    """What is about to be sent, in words."""
    yield f"the org {report.org} would get:"
    yield from _gets(report)


def _gets(report: SetupReport) -> Iterator[str]:
    yield from (f"+ {each}" for each in report.adds)
    yield "+ the permission set Lifecycle Connector"


def _lines(report: SetupReport) -> Iterator[str]:
    if report.out:
        yield from _gets(report)  # what is sent was told before
    yield from (f"by hand: {each}" for each in report.by_hand)
    yield from (f"refused: {each}" for each in report.problems)
    if report.out:
        yield f"wrote {len(report.files)} files to {report.out}; its README.md says how to deploy them"
    elif report.deployed:
        given = f", and the permission set is now {report.assigned_to}'s" if report.assigned_to else ""
        yield f"the org says {report.deployed}{given}"
