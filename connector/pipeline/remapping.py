"""Taking an edited mapping between two cycles. A broken one is told, and the one before goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from connector.base.errors import ConfigurationError
from connector.mapping import CompiledMapping, MappingFiles
from connector.pipeline.cycle import Pipeline

log = structlog.get_logger(__name__)


class Remapping:
    """``rebuild``: the pipeline with another mapping; ``taken``: whom to hand it. ``broken``: why the files as they are
    now were not taken, "" where they were. ``files`` were read before."""

    def __init__(
        self,
        files: MappingFiles,
        rebuild: Callable[[Pipeline, CompiledMapping], Pipeline],
        taken: Sequence[Callable[[Pipeline], None]] = (),
    ) -> None:
        self.broken = ""
        self._files, self._rebuild, self._taken = files, rebuild, taken

    def between_cycles(self, pipeline: Pipeline) -> Pipeline:
        """The pipeline to go on with."""
        if not self._files.is_edited():
            return pipeline
        before = pipeline.mapping.version
        try:
            mapping = self._files.load()
            changed = pipeline if mapping.version == before else self._rebuild(pipeline, mapping)
        except ConfigurationError as error:
            self.broken = error.what
            log.error("mapping not taken", error=error.what, hint=error.hint, goes_on=before)
            return pipeline
        self.broken = ""
        log.info("mapping taken", mapping=mapping.name, version=mapping.version, before=before)
        for each in self._taken if changed is not pipeline else ():
            each(changed)
        return changed
