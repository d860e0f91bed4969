"""The practice org's own paths, for a test or an admin in another process. No Salesforce has them.

``GET  /practice/calls``        API calls as Salesforce would count them; DELETE resets them
``GET  /practice/faults``       the faults that are on; POST ``{"kind", "times"?, "path"?, ...}`` switches one on,
                                DELETE switches all off, with ``{"kind"}`` those of a kind
``GET  /practice/faults/kinds`` every kind with its parameters, and every code that is known
``GET  /practice/settings``     how strict the org is; POST ``{name: value}`` changes it
``POST /practice/picklist``     ``{"object", "field", "values", "restricted"?}``
``POST /practice/undelete``     ``{"object", "ids"}``
``POST /practice/merge``        ``{"object", "winner", "losers"}``
``POST /practice/convert``      ``{"lead", "opportunity"?}``
``POST /practice/sessions``     ends every session
``POST /practice/shared``       ``{"on"?}``: shared activities, off in a new org
``POST /practice/persons``      ``{"writes"?}``: person accounts, off in a new org; written through contact or account
``POST /practice/currencies``   ``{"rates": {"EUR": 1, "JPY": 160}, "dated"?: {"JPY": {"2026-01-01": 150}}}``: several
                                currencies, the corporate one with the rate 1, off in a new org; later, other rates.
                                ``{"only": "EUR"}``: the one that an org without them has (USD)
``POST /practice/access``       ``{"object", "field", "visible"?, "updateable"?}``: field-level security, and without
                                ``field`` ``{"object", "readable"?, "createable"?, "updateable"?, "deletable"?}``
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from practice_org.salesforce.faults import KINDS, Fault
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem, not_found
from practice_org.salesforce.refusals import ELSEWHERE, OF_REQUESTS, OF_ROWS, OF_SIGN_IN
from practice_org.salesforce.rest.calls import Reply, refusal

_MINUTE = timedelta(minutes=1)
Body = Mapping[str, Any]


def _calls(org: PracticeOrg, body: Body) -> Any:
    return {"total": 0, **org.calls}


def _reset(org: PracticeOrg, body: Body) -> Any:
    org.reset_calls()
    return None


def _faults(org: PracticeOrg, body: Body) -> Any:
    return [fault.as_json() for fault in org.faults.active]


def _fault_on(org: PracticeOrg, body: Body) -> Any:
    given = dict(body)
    fault = org.faults.on(str(given.pop("kind", "")), **given)
    try:
        _tried(org, fault)
    except Problem:
        org.faults.active.remove(fault)
        raise
    return fault.as_json()


def _tried(org: PracticeOrg, fault: Fault) -> None:
    """Its object and condition are looked at now, and not when somebody writes. Raises their problem."""
    if fault.values.get("object"):
        org.schema.get(str(fault.values["object"]))
    if fault.values.get("when"):
        org.rows(f"SELECT Id FROM {fault.values['object']} WHERE {fault.values['when']} LIMIT 1")


def _kinds(org: PracticeOrg, body: Body) -> Any:
    requests = {code: {"status": status, "message": text} for code, (status, text) in OF_REQUESTS.items()}
    rows = {code: {"status": status, "message": text} for code, (status, text) in OF_ROWS.items()}
    kinds = {kind: [*names, "times", "path"] for kind, names in KINDS.items()}
    beside = {
        code: {"status": status, "message": text, "path": path} for code, (status, text, path) in ELSEWHERE.items()
    }
    return {"kinds": kinds, "refusal": {**requests, **beside}, "row_error": rows, "sign_in": OF_SIGN_IN}


def _settings(org: PracticeOrg, body: Body) -> Any:
    given = org.credentials
    return {
        "daily_limit": org.daily_limit,
        "session_minutes": given.session // _MINUTE,
        "rotate_refresh_tokens": given.rotate_refresh_tokens,
        "preauthorised": given.preauthorised,
        "run_as_user": given.run_as_user,
        "role_removals_listed": org.role_removals_listed,
        "deleted_log_days": min(15, (org.clock.now() - org.deleted_log_from).days),
        "bulk_megabytes": org.bulk.megabytes,
        "bulk_minutes": org.bulk.minutes,
    }


def _set(org: PracticeOrg, body: Body) -> Any:
    known = _settings(org, body)
    for name, value in body.items():
        if name not in known or type(value) is not type(known[name]) or value < 0:
            shown = ", ".join(f"{key} (now {json.dumps(now)})" for key, now in known.items())
            raise Problem(400, "INVALID_SETTING", f"{name} cannot be {json.dumps(value)}; settings are {shown}")
    for name, value in body.items():
        if name in ("rotate_refresh_tokens", "preauthorised", "run_as_user"):
            setattr(org.credentials, name, value)
        elif name.startswith("bulk_"):
            setattr(org.bulk, name.removeprefix("bulk_"), value)
        elif name == "session_minutes":
            org.credentials.session = value * _MINUTE
        elif name == "deleted_log_days":
            org.deleted_log_from = org.clock.now() - timedelta(days=value)
        else:
            setattr(org, name, value)
    return _settings(org, body)


def _picklist(org: PracticeOrg, body: Body) -> Any:
    org.set_picklist(body["object"], body["field"], body["values"], restricted=bool(body.get("restricted", False)))
    return None


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
    rights = ("visible", "updateable") if "field" in body else ("readable", "createable", "updateable", "deletable")
    flags = {name: bool(body[name]) for name in rights if name in body}
    if "field" not in body:
        org.set_object_access(body["object"], **flags)
        return None
    org.set_field_access(body["object"], body["field"], **flags)
    return None


def _shared(org: PracticeOrg, body: Body) -> Any:
    org.share_activities(on=bool(body.get("on", True)))
    return None


def _persons(org: PracticeOrg, body: Body) -> Any:
    org.enable_person_accounts("account" if body.get("writes") == "account" else "contact")
    return None


def _currencies(org: PracticeOrg, body: Body) -> Any:
    if "only" in body:
        org.set_only_currency(str(body["only"]))
        return None
    org.use_currencies(body["rates"], body.get("dated"))
    return None


_PATHS: dict[tuple[str, str], Callable[[PracticeOrg, Body], Any]] = {
    ("GET", "calls"): _calls,
    ("DELETE", "calls"): _reset,
    ("GET", "faults"): _faults,
    ("GET", "faults/kinds"): _kinds,
    ("POST", "faults"): _fault_on,
    ("DELETE", "faults"): _faults_off,
    ("GET", "settings"): _settings,
    ("POST", "settings"): _set,
    ("POST", "picklist"): _picklist,
    ("POST", "undelete"): _undelete,
    ("POST", "merge"): _merge,
    ("POST", "convert"): _convert,
    ("POST", "sessions"): _sessions,
    ("POST", "access"): _access,
    ("POST", "shared"): _shared,
    ("POST", "persons"): _persons,
    ("POST", "currencies"): _currencies,
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
