"""The table of the REST API's resources: which module answers which path."""

from __future__ import annotations

from connector.sandbox import (
    rest_bulk,
    rest_collections,
    rest_composite,
    rest_meta,
    rest_query,
    rest_rows,
    rest_tree,
)
from connector.sandbox.rest import Router

ROUTER = Router()
for module in (rest_query, rest_meta, rest_collections, rest_composite, rest_tree, rest_bulk, rest_rows):
    module.routes(ROUTER)  # rows last: their patterns are the widest
