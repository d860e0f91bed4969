"""Notices by any service that Apprise knows. It is loaded by who names one."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tenacity import RetryError, Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from connector.base.clock import Clock
from connector.base.errors import ConfigurationError, Transient
from connector.pipeline.alerts import Notice

_ATTEMPTS = 5
_LONGEST_WAIT = 20.0  # seconds between two of them

Service = Callable[[Notice], None]  # raises Transient where it took nothing


def services(addresses: str, clock: Clock) -> list[Service]:
    """One for each address of ``CONNECTOR_ALERTS``; no message shows an address, since it holds a token. Raises
    ConfigurationError."""
    named = addresses.replace(",", " ").split()
    if not named:
        return []
    try:
        from apprise import Apprise, NotifyType  # noqa: PLC0415 - it is optional
    except ImportError:
        raise ConfigurationError(
            "CONNECTOR_ALERTS is set, and Apprise is not installed", "install lifecycle-connector[apprise]"
        ) from None
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it tells addresses; what fails we tell
    retrying = Retrying(
        retry=retry_if_result(lambda taken: not taken),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.5, max=_LONGEST_WAIT),
        sleep=clock.sleep,
    )

    def service(number: int, address: str) -> Service:
        channel = Apprise()
        if not channel.add(address):
            raise ConfigurationError(
                f"address {number} of CONNECTOR_ALERTS is of no service that Apprise knows",
                "see https://github.com/caronc/apprise for how each is written",
            )

        def send(notice: Notice) -> None:
            title, body = notice.as_text()
            kind = NotifyType.WARNING if notice.began else NotifyType.SUCCESS
            try:
                retrying(channel.notify, body=body, title=title, notify_type=kind)
            except RetryError:
                raise Transient(f"service {number} of CONNECTOR_ALERTS took no notice", "see its address") from None

        return send

    return [service(number, each) for number, each in enumerate(named, 1)]
