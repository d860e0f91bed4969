"""The marketing sources: one file each, behind :class:`connector.ports.Source`. Registered here."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connector.clock import Clock
from connector.errors import ConfigurationError
from connector.http import Token
from connector.ports import Source
from connector.settings import Settings
from connector.sources.columns import Columns
from connector.sources.files import FilesSource
from connector.sources.hubspot import HubSpotSource
from connector.sources.inbox import Inbox
from connector.sources.marketo import MarketoSource
from connector.sources.pardot import PardotSource
from connector.sources.warehouse import WarehouseSource
from connector.sources.webhook import WebhookSource


def open_sources(
    settings: Settings, salesforce_auth: Token, clock: Clock, declared_kinds: Collection[str] = ()
) -> list[Source]:
    """The sources that the settings turn on, in the order they are polled. Sends nothing yet. ``declared_kinds``: the
    mapping's own kinds of activity, beyond the canonical ones."""
    sources: list[Source] = []
    if settings.pardot_url and settings.pardot_business_unit_id:
        sources.append(
            PardotSource(
                settings.pardot_url, settings.pardot_business_unit_id, salesforce_auth, clock, settings.ca_bundle
            )
        )
    if settings.marketo_url and settings.marketo_client_id and settings.marketo_client_secret:
        secret = settings.marketo_client_secret.get_secret_value()
        sources.append(
            MarketoSource(
                settings.marketo_url,
                settings.marketo_client_id,
                secret,
                clock,
                settings.ca_bundle,
                declared_kinds,
                extracts=settings.marketo_extracts,
            )
        )
    if settings.hubspot_token:
        sources.append(HubSpotSource.from_settings(settings, clock, declared_kinds))
    zone = _zone(settings.activity_time_zone)
    if settings.activity_folder:
        columns = Columns.from_settings(settings.activity_columns, settings.activity_time_format, declared_kinds)
        sources.append(FilesSource(settings.activity_folder, clock, zone, declared_kinds, columns))
    if settings.warehouse_url and settings.warehouse_query_file:
        query = _text(settings.warehouse_query_file, "CONNECTOR_WAREHOUSE_QUERY_FILE")
        sources.append(WarehouseSource(settings.warehouse_url.get_secret_value(), query, zone, declared_kinds))
    if settings.webhook_port is not None:
        sources.append(WebhookSource(Inbox(settings.webhook_inbox), declared_kinds))
    return sources


def _text(path: Path, variable: str) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {type(error).__name__}", f"check {variable}") from None


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigurationError(
            f"CONNECTOR_ACTIVITY_TIME_ZONE is no time zone: {name}", "write it like Europe/Berlin"
        ) from None
