"""Run by Alembic, with the connection that ``upgrade`` hands it."""

from alembic import context
from sqlmodel import SQLModel

from connector.store import schema

assert schema.HEAD  # noqa: S101 - importing the schema is what fills the metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=SQLModel.metadata)
context.run_migrations()
