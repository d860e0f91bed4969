"""The session of an org that Salesforce's own command line is signed in to: admins have one, and it may deploy."""

from __future__ import annotations

import json
import shutil
import subprocess

from pydantic import SecretStr

from connector.base.errors import ConfigurationError
from connector.base.hiding import keep_hidden
from connector.base.json import JsonMap
from connector.base.settings import Settings
from connector.base.web import check_url

_DISPLAY = ("org", "display")
_SHOW_TOKEN = ("org", "auth", "show-access-token")  # newer versions hide it elsewhere
_SECONDS = 120


def with_session_of(settings: Settings, org: str) -> Settings:
    """The settings, signed in as sf is: by its token. Raises ConfigurationError."""
    told = _ask(_DISPLAY, org)
    token, address = str(told.get("accessToken") or ""), str(told.get("instanceUrl") or "")
    if "!" not in token:  # redacted
        token = str(_ask(_SHOW_TOKEN, org).get("accessToken") or "")
    if "!" not in token or not address:
        raise ConfigurationError(f"sf shows no access token of {org}", f"sign in again: sf org login web --alias {org}")
    keep_hidden([token])
    check_url(address, "the instanceUrl that sf shows")
    others = dict.fromkeys(("salesforce_private_key_file", "salesforce_client_secret"))
    session = SecretStr(token)
    return settings.model_copy(
        update={**others, "salesforce_access_token": session, "salesforce_instance_url": address.rstrip("/")}
    )


def _ask(words: tuple[str, ...], org: str) -> JsonMap:
    sf = shutil.which("sf")
    if sf is None:
        raise ConfigurationError("Salesforce's command line, sf, is not installed", "install it, or leave --org out")
    command = [sf, *words, "--target-org", org, "--json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603 - no shell
        told = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        told = {}
    result = told.get("result") if isinstance(told, dict) else None
    if not isinstance(result, dict):
        said = str(told.get("message") or "no answer") if isinstance(told, dict) else "no answer"
        raise ConfigurationError(
            f"sf {' '.join(words)} failed for {org}: {said}", "sf org list shows the orgs it knows"
        )
    return result
