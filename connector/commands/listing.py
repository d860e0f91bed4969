"""Who it is that a cycle or a plan moves: the first of them for the screen, everybody in a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from connector.base.errors import ConfigurationError
from connector.base.private import open_private
from connector.pipeline.planned import SHOWN, Listing


@contextmanager
def listing(is_preview: bool, list_all: bool, csv_file: Path | None) -> Iterator[Listing | None]:
    """Who it is, for a preview or where somebody asks."""
    if not (is_preview or list_all or csv_file):
        yield None
        return
    keep = None if list_all else SHOWN
    try:
        with (
            open_private(csv_file) if csv_file else nullcontext() as file,
            Listing(keep, file) as people,
        ):
            yield people
    except OSError as error:
        if csv_file is None or error.filename != str(csv_file):
            raise
        raise ConfigurationError(f"{csv_file} cannot be written: {error.strerror}", "name another file") from None
