"""An endpoint to which other systems send activities as they happen, and the source that records them.

    POST /hooks/v1/{hook}            signed after Standard Webhooks 1.0, or with "Authorization: Bearer <token>"
    POST /hooks/v1/{hook}/{token}    for senders that can set neither

``hook`` is a name of yours for the sender. The body is JSON (an activity, a list of them, or ``{"data": ...}`` around
either) or a form of one activity; parameters of the address fill what the body leaves out. A message is stored as a
whole or refused as a whole. A signature speaks of no address: so a secret is one hook's (``hook:whsec_...``), and what
is signed by one that is no hook's own belongs to the hook that it first came to. Source of the signature:
standard-webhooks/standard-webhooks, spec.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

from connector.base.errors import Refused
from connector.base.facts import Activity, Prospect, SourcePage
from connector.base.json import Json, JsonMap, JsonObject, strict_loads
from connector.sources import events
from connector.sources.events import Bad, unknown_type
from connector.sources.kinds import KINDS
from connector.sources.webhook.inbox import Inbox

TOLERANCE = timedelta(minutes=5)
FORM = "application/x-www-form-urlencoded"
MESSAGES = 100  # of a page; each has at most a megabyte
HOOK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class WebhookSource:
    """Records what the endpoint stored, ``page`` messages at a time."""

    name = "webhook"

    def __init__(self, inbox: Inbox, declared: Collection[str] = (), page: int = MESSAGES) -> None:
        self._inbox, self._declared, self._page = inbox, frozenset(declared), page

    def poll(self, cursor: JsonMap | None, now: datetime) -> Iterator[SourcePage]:
        place = cursor or {}
        try:
            identity = self._inbox.identity()
            is_same = place.get("inbox", identity) == identity  # one from before inboxes had identities is believed
            seq, refused = (int(place.get(name, 0)) if is_same else 0 for name in ("seq", "refused"))
            self._inbox.forget(seq, now)
            while messages := self._inbox.after(seq, self._page):
                seq = messages[-1].seq
                found = [_read(message.hook, record) for message in messages for record in message.records]
                good = tuple(each for each in found if isinstance(each, Activity))
                people = tuple(each for each in found if isinstance(each, Prospect))
                unknown = Counter(kind for each in good if (kind := unknown_type(each, self._declared)) is not None)
                people += events.visitors(good)
                cursor, once = {"inbox": identity, "seq": seq, "refused": refused}, events.happened_once(good)
                yield SourcePage(cursor, good, people, unknown=unknown, once=once)
            refused_since = self._inbox.refusals(refused)
            if refused_since:
                last = refused_since[-1]
                yield SourcePage({"inbox": identity, "seq": seq, "refused": last}, bad=len(refused_since))
        except sqlite3.Error as error:
            raise Refused(
                f"the inbox of the webhooks cannot be read: {error}", "check CONNECTOR_WEBHOOK_INBOX"
            ) from None

    def account(self) -> str | None:
        return None

    def calls(self) -> Mapping[str, int]:
        return {}


def _read(hook: str, record: JsonMap) -> Activity | Prospect | Bad:
    """What the endpoint was told; its id is the sender's, below the hook's name, so that two senders never collide."""
    found = events.read_event(WebhookSource.name, record, None)
    if isinstance(found, Bad):
        return found
    named = replace(found, id=f"{hook}:{found.id}", attributes={**found.attributes, "hook": hook})
    if isinstance(named, Activity) and named.prospect_id is not None:
        return replace(named, prospect_id=f"{hook}:{named.prospect_id}")
    return named


def parse_message(body: bytes, content_type: str, defaults: Mapping[str, str], now: datetime) -> list[JsonObject] | Bad:
    """The records of a body, each with what it leaves out: ``defaults``, then the message's time, then ``now``."""
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == FORM or not body.strip():  # some senders put everything into the address
            return [_filled(read_form(body), defaults, now)]
        content = strict_loads(body)
        _check_pairs(content)
    except UnicodeDecodeError:
        return Bad("the body is neither UTF-8 nor Windows-1252" if kind == FORM else "the body is not UTF-8")
    except ValueError as error:
        said = f" as its type {kind[:60]} says" if kind and "json" not in kind else ""
        return Bad(f"the body is not JSON{said}: {error}; send application/json or {FORM}")
    envelope: JsonObject = {}
    if isinstance(content, dict) and isinstance(content.get("data"), dict | list):
        envelope = {"occurred_at": content.get("timestamp")}
        if content.get("type") in KINDS:
            envelope["type"] = content["type"]
        content = content["data"]
    records = content if isinstance(content, list) else [content]
    if not records or not all(isinstance(record, dict) for record in records):
        return Bad("the body holds no activity: send an object, or a list of objects")
    return [_filled(record, {**envelope, **defaults}, now) for record in records]


def _check_pairs(content: Json) -> None:
    """Raises ValueError for half of a character pair, which is no text and could be neither stored nor told."""
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("it has half of a character pair, as in \\ud83d alone") from None


def read_form(body: bytes) -> dict[str, str]:
    """The fields of a form, or of an address, in UTF-8, or in Windows-1252 where they are no UTF-8. A sender that does
    not encode the ``+`` of an e-mail address sends a space by it, which none has. Raises UnicodeDecodeError."""
    try:
        fields = dict(parse_qsl(body.decode("utf-8"), errors="strict"))
    except UnicodeDecodeError:
        fields = dict(parse_qsl(body.decode("cp1252"), encoding="cp1252", errors="strict"))
    if email := fields.get("email"):
        parts = (part.strip() for part in re.split("[,;]", email))
        fields["email"] = ",".join(part if "<" in part else part.replace(" ", "+") for part in parts)
    return fields


def _filled(record: JsonMap, defaults: JsonMap, now: datetime) -> JsonObject:
    given = {key: value for key, value in record.items() if value not in (None, "")}
    known = {key: value for key, value in defaults.items() if value not in (None, "")}
    return {"occurred_at": now.isoformat(), **known, **given}


def problems(hook: str, records: Sequence[JsonMap]) -> list[str]:
    """What is wrong with each record that is no activity."""
    found = [_read(hook, record) for record in records]
    return [f"activity {place}: {each.reason}" for place, each in enumerate(found, 1) if isinstance(each, Bad)]


def signature_problem(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime) -> str | None:
    """None when a signature of one of ``secrets`` (``whsec_...``, base64) holds and is fresh. Headers in lower case."""
    message_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
        return "webhook-id or webhook-timestamp is missing"
    if abs(now.timestamp() - int(stamp)) > TOLERANCE.total_seconds():
        return "webhook-timestamp is too old, or the clocks differ"
    return None if fitting(secrets, headers, body) else "webhook-signature does not fit"


def fitting(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> list[str]:
    """The signatures that these secrets make and the message has."""
    given = [
        text.partition(",")[2].encode() for text in headers.get("webhook-signature", "").split() if text[:3] == "v1,"
    ]
    message_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    good = [signature(secret_key(each), message_id, stamp, body) for each in secrets]
    return [one.decode() for one in good if any(hmac.compare_digest(one, other) for other in given)]


def signature(key: bytes, message_id: str, stamp: str, body: bytes) -> bytes:
    """What Standard Webhooks 1.0 has behind ``v1,``."""
    signed = f"{message_id}.{stamp}.".encode() + body
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())


def secret_key(secret: str) -> bytes:
    """The bytes of a secret. Raises ValueError when it is not base64."""
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
