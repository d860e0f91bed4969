"""HubSpot beside the practice org: contacts, engagements and marketing e-mail events over real HTTP.

    hub = HubSpot(org)
    [ada] = hub.add_contacts([{"email": "ada@practice.example", "salesforcecontactid": contact}])
    hub.add_engagements("calls", [{"hs_call_direction": "OUTBOUND", "contacts": [ada]}])
    hub.add_email_events([{"type": "CLICK", "recipient": "ada@practice.example"}])

Its ``routes`` go into the org's server; ``token`` is the service key; ``switches`` are its limits.
"""

from __future__ import annotations

from starlette.routing import Route

from practice_org.hubspot.http import routes
from practice_org.hubspot.portal import Portal


class HubSpot(Portal):
    """The Python handle, with its HTTP side."""

    @property
    def routes(self) -> list[Route]:
        return routes(self)
