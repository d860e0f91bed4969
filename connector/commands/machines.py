"""What the daemon answers to machines: /metrics, /healthz, /readyz. Read only, and nothing is computed when asked."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from connector.base import heartbeat
from connector.base.clock import Clock
from connector.base.errors import ConfigurationError
from connector.base.serving import serving
from connector.base.settings import Settings
from connector.base.web import is_this_machine

log = structlog.get_logger(__name__)

_SHORTEST_TOKEN = 20


@contextmanager
def serve_machines(
    settings: Settings,
    registry: CollectorRegistry,
    beats: Path,
    clock: Clock,
    pages: Callable[[str | None], Sequence[Route]] = lambda _token: (),
) -> Iterator[str | None]:
    """Serves them while the context is open; yields the address, None when it is off. ``pages``: what is served beside
    them, to whoever has the token (None: this machine). Raises ConfigurationError."""
    if settings.http_port is None:
        yield None
        return
    token = settings.http_token.get_secret_value() if settings.http_token else None
    if token is None and not is_this_machine(settings.http_host):
        raise ConfigurationError(
            f"/metrics and the reports would be open to everybody who reaches {settings.http_host}",
            "set CONNECTOR_HTTP_TOKEN, or CONNECTOR_HTTP_HOST=127.0.0.1",
        )
    if token is not None and len(token) < _SHORTEST_TOKEN:
        raise ConfigurationError("CONNECTOR_HTTP_TOKEN is too short", "take at least 20 random characters")
    app = machine_app(registry, beats, clock, settings.ready_within, token, pages(token))
    names = ("CONNECTOR_HTTP_HOST", "CONNECTOR_HTTP_PORT")
    with serving(app, settings.http_host, settings.http_port, "metrics", names) as url:
        log.info("metrics listen", url=url)
        yield url


def machine_app(
    registry: CollectorRegistry,
    beats: Path,
    clock: Clock,
    ready_within: float,
    token: str | None,
    pages: Sequence[Route] = (),
) -> Starlette:
    async def metrics(request: Request) -> Response:
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        if token and not (scheme.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), token.encode())):
            return PlainTextResponse("a token is needed\n", 401, {"WWW-Authenticate": "Bearer"})
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"Content-Type": content_type})

    async def alive(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(_request: Request) -> Response:
        told = heartbeat.health(heartbeat.read_heartbeat(beats), clock.now(), ready_within)
        return JSONResponse({"ready": told["healthy"], "because": told["because"]}, 200 if told["healthy"] else 503)

    machines = [Route("/metrics", metrics), Route("/healthz", alive), Route("/readyz", ready)]
    return Starlette(routes=[*machines, *pages])
