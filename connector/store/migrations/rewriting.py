"""A table of SQLite with columns of other types, which it cannot change in place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from alembic import op


def rewrite(table: str, types: Mapping[str, str], told: Mapping[str, str], nullable: Iterable[str] = ()) -> None:
    """A new table from the old one's own text. ``types``: column of text -> its type now; ``told``: column -> what it
    says, as SQL, where that is another thing than before; ``nullable``: those that may be so from now on."""
    connection = op.get_bind()
    asked = sa.text("SELECT type, sql, name FROM sqlite_master WHERE tbl_name = :name AND sql IS NOT NULL")
    made = connection.execute(asked, {"name": table}).all()
    new = next(each.sql for each in made if each.type == "table")
    columns = {each["name"]: f'"{each["name"]}"' for each in sa.inspect(connection).get_columns(table)} | {**told}
    for name, kind in types.items():
        new = re.sub(rf'("{name}"|\b{name}) TEXT', rf"\1 {kind}", new)
    for name in nullable:
        new = re.sub(rf'("{name}"|\b{name}) (\w+) NOT NULL', r"\1 \2", new)
    indexes = [each for each in made if each.type == "index"]
    for each in indexes:
        op.drop_index(each.name, table)
    op.rename_table(table, f"{table}_before")
    op.execute(new)
    into = ", ".join(f'"{name}"' for name in columns)
    op.execute(f'INSERT INTO "{table}" ({into}) SELECT {", ".join(columns.values())} FROM {table}_before')
    op.drop_table(f"{table}_before")
    for each in indexes:
        op.execute(each.sql)
