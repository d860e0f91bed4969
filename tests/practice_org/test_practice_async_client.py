"""aiosalesforce, as it comes from PyPI, on the practice org: rows, queries, Composite, batches and Bulk API 2.0.

It runs in an environment of its own (``make peers``), knows no host but a My Domain, and is led to the practice org by
a CONNECT proxy and a certificate authority in its environment.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.schema import FieldSpec
from practice_org.serving.server import Server
from tests.practice_org.connect_proxy import ConnectProxy

PYTHON = Path(__file__).parents[2] / ".venv-peers-async/bin/python"
pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason="no .venv-peers-async: `make peers` installs aiosalesforce there"
)

PROGRAM = """
import asyncio, json, sys
from aiosalesforce import ClientCredentialsFlow, Salesforce
from aiosalesforce.exceptions import SalesforceError
from httpx import AsyncClient

async def main():
    found = {}
    async with AsyncClient() as http:
        auth = ClientCredentialsFlow(sys.argv[1], sys.argv[2])
        sf = Salesforce(http, "https://acme.my.salesforce.com", auth)
        made = await sf.sobject.create("Contact", {"LastName": "Ada", "Ext__c": "1"})
        await sf.sobject.update("Contact", made, {"Title": "CEO"})
        found["read"] = (await sf.sobject.get("Contact", made, fields=["Title"]))["Title"]
        found["upserted"] = [(await sf.sobject.upsert("Contact", key, "Ext__c", {"LastName": "Bo"})).created
                             for key in ("1", "2")]
        found["by key"] = (await sf.sobject.get("Contact", "2", "Ext__c"))["LastName"]
        try:
            await sf.sobject.create("Contact", {"FirstName": "no last name"})
        except SalesforceError as error:
            found["refused"] = error.error_code
        more = await sf.bulk_v2.insert("Contact", [{"LastName": f"P{n}"} for n in range(2500)] + [{"Title": "x"}])
        found["bulk"] = [len(more.successful_results), len(more.failed_results)]
        found["queried"] = len([row async for row in sf.query("SELECT Id FROM Contact")])
        async with sf.composite(all_or_none=True) as composite:
            account = composite.sobject.create("Account", {"Name": "Acme"})
            person = composite.sobject.create("Contact", {"LastName": "Cy", "AccountId": str(account.reference.id)})
        found["composite"] = person.id[:3]
        async with sf.composite.batch() as batch:
            query = batch.query("SELECT Account.Name FROM Contact WHERE LastName = 'Cy'")
        found["batch"] = query.records[0]["Account"]["Name"]
        await sf.sobject.delete("Contact", made)
    print(json.dumps(found))

asyncio.run(main())
"""


def test_aiosalesforce_does_what_it_does_in_an_org() -> None:
    org = PracticeOrg()
    org.define("Contact", [FieldSpec("Ext__c", "string", length=40, external_id=True, unique=True)])
    keys = org.credentials
    with Server(org, tls=True) as server, ConnectProxy(server.port) as proxy:
        env = {
            "PATH": os.environ["PATH"],  # noqa: TID251 - a child's
            "HTTPS_PROXY": proxy.url,
            "SSL_CERT_FILE": server.ca_file,
        }
        command = [str(PYTHON), "-c", PROGRAM, keys.client_id, keys.client_secret]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        assert set(proxy.asked) == {"acme.my.salesforce.com:443"}
    assert json.loads(done.stdout) == {
        "read": "CEO",
        "upserted": [False, True],
        "by key": "Bo",
        "refused": "REQUIRED_FIELD_MISSING",
        "bulk": [2500, 1],
        "queried": 2502,
        "composite": "003",
        "batch": "Acme",
    }
    assert len(org.rows("SELECT Id FROM Contact")) == 2502
    org.close()
