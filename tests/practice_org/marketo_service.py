"""A plain client of the Marketo imitation, for its tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import requests

from connector.base.clock import FrozenClock
from practice_org.marketo.system import Marketo
from practice_org.serving.server import Server

NOON = "2026-05-04T12:00:00Z"  # when the tests' clock stands still


class Service:
    """``get("activities", nextPageToken=...)`` with a token in the header; answers are JSON."""

    def __init__(self, server: Server, marketo: Marketo, clock: FrozenClock) -> None:
        self.url, self.marketo, self.clock = server.url, marketo, clock
        self.session = requests.Session()
        self.sign_in()

    def token(self, **others: str) -> requests.Response:
        asked = {"grant_type": "client_credentials", "client_id": self.marketo.client_id,
                 "client_secret": self.marketo.client_secret, **others}  # fmt: skip
        return self.session.get(f"{self.url}/identity/oauth/token", params=asked, timeout=10)

    def sign_in(self) -> None:
        self.session.headers["Authorization"] = f"Bearer {self.token().json()['access_token']}"

    def call(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        url = self.url + path if path.startswith("/") else f"{self.url}/rest/v1/{path}.json"
        return self.session.request(method, url, timeout=10, **kwargs)

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        return self.call("GET", path, params=params).json()

    def post(self, path: str, content: Any) -> dict[str, Any]:
        return self.call("POST", path, json=content).json()

    def code(self, path: str, **params: Any) -> str:
        """The code of the refusal, which comes inside HTTP 200."""
        response = self.call("GET", path, params=params)
        assert (response.status_code, response.json()["success"]) == (200, False)
        return response.json()["errors"][0]["code"]

    def wait(self, **duration: float) -> None:
        self.clock.sleep(timedelta(**duration).total_seconds())

    def since(self, at: str = NOON) -> str:
        return self.get("activities/pagingtoken", sinceDatetime=at)["nextPageToken"]
