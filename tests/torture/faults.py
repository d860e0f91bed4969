"""The fault proxy: between the connector and the org something goes wrong with one request, or with many in a storm.

It stands at the socket (``wire.py``): what a fault makes of an answer are bytes, which http.client, urllib3, requests
and our sessions read as they read any.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path

from connector.base.http import Session
from tests.torture.crash import Case, how
from tests.torture.doomed import KILLED
from tests.torture.found import Trials, Tried
from tests.torture.wire import Answer, Faults, Serve, Then

Fault = Callable[[Serve, bytes], Answer]
MAY_END_WITH = {0, 3, 4}  # done; done, but not all; refused, or given up for now
LARGEST = 4 << 20  # bytes of an answer, so that what is larger need not be large
_TOLD = "faults"  # a file, of those that struck


def answer(status: str, body: str | bytes = b"", *headers: str) -> Answer:
    said = body if isinstance(body, bytes) else body.encode()
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(said)}", *headers, "", ""]
    return Answer("\r\n".join(head).encode() + said)


def _page(status: str, *headers: str) -> Fault:
    html = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
    return lambda _serve, _request: answer(status, html, "Content-Type: text/html", *headers)


def _json(status: str, body: str | bytes, *headers: str) -> Fault:
    return lambda _serve, _request: answer(status, body, "Content-Type: application/json", *headers)


def _raw(raw: bytes) -> Fault:
    return lambda _serve, _request: Answer(raw, "closed")


def _lost(then: Then) -> Fault:
    def fault(serve: Serve, request: bytes) -> Answer:
        serve(request)
        return Answer(b"", then)

    return fault


def _cut(then: Then, part: float) -> Fault:
    def fault(serve: Serve, request: bytes) -> Answer:
        raw = serve(request).raw
        head = raw.index(b"\r\n\r\n") + 4
        end = head + int((len(raw) - head) * part) if part > 0 else int(head * -part)
        return Answer(raw[:end], then)

    return fault


def _headers(change: Callable[[bytes], bytes]) -> Fault:
    def fault(serve: Serve, request: bytes) -> Answer:
        head, _, body = serve(request).raw.partition(b"\r\n\r\n")
        return Answer(change(head) + b"\r\n\r\n" + body)

    return fault


def _twice(serve: Serve, request: bytes) -> Answer:
    return Answer(serve(request).raw * 2)


def _sent_twice(serve: Serve, request: bytes) -> Answer:
    serve(request)
    return serve(request)


def _drips(serve: Serve, request: bytes) -> Answer:
    return Answer(serve(request).raw, drips=True)


@cache
def _zeros() -> bytes:
    return gzip.compress(bytes(LARGEST * 4))


def _bomb(_serve: Serve, _request: bytes) -> Answer:
    return answer("200 OK", _zeros(), "Content-Type: application/json", "Content-Encoding: gzip")


def _charset(head: bytes) -> bytes:
    return head.replace(b"charset=UTF-8", b"charset=klingon").replace(b"charset=utf-8", b"charset=klingon")


_LIMIT = '[{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]'
_STALE = '[{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]'

FAULTS: Mapping[str, Fault] = {
    "reset before": lambda _serve, _request: Answer(b"", "reset"),
    "reset after": _lost("reset"),
    "closed before": lambda _serve, _request: Answer(b"", "closed"),
    "closed after": _lost("closed"),
    "timeout before": lambda _serve, _request: Answer(b"", "silent"),
    "timeout after": _lost("silent"),
    **{
        f"{status[:3]} page": _page(status) for status in ("500 Oops", "502 Bad Gateway", "503 Unavailable", "504 Late")
    },
    "401 page": _page("401 Unauthorized"),
    "401": _json("401 Unauthorized", _STALE),
    "403 limit": _json("403 Forbidden", _LIMIT),
    "403 page": _page("403 Forbidden"),
    "429": _json("429 Too Many Requests", "{}", "Retry-After: 3"),
    "404 page": _page("404 Not Found"),
    "301": _page("301 Moved", "Location: http://127.0.0.1:9/elsewhere"),
    "302": _page("302 Found", "Location: https://example.com/"),
    "307": _page("307 Temporary Redirect", "Location: http://127.0.0.1:8080/"),
    "308 nowhere": _page("308 Permanent Redirect"),
    "body cut": _cut("closed", 0.5),
    "body cut by reset": _cut("reset", 0.5),
    "body stops": _cut("silent", 0.9),
    "head cut": _cut("closed", -0.5),
    "head stops": _cut("silent", -0.5),
    "charset": _headers(_charset),
    "no length": _headers(lambda head: head.replace(b"Content-Length", b"X-Length")),
    "wrong bytes": _json("200 OK", b'{"a": "' + b'\xff\xfe\xfa"}'),
    "utf-16": _json("200 OK", '{"a": "b"}'.encode("utf-16")),
    "no json": _json("200 OK", "Service is down, sorry"),
    "page for an answer": _page("200 OK"),
    "nothing": _json("200 OK", ""),
    "204": lambda _serve, _request: Answer(b"HTTP/1.1 204 No Content\r\n\r\n"),
    **{f"json {text}": _json("200 OK", text) for text in ("null", "[]", "{}", '"text"', "0", "true", "NaN", "[null]")},
    "json deep": _json("200 OK", "[" * 100_000 + "]" * 100_000),
    "json deep object": _json("200 OK", '{"a":' * 5_000 + "1" + "}" * 5_000),
    **{
        f"503 retry after {text}": _page("503 Unavailable", f"Retry-After: {text}")
        for text in ("-5", "soon", "NaN", "1e400", "0", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT")
    },
    "drip": _drips,
    "bomb": _bomb,
    "no gzip": _json("200 OK", "{}", "Content-Encoding: gzip"),
    "twice": _twice,
    "sent twice": _sent_twice,
    "no http": _raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "status of letters": _raw(b"HTTP/1.1 abc OK\r\n\r\n"),
    "long header": _raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n{}"),
    "many headers": _raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n{}"),
    "bad chunk": _raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
    "negative length": _raw(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}"),
    "wrong date": _headers(lambda head: head.replace(b"\r\nDate: ", b"\r\nDate: not ")),
}


def single(name: str, at: int) -> Faults:
    """One fault, at one request of a command."""

    def faults(serve: Serve) -> Serve:
        return _by_turns(serve, {at: name}.get)

    return faults


def storm(seed: str, often: float) -> Faults:
    """Whatever comes, at so many of the requests."""

    def faults(serve: Serve) -> Serve:
        dice = random.Random(seed)  # noqa: S311 - the same storm again
        names = sorted(FAULTS)
        return _by_turns(serve, lambda _turn: dice.choice(names) if dice.random() < often else None)

    return faults


def _by_turns(serve: Serve, choose: Callable[[int], str | None]) -> Serve:
    """In the process of the command."""
    turn = 0
    defaults = Session.__init__.__kwdefaults__
    assert defaults is not None
    defaults["largest"] = LARGEST

    def faulty(request: bytes) -> Answer:
        nonlocal turn
        turn += 1
        name = choose(turn)
        if name is None:
            return serve(request)
        with Path(_TOLD).open("a") as told:
            told.write(f"{name}\n")
        return FAULTS[name](serve, request)

    return faulty


def strike(ready: Case, name: str, at: int) -> Tried:
    """One fault at one request of the commands, counted over all of them."""
    left = at

    def chosen(passed: int) -> Faults:
        nonlocal left
        left -= passed
        return single(name, left)

    return _suffer(ready, chosen, None)


def weather(ready: Case, seed: str) -> Tried:
    """A storm; in every third the process dies in it, too."""
    dice = random.Random(seed)  # noqa: S311 - the same storm again
    dies_at = dice.randrange(1, len(ready.boundaries)) if dice.random() < 0.33 else None
    often = dice.choice((0.1, 0.3, 0.6))
    number = iter(range(100))
    return _suffer(ready, lambda _passed: storm(f"{seed}:{next(number)}", often), dies_at)


def _suffer(ready: Case, chosen: Callable[[int], Faults], dies_at: int | None) -> Tried:
    wrong: list[str] = []
    with ready.copy() as made:
        struck, passed, is_done = made.folder / _TOLD, 0, True
        for words in ready.commands:
            ended = made.run(*words, dies_at=dies_at, faults=chosen(passed))
            passed = sum(each == "before request" for each in ended.passed)
            is_done = is_done and ended.code == 0
            if ended.code not in MAY_END_WITH | ({KILLED} if dies_at else set()):
                wrong.append(f"{words[0]} {how(ended)}")
            if ended.code == KILLED:
                break
        times = len(struck.read_text().splitlines()) if struck.exists() else 0
        if is_done and words[0] != "run" and made.values() != ready.values:
            wrong.append("it said that all is done, and it was not")
        return Tried([*wrong, *ready.recovered(made)], times)


def at_each(ready: Case) -> Trials:
    """Each fault at each request."""
    requests = sum(each == "before request" for each in ready.boundaries)
    return {f"{at}:{name}": partial(strike, ready, name, at) for at in range(1, requests + 1) for name in FAULTS}
