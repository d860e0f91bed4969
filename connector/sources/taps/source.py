"""Any Singer tap as a source: run from where it was, read line by line, its STATE kept behind what was recorded.

The cursor: ``state``, the tap's own; ``ran``, when a run began that came to its end; ``bad``, how many lines of the
newest run could not be understood. A tap that dies, hangs or is
stopped keeps what came before, and goes on behind its last STATE.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from connector.base.clock import Clock
from connector.base.errors import ConfigurationError, ConnectorError, Refused, Transient
from connector.base.facts import SourcePage
from connector.base.json import JsonMap, JsonObject
from connector.base.private import open_private, private_folder
from connector.sources.taps.declared import FROM_ENVIRONMENT, TAPS_SETTING, DeclaredTap
from connector.sources.taps.messages import TapPages, Words
from connector.sources.taps.process import OverLimit, TapProcess, secrets_in

log = structlog.get_logger(__name__)

_KEPT = 1000  # lines of a run that are kept in quarantine
_LONGEST = 10_000  # characters of each
_FRESH = timedelta(days=1)  # what a tap said of its streams


class TapSource:
    """See the module. ``quarantine``: a folder; ``declared``: kinds of the mapping's own."""

    def __init__(
        self, name: str, tap: DeclaredTap, clock: Clock, quarantine: Path, declared: Collection[str] = ()
    ) -> None:
        self.name = name
        self._tap, self._clock, self._declared = tap, clock, declared
        self._streams = {stream: Words.of(said, declared) for stream, said in tap.streams.items()}
        self._quarantine = quarantine / f"{name}.jsonl"
        self._bad = self._runs = 0
        self._catalog: tuple[datetime, JsonObject] | None = None

    def poll(self, cursor: JsonMap | None, now: datetime) -> Iterator[SourcePage]:
        """Raises Transient where the tap died or came to nothing within its limit; what it gave is in the pages."""
        before: JsonObject = dict(cursor or {})
        ran = before.get("ran")
        if ran is not None and now < datetime.fromisoformat(ran) + timedelta(seconds=self._tap.every):
            return
        self._bad = 0
        pages = TapPages(
            self.name, self._streams, self._tap.zone(), self._declared, before.get("state"), self._keep_bad
        )
        with tempfile.TemporaryDirectory(prefix="connector-tap-") as folder:
            command = self._command(Path(folder), before.get("state"), now)
            self._runs += 1
            with TapProcess(command, self._clock, self._tap.limit, secrets_in(self._tap.config)) as process:
                fault: ConnectorError | None = None
                try:
                    for line in process.lines():
                        pages.take(line)
                        if pages.is_full():
                            yield pages.page(self._cursor(pages, ran))
                    fault = self._ended(process)
                except OverLimit:
                    fault = self._stopped(process, is_further=pages.state != before.get("state"))
                    ran = None if fault is None else ran
                except ConnectorError as error:
                    fault = error
                else:
                    ran = now.isoformat() if fault is None and self._tap.every else ran
        page = pages.page(self._cursor(pages, ran))
        if page.cursor != before or page.activities or page.prospects or page.removed or page.gone or page.bad:
            yield page
        self._tell(pages)
        if fault is not None:
            raise fault

    def _cursor(self, pages: TapPages, ran: str | None) -> JsonObject:
        values: JsonObject = {"state": pages.state, "ran": ran, "bad": self._bad or None}
        return {name: value for name, value in values.items() if value is not None}

    def account(self) -> str | None:
        return None

    def calls(self) -> Mapping[str, int]:
        return {"run": self._runs}

    def _ended(self, process: TapProcess) -> ConnectorError | None:
        code = process.code()
        if code == 0:
            return None
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return Transient(
            f"{self.name} ended with {how}: {process.last_words()}",
            "what came before its last STATE is kept; run its command by hand to see all it says",
        )

    def _stopped(self, process: TapProcess, *, is_further: bool) -> ConnectorError | None:
        if is_further:
            log.warning("a tap came to its limit, and goes on in the next cycle", tap=self.name, limit=self._tap.limit)
            return None
        return Transient(
            f"{self.name} did not end within {self._tap.limit:g} seconds, and gave no STATE to go on from: "
            f"{process.last_words()}",
            f"give it more time by limit: in {TAPS_SETTING}",
        )

    def _tell(self, pages: TapPages) -> None:
        if pages.others:
            log.info("streams of a tap that nothing is said of", tap=self.name, streams=sorted(pages.others))
        if self._bad:
            log.warning("lines of a tap quarantined", tap=self.name, file=str(self._quarantine), lines=self._bad)

    def _command(self, folder: Path, state: JsonMap | None, now: datetime) -> list[str]:
        """The tap with its configuration, its catalog, and the state it goes on from."""
        catalog = self._chosen(now)
        command = [*self._configured()]
        command += ["--properties" if self._tap.properties else "--catalog", _written(folder / "catalog.json", catalog)]
        if state is not None:
            command += ["--state", _written(folder / "state.json", state)]
        return command

    def _configured(self) -> list[str]:
        config = self._tap.config
        if config is None:
            return [*self._tap.command]
        return [*self._tap.command, "--config", FROM_ENVIRONMENT if config == FROM_ENVIRONMENT else str(config)]

    def _chosen(self, now: datetime) -> JsonObject:
        """The catalog that was given, else what the tap says of itself today with the streams that are declared."""
        if self._tap.catalog is not None:
            catalog = _read_catalog(self._tap.catalog)
            self._check(catalog)
            return catalog
        if self._catalog is None or now - self._catalog[0] >= _FRESH:
            self._catalog = now, self._discover()
        return self._catalog[1]

    def _discover(self) -> JsonObject:
        command = [*self._configured(), "--discover"]
        with TapProcess(command, self._clock, self._tap.limit, secrets_in(self._tap.config)) as process:
            try:
                with closing(process.lines()) as lines:
                    text = b"\n".join(line for line in lines if line is not None)
            except OverLimit:
                raise Transient(
                    f"{self.name} did not say within {self._tap.limit:g} seconds which streams it has",
                    "name a catalog, or give it more time by limit:",
                ) from None
            fault = self._ended(process)
        if fault is not None:
            raise fault
        catalog = _catalog_of(text, f"what {self.name} --discover says")
        self._check(catalog)
        return {**catalog, "streams": [_selected(each) for each in catalog["streams"] if _name(each) in self._streams]}

    def _check(self, catalog: JsonObject) -> None:
        there = {_name(each) for each in catalog["streams"]}
        if missing := [name for name in self._streams if name not in there]:
            raise ConfigurationError(
                f"{self.name} has no stream {', '.join(missing)}", f"it has: {', '.join(sorted(there)) or 'none'}"
            )

    def _keep_bad(self, said: JsonObject) -> None:
        """The lines of this run that cannot be understood, as far as there are not too many."""
        self._bad += 1
        if self._bad > _KEPT:
            return
        try:
            private_folder(self._quarantine.parent)
            with open_private(self._quarantine, "w" if self._bad == 1 else "a") as file:
                file.write(json.dumps({**said, "text": said["text"][:_LONGEST]}, ensure_ascii=False) + "\n")
        except OSError as error:
            raise Refused(
                f"{self._quarantine} cannot be written: {error.strerror}", "check CONNECTOR_TAPS_QUARANTINE"
            ) from None


def _written(path: Path, content: JsonMap) -> str:
    path.write_text(json.dumps(content), "utf-8")
    return str(path)


def _read_catalog(path: Path) -> JsonObject:
    try:
        return _catalog_of(path.read_bytes(), str(path))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}", "check the tap's catalog") from None


def _catalog_of(text: bytes, what: str) -> JsonObject:
    try:
        found: Any = json.loads(text)
        if all(_name(each) for each in found["streams"]):
            return dict(found)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise ConfigurationError(f"{what} is no catalog of a tap", "run its command with --discover by hand")


def _name(stream: JsonMap) -> str:
    return str(stream.get("stream") or stream["tap_stream_id"])


def _selected(stream: JsonMap) -> JsonObject:
    """A stream of which everything is wanted, said in each of the ways that taps ask."""
    properties = (stream.get("schema") or {}).get("properties") or {}
    said = {tuple(each["breadcrumb"]): dict(each["metadata"]) for each in stream.get("metadata") or ()}
    for crumb in ((), *(("properties", name) for name in properties)):
        said.setdefault(crumb, {})
        if said[crumb].get("inclusion") != "unsupported":
            said[crumb]["selected"] = True
    metadata = [{"breadcrumb": list(crumb), "metadata": each} for crumb, each in said.items()]
    schema = {**(stream.get("schema") or {}), "selected": True}
    return {**stream, "schema": schema, "metadata": metadata, "selected": True}
