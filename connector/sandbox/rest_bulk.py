"""Bulk API 2.0."""

from __future__ import annotations

from connector.sandbox.rest import Router


def routes(router: Router) -> None:
    pass
