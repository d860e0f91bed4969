"""Metadata by REST: ``deployRequest`` takes a package in the metadata format, checks it, and makes of it what it says.

Custom fields, the LeadStatus value set and permission sets are understood; other components fail by their name. A new
field is hidden from everybody, as in an org, until a permission set names it; the one user of the practice org is given
what any permission set that is deployed grants. ``rollbackOnError`` is taken as true.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from typing import Any
from xml.etree import ElementTree as Xml

from practice_org.salesforce import ids
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem, not_found
from practice_org.salesforce.rest.calls import Call, Reply, Router
from practice_org.salesforce.schema import FieldSpec, Value

_TYPES = {
    "Text": "string", "LongTextArea": "textarea", "TextArea": "textarea", "Number": "double", "Currency": "currency",
    "Percent": "percent", "Checkbox": "boolean", "Date": "date", "DateTime": "datetime", "Picklist": "picklist",
    "MultiselectPicklist": "multipicklist", "Email": "email", "Phone": "phone", "Url": "url",
}  # fmt: skip
_NO_OBJECT_RIGHTS = frozenset({"OpportunityContactRole", "CampaignMember", "Task", "Event", "User", "RecordType"})
_RIGHTS = frozenset({"ApiEnabled", "ActivitiesAccess", "TransferAnyLead", "TransferAnyEntity", "ViewSetup"})
_NEEDS_ACCOUNT = ("Contact", "Opportunity")
_FILES = {
    "CustomField": "objects/{}.object", "PermissionSet": "permissionsets/{}.permissionset",
    "StandardValueSet": "standardValueSets/{}.standardValueSet",
}  # fmt: skip
_MOST_BYTES, _MOST_FILES = 39_000_000, 10_000


def routes(router: Router) -> None:
    router.add("metadata/deployRequest", POST=start)
    router.add(r"metadata/deployRequest/(?P<deployment>\w+)", GET=show)


def _message(kind: str, name: str) -> dict[str, Any]:
    """A DeployMessage (Metadata API): ``fileName`` is the file of the package that holds the component."""
    file = _FILES.get(kind, "{}").format(name.partition(".")[0] if kind == "CustomField" else name)
    return {"componentType": kind, "fullName": name, "fileName": file, "deleted": False, "warning": False}


@dataclass
class _Package:
    """What a package holds, by component."""

    fields: list[tuple[str, Xml.Element]] = field(default_factory=list)  # object and field
    statuses: list[Xml.Element] = field(default_factory=list)
    sets: dict[str, Xml.Element] = field(default_factory=dict)
    failures: list[dict[str, Any]] = field(default_factory=list)
    successes: list[dict[str, Any]] = field(default_factory=list)

    def fail(self, kind: str, name: str, problem: str) -> None:
        told = {"problem": problem, "problemType": "Error", "success": False}
        self.failures.append({**_message(kind, name), **told})

    def take(self, kind: str, name: str, *, created: bool) -> None:
        self.successes.append({**_message(kind, name), "created": created, "changed": True, "success": True})


def start(org: PracticeOrg, call: Call) -> Reply:
    options, packed = _parts(call)
    check_only = options.get("checkOnly") in (True, "true")
    package = _read(packed)
    _check(org, package)
    if not package.failures and not check_only:
        _make(org, package)
    deployment = ids.generate("0Af", org.number("0Af"))
    failed = bool(package.failures)
    result = {
        "id": deployment, "checkOnly": check_only, "done": True, "success": not failed, "rollbackOnError": True,
        "status": "Failed" if failed else "Succeeded", "numberComponentErrors": len(package.failures),
        "numberComponentsDeployed": 0 if failed else len(package.successes),
        "numberComponentsTotal": len(package.failures) + len(package.successes),
        "createdDate": org.stamp(), "completedDate": org.stamp(), "errorMessage": None,
        "details": {"componentFailures": package.failures, "componentSuccesses": package.successes},
    }  # fmt: skip
    org.deployments[deployment] = {**result, "fresh": True}
    begun = {"id": deployment, "checkOnly": check_only, "done": False, "success": False, "status": "Pending"}
    url = f"{call.instance}{call.base}/metadata/deployRequest/{deployment}"
    return Reply(201, {"id": deployment, "url": url, "deployOptions": options, "deployResult": begun})


def show(org: PracticeOrg, call: Call, deployment: str) -> Reply:
    """From the second look on it has ended, so that clients learn to wait."""
    found = org.deployments.get(ids.full(deployment) if ids.is_id(deployment) else "")
    if found is None:
        raise not_found()
    if found.pop("fresh", None):
        return Reply(body={"id": found["id"], "deployResult": {**found, "done": False, "status": "InProgress"}})
    shown = dict(found)
    if call.query.get("includeDetails") != "true":
        shown.pop("details")
    return Reply(body={"id": found["id"], "deployResult": shown})


def _parts(call: Call) -> tuple[dict[str, Any], bytes]:
    """The deploy options and the zip file of a multipart body. Clients call the options ``json``, as the documents do,
    or ``entity_content``, as jsforce and Salesforce's own CLI do."""
    head = f"Content-Type: {call.headers.get('content-type', '')}\r\n\r\n".encode()
    message = message_from_bytes(head + call.body)
    found: dict[str, bytes] = {}
    for part in message.get_payload() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")  # type: ignore[union-attr]
        found[str(name)] = part.get_payload(decode=True)  # type: ignore[assignment,union-attr]
    try:
        options = json.loads(found.get("json") or found["entity_content"])["deployOptions"]
        packed = found["file"]
    except (KeyError, ValueError, TypeError):
        raise Problem(400, "INVALID_MULTIPART_REQUEST", "parts named json and file are needed") from None
    if len(packed) > _MOST_BYTES:
        raise Problem(413, "REQUEST_LIMIT_EXCEEDED", "the package is larger than 39 MB")
    return options, packed


def _read(packed: bytes) -> _Package:
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as files:
            names = [each for each in files.namelist()[:_MOST_FILES] if not each.endswith("/")]
            texts = {each: files.read(each) for each in names}
    except zipfile.BadZipFile:
        raise Problem(400, "UNKNOWN_EXCEPTION", "the package is no zip file") from None
    package = _Package()
    above = next((each.removesuffix("package.xml") for each in names if each.endswith("package.xml")), None)
    if above is None or above.count("/") > 1:
        package.fail("", "package.xml", "No package.xml found")
        return package
    texts = {path.removeprefix(above): text for path, text in texts.items()}  # a package may be a folder in its file
    for path, text in texts.items():
        folder, _, file = path.partition("/")
        name = file.rpartition(".")[0]
        try:
            root = Xml.fromstring(text)  # noqa: S314 - of whoever tries the practice org on this machine
        except Xml.ParseError as error:
            package.fail("", path, f"Error parsing file: {error}")
            continue
        if folder == "objects":
            package.fields += [(name, each) for each in _all(root, "fields")]
        elif folder == "standardValueSets" and name == "LeadStatus":
            package.statuses += _all(root, "standardValue")
        elif folder == "permissionsets":
            package.sets[name] = root
        elif path != "package.xml":
            package.fail("", path, "the practice org does not know this kind of metadata")
    if not package.failures:
        _compare(Xml.fromstring(texts["package.xml"]), package)  # noqa: S314
    return package


def _compare(manifest: Xml.Element, package: _Package) -> None:
    """What package.xml names and the files hold must be the same."""
    named = {
        (_text(types, "name"), str(each.text)) for types in _all(manifest, "types") for each in _all(types, "members")
    }
    held = {("CustomField", f"{name}.{_text(each, 'fullName')}") for name, each in package.fields}
    held |= {("PermissionSet", name) for name in package.sets}
    held |= {("StandardValueSet", "LeadStatus")} if package.statuses else set()
    for kind, name in sorted(named - held):
        package.fail(
            kind,
            name,
            f"An object '{name}' of type {kind} was named in package.xml, but was not found in zipped directory",
        )
    for kind, name in sorted(held - named):
        package.fail(kind, name, f"{name} is not in package.xml")


def _check(org: PracticeOrg, package: _Package) -> None:
    made: set[tuple[str, str]] = set()
    for object_name, element in package.fields:
        name = f"{object_name}.{_text(element, 'fullName')}"
        spec = org.schema.find(object_name)
        found = spec.find(_text(element, "fullName")) if spec else None
        if problem := _problem(element, spec is None, found):
            package.fail("CustomField", name, problem)
            continue
        made.add((object_name, _text(element, "fullName")))
        package.take("CustomField", name, created=found is None)
    if package.statuses:
        if not any(_text(each, "default") == "true" for each in package.statuses):
            package.fail("StandardValueSet", "LeadStatus", "a default value is needed")
        elif not any(_text(each, "converted") == "true" for each in package.statuses):
            package.fail("StandardValueSet", "LeadStatus", "a converted value is needed")
        else:
            package.take("StandardValueSet", "LeadStatus", created=False)
    for name, root in package.sets.items():
        problems = [*_problems_of_set(org, root, made)]
        for problem in problems:
            package.fail("PermissionSet", name, problem)
        if not problems:
            known = org.rows(f"SELECT Id FROM PermissionSet WHERE Name = '{name}'")
            package.take("PermissionSet", name, created=not known)


def _problem(element: Xml.Element, no_object: bool, found: FieldSpec | None) -> str | None:
    """The first of these that is so."""
    name, kind, label = (_text(element, tag) for tag in ("fullName", "type", "label"))
    values = _names(element)
    changed = found is not None and found.type != _TYPES.get(kind)
    listed = kind in ("Picklist", "MultiselectPicklist")
    cases = (
        (no_object, "Entity of this name does not exist"),
        (not name.endswith("__c"), f"Invalid fullName, must end in a custom suffix (e.g. __c): {name}"),
        (kind not in _TYPES, f"the practice org does not know the type {kind}"),
        (not label, "Required field is missing: label"),
        (len(label) > 40, "Label: data value too large (max length=40)"),
        (changed, f"Cannot change field type to {kind}"),
        (len(values) != len({value.lower() for value in values}), "Duplicate picklist value"),
        (listed and not values, "Must specify a valueSet"),
    )
    return next((problem for holds, problem in cases if holds), None)


def _problems_of_set(org: PracticeOrg, root: Xml.Element, made: set[tuple[str, str]]) -> Iterator[str]:
    read = {_text(each, "object") for each in _all(root, "objectPermissions") if _text(each, "allowRead") == "true"}
    every = {
        _text(each, "object") for each in _all(root, "objectPermissions") if _text(each, "viewAllRecords") == "true"
    }
    for name in sorted(read):
        if name in _NO_OBJECT_RIGHTS or org.schema.find(name) is None:
            yield f"In field: field - no CustomObject named {name} found"
        if name in _NEEDS_ACCOUNT and "Account" not in read:
            yield f"Permission Read {name} depends on permission(s): Read Account"
        if name in _NEEDS_ACCOUNT and name in every and "Account" not in every:
            yield f"Permission View All {name} depends on permission(s): View All Account"
    for each in _all(root, "userPermissions"):
        if _text(each, "name") not in _RIGHTS:
            yield f"Unknown user permission: {_text(each, 'name')}"
    for each in _all(root, "fieldPermissions"):
        object_name, _, name = _text(each, "field").partition(".")
        spec = org.schema.find(object_name)
        found = spec.find(name) if spec else None
        if found is None and (object_name, name) not in made:
            yield f"In field: field - no CustomField named {object_name}.{name} found"
        elif found is not None and not (found.custom or (found.nillable and found.updateable)):
            yield f"You cannot deploy to a required field: {object_name}.{name}"


def _make(org: PracticeOrg, package: _Package) -> None:
    for object_name, element in package.fields:
        known = org.schema.get(object_name).find(_text(element, "fullName"))
        org.define(object_name, [_spec(element, known)])
    if package.statuses:
        org.set_picklist("Lead", "Status", [_text(each, "fullName") for each in package.statuses])
    for name, root in package.sets.items():
        if not org.rows(f"SELECT Id FROM PermissionSet WHERE Name = '{name}'"):
            org.create("PermissionSet", [{"Name": name, "Label": _text(root, "label")}])
        for each in _all(root, "fieldPermissions"):
            object_name, _, field_name = _text(each, "field").partition(".")
            found = org.schema.get(object_name).find(field_name)
            if found is not None and not found.visible:
                is_written = _text(each, "editable") == "true"
                shown = replace(found, visible=True, updateable=is_written, createable=is_written)
                org.define(object_name, [shown])


def _spec(element: Xml.Element, known: FieldSpec | None) -> FieldSpec:
    values = tuple(
        Value(
            _text(each, "fullName"),
            _text(each, "label"),
            _text(each, "default") == "true",
            _text(each, "isActive") != "false",
        )
        for each in element.iter(f"{_NAMESPACE}value")
    )
    restricted = next((each.text == "true" for each in element.iter(f"{_NAMESPACE}restricted")), False)
    if known is not None:
        return replace(known, label=_text(element, "label"), values=values, restricted=restricted)
    length, precision, scale = (int(_text(element, name) or 0) for name in ("length", "precision", "scale"))
    return FieldSpec(
        _text(element, "fullName"), _TYPES[_text(element, "type")], _text(element, "label"), length, precision, scale,
        values=values, restricted=restricted, visible=False, updateable=False, createable=False,
    )  # fmt: skip


_NAMESPACE = "{http://soap.sforce.com/2006/04/metadata}"


def _all(element: Xml.Element, tag: str) -> list[Xml.Element]:
    return element.findall(f"{_NAMESPACE}{tag}")


def _text(element: Xml.Element, tag: str) -> str:
    return (element.findtext(f"{_NAMESPACE}{tag}") or "").strip()


def _names(element: Xml.Element) -> list[str]:
    return [_text(each, "fullName") for each in element.iter(f"{_NAMESPACE}value")]
