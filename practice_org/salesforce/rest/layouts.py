"""What an org says of its screens: one layout a kind, with nothing on it, because nothing here is seen on a screen."""

from __future__ import annotations

from typing import Any

from practice_org.salesforce.describe import MASTER_RECORD_TYPE, name_field, picklists
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import not_found
from practice_org.salesforce.rest.calls import Call, Reply, Router
from practice_org.salesforce.rest.rows import spec_of

_NAMED = {("User", "UserAlt"), ("User", "UserProfile")}  # the layouts that are asked for by name


def routes(router: Router) -> None:
    router.add(r"sobjects/(?P<name>\w+)/describe/layouts(?:/\w+)?", GET=layouts)
    router.add(r"sobjects/(?P<name>\w+)/describe/namedLayouts/(?P<layout>\w+)", GET=named)
    router.add(r"sobjects/(?P<name>\w+)/describe/compactLayouts", GET=compact)
    router.add(r"sobjects/(?P<name>\w+)/describe/approvalLayouts", GET=approval)
    router.add(r"ui-api/object-info/(?P<name>\w+)/picklist-values/(?P<kind>\w+)", GET=values_by_record_type)


def layouts(org: PracticeOrg, call: Call, name: str) -> Reply:
    spec = spec_of(org, name)
    layout: dict[str, Any] = {
        "id": None,
        "buttonLayoutSection": {"detailButtons": []},
        "detailLayoutSections": [],
        "editLayoutSections": [],
        "quickActionList": {"quickActionListItems": []},
        "relatedLists": [],
    }
    master: dict[str, Any] = {
        "available": True,
        "defaultRecordTypeMapping": True,
        "layoutId": None,
        "master": True,
        "name": "Master",
        "picklistsForRecordType": [],
        "recordTypeId": MASTER_RECORD_TYPE,
        "urls": {"layout": f"{call.base}/sobjects/{spec.name}/describe/layouts"},
    }
    return Reply(body={"layouts": [layout], "recordTypeMappings": [master], "recordTypeSelectorRequired": [False]})


def named(org: PracticeOrg, call: Call, name: str, layout: str) -> Reply:
    if (spec_of(org, name).name, layout) not in _NAMED:
        raise not_found()
    return layouts(org, call, name)


def compact(org: PracticeOrg, call: Call, name: str) -> Reply:
    """The system default, with the name field alone."""
    spec = spec_of(org, name)
    base = f"{call.base}/sobjects/{spec.name}/describe/compactLayouts"
    shown = name_field(spec) or "Id"
    item = {"editableForNew": False, "editableForUpdate": False, "label": shown, "layoutComponents": []}
    layout = {"actions": [], "fieldItems": [item], "id": None, "imageItems": [], "label": "System Default",
              "name": "SYSTEM", "objectType": spec.name}  # fmt: skip
    mapping = {"available": True, "compactLayoutId": None, "compactLayoutName": "SYSTEM",
               "recordTypeId": MASTER_RECORD_TYPE, "recordTypeName": "Master",
               "urls": {"compactLayout": f"{base}/{MASTER_RECORD_TYPE}"}}  # fmt: skip
    body = {"compactLayouts": [layout], "defaultCompactLayoutId": None, "recordTypeCompactLayoutMappings": [mapping],
            "urls": {"primary": f"{base}/primary"}}  # fmt: skip
    return Reply(body=body)


def approval(org: PracticeOrg, call: Call, name: str) -> Reply:
    """None: there are no approval processes."""
    spec_of(org, name)
    return Reply(body={"approvalLayouts": []})


def values_by_record_type(org: PracticeOrg, call: Call, name: str, kind: str) -> Reply:
    """Of the User Interface API this much: the values of an object's picklists for a record type."""
    return Reply(body={"picklistFieldValues": picklists(org, spec_of(org, name), kind, call.base)})
