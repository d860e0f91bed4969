"""An org's side of a mapping as Salesforce metadata: fields, values, a permission set; as a project, and as a package.

Only what is missing is in it, and what is there keeps all it has: a picklist that lacks values is sent with those that
it has already, active or not as they are.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as Xml

from connector.base.json import JsonMap
from connector.base.text import label_of
from connector.lifecycle.needs import Holds, NeededField
from connector.lifecycle.written import LONGEST

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
PERMISSION_SET = "Lifecycle_Connector"
LEAD_STATUS = "LeadStatus"
LEAD_STATUS_FIELD = ("Lead", "Status")
SOURCES_AT = "force-app/main/default"
_Body = Sequence[tuple[str, Any]]  # tag -> text, or more of the same; a tag may come again
_TYPES: Mapping[str, _Body] = {
    Holds.NUMBER: (("precision", 18), ("scale", 0), ("type", "Number")),
    Holds.DATE: (("type", "Date"),),
    Holds.TIME: (("type", "DateTime"),),
}


@dataclass(frozen=True)
class FieldFile:
    """A custom field: one that is made, or a picklist that gets ``new`` values."""

    object_name: str
    name: str
    body: _Body
    new: tuple[str, ...] = ()
    is_there: bool = False


@dataclass(frozen=True)
class Access:
    """What the integration user needs: object -> whether it is written; object, field -> whether it is written; rights
    that are about no object."""

    objects: Mapping[str, bool]
    fields: Mapping[tuple[str, str], bool]
    rights: Sequence[str]


@dataclass(frozen=True)
class Blueprint:
    """All of it. ``statuses``: the whole LeadStatus value set, where the org was asked and it lacks some."""

    fields: Sequence[FieldFile]
    access: Access
    statuses: _Body = ()
    new_statuses: Sequence[str] = ()
    is_of_an_org: bool = False  # an org was asked what it has

    @property
    def adds(self) -> list[str]:
        """What is not there yet, in words."""
        made = [f"the field {each.object_name}.{each.name}" for each in self.fields if not each.is_there]
        values = [(f"{each.object_name}.{each.name}", each.new) for each in self.fields if each.is_there]
        values += [(".".join(LEAD_STATUS_FIELD), tuple(self.new_statuses))] if self.new_statuses else []
        return made + [f"the values {', '.join(new)} to {where}" for where, new in values]


def new_field(need: NeededField) -> FieldFile:
    label = label_of(need.name)
    told = f"Written by the lifecycle connector ({need.track})."
    body = (("fullName", need.name), ("description", told), *_typed(need, label))
    return FieldFile(need.object_name, need.name, body, need.values)


def _typed(need: NeededField, label: str) -> _Body:
    values = [_value(each, each) for each in need.values]
    if need.holds == Holds.ONE_OF:
        return (("label", label), ("type", "Picklist"), _value_set(values))
    if need.holds == Holds.SOME_OF:
        return (("label", label), ("type", "MultiselectPicklist"), _value_set(values), ("visibleLines", 4))
    if need.holds == Holds.TEXT and need.length > LONGEST:
        return (("label", label), ("length", 32768), ("type", "LongTextArea"), ("visibleLines", 3))
    if need.holds == Holds.TEXT:
        return (("label", label), ("length", need.length or LONGEST), ("type", "Text"))
    return (("label", label), *_TYPES[need.holds])


def more_values(need: NeededField, described: JsonMap) -> FieldFile:
    """A picklist of the org with the values that it lacks behind those that it has. One that it has, but not active,
    becomes active."""
    had = list(described.get("picklistValues", ()))
    active = {each["value"] for each in had if each.get("active")}
    new = tuple(each for each in need.values if each not in active)
    known = {each["value"] for each in had}
    values = [
        _value(
            str(each["value"]),
            str(each.get("label") or each["value"]),
            is_default=bool(each.get("defaultValue")),
            is_active=bool(each.get("active")) or each["value"] in new,
        )
        for each in had
    ]
    values += [_value(each, each) for each in new if each not in known]
    is_multiple = described.get("type") == "multipicklist"
    body: list[tuple[str, Any]] = [("fullName", need.name), ("label", str(described["label"]))]
    if told := described.get("inlineHelpText"):
        body.insert(1, ("inlineHelpText", str(told)))
    body.append(("type", "MultiselectPicklist" if is_multiple else "Picklist"))
    body.append(_value_set(values, is_restricted=bool(described.get("restrictedPicklist"))))
    body += [("visibleLines", int(described.get("precision") or 4))] if is_multiple else []
    return FieldFile(need.object_name, need.name, body, new, is_there=True)


def _value_set(values: Sequence[_Body], *, is_restricted: bool = False) -> tuple[str, _Body]:
    """Not restricted, unless it is so already: a restricted one takes a value only from record types that offer it, and
    new values are offered by none."""
    definition = (("sorted", False), *(("value", each) for each in values))
    return "valueSet", (("restricted", is_restricted), ("valueSetDefinition", definition))


def _value(name: str, label: str, *, is_default: bool = False, is_active: bool = True) -> _Body:
    inactive: _Body = () if is_active else (("isActive", False),)
    return (("fullName", name), ("default", is_default), *inactive, ("label", label))


def lead_statuses(rows: Sequence[JsonMap], described: JsonMap, wanted: Sequence[str]) -> tuple[_Body, tuple[str, ...]]:
    """The whole list, since a deploy replaces it, and which of it is new. ``rows``: of LeadStatus, in their order."""
    known = {str(row["ApiName"]): row for row in rows}
    active = {str(each["value"]) for each in described.get("picklistValues", ()) if each.get("active")}
    new = tuple(each for each in wanted if each not in active)
    values = [
        _status(name, str(row["MasterLabel"]), bool(row["IsDefault"]), bool(row["IsConverted"]))
        for name, row in known.items()
    ]
    values += [_status(each, each, False, False) for each in new if each not in known]
    return (("sorted", False), *(("standardValue", each) for each in values)), new


def _status(name: str, label: str, is_default: bool, is_converted: bool) -> _Body:
    return (("fullName", name), ("default", is_default), ("label", label), ("converted", is_converted))


def permission_set(access: Access) -> _Body:
    """Every right by its name, and none beside it; in the order in which Salesforce writes them."""
    fields = [
        ("fieldPermissions", (("editable", is_written), ("field", f"{object_name}.{name}"), ("readable", True)))
        for (object_name, name), is_written in sorted(access.fields.items())
    ]
    objects = [
        (
            "objectPermissions",
            (
                ("allowCreate", False),
                ("allowDelete", False),
                ("allowEdit", is_written),
                ("allowRead", True),
                ("modifyAllRecords", False),
                ("object", name),
                ("viewAllRecords", True),
            ),
        )
        for name, is_written in sorted(access.objects.items())
    ]
    rights = [("userPermissions", (("enabled", True), ("name", each))) for each in sorted(access.rights)]
    told = "What the lifecycle connector reads and writes, and nothing else."
    return (("description", told), *fields, ("hasActivationRequired", False), ("label", "Lifecycle Connector"),
            *objects, *rights)  # fmt: skip


def project(blueprint: Blueprint, api_version: str) -> dict[str, str]:
    """Path -> text of a Salesforce DX project."""
    files = {
        "sfdx-project.json": json.dumps(
            {
                "packageDirectories": [{"path": "force-app", "default": True}],
                "name": "lifecycle-connector",
                "sourceApiVersion": api_version,
            },
            indent=2,
        )
        + "\n",
        "manifest/package.xml": _manifest(blueprint, api_version),
    }
    for each in blueprint.fields:
        path = f"{SOURCES_AT}/objects/{each.object_name}/fields/{each.name}.field-meta.xml"
        files[path] = xml("CustomField", each.body)
    if blueprint.new_statuses:
        path = f"{SOURCES_AT}/standardValueSets/{LEAD_STATUS}.standardValueSet-meta.xml"
        files[path] = xml("StandardValueSet", blueprint.statuses)
    path = f"{SOURCES_AT}/permissionsets/{PERMISSION_SET}.permissionset-meta.xml"
    files[path] = xml("PermissionSet", permission_set(blueprint.access))
    return files


def package(blueprint: Blueprint, api_version: str) -> bytes:
    """The zip file that deployRequest takes: in the metadata format, where an object's fields are one file."""
    files = {"package.xml": _manifest(blueprint, api_version)}
    for name in sorted({each.object_name for each in blueprint.fields}):
        own = [("fields", each.body) for each in blueprint.fields if each.object_name == name]
        files[f"objects/{name}.object"] = xml("CustomObject", own)
    if blueprint.new_statuses:
        files[f"standardValueSets/{LEAD_STATUS}.standardValueSet"] = xml("StandardValueSet", blueprint.statuses)
    files[f"permissionsets/{PERMISSION_SET}.permissionset"] = xml("PermissionSet", permission_set(blueprint.access))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as into:
        for path, text in files.items():
            into.writestr(path, text)
    return packed.getvalue()


def _manifest(blueprint: Blueprint, api_version: str) -> str:
    members = {
        "CustomField": [f"{each.object_name}.{each.name}" for each in blueprint.fields],
        "PermissionSet": [PERMISSION_SET],
        "StandardValueSet": [LEAD_STATUS] if blueprint.new_statuses else [],
    }
    types = [
        ("types", (*(("members", each) for each in sorted(names)), ("name", kind)))
        for kind, names in members.items()
        if names
    ]
    return xml("Package", (*types, ("version", api_version)))


def xml(root: str, body: _Body) -> str:
    made = Xml.Element(root, {"xmlns": NAMESPACE})
    _fill(made, body)
    Xml.indent(made, "    ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{Xml.tostring(made, encoding="unicode")}\n'


def _fill(element: Xml.Element, body: _Body) -> None:
    for tag, value in body:
        child = Xml.SubElement(element, tag)
        if isinstance(value, bool):
            child.text = "true" if value else "false"
        elif isinstance(value, str | int):
            child.text = str(value)
        else:
            _fill(child, value)
