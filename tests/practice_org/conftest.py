"""A practice org served on a loopback port, and a plain session signed in to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.base.clock import FrozenClock
from practice_org.marketo.system import Marketo
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server
from tests.practice_org.marketo_service import Service
from tests.practice_org.practice_api import NOW, Api


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def org(clock: FrozenClock) -> Iterator[PracticeOrg]:
    org = PracticeOrg(clock=clock)
    yield org
    org.close()


@pytest.fixture
def server(org: PracticeOrg) -> Iterator[Server]:
    with Server(org) as server:
        yield server


@pytest.fixture
def api(server: Server) -> Iterator[Api]:
    api = Api(server)
    yield api
    api.session.close()


@pytest.fixture
def marketo(org: PracticeOrg) -> Marketo:
    return Marketo(org)


@pytest.fixture
def mkto(org: PracticeOrg, marketo: Marketo, clock: FrozenClock) -> Iterator[Service]:
    with Server(org, extra_routes=marketo.routes) as server:
        client = Service(server, marketo, clock)
        yield client
        client.session.close()


@pytest.fixture
def lead_ids(marketo: Marketo) -> list[int]:
    return marketo.add_leads([{"email": f"p{n}@practice.example", "leadStatus": "Open"} for n in range(4)])
