"""Marketo's REST API beside the practice org: leads, their activities and bulk extracts over real HTTP.

    marketo = Marketo(org)
    ids = marketo.add_leads([{"email": "ada@practice.example", "sfdcContactId": contact}])
    marketo.add_activities([{"leadId": ids[0], "activityTypeId": 2, "primaryAttributeValue": "Demo"}])

Its ``routes`` go into the org's server; its attributes are the switches. As the service does, it logs an activity for
a new lead, each changed value, a merge and a deletion. Not documented, so chosen here (UNCONFIRMED): activities of a
merged lead stay under its old id, and a merged lead is not among the deleted ones.
"""

from __future__ import annotations

from starlette.routing import Route

from practice_org.marketo.http import routes
from practice_org.marketo.instance import Instance


class Marketo(Instance):
    """The Python handle, with its HTTP side."""

    @property
    def routes(self) -> list[Route]:
        return routes(self)
