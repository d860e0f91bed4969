"""The Salesforce REST API behind :class:`connector.base.ports.Salesforce`.

Built on simple-salesforce, which is handed our own session (``connector.base.http``): paths, headers and parsing are
its, time-outs, retries, sign-in and errors are ours. Its own sign-in and refresh are not used: they lose headers and
repeat the answer's body in their errors.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Any

import requests
from simple_salesforce.api import Salesforce as SimpleSalesforce
from urllib3 import encode_multipart_formdata
from urllib3.fields import RequestField

from connector.base.answers import body_of, reading, unreadable
from connector.base.clock import Clock
from connector.base.errors import LimitReached, Refused, Transient
from connector.base.facts import Outcome, RecordChange
from connector.base.http import Session, server_time
from connector.base.ids import id18
from connector.base.json import Json, JsonMap, JsonObject
from connector.base.ports import (
    DELETIONS,
    Answers,
    Deleted,
    DeletedSince,
    LocatorExpired,
    Page,
    Read,
    Updated,
    UpdatedSince,
)
from connector.base.settings import Settings
from connector.base.soql import name
from connector.salesforce import composite
from connector.salesforce.auth import Auth, user_of_identity
from connector.salesforce.errors import QUERY_TIMEOUT, SLOW, judge_salesforce
from connector.salesforce.writes import Pack, write_rows

_SERVICE = "Salesforce"
DESCRIBED_FOR = timedelta(minutes=10)  # fields come and go while a daemon runs
HALTED = "PROCESSING_HALTED"  # of a part that was undone for the sake of another
FLOOR = 62.0  # the oldest API version that is tested
CALL_OPTIONS = {"Sforce-Call-Options": "client=lifecycle-connector"}  # names us in the org's change events
WRITE_HEADERS = {
    "Sforce-Auto-Assign": "FALSE",  # else any update of a Lead runs assignment rules and may change its owner
    "Sforce-Duplicate-Rule-Header": "allowSave=true",  # else an alert for the admin's eyes refuses the write
    **CALL_OPTIONS,
}


class SalesforceClient:
    """See :class:`connector.base.ports.Salesforce` for what each method promises.

    ``budget`` says how many calls are left today (None: no limit) and is asked before each; ``on_call`` is told the
    kind of each call just before it is made. Calls that Salesforce does not bill (signing in, the list of versions)
    are neither counted nor limited.
    """

    def __init__(
        self,
        settings: Settings,
        auth: Auth,
        clock: Clock,
        *,
        budget: Callable[[], int | None] = lambda: None,
        on_call: Callable[[str], None] = lambda _kind: None,
    ) -> None:
        self.auth = auth
        self._clock, self._budget, self._on_call = clock, budget, on_call
        self._pinned = settings.salesforce_api_version
        self._session = Session(
            _SERVICE,
            judge_salesforce,
            clock,
            token=auth,
            ca_bundle=settings.ca_bundle,
            before=self._before,
            home=auth.instance_url,
        )
        self._session.headers.update(CALL_OPTIONS)
        self._pack = Pack(min(settings.write_pack, composite.WRITE_ROWS))
        self._calls: Counter[str] = Counter()
        self._usage: tuple[int, int] | None = None
        self._described: dict[str, tuple[datetime, JsonMap]] = {}
        self._simple: SimpleSalesforce | None = None
        self._org_id: str | None = None
        self._user_id: str | None = None

    def read(self, reads: Sequence[Read], windows: Sequence[DeletedSince | UpdatedSince] = ()) -> Answers:
        pages: dict[str, Page] = {}
        updated: dict[str, Updated] = {}
        gone: dict[str, Deleted] = {}
        apart: dict[str, Refused] = {}
        at = None
        for items in composite.groups(reads, windows):
            request = composite.read_request(items, self._base())
            body, response = self._call("composite", "composite", "POST", json=request)
            now = server_time(response.headers, self._clock.now())
            at = at or now
            with reading(_SERVICE):
                for item, answer in zip(items, _complete(body, len(items)), strict=True):
                    if isinstance(item, UpdatedSince):
                        updated[item.name] = composite.updates(answer, item)
                        continue
                    if isinstance(item, DeletedSince) and (found := composite.deletions(answer, item)):
                        gone[item.name] = found
                        continue
                    if refused := composite.problem(answer):
                        code, what, hint = refused
                        error = Refused(f"{what} (reading {item.name})", hint, code=code)
                        if isinstance(item, Read) and not item.alone:
                            raise Transient(error.what, SLOW) if code == QUERY_TIMEOUT else error
                        apart[item.name if isinstance(item, Read) else f"{item.name}:{DELETIONS}"] = error
                        continue
                    pages[item.name] = composite.page_of_answer(answer.body, now)
        return Answers(pages, gone, at or self._clock.now(), apart, updated)

    def more(self, locator: str) -> Page:
        seen: list[requests.Response] = []
        try:
            body = self._salesforce().query_more(
                locator, identifier_is_url=True, kind="query_more", hooks=_collect(seen), shape=dict
            )
        except Refused as error:
            if error.code == "INVALID_QUERY_LOCATOR":
                raise LocatorExpired(locator) from None
            raise
        self._note_usage(seen[-1])
        with reading(_SERVICE):
            page = composite.page_of_answer(body, server_time(seen[-1].headers, self._clock.now()))
        return page

    def update(self, changes: Sequence[RecordChange]) -> Iterator[Sequence[Outcome]]:
        return write_rows(self._send_collections, changes, self._pack, self._clock, SystemRandom().random)

    def rehearse(self, change: RecordChange) -> tuple[str, str] | None:
        """Whether the org would take a row: None, or the code and the text of its refusal. It takes nothing."""
        request = composite.rehearsal(change, self._base(), WRITE_HEADERS)
        body, _ = self._call("rehearsal", "composite", "POST", json=request, headers=WRITE_HEADERS)
        row, undoing = (composite.problem(each) for each in _complete(body, len(request["compositeRequest"])))
        if undoing is None:
            raise Refused("the org took a request that nothing can do; look at the record", change.id)
        return None if row is None or row[0] == HALTED else row[:2]

    def picklists(self, object_name: str, record_type: str) -> dict[str, list[str]]:
        """Field -> the values that records of a type may have."""
        path = f"ui-api/object-info/{name(object_name)}/picklist-values/{id18(record_type)}"
        body, _ = self._call("picklists", path)
        with reading(_SERVICE):
            found = body["picklistFieldValues"].items()
            return {field: [str(value["value"]) for value in each["values"]] for field, each in found}

    def describe(self, object_name: str) -> JsonMap:
        """Kept for some minutes."""
        now = self._clock.now()
        at, body = self._described.get(object_name, (now, None))
        if body is None or now - at > DESCRIBED_FOR:
            body, _ = self._call("describe", f"sobjects/{name(object_name)}/describe")
            with reading(_SERVICE):
                composite.check_fields(body)
            self._described[object_name] = now, body
        return dict(body)

    def api_version(self) -> str:
        """The one that is spoken, as ``67.0``."""
        return str(self._salesforce().sf_version)

    def create(self, object_name: str, row: JsonMap) -> str:
        """The id of the new record. Raises Refused."""
        body, _ = self._call("create", f"sobjects/{name(object_name)}", "POST", json=dict(row))
        return _id_of(body)

    def start_deploy(self, package: bytes, options: JsonMap) -> str:
        """The id of a deployment of metadata that has begun. Needs the right to modify metadata."""
        told = RequestField("json", json.dumps({"deployOptions": dict(options)}))
        told.make_multipart(content_type="application/json")
        packed = RequestField("file", package, filename="package.zip")
        packed.make_multipart(content_type="application/zip")
        data, content_type = encode_multipart_formdata([told, packed])
        headers = {"Content-Type": content_type}
        path = "metadata/deployRequest"
        body, _ = self._call("deploy", path, "POST", data=data, headers=headers, once_timed_out=True)
        return _id_of(body)

    def deploy_result(self, deployment: str) -> JsonMap:
        """What became of it so far, component by component."""
        path = f"metadata/deployRequest/{deployment}?includeDetails=true"
        body, _ = self._call("deploy", path)
        if not isinstance(result := body.get("deployResult"), dict):
            raise unreadable(_SERVICE)
        return result

    def limits(self) -> JsonMap:
        """The org's limits: name -> {"Max", "Remaining"}. The user needs 'View Setup and Configuration'."""
        body, _ = self._call("limits", "limits/")
        return dict(body)

    def identity(self) -> str:
        """From the sign-in where it says so, which costs no call."""
        if self._org_id is None:
            self._org_id = self.auth.org_id() or self._ask_org_id()
        return self._org_id

    def single_currency(self) -> tuple[bool, str]:
        """Only Connect REST tells; a user who may not use it is told nothing."""
        try:
            told = self._call("organization", "connect/organization")[0].get("features") or {}
        except Refused:
            return False, ""
        if not isinstance(told, dict):
            raise unreadable(_SERVICE)
        return bool(told.get("multiCurrency")), str(told.get("defaultCurrencyIsoCode") or "")

    def user(self) -> str | None:
        """From the sign-in; where only a token is given, from the list of resources, which names the identity."""
        if self._user_id is None:
            self._user_id = self.auth.user_id() or user_of_identity(str(self._call("user", "")[0].get("identity")))
        return self._user_id

    def address(self) -> str:
        return self.auth.instance_url()

    def calls(self) -> Mapping[str, int]:
        return Counter(self._calls)

    def usage(self) -> tuple[int, int] | None:
        """(used, allowed) API calls of the whole org in 24 hours, as far as answers told. The counter differs between
        Salesforce's servers and can go back, so the most ever seen counts."""
        return self._usage

    def close(self) -> None:
        self._session.close()
        self.auth.close()

    def _send_collections(self, parts: Sequence[Sequence[RecordChange]]) -> Sequence[composite.Answer]:
        request = composite.write_request(parts, self._base(), WRITE_HEADERS)
        before = self._calls["collections"]
        body, _ = self._call(
            "collections", "composite", "POST", json=request, headers=WRITE_HEADERS, once_timed_out=True
        )
        again = self._calls["collections"] > before + 1
        with reading(_SERVICE):
            answers = composite.with_looks(_complete(body, len(request["compositeRequest"])))
        return [replace(each, again=again) for each in answers]

    def _call(self, kind: str, path: str, method: str = "GET", **kwargs: Any) -> tuple[JsonObject, requests.Response]:
        seen: list[requests.Response] = []
        try:
            self._salesforce().restful(path, method=method, kind=kind, hooks=_collect(seen), shape=dict, **kwargs)
        except Refused as error:
            if error.code == QUERY_TIMEOUT:
                raise Transient(error.what, SLOW) from None
            raise
        self._note_usage(seen[-1])
        return body_of(seen[-1]), seen[-1]

    def _ask_org_id(self) -> str:
        page = self.read([Read("Organization", "SELECT Id FROM Organization LIMIT 1")]).pages["Organization"]
        org_id = id18(str(page.rows[0]["Id"])) if page.rows else None
        if org_id is None:
            raise Refused("the org does not tell its id", "let the integration user read Organization")
        return org_id

    def _salesforce(self) -> SimpleSalesforce:
        if self._simple is None:
            instance_url = self.auth.instance_url()
            self._session.allow_plain_http(instance_url)
            self._simple = SimpleSalesforce(
                session_id="",  # the session sets the token as it sends
                instance_url=instance_url,
                version=self._version(instance_url),
                session=self._session,
                object_pairs_hook=None,
            )
            self._simple.headers.pop("X-PrettyPrint")
        return self._simple

    def _version(self, instance_url: str) -> str:
        # Outside a version's path, which is all that simple-salesforce can address; Salesforce does not bill it.
        response = self._session.request("GET", f"{instance_url}/services/data/", shape=list)
        with reading(_SERVICE):
            offered = [str(each["version"]) for each in response.json()]
            version = choose_version(offered, self._pinned)
        return version

    def _base(self) -> str:
        return f"/services/data/v{self._salesforce().sf_version}"

    def _before(self, kind: str) -> None:
        left = self._budget()
        if left is not None and left <= 0:
            raise LimitReached(
                "the connector's own budget of Salesforce API calls is used up for today",
                "it goes on after midnight UTC; or raise CONNECTOR_API_DAILY_BUDGET",
            )
        self._calls[kind] += 1
        self._on_call(kind)

    def _note_usage(self, response: requests.Response) -> None:
        usage = parse_usage(response.headers.get("Sforce-Limit-Info", ""))
        if usage and (self._usage is None or usage[0] > self._usage[0]):
            self._usage = usage


def _id_of(body: JsonObject) -> str:
    if not isinstance(made := body.get("id"), str):
        raise unreadable(_SERVICE)
    return made


def open_salesforce(
    settings: Settings,
    clock: Clock,
    *,
    budget: Callable[[], int | None] = lambda: None,
    on_call: Callable[[str], None] = lambda _kind: None,
) -> SalesforceClient:
    """Sends nothing yet; raises ConfigurationError when the settings do not say how to sign in."""
    return SalesforceClient(settings, Auth(settings, clock), clock, budget=budget, on_call=on_call)


def choose_version(offered: Sequence[str], pinned: str) -> str:
    """The highest offered version that is not above the pinned one. Raises Refused below :data:`FLOOR`."""
    fitting = [each for each in offered if FLOOR <= float(each) <= float(pinned)]
    if not fitting:
        raise Refused(
            f"the org offers no API version from {FLOOR} to {pinned}",
            "set CONNECTOR_SALESFORCE_API_VERSION to one of: " + ", ".join(offered[-5:]),
            code="UNSUPPORTED_API_VERSION",
        )
    return max(fitting, key=float)


def parse_usage(header: str) -> tuple[int, int] | None:
    """``api-usage=25/5000; per-app-api-usage=17/250(appName=x)`` -> (25, 5000); parts come in any order."""
    found = re.search(r"(?:^|[;,\s])api-usage=(\d+)/(\d+)", header)
    return (int(found.group(1)), int(found.group(2))) if found else None


def _collect(seen: list[requests.Response]) -> JsonObject:
    """simple-salesforce returns bodies only; this requests hook keeps the answers, for their headers."""
    return {"response": lambda response, **_kwargs: seen.append(response)}


def _complete(body: Json, count: int) -> list[composite.Answer]:
    with reading(_SERVICE):
        answers = composite.answers(body, count)
    if answers is None:
        raise Transient("Salesforce's Composite answer is not complete", "it usually passes; the next cycle asks again")
    return answers
