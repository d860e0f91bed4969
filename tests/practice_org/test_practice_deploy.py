"""Metadata by REST: what a package makes, what it may not, and how its fate is asked for."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from practice_org.salesforce.org import PracticeOrg
from tests.practice_org.practice_api import Api

HEAD = '<{0} xmlns="http://soap.sforce.com/2006/04/metadata">{1}</{0}>'
FIELD = "<fields><fullName>Level__c</fullName><label>Level</label><length>80</length><type>Text</type></fields>"
RIGHTS = "<editable>true</editable><field>Contact.Level__c</field><readable>true</readable>"
GRANT = f"<fieldPermissions>{RIGHTS}</fieldPermissions>"


def packed(files: dict[str, str], **members: str) -> bytes:
    types = "".join(f"<types><members>{name}</members><name>{kind}</name></types>" for kind, name in members.items())
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as into:
        into.writestr("package.xml", HEAD.format("Package", types + "<version>67.0</version>"))
        for path, text in files.items():
            into.writestr(path, text)
    return content.getvalue()


def deploy(api: Api, content: bytes, **options: Any) -> dict[str, Any]:
    parts = {
        "json": (None, json.dumps({"deployOptions": options}), "application/json"),
        "file": ("package.zip", content, "application/zip"),
    }
    begun = api.call("POST", "metadata/deployRequest", files=parts)
    assert begun.status_code == 201, begun.text
    path = f"metadata/deployRequest/{begun.json()['id']}"
    assert api.get(path).json()["deployResult"]["status"] == "InProgress"
    result: dict[str, Any] = api.get(path, includeDetails="true").json()["deployResult"]
    return result


def problems(result: dict[str, Any]) -> list[str]:
    return [each["problem"] for each in result["details"]["componentFailures"]]


OBJECT = {"objects/Contact.object": HEAD.format("CustomObject", FIELD)}


def test_a_field_is_made_and_hidden_until_a_permission_set_names_it(api: Api, org: PracticeOrg) -> None:
    done = deploy(api, packed(OBJECT, CustomField="Contact.Level__c"))
    assert (done["status"], done["details"]["componentSuccesses"][0]["created"]) == ("Succeeded", True)
    assert "Level__c" not in {each["name"] for each in api.get("sobjects/Contact/describe").json()["fields"]}
    files = {"permissionsets/Mine.permissionset": HEAD.format("PermissionSet", "<label>Mine</label>" + GRANT)}
    assert deploy(api, packed(files, PermissionSet="Mine"))["status"] == "Succeeded"
    (found,) = (each for each in api.get("sobjects/Contact/describe").json()["fields"] if each["name"] == "Level__c")
    assert (found["label"], found["length"], found["updateable"]) == ("Level", 80, True)


def test_a_check_makes_nothing(api: Api, org: PracticeOrg) -> None:
    assert deploy(api, packed(OBJECT, CustomField="Contact.Level__c"), checkOnly=True)["status"] == "Succeeded"
    assert org.schema.get("Contact").find("Level__c") is None


@pytest.mark.parametrize(
    ("files", "members", "said"),
    [
        (OBJECT, {}, "Contact.Level__c is not in package.xml"),
        ({}, {"CustomField": "Contact.Level__c"}, "was not found in zipped directory"),
        ({"objects/Contact.object": "<no"}, {}, "Error parsing file"),
        ({"flows/A.flow": HEAD.format("Flow", "")}, {}, "does not know this kind"),
        (
            {"permissionsets/M.permissionset": HEAD.format("PermissionSet", GRANT)},
            {"PermissionSet": "M"},
            "no CustomField named Contact.Level__c found",
        ),
    ],
)
def test_what_is_wrong_fails_as_a_whole(
    api: Api, org: PracticeOrg, files: dict[str, str], members: dict[str, str], said: str
) -> None:
    done = deploy(api, packed(files, **members))
    assert done["status"] == "Failed"
    assert any(said in each for each in problems(done)), problems(done)
    assert org.schema.get("Contact").find("Level__c") is None


def test_what_is_no_package_is_refused_at_once(api: Api) -> None:
    assert api.call("POST", "metadata/deployRequest", data=b"x").status_code == 400
    parts = {"json": (None, '{"deployOptions": {}}'), "file": ("a.zip", b"no zip")}
    assert api.call("POST", "metadata/deployRequest", files=parts).status_code == 400
    assert api.get("metadata/deployRequest/0Af000000000009AAA").status_code == 404
