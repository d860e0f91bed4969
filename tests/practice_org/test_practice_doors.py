"""How clients get in: addresses as they join them, old versions, tokens that end, and what is not offered."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import requests

from practice_org.practice import serve
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.rest.absent import RESOURCES
from practice_org.salesforce.schema import FieldSpec
from practice_org.serving.server import Server
from tests.practice_org.practice_api import Api
from tests.practice_org.test_practice_oauth import GRANT, ask, assertion, refusal

PAGE = Path(__file__).parents[2] / "docs" / "practice-org.md"


def raw(api: Api, path: str) -> requests.Response:
    """A GET whose path goes out exactly as it stands."""
    request = requests.Request("GET", api.server.url, headers=dict(api.session.headers)).prepare()
    request.url = api.server.url + path
    return api.session.send(request, timeout=10)


@pytest.mark.parametrize(
    "path",
    ["//services/data/v67.0/limits", "/services/data/v67.0/sobjects/../limits", "/services/data/v67.0/limits/",
     "/x/../services/./data/v67.0/limits"],
)  # fmt: skip
def test_an_address_that_was_joined_carelessly_leads_there(api: Api, path: str) -> None:
    assert "DailyApiRequests" in raw(api, path).json()


def test_an_empty_part_inside_a_path_is_not_found(api: Api) -> None:
    assert raw(api, "/services/data/v67.0//limits").status_code == 404


def test_sign_in_may_end_with_a_slash(server: Server, org: PracticeOrg) -> None:
    form = {"grant_type": GRANT, "assertion": assertion(org)}
    assert requests.post(f"{server.url}//services/oauth2/token/", data=form, timeout=10).status_code == 200


def test_an_external_id_may_hold_a_slash_and_a_percent(api: Api, org: PracticeOrg) -> None:
    org.define("Contact", [FieldSpec("Key__c", "string", length=80, external_id=True)])
    path = "sobjects/Contact/Key__c/a%2Fb%2520c"
    assert api.call("PATCH", path, json={"LastName": "Ada"}).status_code == 201
    assert api.get(path).json()["Key__c"] == "a/b%20c"
    part = {"method": "GET", "url": f"/services/data/v67.0/{path}", "referenceId": "one"}
    answer = api.call("POST", "composite", json={"compositeRequest": [part]}).json()
    assert answer["compositeResponse"][0]["body"]["Key__c"] == "a/b%20c"


def test_the_forms_of_an_assertion_that_clients_send_are_taken(server: Server, org: PracticeOrg) -> None:
    now = int(org.clock.now().timestamp())
    for changes in ({"exp": str(now + 120)}, {"exp": now * 1000 + 300}, {"aud": "https://login.salesforce.com/"},
                    {"aud": f"{server.url}/"}):  # fmt: skip
        answer = ask(server, grant_type=GRANT, assertion=assertion(org, **changes))
        assert answer.status_code == 200, (changes, answer.text)


@pytest.mark.parametrize("late", ["soon", "", -60, True, "nan", 1e15])
def test_a_time_that_is_none_or_past_is_refused(server: Server, org: PracticeOrg, late: object) -> None:
    expires = int(org.clock.now().timestamp()) + late if isinstance(late, int) and late is not True else late
    answer = ask(server, grant_type=GRANT, assertion=assertion(org, exp=expires))
    assert refusal(answer) == ("invalid_grant", "expired authorization code")


def test_the_identity_is_a_whole_address(api: Api, org: PracticeOrg) -> None:
    identity = api.get("").json()["identity"]
    assert identity == f"{api.server.url}/id/{org.organization_id}/{org.user_id}"
    told = api.session.get(identity, timeout=10).json()
    assert (told["user_id"], told["photos"].keys()) == (org.user_id, {"picture", "thumbnail"})


def test_a_revoked_token_no_longer_holds(server: Server, org: PracticeOrg) -> None:
    other = org.credentials.issue()
    answer = requests.post(f"{server.url}/services/oauth2/revoke", data={"token": other}, timeout=10)
    assert (answer.status_code, answer.text) == (200, "")
    assert not org.accepts(other)
    again = requests.get(f"{server.url}/services/oauth2/revoke", params={"token": other}, timeout=10)
    assert refusal(again) == ("invalid_token", "invalid token")
    requests.post(f"{server.url}/services/oauth2/revoke", data={"token": org.credentials.refresh_token}, timeout=10)
    assert not org.accepts(org.credentials.access_token)


def test_introspection_tells_of_a_token_to_its_app_only(server: Server, org: PracticeOrg) -> None:
    given = org.credentials
    form = {"client_id": given.client_id, "client_secret": given.client_secret}
    url = f"{server.url}/services/oauth2/introspect"
    told = requests.post(url, data={**form, "token": given.access_token}, timeout=10).json()
    assert (told["active"], told["username"], told["exp"] - told["iat"]) == (True, given.username, 7200)
    kept = requests.post(url, data={**form, "token": given.refresh_token}, timeout=10).json()
    assert (kept["active"], kept["token_type"]) == (True, "refresh_token")
    assert requests.post(url, data={**form, "token": "no"}, timeout=10).json() == {"active": False}
    assert requests.post(url, data={"token": given.access_token}, timeout=10).status_code == 401


def test_the_announced_credentials_open_every_system() -> None:
    with serve(systems=("pardot", "marketo", "hubspot")) as practice:
        given = practice.credentials()
        form = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"],
                "client_id": given["client_id"], "client_secret": given["client_secret"]}  # fmt: skip
        assert requests.post(f"{practice.url}/services/oauth2/token", data=form, timeout=10).status_code == 200
        marketo = {"grant_type": "client_credentials", "client_id": given["marketo_client_id"],
                   "client_secret": given["marketo_client_secret"]}  # fmt: skip
        assert requests.get(f"{practice.url}/identity/oauth/token", params=marketo, timeout=10).status_code == 200
        bearer = {"Authorization": f"Bearer {given['hubspot_token']}"}
        assert requests.get(f"{practice.url}/crm/v3/objects/contacts", headers=bearer, timeout=10).status_code == 200


def test_old_versions_answer_and_an_upsert_says_what_it_did_only_since_46(server: Server, org: PracticeOrg) -> None:
    org.define("Contact", [FieldSpec("Key__c", "string", length=80, external_id=True)])
    for version, status in (("31.0", 204), ("45.0", 204), ("46.0", 200)):
        api = Api(server, version)
        assert api.call("PATCH", f"sobjects/Contact/Key__c/{version}", json={"LastName": "A"}).status_code == 201
        assert api.call("PATCH", f"sobjects/Contact/Key__c/{version}", json={"LastName": "B"}).status_code == status
        api.session.close()
    assert Api(server, "30.0").get("limits").status_code == 410


def test_what_is_not_offered_says_so_by_its_name(api: Api) -> None:
    for one in RESOURCES:
        below = one.below.format(object="Account")
        for path in (below, f"{below}/more/of/it"):
            answer = api.get(path)
            assert (answer.status_code, answer.json()[0]["errorCode"]) == (403, "FUNCTIONALITY_NOT_ENABLED")
            assert one.name in answer.json()[0]["message"]


def test_what_stands_beside_the_rest_api_says_so_too(api: Api) -> None:
    soap = api.call("POST", "/services/Soap/u/67.0")
    assert (soap.status_code, "SOAP API login() is disabled" in soap.text) == (500, True)
    apex = api.get("/services/apexrest/anything")
    assert (apex.status_code, apex.json()[0]["errorCode"]) == (404, "NOT_FOUND")
    streaming = api.call("POST", "/cometd/67.0")
    assert (streaming.status_code, streaming.json()[0]["errorCode"]) == (403, "FUNCTIONALITY_NOT_ENABLED")
    for path in ("/apex/Page", "/aura"):
        page = api.get(path)
        assert (page.status_code, page.json()[0]["message"]) == (404, f"Could not find a match for URL {path}")


def test_the_page_lists_what_is_not_offered() -> None:
    listed = re.findall(r"^\| `([^`/][^`]*)` \| (.+) \|$", PAGE.read_text(), re.M)
    assert listed == [(one.below, one.name) for one in RESOURCES]


def test_the_types_of_metadata_are_told_by_soap_to_who_is_signed_in(api: Api, org: PracticeOrg) -> None:
    def asked(session: str, what: str) -> requests.Response:
        header = f"<SessionHeader><sessionId>{session}</sessionId></SessionHeader>"
        body = f"<Envelope><Header>{header}</Header><Body><{what}/></Body></Envelope>"
        return api.call("POST", "/services/Soap/m/67.0", data=body, headers={"Content-Type": "text/xml"})

    told = asked(org.credentials.access_token, "describeMetadata")
    assert told.status_code == 200
    assert re.findall(r"<xmlName>(\w+)<", told.text) == ["CustomObject", "PermissionSet", "StandardValueSet"]
    for session, what, code in (("nobody", "describeMetadata", "INVALID_SESSION_ID"),
                                (org.credentials.access_token, "readMetadata", "INVALID_OPERATION")):  # fmt: skip
        refused = asked(session, what)
        assert (refused.status_code, f"sf:{code}" in refused.text) == (500, True)


def test_the_front_door_leads_to_the_page(server: Server, api: Api) -> None:
    door = api.get("/services/oauth2/singleaccess").json()["frontdoor_uri"]
    assert "<h1>Practice org</h1>" in requests.get(door, timeout=10).text
    assert requests.get(f"{server.url}/services/oauth2/singleaccess", timeout=10).status_code == 403
