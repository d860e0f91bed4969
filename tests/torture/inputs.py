"""Bad inputs: what people and machines hand to the connector, spoilt. Each ends with a message and the right exit code.

The commands run in this process, which is a fork: a trial is a batch of inputs, made by its dice.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import io
import json
import os
import random
import re
import shutil
import sys
import traceback
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import connector.sources.webhook.server as hooks
from connector import cli
from connector.base.clock import SystemClock
from connector.base.settings import Settings
from connector.sources.webhook.inbox import Inbox
from connector.sources.webhook.source import secret_key
from tests.torture import moments, wire
from tests.torture.crash import Case, how
from tests.torture.found import Tried
from tests.torture.places import folder

BATCH = 25
DONE_OR_TOLD = {0, 2, 3, 4}
_MAPPINGS = sorted((Path(__file__).parents[2] / "mappings").glob("*.yaml"))
_NASTY: Sequence[bytes] = [
    *(b"\x00", b"\t", b"\xff", b"\xef\xbb\xbf", b"\xe2\x80\xae", b"\x1b[31m", b"\r", b"\n\n", b"\xed\xa0\x80", b" "),
    *(b"- ", b": ", b"{", b"}", b"[", b"]", b"&a ", b"*a", b"<<: *a", b"!!python/object:os.system ", b"'", b'"', b"|"),
    *(b"-1", b"0", b"1e999", b"NaN", b"null", b"true", b"0x10", b"9" * 400, b"2026-02-30", b"~", b"%s", b"$(id)", b","),
]
_VALUES = [
    *(
        "",
        " ",
        "-1",
        "0",
        "1e400",
        "NaN",
        "²",
        "true",
        "null",
        "[]",
        "{}",
        "..",
        "/",
        "http://",
        "https://user:pw@host",
    ),
    *(
        "file:///etc/passwd",
        "x" * 10_000,
        "9" * 30,
        "\udcff",
        "\x1b[31m",
        "é",
        "a,b",
        "sqlite://",
        "postgresql://",
        "%",
    ),
    *("ftp://host/", "http://[::1", "https://127.0.0.1:99999", "2026-02-30", "INFO", "\n", "//", "\u202e", "a=b;c"),
]
_WORDS = [
    *("sync", "backfill", "plan", "status", "explain", "report", "export", "rollback", "forget", "failures", "source"),
    *("list", "retry", "ledger", "funnel", "--since", "--json", "--object", "--id", "--person", "--at", "--max-age"),
    *("--max-changes", "--mapping", "--csv", "--dry-run", "--apply", "--verify", "--code", "--format", "--nothing"),
    *("Contact", "Lead", "99", "-1", "2026-01-31", "p1@example.com", "003PO0000000002YAA", "", "--", "-", "\udcff"),
]
_READERS = [
    *(["status"], ["status", "--json"], ["explain", "p1@example.com"], ["failures", "list"], ["report", "ledger"]),
    *(["report", "funnel"], ["sync", "--dry-run"], ["plan"], ["sync"], ["failures", "retry"], ["backup", "copy"]),
]
_EVENT = {"event_id": "1", "occurred_at": "2026-03-01T10:00:00Z", "type": "form_submit", "email": "no@example.com"}


def _spoilt(dice: random.Random, text: bytes) -> bytes:
    for _ in range(dice.choice((1, 1, 2, 4))):
        at, to = sorted(dice.randrange(len(text) + 1) for _ in range(2))
        to = min(to, at + dice.choice((1, 3, 20, 400)))
        kind = dice.randrange(6)
        lines = text.split(b"\n")
        if kind == 0:
            text = text[:at] + text[to:]
        elif kind == 1:
            text = text[:at] + dice.choice(_NASTY) + text[at:]
        elif kind == 2:
            text = text[:at] + dice.choice(_NASTY) + text[to:]
        elif kind == 3:
            dice.shuffle(lines)
            text = b"\n".join(lines) if dice.random() < 0.2 else text + b"\n" + lines[0]
        elif kind == 4:
            words = re.findall(rb"\w+", text) or [b"a"]
            text = text.replace(dice.choice(words), dice.choice(words), 1)
        else:
            text = text[:at] if dice.random() < 0.3 else text[:at] + text[at:to] * 2 + text[to:]
    return text


def _said(words: Sequence[str], variables: Mapping[str, str]) -> tuple[int, str]:
    """A command in this process and this folder: its exit code, and all that it printed."""
    for name in [each for each in os.environ if each.startswith("CONNECTOR_")]:  # noqa: TID251
        del os.environ[name]  # noqa: TID251
    os.environ.update(variables)  # noqa: TID251
    printed = io.StringIO()
    code: Any = 0
    with redirect_stdout(printed), redirect_stderr(printed):
        sys.argv = ["connector", *words]
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
        except BaseException:  # noqa: BLE001 - what it was is what is wrong
            code = 1
            traceback.print_exc()
    return (code if isinstance(code, int) else int(bool(code))), printed.getvalue()


def _judged(what: str, told: tuple[int, str], may: set[int] = DONE_OR_TOLD) -> Iterator[str]:
    code, printed = told
    if code not in may or "Traceback" in printed or (code == 2 and not printed.strip()):
        yield f"{what} ended with {code}: {printed[-500:]}"


@contextmanager
def _apart() -> Iterator[Path]:
    """A folder of its own, and nobody to be reached."""

    def nobody(_request: bytes) -> wire.Answer:
        raise ConnectionRefusedError(111, "Connection refused")

    moments.without_waiting()
    wire.through(nobody)
    with folder() as made:
        os.chdir(made)
        yield Path(made)
        os.chdir("/")


def mappings(dice: random.Random) -> Tried:
    wrong: list[str] = []
    with _apart() as here:
        for _ in range(BATCH):
            text = _spoilt(dice, dice.choice(_MAPPINGS).read_bytes())
            (here / "mapping.yaml").write_bytes(text)
            found = list(_judged("a mapping", _said(["check", "mapping.yaml"], {}), {0, 2}))
            wrong += [f"{each} {text!r}" for each in found]
        if sorted(each.name for each in here.iterdir()) != ["mapping.yaml"]:
            wrong.append("something was written")
    return Tried(wrong, BATCH)


def variables(dice: random.Random) -> Tried:
    """``sync`` with settings that are no settings."""
    wrong: list[str] = []
    names = sorted(each for each in Settings.model_fields if each not in {"activity_folder"})
    for _ in range(BATCH):
        with _apart():
            good = {"salesforce_login_url": wire.HOME, "salesforce_client_id": "a", "salesforce_client_secret": "b"}
            bad = {name: dice.choice(_VALUES) for name in dice.sample(names, dice.choice((1, 1, 3)))}
            given = {f"CONNECTOR_{name.upper()}": value for name, value in {**good, **bad}.items()}
            given = {name: value.replace("\x00", "") for name, value in given.items()}
            wrong += [f"{each} {bad!r:.300}" for each in _judged("settings", _said(["sync"], given))]
    return Tried(wrong, BATCH)


def lines(ready: Case, dice: random.Random) -> Tried:
    """Command lines that make no sense, beside a state that they leave as it is."""
    wrong: list[str] = []
    with _apart() as here, ready.copy() as made:
        before = made.values()
        for _ in range(BATCH):
            words = [dice.choice(_WORDS) for _ in range(dice.randrange(1, 6))]
            wrong += _judged(f"{words}", _said(words, {**made.variables}), {*DONE_OR_TOLD})
        if made.values() != before:
            wrong.append("something was written to the org")
        del here
    return Tried(wrong, BATCH)


def states(ready: Case, dice: random.Random) -> Tried:
    """States that are cut off, or have other bytes than were written."""
    wrong: list[str] = []
    with _apart() as here, ready.copy() as made:
        good = Path(made.state).read_bytes()
        for _ in range(BATCH):
            shutil.rmtree(here, ignore_errors=True)
            here.mkdir()
            os.chdir(here)
            state, bad = here / "state.sqlite3", bytearray(good)
            kind = dice.randrange(4)
            at = dice.choice((dice.randrange(100), dice.randrange(len(good))))
            if kind == 0:
                del bad[at:]
            elif kind == 1:
                bad[at : at + 64] = dice.randbytes(64)
            elif kind == 2:
                bad[at // 4096 * 4096 : at // 4096 * 4096 + 4096] = bytes(4096)
            else:
                bad[at] ^= 1 << dice.randrange(8)
            state.write_bytes(bad)
            words = dice.choice(_READERS)
            told = _said(words, {**made.variables, "CONNECTOR_STATE": str(state)})
            wrong += [f"{each} (kind {kind} at {at})" for each in _judged(f"{words} of a bad state", told)]
    return Tried(wrong, BATCH)


def messages(dice: random.Random) -> Tried:
    """What is sent to a hook, signed by who may."""
    secret = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
    wrong: list[str] = []

    async def at_once(does: Callable[..., Any], *args: Any) -> Any:
        return does(*args)

    module: Any = hooks
    module.run_in_threadpool = at_once
    with _apart() as here, asyncio.Runner() as runner, redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        endpoint = hooks.Endpoint(Inbox(here / "inbox.sqlite3"), SystemClock(), {"": [secret]}, [])
        serve = wire.served_by(hooks.application(endpoint), runner.run)
        good = [json.dumps(_EVENT), json.dumps([_EVENT, {**_EVENT, "event_id": "2"}]), urllib.parse.urlencode(_EVENT)]
        for number in range(BATCH):
            moments.pass_by(1)
            body, stamp = _spoilt(dice, dice.choice(good).encode()), str(int(moments.now().timestamp()))
            digest = hmac.new(secret_key(secret), f"{number}.{stamp}.".encode() + body, hashlib.sha256).digest()
            kind = dice.choice(["application/json", "application/x-www-form-urlencoded", "text/plain", "", "a/\xff;;="])
            head = [
                f"POST /hooks/v1/form{dice.choice(['', '', '%00', '?type=x&type=y', '/a'])} HTTP/1.1",
                *(f"content-type: {kind}", f"webhook-id: {number}", f"webhook-timestamp: {stamp}"),
                f"webhook-signature: v1,{base64.b64encode(digest).decode()}",
            ]
            try:
                status = int(serve("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body).raw.split(b" ")[1])
            except Exception:  # noqa: BLE001 - what it was is what is wrong
                wrong.append(f"a message: {traceback.format_exc()[-500:]} {body!r}")
            else:
                if status >= 500:
                    wrong.append(f"a message was answered with {status}: {body!r}")
    return Tried(wrong, BATCH)


def files(ready: Case, dice: random.Random) -> Tried:
    """Files of activities of strangers: whatever they say, nobody in Salesforce is another for it."""
    rows = [{**_EVENT, "event_id": str(n)} for n in range(8)]
    good = [
        ("jsonl", "".join(json.dumps(each) + "\n" for each in rows)),
        ("csv", "\n".join([",".join(_EVENT), *(",".join(each.values()) for each in rows)]) + "\n"),
    ]
    with ready.copy() as made:
        there = made.folder / "activities"
        there.mkdir()
        for number in range(BATCH):
            ending, text = dice.choice(good)
            file = there / f"{number}.{ending}"
            file.write_bytes(_spoilt(dice, text.encode()))
            os.utime(file, (0, 1_700_000_000))
        made.more = {"CONNECTOR_ACTIVITY_FOLDER": str(there)}
        wrong = []
        for words in ready.commands:
            ended = made.run(*words)
            if ended.code not in {0, 3, 4}:
                wrong.append(f"files: {how(ended)}")
        return Tried([*wrong, *ready.recovered(made)], BATCH)
