"""Alembic, run by the program itself: an older state is brought to the present schema when it is opened.

A migration is one file under ``versions``; it spells out its tables, because the classes in ``schema`` move on.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine


def is_known(version: str) -> bool:
    """Whether this program has a migration of that name."""
    return any(path.name.startswith(f"v{version}_") for path in (Path(__file__).parent / "versions").iterdir())


def upgrade(engine: Engine, version: str = "head") -> None:
    """All in one transaction, so that a failed migration leaves the file as it was."""
    from alembic import command  # noqa: PLC0415 - half a second that only a new or old file should cost
    from alembic.config import Config  # noqa: PLC0415

    from connector.store.dialect import WRITES  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, version)
