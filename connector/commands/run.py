"""``connector run``: the daemon, and what stands beside it: webhooks, answers for machines, notices of trouble."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from connector.base import heartbeat
from connector.base.settings import Settings
from connector.commands.machines import serve_machines
from connector.commands.notify import open_channels
from connector.commands.pages.apart import Apart
from connector.commands.pages.site import Site
from connector.mapping import MappingFiles
from connector.pipeline.alerts import Watch
from connector.pipeline.daemon import Daemon, Stop, run_daemon
from connector.pipeline.metrics import Metrics
from connector.pipeline.remapping import Remapping
from connector.sources.webhook.server import serve_webhooks
from connector.wiring import open_pipeline, state_file, with_mapping


def run_beside(settings: Settings) -> None:
    """Until a signal comes. Raises what ends the daemon."""
    stop, beats = Stop(), heartbeat.beside(settings.state)
    budget, file = settings.api_daily_budget, state_file(settings)
    files = MappingFiles(settings.mapping)
    with (
        open_pipeline(settings, stop=stop, mapping=files.load()) as pipeline,
        serve_webhooks(settings, pipeline.clock),
        open_channels(settings, pipeline.clock, beats) as channels,
        Apart(settings) as computing,
    ):
        watch = Watch(pipeline, beats, channels.send, refused=settings.alert_refused, budget=budget, state_file=file)
        after: list[Callable[[], None]] = [watch.after_cycle, channels.ping]
        metrics = Metrics(pipeline, budget=budget, state_file=file)
        site = Site(pipeline.store, pipeline.mapping, settings, pipeline.clock, computing=computing)
        after += [metrics.after_cycle, site.after_cycle] if settings.http_port is not None else []
        remapping = Remapping(files, partial(with_mapping, settings), taken=[metrics.take, site.take])
        with serve_machines(settings, metrics.registry, beats, pipeline.clock, site.routes):
            run_daemon(Daemon(pipeline, beats=beats, after=after, remapping=remapping), stop, settings.interval)
