"""The secrets that this process has been given: whatever is said, logged or kept, leaves without them.

Settings, and whoever signs in, tell what is secret when they learn of it. Errors, judgements of answers and log lines
ask here, since what a service or a driver says back may hold what it was sent.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, quote, quote_plus, unquote

UNSHOWN = "(hidden)"
_SHORTEST = 6  # characters: a shorter one would be found in words
_ALONE = 16  # up to so many it is looked for as a word; "postgres" says nothing in "postgresql"
_MOST = 200  # secrets: tokens of sign-ins come for months, and the oldest are no good any more
_LONG = 12  # characters of a part of a path that are no word
_ADDRESS = re.compile(r"\w[\w+.-]*://(?:[^:/?@]*:(?P<password>.*)@)?[^/?#]*(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?")
_SECRET_NAME = re.compile("pass|secret|token|key|pwd", re.IGNORECASE)  # of a parameter of an address

_known: dict[str, None] = {}
_lock = threading.Lock()
_found: list[re.Pattern[str]] = []


def keep_hidden(secrets: Iterable[str]) -> None:
    """From now on these are not shown."""
    with _lock:
        new = [each for each in secrets if len(each) >= _SHORTEST and each not in _known]
        _known.update(dict.fromkeys(new))
        while len(_known) > _MOST:
            _known.pop(next(iter(_known)))
        if new:
            forms = {form for each in _known for form in _forms(each)}
            ordered = sorted(forms, key=lambda each: (-len(each), each))
            _found[:] = [re.compile("|".join(map(_looked_for, ordered)))]


def hidden(text: str) -> str:
    """The text without what is secret in it."""
    for each in _found:
        text = each.sub(UNSHOWN, text)
    return text


def secret_parts(text: str, *, is_whole: bool) -> Iterator[str]:
    """What nobody may see of a setting: the password and the like of an address; where it ``is_whole`` a secret all of
    it, and each of several that stand side by side."""
    address = _ADDRESS.match(text)
    if is_whole:
        yield from (text, *text.split())
    if address is None:
        yield from (each.rpartition(":")[2] for each in text.split()) if is_whole else ()
        return
    password, path, query = (address[name] or "" for name in ("password", "path", "query"))
    yield from (password, unquote(password))
    yield from (given for name, given in parse_qsl(query) if is_whole or _SECRET_NAME.search(name))
    if is_whole:
        yield from (path, *(each for each in path.split("/") if len(each) >= _LONG))


def _forms(secret: str) -> Iterator[str]:
    """As it is, and as addresses, JSON, Python and headers write it."""
    plain = secret.encode("utf-8", "surrogateescape")
    yield from (secret, quote(plain, safe=""), quote(plain), quote_plus(plain))
    yield from (json.dumps(secret)[1:-1], repr(secret)[1:-1], base64.b64encode(plain).decode())


def _looked_for(text: str) -> str:
    return re.escape(text) if len(text) > _ALONE else rf"(?<!\w){re.escape(text)}(?!\w)"
