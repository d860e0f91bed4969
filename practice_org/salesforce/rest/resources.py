"""The table of the REST API's resources: which module answers which path."""

from __future__ import annotations

from practice_org.salesforce.rest import absent as rest_absent
from practice_org.salesforce.rest import bulk as rest_bulk
from practice_org.salesforce.rest import collections as rest_collections
from practice_org.salesforce.rest import composite as rest_composite
from practice_org.salesforce.rest import deploy as rest_deploy
from practice_org.salesforce.rest import layouts as rest_layouts
from practice_org.salesforce.rest import meta as rest_meta
from practice_org.salesforce.rest import query as rest_query
from practice_org.salesforce.rest import rows as rest_rows
from practice_org.salesforce.rest import search as rest_search
from practice_org.salesforce.rest import tree as rest_tree
from practice_org.salesforce.rest.calls import Router

ROUTER = Router()
for module in (
    rest_query,
    rest_search,
    rest_meta,
    rest_layouts,
    rest_collections,
    rest_composite,
    rest_tree,
    rest_bulk,
    rest_deploy,
    rest_absent,
    rest_rows,
):
    module.routes(ROUTER)  # rows last: their patterns are the widest
