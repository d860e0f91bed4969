"""What the tests of the practice org share: the time it is, and a plain session signed in to it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import requests

from practice_org.serving.server import Server

NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)


class Api:
    """``api.get("query", q=...)`` against the newest usual version; answers are requests' own."""

    def __init__(self, server: Server, version: str = "67.0") -> None:
        self.server = server
        self.base = f"{server.url}/services/data/v{version}"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {server.org.credentials.access_token}"

    def call(self, method: str, path: str, **kwargs: object) -> requests.Response:
        url = self.server.url + path if path.startswith("/") else f"{self.base}/{path}"
        return self.session.request(method, url, timeout=30, **kwargs)  # type: ignore[arg-type] # handed on as they are

    def get(self, path: str, headers: Any = None, **params: str) -> requests.Response:
        return self.call("GET", path, params=params, headers=headers)

    def query(self, soql: str, **headers: str) -> dict[str, Any]:
        response = self.get("query", headers, q=soql)
        assert response.status_code == 200, response.text
        return response.json()
