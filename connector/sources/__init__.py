"""The marketing sources: one file each, behind :class:`connector.base.ports.Source`. Registered here."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import SecretStr

from connector.base.clock import Clock
from connector.base.errors import ConfigurationError
from connector.base.http import Token
from connector.base.ports import Source
from connector.base.settings import Settings
from connector.sources.columns import Columns
from connector.sources.files import FilesSource
from connector.sources.hubspot.source import HubSpotSource
from connector.sources.marketo.source import MarketoSource
from connector.sources.pardot import PardotSource
from connector.sources.taps.declared import read_taps
from connector.sources.taps.source import TapSource
from connector.sources.warehouse.source import WarehouseSource
from connector.sources.webhook.inbox import Inbox
from connector.sources.webhook.source import WebhookSource

Opener = Callable[[Settings, Token, Clock, Collection[str]], Source]


def open_sources(
    settings: Settings,
    salesforce_auth: Token,
    clock: Clock,
    declared_kinds: Collection[str] = (),
    off: Collection[str] = (),
) -> list[Source]:
    """The sources that the settings turn on, in the order they are polled. Sends nothing yet. ``declared_kinds``: the
    mapping's own kinds of activity, beyond the canonical ones. ``off``: sources that the mapping switches off."""
    names = [name for name in _turned_on(settings) if name not in off]
    opened = [SOURCES[name][1](settings, salesforce_auth, clock, declared_kinds) for name in names]
    taps = read_taps(settings.taps_file) if settings.taps_file else {}
    quarantine = settings.taps_quarantine
    opened += [TapSource(name, tap, clock, quarantine, declared_kinds) for name, tap in taps.items() if name not in off]
    return opened


def switched_on(settings: Settings) -> list[str]:
    """The names of the sources that the settings turn on, taps too."""
    return [*_turned_on(settings), *(read_taps(settings.taps_file) if settings.taps_file else ())]


def _turned_on(settings: Settings) -> list[str]:
    return [
        name
        for name, (needed, _) in SOURCES.items()
        if all(getattr(settings, each) not in (None, "") for each in needed)
    ]


def _pardot(settings: Settings, auth: Token, clock: Clock, _declared: Collection[str]) -> Source:
    url, unit = str(settings.pardot_url), str(settings.pardot_business_unit_id)
    return PardotSource(url, unit, auth, clock, settings.ca_bundle)


def _marketo(settings: Settings, _auth: Token, clock: Clock, declared: Collection[str]) -> Source:
    return MarketoSource(
        str(settings.marketo_url),
        str(settings.marketo_client_id),
        _secret(settings.marketo_client_secret),
        clock,
        settings.ca_bundle,
        declared,
        extracts=settings.marketo_extracts,
    )


def _hubspot(settings: Settings, _auth: Token, clock: Clock, declared: Collection[str]) -> Source:
    return HubSpotSource.from_settings(settings, clock, declared)


def _files(settings: Settings, _auth: Token, clock: Clock, declared: Collection[str]) -> Source:
    assert settings.activity_folder is not None  # noqa: S101 - what turned it on
    columns = Columns.from_settings(settings.activity_columns, settings.activity_time_format, declared)
    return FilesSource(settings.activity_folder, clock, _zone(settings.activity_time_zone), declared, columns)


def _warehouse(settings: Settings, _auth: Token, clock: Clock, declared: Collection[str]) -> Source:
    assert settings.warehouse_query_file is not None  # noqa: S101 - what turned it on
    query = _text(settings.warehouse_query_file, "CONNECTOR_WAREHOUSE_QUERY_FILE")
    zone = _zone(settings.activity_time_zone)
    return WarehouseSource(_secret(settings.warehouse_url), query, zone, declared, clock)


def _webhook(settings: Settings, _auth: Token, _clock: Clock, declared: Collection[str]) -> Source:
    return WebhookSource(Inbox(settings.webhook_inbox), declared)


# In the order they are polled: name -> the settings that turn it on together, and what opens it.
SOURCES: dict[str, tuple[tuple[str, ...], Opener]] = {
    "pardot": (("pardot_url", "pardot_business_unit_id"), _pardot),
    "marketo": (("marketo_url", "marketo_client_id", "marketo_client_secret"), _marketo),
    "hubspot": (("hubspot_token",), _hubspot),
    "files": (("activity_folder",), _files),
    "warehouse": (("warehouse_url", "warehouse_query_file"), _warehouse),
    "webhook": (("webhook_port",), _webhook),
}


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""


def _text(path: Path, variable: str) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise ConfigurationError(f"{path} cannot be read: {why}", f"check {variable}") from None


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigurationError(
            f"CONNECTOR_ACTIVITY_TIME_ZONE is no time zone: {name}", "write it like Europe/Berlin"
        ) from None
