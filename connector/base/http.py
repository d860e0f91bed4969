"""The only way out: one requests session with time-outs, retries and a count of what was sent.

Each API says in one pure function, its :data:`Judge`, what an answer means; :class:`Session` acts on it: takes it,
asks again, signs in anew, or raises one of our errors. An answer that was cut off, is too large, takes too long or is
of another shape than was asked for (``answers.py``), and a connection that broke, mean "again" for every API. Nothing
that leaves here carries a third-party exception, a token, or a body.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import requests
import structlog
import urllib3
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from connector import __version__
from connector.base.answers import MALFORMED, body_of, misshapen
from connector.base.bounded import BoundedAdapter
from connector.base.clock import Clock
from connector.base.errors import ConfigurationError, LimitReached, Refused, Transient
from connector.base.hiding import hidden
from connector.base.json import JsonMap
from connector.base.unreached import Unreached, why_unreached
from connector.base.web import is_loopback

log = structlog.get_logger(__name__)

TIMEOUT = (10.0, 120.0)  # seconds to connect, seconds between two bytes; Salesforce lets a query run for two minutes
LONGEST_ANSWER = 600.0  # seconds for the whole answer, headers and body, however steadily it drips
LARGEST_ANSWER = 256 << 20  # bytes, unpacked; 10,000 rows of 20 KB each
_CHUNK = 1 << 20  # bytes
REDIRECTS_END = 400  # statuses below are no errors of ours or theirs, but another address
USER_AGENT = f"lifecycle-connector/{__version__}"


class Reaction(Enum):
    TAKE = auto()  # a good answer
    AGAIN = auto()  # a fault that passes
    RENEW = auto()  # the token is no longer good: sign in anew, replay once
    LIMIT = auto()  # a daily limit: park
    REFUSE = auto()  # asking again will not help


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an answer means. ``wait`` is how many seconds the API's manual asks for, None: back off as usual."""

    verdict: Reaction
    code: str = ""
    message: str = ""
    hint: str = ""
    wait: float | None = None
    until: datetime | None = None  # for LIMIT: when to ask again

    def __post_init__(self) -> None:
        """A service may say back what it was sent."""
        for name in ("code", "message"):
            object.__setattr__(self, name, hidden(getattr(self, name)))


TAKEN = Judgement(Reaction.TAKE)
Judge = Callable[[int, Any], Judgement]  # status, parsed JSON body (None: no JSON)


class Token(Protocol):
    """Gives the bearer token and replaces one that the API no longer takes."""

    def get(self) -> str: ...

    def renew(self, stale: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Policy:
    """How long one request is tried: at most ``attempts`` times and ``patience`` seconds in all."""

    attempts: int = 8
    patience: float = 180.0
    longest_wait: float = 30.0


class TimedOut(Transient):
    """The answer did not come in time; whether the request had its effect is unknown."""


class _Again(Exception):
    def __init__(self, judgement: Judgement, retry_after: float | None = None) -> None:
        super().__init__(judgement.code)
        self.judgement = judgement
        self.wait = retry_after if retry_after is not None else judgement.wait


class _Bearer(requests.auth.AuthBase):
    """Sets the token at the moment of sending, and keeps requests from looking into ~/.netrc for another one."""

    def __init__(self, token: Token | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token.get()}"
        return request


class Session(requests.Session):
    """A requests session that judges, retries and counts. Usable wherever a ``requests.Session`` is.

    ``request`` takes more keywords: ``shape`` is what the JSON of a good answer must be (dict, list),
    ``kind`` names the request for the count (None: not counted, the API does not
    bill it) and ``once_timed_out`` asks for :class:`TimedOut` at the first time-out instead of a retry.
    ``before`` is called with the kind before each request that is sent; what it raises prevents the sending.
    ``home``: where the API lives now, which a new sign-in may say otherwise; every request goes there.
    ``clock_off``: how far this machine's clock was behind the server's at the last answer, where that said the time.
    """

    def __init__(
        self,
        api: str,
        judge: Judge,
        clock: Clock,
        *,
        token: Token | None = None,
        ca_bundle: Path | None = None,
        before: Callable[[str], None] = lambda _kind: None,
        policy: Policy | None = None,
        home: Callable[[], str] | None = None,
        longest: float = LONGEST_ANSWER,
        largest: int = LARGEST_ANSWER,
    ) -> None:
        super().__init__()
        self._home = home
        self.clock_off: timedelta | None = None
        self._api, self._judge, self._clock, self._token = api, judge, clock, token
        self._before = before
        self._policy = policy or Policy()
        self._plain_http: set[str] = set()
        self._heard: set[str] = set()  # hosts that answered once
        self.auth = _Bearer(token)
        self.headers["User-Agent"] = USER_AGENT
        self.headers["Accept-Encoding"] = "gzip"
        self._ca_bundle = str(ca_bundle) if ca_bundle else None
        self._largest = largest
        for scheme in ("https://", "http://"):
            self.mount(scheme, BoundedAdapter(clock, longest))

    def get_redirect_target(self, _resp: requests.Response) -> None:
        """None: no redirect is followed, or looked into."""

    def allow_plain_http(self, base_url: str) -> None:
        """simple-salesforce always says https. Where ``base_url`` is http (settings allow that for this machine only),
        requests to its host go out as http. This is the one place where that happens."""
        parts = urlsplit(base_url)
        if parts.scheme == "http":
            self._plain_http.add(parts.netloc)

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """Raises Refused, LimitReached, Transient or ConfigurationError; returns only answers that were taken."""
        target = self._target(str(url))
        started = self._clock.monotonic()
        policy = self._policy
        back_off = wait_random_exponential(multiplier=0.5, max=policy.longest_wait)

        def wait(state: RetryCallState) -> float:
            fault = state.outcome.exception() if state.outcome else None
            asked = fault.wait if isinstance(fault, _Again) else None
            return back_off(state) if asked is None else asked

        def stop(state: RetryCallState) -> bool:
            spent = self._clock.monotonic() - started
            return state.attempt_number >= policy.attempts or spent + state.upcoming_sleep > policy.patience

        retrying = Retrying(
            retry=retry_if_exception_type(_Again),
            wait=wait,
            stop=stop,
            sleep=self._clock.sleep,
            before_sleep=self._log_retry,
            retry_error_callback=self._give_up,
        )
        return retrying(self._once, str(method), target, kwargs)

    def _once(self, method: str, url: str, kwargs: JsonMap) -> requests.Response:
        """One attempt; a stale token is renewed and the request replayed at once."""
        stale = self._token.get() if self._token else ""
        response, judgement = self._send(method, self._at_home(url), kwargs)
        what = f"{self._api} answered {describe(response.status_code, judgement)}"
        if judgement.verdict is Reaction.RENEW and self._token is not None:
            try:
                self._token.renew(stale)
            except Refused:
                if response.status_code < REDIRECTS_END:  # the address is wrong, and no sign-in says another
                    raise Refused(what, judgement.hint, code=judgement.code) from None
                raise
            response, judgement = self._send(method, self._at_home(url), kwargs)
        if judgement.verdict is Reaction.TAKE:
            return response
        what = f"{self._api} answered {describe(response.status_code, judgement)}"
        if judgement.verdict is Reaction.AGAIN:
            raise _Again(judgement, retry_after(response.headers, self._clock.now()))
        if judgement.verdict is Reaction.LIMIT:
            raise LimitReached(what, judgement.hint, code=judgement.code, until=judgement.until)
        raise Refused(what, judgement.hint, code=judgement.code)

    def _at_home(self, url: str) -> str:
        """The same request where the API lives now. A redirect is never followed: the token goes to no other host than
        the one that the sign-in named."""
        if self._home is None:
            return url
        home, parts = urlsplit(self._home()), urlsplit(url)
        return urlunsplit((home.scheme, home.netloc, parts.path, parts.query, ""))

    def _send(self, method: str, url: str, given: JsonMap) -> tuple[requests.Response, Judgement]:
        kwargs = dict(given)
        kind = kwargs.pop("kind", None)
        once_timed_out = kwargs.pop("once_timed_out", False)
        shape = kwargs.pop("shape", None)
        kwargs["timeout"] = kwargs.get("timeout") or TIMEOUT
        kwargs["allow_redirects"] = False  # a redirect would carry the token elsewhere or turn a POST into a GET
        if self._ca_bundle:
            kwargs["verify"] = self._ca_bundle
        self.trust_env = not is_loopback(url)  # no proxy between this machine and itself
        if kind is not None:
            self._before(kind)
        host = urlsplit(url).netloc.rpartition("@")[2]
        try:
            response = super().request(method, url, **kwargs, stream=True)
            self._read(response)
        except requests.ReadTimeout:
            said = f"{host} gave no answer in time"
            if once_timed_out:
                raise TimedOut(f"{self._api}: {said}", "try again later") from None
            raise self._fault(Unreached(said, "away", "try again later"), host) from None
        except requests.exceptions.ChunkedEncodingError:
            raise _Again(Judgement(Reaction.AGAIN, "CONNECTION", "cut-off answer")) from None
        except requests.ConnectionError as error:
            raise self._fault(why_unreached(error, host), host) from None
        except requests.exceptions.ContentDecodingError:
            raise _Again(Judgement(Reaction.AGAIN, "CUT_OFF", "the answer cannot be unpacked")) from None
        except (requests.RequestException, ValueError) as error:
            if getattr(error, "request", None) is not None:  # it was sent, and what came is no HTTP
                raise _Again(Judgement(Reaction.AGAIN, "CONNECTION", "headers that cannot be read")) from None
            raise ConfigurationError(
                f"{self._api}: a request cannot be sent: {type(error).__name__}", "check the web address"
            ) from None
        except OSError as error:  # the file of authorities that somebody named for requests is not there
            raise ConfigurationError(f"{self._api}: {error}", "check REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE") from None
        self._heard.add(host)
        if "Date" in response.headers:
            now = self._clock.now()
            self.clock_off = server_time(response.headers, now) - now
        return response, self._judged(response, shape)

    def _judged(self, response: requests.Response, shape: type | None) -> Judgement:
        if response.status_code < 300 and (wrong := misshapen(response, shape)):
            return Judgement(Reaction.AGAIN, "CUT_OFF", wrong)
        try:
            return self._judge(response.status_code, body_of(response))
        except MALFORMED:
            return Judgement(Reaction.AGAIN, "CUT_OFF", "the answer cannot be read")

    def _fault(self, fault: Unreached, host: str) -> Exception:
        """What to raise. Who never answered is most likely a wrong address, and waiting will not help; who did, will
        again."""
        if fault.sort == "cut" or host in self._heard:
            return _Again(Judgement(Reaction.AGAIN, "CONNECTION", fault.what))
        kind = ConfigurationError if fault.sort == "wrong" else Transient
        return kind(f"{self._api}: {fault.what}", fault.hint)

    def _read(self, response: requests.Response) -> None:
        """Reads the body as it comes, which requests does in one go however much it is, unpacked. Raises what requests
        would."""
        body, is_whole = bytearray(), False
        try:
            while part := response.raw.read1(_CHUNK, decode_content=True):
                body += part
                if len(body) > self._largest:
                    raise _Again(Judgement(Reaction.AGAIN, "TOO_LARGE", f"more than {self._largest:,} bytes"))
            response._content, is_whole = bytes(body), True
        except urllib3.exceptions.ReadTimeoutError:
            raise requests.ReadTimeout from None
        except urllib3.exceptions.DecodeError:
            raise requests.exceptions.ContentDecodingError from None
        except (urllib3.exceptions.HTTPError, ValueError):  # ValueError: a chunk of a length that is no number
            raise requests.exceptions.ChunkedEncodingError from None
        finally:
            if not is_whole:
                response.close()  # the connection too: there is more to come in it

    def _target(self, url: str) -> str:
        parts = urlsplit(url)
        return url.replace("https://", "http://", 1) if parts.netloc in self._plain_http else url

    def _log_retry(self, state: RetryCallState) -> None:
        fault = state.outcome.exception() if state.outcome else None
        if isinstance(fault, _Again):
            log.warning("asking again", api=self._api, code=fault.judgement.code, wait=round(state.upcoming_sleep, 1))

    def _give_up(self, state: RetryCallState) -> requests.Response:
        fault = state.outcome.exception() if state.outcome else None
        judgement = fault.judgement if isinstance(fault, _Again) else Judgement(Reaction.AGAIN)
        raise Transient(
            f"{self._api} failed {state.attempt_number} times, the last time with {describe(0, judgement)}",
            "it usually passes; the next cycle asks again",
        )


def describe(status: int, judgement: Judgement) -> str:
    """``403 REQUEST_LIMIT_EXCEEDED: TotalRequests Limit exceeded.``, on one line of bounded length."""
    head = " ".join(part for part in (str(status) if status else "", judgement.code) if part)
    message = " ".join(judgement.message.split())[:300]
    return ": ".join(part for part in (head, message) if part) or "an unknown fault"


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds of a Retry-After header: a number, or a date. None without one, or when it cannot be read."""
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 12:
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except MALFORMED:
        return None


def server_time(headers: Mapping[str, str], default: datetime) -> datetime:
    """The Date header, in UTC; ``default`` without one."""
    try:
        return parsedate_to_datetime(headers["Date"]).astimezone(UTC)
    except MALFORMED:
        return default
