"""``describe`` answers, in the shape recorded from real orgs."""

from __future__ import annotations

from typing import Any

from practice_org.salesforce.core import OrgCore
from practice_org.salesforce.schema import FieldSpec, ObjectSpec
from practice_org.salesforce.soql.select import child_relationship

MASTER_RECORD_TYPE = "012000000000000AAA"
_SOAP = {
    "boolean": "xsd:boolean", "currency": "xsd:double", "double": "xsd:double", "percent": "xsd:double",
    "int": "xsd:int", "date": "xsd:date", "datetime": "xsd:dateTime", "id": "tns:ID", "reference": "tns:ID",
    "address": "urn:address", "base64": "xsd:base64Binary",
}  # fmt: skip
_NO_BYTES = ("boolean", "currency", "double", "percent", "int", "date", "datetime", "address")


_ALWAYS: dict[str, Any] = {
    **dict.fromkeys(
        (
            "aiPredictionField",
            "autoNumber",
            "calculated",
            "cascadeDelete",
            "caseSensitive",
            "dependentPicklist",
            "deprecatedAndHidden",
            "displayLocationInDecimal",
            "encrypted",
            "formulaTreatNullNumberAsZero",
            "highScaleNumber",
            "htmlFormatted",
            "restrictedDelete",
            "searchPrefilterable",
            "writeRequiresMasterRead",
        ),
        False,
    ),
    **dict.fromkeys(
        (
            "calculatedFormula",
            "controllerName",
            "defaultValueFormula",
            "filteredLookupInfo",
            "inlineHelpText",
            "mask",
            "maskType",
            "referenceTargetField",
            "relationshipOrder",
        ),
        None,
    ),
}  # what no field of the practice org has


def _field(org: OrgCore, spec: ObjectSpec, found: FieldSpec) -> dict[str, Any]:
    long_text = found.type == "textarea" and found.length > 255
    queryable = not long_text and found.type not in ("address", "multipicklist")
    bytes_ = 18 if found.type in ("id", "reference") else 0 if found.type in _NO_BYTES else found.length * 3
    is_name = found.name == name_field(spec)
    polymorphic = len(found.reference_to) > 1
    default: Any = found.default
    if found.type == "boolean":
        default = found.default == "true"
    return {
        **_ALWAYS,
        "aggregatable": queryable and found.type != "boolean",
        "byteLength": bytes_,
        "compoundFieldName": found.compound,
        "createable": found.createable,
        "custom": found.custom,
        "defaultValue": default,
        "defaultedOnCreate": found.defaulted,
        "digits": found.digits,
        "externalId": found.external_id,
        "extraTypeInfo": "plaintextarea" if found.type == "textarea" else None,
        "filterable": not long_text,
        "groupable": queryable and found.type not in ("currency", "double", "percent", "datetime"),
        "idLookup": found.type in ("id", "email") or found.external_id or is_name,
        "label": found.label,
        "length": found.length,
        "name": found.name,
        "nameField": is_name,
        "namePointing": polymorphic,
        "nillable": found.nillable,
        "permissionable": found.custom or (found.nillable and found.updateable),
        "picklistValues": [_value(*one) for one in values_of(org, found)],
        "polymorphicForeignKey": polymorphic,
        "precision": found.precision,
        "queryByDistance": found.type == "address",
        "referenceTo": list(found.reference_to),
        "relationshipName": found.relationship,
        "restrictedPicklist": found.restricted,
        "scale": found.scale,
        "soapType": _SOAP.get(found.type, "xsd:string"),
        "sortable": not long_text and found.type not in ("address", "multipicklist"),
        "type": found.type,
        "unique": found.unique,
        "updateable": found.updateable,
    }


def name_field(spec: ObjectSpec) -> str | None:
    own = {"Case": "CaseNumber", "Order": "OrderNumber", "Task": "Subject", "Event": "Subject"}.get(spec.name, "Name")
    return own if spec.find(own) else None


def values_of(org: OrgCore, found: FieldSpec) -> list[tuple[str, str, bool, bool]]:
    """(value, label, default, active) of a picklist; those kept as records follow the records."""
    if not found.values_from:
        return [(v.value, v.label or v.value, v.default, v.active) for v in found.values]
    known = org.metadata(found.values_from)
    return [
        (label, label, bool(row.get("IsDefault")), bool(row.get("IsActive", True)))
        for label, row in ((str(row["MasterLabel"]), row) for row in known.rows.values())
    ]


def _value(value: str, label: str, default: bool, active: bool) -> dict[str, Any]:
    return {"active": active, "defaultValue": default, "label": label, "validFor": None, "value": value}


def brief(spec: ObjectSpec, base: str) -> dict[str, Any]:
    """One entry of the global describe."""
    flags = spec.flags
    url = f"{base}/sobjects/{spec.name}"
    return {
        "activateable": False,
        "associateEntityType": None,
        "associateParentEntity": None,
        "createable": "c" in flags,
        "custom": spec.custom,
        "customSetting": False,
        "deepCloneable": False,
        "deletable": "d" in flags,
        "deprecatedAndHidden": False,
        "feedEnabled": "m" in flags,
        "hasSubtypes": False,
        "isInterface": False,
        "isSubtype": False,
        "keyPrefix": spec.prefix,
        "label": spec.label,
        "labelPlural": spec.plural,
        "layoutable": "z" in flags,
        "mergeable": "m" in flags,
        "mruEnabled": "z" in flags,
        "name": spec.name,
        "queryable": True,
        "replicateable": "r" in flags,
        "retrieveable": True,
        "searchable": "z" in flags,
        "triggerable": "d" in flags,
        "undeletable": "z" in flags,
        "updateable": "u" in flags,
        "urls": {"rowTemplate": f"{url}/{{ID}}", "describe": f"{url}/describe", "sobject": url},
    }


def full(org: OrgCore, spec: ObjectSpec, base: str) -> dict[str, Any]:
    """The describe of one object: the fields that the user may see."""
    children: list[dict[str, Any]] = [
        {
            "cascadeDelete": (child.name, reference.name) in spec.cascades,
            "childSObject": child.name,
            "deprecatedAndHidden": False,
            "field": reference.name,
            "junctionIdListNames": [],
            "junctionReferenceTo": [],
            "relationshipName": child_relationship(child, reference, spec),
            "restrictedDelete": False,
        }
        for child, reference in org.schema.children(spec.name)
    ]
    return {
        "actionOverrides": [],
        **brief(spec, base),
        "childRelationships": children,
        "compactLayoutable": "z" in spec.flags,
        "defaultImplementation": None,
        "extendedBy": None,
        "extendsInterfaces": None,
        "fields": [_field(org, spec, found) for found in spec.fields.values() if found.visible],
        "implementedBy": None,
        "implementsInterfaces": None,
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": _record_types(org, spec, base),
        "searchLayoutable": "z" in spec.flags,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [{"label": f"All {spec.plural.lower()}", "name": "everything"}],
    }


def _record_types(org: OrgCore, spec: ObjectSpec, base: str) -> list[dict[str, Any]]:
    sql = "SELECT Id, DeveloperName, Name, IsActive FROM RecordType WHERE IsDeleted = 0 AND SobjectType = ? ORDER BY Id"
    found = [*org.db.read(sql, (spec.name,)), (MASTER_RECORD_TYPE, "Master", "Master", 1)]
    return [
        {
            "active": bool(active),
            "available": True,
            "defaultRecordTypeMapping": number == 0,
            "developerName": developer_name,
            "master": made == MASTER_RECORD_TYPE,
            "name": name,
            "recordTypeId": made,
            "urls": {"layout": f"{base}/sobjects/{spec.name}/describe/layouts/{made}"},
        }
        for number, (made, developer_name, name, active) in enumerate(found)
    ]


def picklists(org: OrgCore, spec: ObjectSpec, kind: str, base: str) -> dict[str, Any]:
    """The values that records of one type, or of none, may have, as the User Interface API tells them."""
    found: dict[str, Any] = {}
    for each in spec.fields.values():
        if each.visible and each.type in ("picklist", "multipicklist"):
            allowed = org.record_types.get(kind, {}).get(each.name)
            shown = [one for one in (_value(*value) for value in values_of(org, each)) if one["active"]]
            found[each.name] = {
                "controllerValues": {},
                "defaultValue": None,
                "url": f"{base}/ui-api/object-info/{spec.name}/picklist-values/{kind}/{each.name}",
                "values": [
                    {"attributes": None, "label": one["label"], "validFor": [], "value": one["value"]}
                    for one in shown
                    if allowed is None or one["value"] in allowed
                ],
            }
    return found
