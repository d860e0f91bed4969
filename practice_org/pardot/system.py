"""Account Engagement (Pardot) API v5 beside the practice org: visitor activities and prospects over real HTTP.

    pardot = Pardot(org)
    ids = pardot.add_prospects([{"email": "ada@practice.example", "salesforceContactId": contact}])
    pardot.add_activities([{"type": 4, "details": "Demo", "prospectId": ids[0]}])

Its ``routes`` go into the org's server; its attributes are the switches. Another marketing system is imitated the same
way: a table of objects, a pure reader of queries, rows, one such handle, and routes.
"""

from __future__ import annotations

from starlette.routing import Route

from practice_org.pardot.business_unit import BusinessUnit
from practice_org.pardot.http import routes


class Pardot(BusinessUnit):
    """The Python handle, with its HTTP side."""

    @property
    def routes(self) -> list[Route]:
        return routes(self)
