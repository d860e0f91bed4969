"""The practice org's own paths, for a test or an admin in another process. No Salesforce has them.

``GET  /practice/calls``        API calls as Salesforce would count them; DELETE resets them
``GET  /practice/faults``       the faults that are on; POST ``{"kind", "times"?, "path"?, ...}`` switches one on,
                                DELETE switches all off
``POST /practice/undelete``     ``{"object", "ids"}``
``POST /practice/merge``        ``{"object", "winner", "losers"}``
``POST /practice/convert``      ``{"lead", "opportunity"?}``
``POST /practice/sessions``     ends every session
``POST /practice/shared``       ``{"on"?}``: shared activities, off in a new org
``POST /practice/access``       ``{"object", "field", "visible"?, "updateable"?}``: field-level security
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem, not_found
from practice_org.salesforce.rest.calls import Reply, refusal

Body = Mapping[str, Any]


def _calls(org: PracticeOrg, body: Body) -> Any:
    return {"total": 0, **org.calls}


def _reset(org: PracticeOrg, body: Body) -> Any:
    org.reset_calls()
    return None


def _faults(org: PracticeOrg, body: Body) -> Any:
    return [fault.as_json() for fault in org.faults.active]


def _fault_on(org: PracticeOrg, body: Body) -> Any:
    settings = dict(body)
    return org.faults.on(str(settings.pop("kind", "")), **settings).as_json()


def _faults_off(org: PracticeOrg, body: Body) -> Any:
    org.faults.off(body.get("kind"))
    return None


def _undelete(org: PracticeOrg, body: Body) -> Any:
    org.undelete(body["object"], body["ids"])
    return None


def _merge(org: PracticeOrg, body: Body) -> Any:
    org.merge(body["object"], body["winner"], body["losers"])
    return None


def _convert(org: PracticeOrg, body: Body) -> Any:
    return org.convert_lead(body["lead"], opportunity=body.get("opportunity", True))


def _sessions(org: PracticeOrg, body: Body) -> Any:
    org.credentials.expire()
    return None


def _access(org: PracticeOrg, body: Body) -> Any:
    flags = {name: bool(body[name]) for name in ("visible", "updateable") if name in body}
    org.set_field_access(body["object"], body["field"], **flags)
    return None


def _shared(org: PracticeOrg, body: Body) -> Any:
    org.share_activities(on=bool(body.get("on", True)))
    return None


_PATHS: dict[tuple[str, str], Callable[[PracticeOrg, Body], Any]] = {
    ("GET", "calls"): _calls,
    ("DELETE", "calls"): _reset,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _fault_on,
    ("DELETE", "faults"): _faults_off,
    ("POST", "undelete"): _undelete,
    ("POST", "merge"): _merge,
    ("POST", "convert"): _convert,
    ("POST", "sessions"): _sessions,
    ("POST", "access"): _access,
    ("POST", "shared"): _shared,
}


def answer(org: PracticeOrg, method: str, path: str, body: bytes) -> Reply:
    """200 with what there is to say, or 204."""
    work = _PATHS.get((method, path.removeprefix("/practice/").strip("/")))
    try:
        if work is None:
            raise not_found()
        given = json.loads(body) if body.strip() else {}
        if not isinstance(given, dict):
            raise Problem(400, "JSON_PARSER_ERROR", "a JSON object is needed")
        found = work(org, given)
    except Problem as problem:
        return refusal(problem)
    except KeyError as missing:
        return refusal(Problem(400, "MISSING_ARGUMENT", f"{missing} is needed"))
    except (ValueError, TypeError) as error:
        return refusal(Problem(400, "JSON_PARSER_ERROR", str(error)))
    return Reply(204) if found is None else Reply(body=found)
