"""HubSpot's own Python client, as it comes from PyPI, against the practice org's HubSpot.

It runs in an environment of its own (``make peers``); of its settings only the host and the retries are given.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from connector.base.clock import SystemClock
from connector.sources.hubspot.source import HubSpotSource
from practice_org.hubspot.system import HubSpot
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server

PYTHON = Path(__file__).parents[2] / ".venv-peers-marketing/bin/python"
pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason="no .venv-peers-marketing: `make peers` installs hubspot-api-client there"
)

PROGRAM = """
import json, sys
from hubspot import HubSpot
from hubspot.crm.associations.v4 import BatchInputPublicFetchAssociationsBatchRequest
from hubspot.crm.contacts import (
    ApiException, BatchInputSimplePublicObjectBatchInput, Filter, FilterGroup, PublicObjectSearchRequest,
    SimplePublicObjectInput, SimplePublicObjectInputForCreate,
)
from urllib3.util.retry import Retry

url, token, ann, call = sys.argv[1:5]
retry = Retry(total=5, status_forcelist=(429,), allowed_methods=None, backoff_factor=0.3)
api = HubSpot(access_token=token, host=url, retry=retry)
told = {}

def search(after):
    group = FilterGroup(filters=[Filter(property_name="lastmodifieddate", operator="GTE", value="1700000000000")])
    request = PublicObjectSearchRequest(
        filter_groups=[group], sorts=[{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        properties=["email", "lifecyclestage"], limit=200, after=after,
    )
    return api.crm.contacts.search_api.do_search(public_object_search_request=request)

ids, after = [], "0"
while after:
    page = search(after)
    ids += [[each.id, each.properties["email"], each.properties["lifecyclestage"]] for each in page.results]
    after = page.paging.next.after if page.paging else None
told["searched"] = ids
told["listed"] = [each.id for each in api.crm.contacts.get_all()]
told["archived"] = [each.id for each in api.crm.contacts.get_all(archived=True)]
one = api.crm.contacts.basic_api.get_by_id(
    "ann@example.com", id_property="email", properties=["lifecyclestage"], properties_with_history=["lifecyclestage"])
told["by address"] = [one.id, [each.value for each in one.properties_with_history["lifecyclestage"]]]

status = SimplePublicObjectInput(properties={"hs_lead_status": "IN_PROGRESS"})
patched = api.crm.contacts.basic_api.update(ann, simple_public_object_input=status)
told["patched"] = patched.properties["hs_lead_status"]
batch = BatchInputSimplePublicObjectBatchInput(inputs=[
    {"id": ann, "properties": {"lifecyclestage": "lead"}}, {"id": "1", "properties": {"lifecyclestage": "lead"}}])
answer = api.crm.contacts.batch_api.update(batch_input_simple_public_object_batch_input=batch)
told["batch"] = [answer.num_errors, answer.errors[0].category, answer.results[0].properties["lifecyclestage"]]
made = SimplePublicObjectInputForCreate(properties={"email": "ann@example.com"}, associations=[])
try:
    api.crm.contacts.basic_api.create(simple_public_object_input_for_create=made)
except ApiException as error:
    told["taken"] = [error.status, json.loads(error.body)["category"]]

stages = api.crm.properties.core_api.get_by_name("contacts", "lifecyclestage")
told["stages"] = [option.value for option in stages.options]
calls = api.crm.objects.calls.basic_api.get_page(
    properties=["hs_timestamp", "hs_call_direction", "hs_call_title"], associations=["contacts"]).results
told["calls"] = [
    [each.id, each.properties["hs_timestamp"], each.properties["hs_call_direction"], each.properties["hs_call_title"]]
    for each in calls]
asked = BatchInputPublicFetchAssociationsBatchRequest(inputs=[{"id": call}])
found = api.crm.associations.v4.batch_api.get_page(
    "calls", "contacts", batch_input_public_fetch_associations_batch_request=asked)
told["tied"] = [str(to.to_object_id) for to in found.results[0].to]
told["owner"] = api.crm.owners.owners_api.get_page().results[0].email
print(json.dumps(told))
"""


@pytest.fixture
def hub() -> Iterator[HubSpot]:
    """On the machine's clock: the client waits by it when the searches of a second are used up."""
    org = PracticeOrg()
    yield HubSpot(org)
    org.close()


def test_the_client_reads_and_writes_what_the_handle_has(hub: HubSpot, tmp_path: Path) -> None:
    made = [{"firstname": f"P{place}", "email": f"p{place}@example.com"} for place in range(1500)]
    people = hub.add_contacts([{**each, "lifecyclestage": "lead"} for each in made])
    [ann] = hub.add_contacts([{"email": "ann@example.com", "lifecyclestage": "opportunity"}])
    hub.update_contacts([{"id": ann, "lifecyclestage": "customer"}])
    hub.archive(people[:3])
    talk = {"hs_call_direction": "INBOUND", "hs_call_title": "Called back"}
    [call] = hub.add_engagements("calls", [{**talk, "contacts": [ann, people[5]]}])
    with Server(hub.org, extra_routes=hub.routes) as server:
        told = run([server.url, hub.token, str(ann), str(call)], tmp_path)
        ours = list(HubSpotSource(server.url, hub.token, SystemClock()).poll(None, SystemClock().now()))
    live = [str(each) for each in (*people[3:], ann)]
    known = [each for page in ours for each in page.prospects if not each.deleted]
    assert told.pop("searched") == [[each.id, each.email, each.attributes.get("lifecyclestage")] for each in known]
    [[call_id, at, direction, title]] = told.pop("calls")
    calls = [each for page in ours for each in page.activities]
    assert sorted(each.prospect_id or "" for each in calls) == sorted(told["tied"])
    assert {(each.id.split(":")[1], each.occurred_at, each.direction.upper(), each.name) for each in calls} == {
        (call_id, datetime.fromisoformat(at), direction, title)
    }
    assert [each.id for each in known] == live
    assert told.pop("listed") == live
    assert told == {
        "archived": [str(each) for each in people[:3]],
        "by address": [str(ann), ["customer", "opportunity"]],
        "patched": "IN_PROGRESS",
        "batch": [1, "OBJECT_NOT_FOUND", "customer"],
        "taken": [409, "CONFLICT"],
        "stages": [option for option, _ in hub.objects["contacts"].properties["lifecyclestage"].options],
        "tied": [str(people[5]), str(ann)],
        "owner": "owner@practice.example",
    }


def run(arguments: list[str], folder: Path) -> Any:
    done = subprocess.run(
        [str(PYTHON), "-c", PROGRAM, *arguments],
        cwd=folder,
        env={"HOME": str(folder), "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)
