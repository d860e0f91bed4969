"""``connector status --max-age``: looks at the sign of life only; it is asked once a minute."""

from __future__ import annotations

from connector.base import heartbeat, settings
from connector.base.clock import SystemClock
from connector.commands import screen


def show_health(max_age: float, *, as_json: bool) -> int:
    """No database is opened, and nothing is logged. Returns the exit code."""
    beats = heartbeat.beside(settings.load_settings().state)
    told = heartbeat.health(heartbeat.read_heartbeat(beats), SystemClock().now(), max_age)
    text = f"{'healthy' if told['healthy'] else 'not healthy'}: {told['because']}"
    screen.document("health", told, as_json=as_json, text=text)
    return 0 if told["healthy"] else 1
