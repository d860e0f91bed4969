"""Web addresses: which one is this machine's, and which one may be used at all."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from connector.base.errors import ConfigurationError

_BARE = re.compile(r"[^/?]*://[^:/@]*(?::[^@]*)?@[^/?]*@")  # as SQLAlchemy reads it


def is_this_machine(host: str) -> bool:
    """By its name alone: nobody else can be reached under it. A name such as 127.example.com may be anybody's."""
    try:
        return host.lower() == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def is_loopback(url: str) -> bool:
    return is_this_machine(urlsplit(url).hostname or "")


def check_url(url: str, name: str) -> str:
    """Returns ``url``; raises ConfigurationError unless it is https, or http to this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:  # brackets that are no address, or a port that is none
        parts, host = urlsplit(""), ""
    if parts.scheme not in {"https", "http"} or not host:
        raise ConfigurationError(f"{name} is not a web address", "write it like https://host")
    if "@" in parts.netloc:
        raise ConfigurationError(
            f"{name} has a user or a password in it, which an address would show", "write it like https://host"
        )
    if parts.scheme == "http" and not is_this_machine(host):
        raise ConfigurationError(
            f"{name} uses plain http to {host}, which would show the access token to the network",
            "use https; plain http is accepted for 127.0.0.1 and localhost only",
        )
    return url


def check_database(url: str, name: str) -> None:
    """Raises ConfigurationError where a bare ``@`` in the password would make the rest of it part of the host."""
    if _BARE.match(url):
        raise ConfigurationError(
            f"{name} has an @ in its user or password, so that the rest would be taken for the host and shown",
            "write it as %40",
        )
