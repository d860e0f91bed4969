"""What a real org offers and the practice org does not: each says so by its name, with the status that an org gives
where the feature is not enabled. docs/practice-org.md lists them; a test holds the page to this table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem, not_found
from practice_org.salesforce.rest.calls import Call, Handler, Reply, Router


@dataclass(frozen=True, slots=True)
class Absent:
    """``below`` is a path under ``/services/data/v60.0/`` (``{object}``: any), ``name`` what its refusal says."""

    below: str
    name: str


RESOURCES = (
    Absent("tooling", "Tooling API"),
    Absent("analytics", "Reports and Dashboards API"),
    Absent("wave", "CRM Analytics API"),
    Absent("chatter", "Chatter API"),
    Absent("connect", "Connect REST API"),
    Absent("actions", "Actions API"),
    Absent("process", "Process API"),
    Absent("support", "Knowledge support API"),
    Absent("knowledgeManagement", "Knowledge management API"),
    Absent("ui-api", "User Interface API"),
    Absent("event", "Event schemas"),
    Absent("quickActions", "Quick actions"),
    Absent("tabs", "Tabs"),
    Absent("theme", "Themes"),
    Absent("appMenu", "App menu"),
    Absent("licensing", "Licensing API"),
    Absent("async-queries", "Async SOQL"),
    Absent("consent", "Consent API"),
    Absent("compactLayouts", "Compact layouts of several objects"),
    Absent("folders", "Folders"),
    Absent("scheduling", "Scheduler API"),
    Absent("commerce", "Commerce API"),
    Absent("payments", "Payments API"),
    Absent("sobjects/{object}/listviews", "List views"),
    Absent("sobjects/{object}/quickActions", "Quick actions of an object"),
)


def routes(router: Router) -> None:
    router.add("tooling/sobjects/SourceMember/describe", GET=_no_tracking)
    for one in RESOURCES:
        below = re.escape(one.below).replace(re.escape("{object}"), r"\w+")
        for pattern in (below, below + "/.*"):
            router.add(pattern, **dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"), _refusing(one)))


def _no_tracking(org: PracticeOrg, call: Call) -> Reply:
    """What an org says that does not track its source; Salesforce's CLI asks before it deploys."""
    raise not_found()


def _refusing(one: Absent) -> Handler:
    def refuse(org: PracticeOrg, call: Call) -> Reply:
        text = f"[{one.name}] is not enabled: the practice org does not offer it"
        raise Problem(403, "FUNCTIONALITY_NOT_ENABLED", text)

    return refuse


def outside(path: str) -> Reply:
    """The answer to what stands beside ``/services/data``: the Streaming API, Apex REST, pages."""
    if path.startswith("/cometd"):
        text = "[Streaming API] is not enabled: the practice org does not offer it"
        return Reply(403, [Problem(403, "FUNCTIONALITY_NOT_ENABLED", text).as_error()])
    return Reply(404, [Problem(404, "NOT_FOUND", f"Could not find a match for URL {path}").as_error()])
