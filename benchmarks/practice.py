"""How fast the practice org is over HTTP: ``python benchmarks/practice.py [--rows 50000] [--json]``.

A query of ten fields is read page by page, and rows are changed 200 at a time, by a client in this process that does no
more than read the bytes. Per second of time, and per second of this process's CPU, which a busy machine blurs less.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import time
from collections.abc import Callable
from urllib.parse import quote

from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server

SOQL = (
    "SELECT Id, FirstName, LastName, Email, Title, Phone, LeadSource, OwnerId, CreatedDate, SystemModstamp FROM Contact"
)
TARGETS = {"rows read": 50_000, "rows written": 10_000}  # a second
_NEXT = re.compile(rb'"nextRecordsUrl":"([^"]+)"')


class Client:
    """One connection, signed in."""

    def __init__(self, server: Server) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port)
        self.headers = {"Authorization": f"Bearer {server.org.credentials.access_token}"}

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        self.connection.request(method, path, body, self.headers)
        answer = self.connection.getresponse()
        found = answer.read()
        assert answer.status == 200, found[:500]
        return found


def read(client: Client) -> None:
    body = client.ask("GET", f"/services/data/v67.0/query?q={quote(SOQL)}")
    while found := _NEXT.search(body[:400]):
        body = client.ask("GET", found[1].decode())


def write(client: Client, ids: list[str], title: str) -> None:
    for start in range(0, len(ids), 200):
        rows = [{"attributes": {"type": "Contact"}, "id": one, "Title": title} for one in ids[start : start + 200]]
        client.ask("PATCH", "/services/data/v67.0/composite/sobjects", json.dumps({"records": rows}).encode())


def rate(number: int, work: Callable[[], None]) -> dict[str, float]:
    started, used = time.perf_counter(), time.process_time()
    work()
    return {
        "a second": round(number / (time.perf_counter() - started)),
        "a CPU second": round(number / (time.process_time() - used)),
    }


def measure(rows: int) -> dict[str, dict[str, float]]:
    org = PracticeOrg()
    person = {"FirstName": "Ada", "Title": "Engineer", "Phone": "+49 30 1234", "LeadSource": "Web"}
    ids = org.create("Contact", [{**person, "LastName": f"B{n}", "Email": f"a{n}@x.example"} for n in range(rows)])
    try:
        with Server(org) as server:
            client = Client(server)
            read(client)  # warm
            return {
                "rows read": rate(rows, lambda: read(client)),
                "rows written": rate(rows, lambda: write(client, ids, "Director")),
            }
    finally:
        org.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = measure(given.rows)
    if given.json:
        print(json.dumps(found))
        return
    for what, rates in found.items():
        told = ", ".join(f"{value:,.0f} {per}" for per, value in rates.items())
        print(f"{what:<14} {told} (wanted: {TARGETS[what]:,})")


if __name__ == "__main__":
    main()
