"""Signing in: the token endpoint and userinfo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from practice_org.salesforce.credentials import Refused
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.refusals import OF_SIGN_IN
from practice_org.salesforce.rest.calls import Reply


def token(org: PracticeOrg, form: Mapping[str, str], authorization: str, host: str, url: str) -> Reply:
    """``POST /services/oauth2/token``"""
    headers = {"Cache-Control": "no-store"}
    try:
        if org.faults.take("refresh_busy"):
            raise Refused("invalid_grant", "token request is already being processed")
        fault = org.faults.take("sign_in")
        if fault is not None:
            error = str(fault.values.get("error", "invalid_grant"))
            raise Refused(error, str(fault.values.get("description", OF_SIGN_IN.get(error, ""))))
        return Reply(body=org.credentials.grant(form, authorization, host, url), headers=headers)
    except Refused as refused:
        return Reply(400, {"error": refused.error, "error_description": refused.description}, headers)


def revoke(org: PracticeOrg, form: Mapping[str, str]) -> Reply:
    """``/services/oauth2/revoke``: 200 and nothing, or 400 for a token that is none."""
    if org.credentials.revoke(form.get("token", "")):
        return Reply(200, "", content_type="text/html;charset=UTF-8")
    return Reply(400, {"error": "invalid_token", "error_description": "invalid token"})


def introspect(org: PracticeOrg, form: Mapping[str, str], authorization: str, url: str) -> Reply:
    """``POST /services/oauth2/introspect``"""
    try:
        return Reply(body=org.credentials.introspect(form, authorization, url))
    except Refused as refused:
        return Reply(401, {"error": refused.error, "error_description": refused.description})


def userinfo(org: PracticeOrg, url: str) -> dict[str, Any]:
    """``/services/oauth2/userinfo`` and ``/id/<org>/<user>``"""
    user = org.rows(f"SELECT Name, Email, Username FROM User WHERE Id = '{org.user_id}'")[0]
    return {
        "id": f"{url}/id/{org.organization_id}/{org.user_id}",
        "sub": f"{url}/id/{org.organization_id}/{org.user_id}",
        "user_id": org.user_id,
        "organization_id": org.organization_id,
        "preferred_username": user["Username"],
        "username": user["Username"],
        "name": user["Name"],
        "display_name": user["Name"],
        "email": user["Email"],
        "photos": {"picture": f"{url}/profilephoto/005/F", "thumbnail": f"{url}/profilephoto/005/T"},
        "urls": {
            "rest": f"{url}/services/data/v{{version}}/",
            "sobjects": f"{url}/services/data/v{{version}}/sobjects/",
        },
    }
