"""Why a server was not reached, in words: read from what requests, urllib3, ssl and socket wrap in each other."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import requests
import urllib3

_Sort = Literal["wrong", "away", "cut"]

_ADDRESS = "check the address, and that this machine may reach it"
_PROXY = "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
_TLS = "check the address; CONNECTOR_CA_BUNDLE names the PEM file of an authority of your own"

# The first that fits; what is said follows the name of the host.
_FAULTS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], _Sort, str], ...] = (
    (ssl.SSLCertVerificationError, "wrong", "failed TLS: its certificate is not trusted ({0.verify_message})"),
    ((ssl.SSLEOFError, ConnectionResetError, ConnectionAbortedError, BrokenPipeError), "cut", "cut the connection"),
    (ssl.SSLError, "wrong", "failed TLS: {0.reason}"),
    (urllib3.exceptions.NameResolutionError, "away", "does not resolve: no such name, or no name server"),
    (TimeoutError, "away", "did not take the connection in time"),
    (ConnectionRefusedError, "away", "refused the connection"),
    (OSError, "away", "gives no connection: {0}"),
)


@dataclass(frozen=True, slots=True)
class Unreached:
    """``sort``: *wrong* needs a person (TLS), *away* means that no connection was made, which may well be a wrong
    address, and *cut* that one broke."""

    what: str
    sort: _Sort
    hint: str


def why_unreached(error: requests.ConnectionError, host: str) -> Unreached:
    """``host`` as people know it, with its port where there is one."""
    causes = [each for each in _causes(error) if not isinstance(each, requests.RequestException)]  # OSErrors, too
    through_proxy = any(isinstance(each, urllib3.exceptions.ProxyError) for each in causes)
    who, hint = (f"the proxy on the way to {host}", _PROXY) if through_proxy else (host, _ADDRESS)
    for cause in causes:
        for kind, sort, said in _FAULTS:
            if isinstance(cause, kind):
                return Unreached(f"{who} {said.format(cause)}", sort, _TLS if sort == "wrong" else hint)
    return Unreached(f"{who} cut the connection", "cut", hint)


def _causes(error: object) -> Iterator[BaseException]:
    """An exception, and those that it wraps."""
    while isinstance(error, BaseException):
        yield error
        wrapped = (getattr(error, "reason", None), *error.args, error.__cause__, error.__context__)
        error = next((each for each in wrapped if isinstance(each, BaseException)), None)
