"""Sends metadata to an org and waits for what it says; gives the permission set to the user who needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from connector.base.clock import Clock
from connector.base.errors import ConfigurationError, Refused, Transient
from connector.base.json import Json, JsonMap
from connector.base.ports import Read
from connector.base.soql import literal
from connector.salesforce.client import SalesforceClient
from connector.salesforce.metadata import PERMISSION_SET, Blueprint, package

_ENDED = {"Succeeded", "SucceededPartial", "Failed", "Canceled"}
_LOOK_EVERY, _AT_MOST = 2.0, 1800.0  # seconds


@dataclass(frozen=True)
class Deployed:
    """What the org said of a deployment. ``made``: components that were not there before."""

    status: str
    problems: Sequence[str]
    made: frozenset[str]
    found: frozenset[str]  # that were there

    @property
    def is_good(self) -> bool:
        return self.status == "Succeeded"


def send(
    salesforce: SalesforceClient,
    blueprint: Blueprint,
    clock: Clock,
    *,
    check_only: bool,
    tell: Callable[[str], None] = lambda _status: None,
) -> Deployed:
    """All or nothing; with ``check_only`` nothing, but with the same answer. Raises Refused and Transient."""
    options = {"checkOnly": check_only, "rollbackOnError": True, "singlePackage": True, "testLevel": "NoTestRun"}
    deployment = salesforce.start_deploy(package(blueprint, salesforce.api_version()), options)
    end = clock.monotonic() + _AT_MOST
    while True:
        result = salesforce.deploy_result(deployment)
        status = str(result.get("status"))
        if status in _ENDED:
            return _judged(status, result)
        if clock.monotonic() > end:
            raise Transient(f"the org still says {status} of deployment {deployment}", "see Deployment Status in Setup")
        tell(status)
        clock.sleep(_LOOK_EVERY)


def _judged(status: str, result: JsonMap) -> Deployed:
    details = result.get("details") or {}
    problems = [f"{each.get('fullName')}: {each.get('problem')}" for each in _each(details.get("componentFailures"))]
    if not problems and result.get("errorMessage"):
        problems = [str(result["errorMessage"])]
    parts = [*_each(details.get("componentSuccesses"))]
    made = frozenset(str(each.get("fullName")) for each in parts if _is_true(each.get("created")))
    return Deployed(status, problems, made, frozenset(str(each.get("fullName")) for each in parts) - made)


def _each(found: Json) -> Iterator[Mapping[str, Json]]:
    """A list; of one, Salesforce may make no list at all."""
    yield from [found] if isinstance(found, Mapping) else found or ()


def _is_true(value: Json) -> bool:
    return str(value).lower() == "true"


def refuse_hidden(blueprint: Blueprint, checked: Deployed) -> None:
    """Whether a field that is to be made is there already, hidden from the user: it would be replaced."""
    new = {f"{each.object_name}.{each.name}" for each in blueprint.fields if not each.is_there}
    if hidden := sorted(new & checked.found):
        raise ConfigurationError(
            f"the org has {', '.join(hidden)}, hidden from the user who asked; nothing was sent",
            "give that user access to them, so that their values are seen and kept, and run it again",
        )


def assign(salesforce: SalesforceClient, username: str | None) -> str | None:
    """Gives the permission set to a user (None: who is signed in). The user's name; None where they have it."""
    who = f"Username = {literal(username)}" if username else f"Id = {literal(salesforce.user() or '')}"
    sets = f"SELECT Id FROM PermissionSet WHERE Name = {literal(PERMISSION_SET)} AND NamespacePrefix = null"
    users = f"SELECT Id, Username FROM User WHERE IsActive = true AND {who}"
    pages = salesforce.read([Read("sets", sets), Read("users", users)]).pages
    if not pages["users"].rows or not pages["sets"].rows:
        raise Refused(
            f"the permission set {PERMISSION_SET} could not be given to {username or 'the user who is signed in'}",
            "assign it in Setup, Permission Sets, Manage Assignments",
        )
    user, permission_set = pages["users"].rows[0], pages["sets"].rows[0]["Id"]
    given = (
        f"SELECT Id FROM PermissionSetAssignment WHERE PermissionSetId = {literal(str(permission_set))}"
        f" AND AssigneeId = {literal(str(user['Id']))}"
    )
    if salesforce.read([Read("given", given)]).pages["given"].rows:
        return None
    salesforce.create("PermissionSetAssignment", {"AssigneeId": user["Id"], "PermissionSetId": permission_set})
    return str(user["Username"])
