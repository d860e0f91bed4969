"""Writing rows: packs of up to 400 in one API call, locked rows sent again, and packs that find their size.

Governor limits count over a whole request, so an org whose own automation is hungry needs smaller ones. A pack
halves when that automation runs out of its limits, or when the answer takes too long, and grows back after successes.
What somebody set after a row was read, and its write replaced, is told with its outcome.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import structlog

from connector.base.answers import reading
from connector.base.clock import Clock
from connector.base.errors import INVALID_FIELD, INVALID_FIELD_FOR_WRITE, Refused, Transient
from connector.base.facts import Change, Outcome, RecordChange, Result
from connector.base.hiding import hidden
from connector.base.http import TimedOut
from connector.base.json import JsonMap, JsonObject
from connector.base.text import quoted_in
from connector.lifecycle.written import written_over
from connector.salesforce.composite import CHANGED_BY, COLLECTIONS, Answer, collections, problem
from connector.salesforce.errors import GOVERNED_ROW, is_governed_row, is_passing_row
from connector.salesforce.persons import NOT_THROUGH_CONTACT, needs_account, through_account

log = structlog.get_logger(__name__)

LOCK_TRIES = 6  # sends of one row that stays locked: about half a minute
FIRST_WAIT = 0.5  # seconds, doubled each time
TIMEOUTS = 3  # in a row, before the rest is left for the next cycle
# Codes that speak of single fields: not to be edited, too short, or hidden. What else the row says is written. That a
# field is hidden is told in words alone, "No such column 'X__c' on sobject of type Contact", and may be told of a whole
# collection for the sake of one of its rows.
FIELD_CODES = frozenset({INVALID_FIELD_FOR_WRITE, "STRING_TOO_LONG", INVALID_FIELD})
GROWS_AFTER = 5  # successful requests in a row

Send = Callable[[Sequence[Sequence[RecordChange]]], Sequence[Answer]]


class Pack:
    """How many rows one request may hold now; at most ``largest``. ``persons_by_account``: the org takes nothing of a
    person account through its Contact."""

    def __init__(self, largest: int) -> None:
        self.largest = self.size = largest
        self.persons_by_account = False
        self._successes = 0

    def shrink(self, sent: int) -> None:
        """``sent`` rows were too many."""
        self.size = max(1, min(self.size, sent) // 2)
        self._successes = 0

    def succeeded(self) -> None:
        self._successes += 1
        if self._successes >= GROWS_AFTER:
            self.size = min(self.largest, self.size * 2)
            self._successes = 0


@dataclass(frozen=True, slots=True)
class _Job:
    change: RecordChange
    tries: int = 0  # times it was found locked
    by_account: bool = False  # a person account is written through its Account
    refused: tuple[RowAnswer, ...] = ()  # what Salesforce said of fields that are left out since
    left_out: tuple[Change, ...] = ()
    again: bool = False  # it was sent, and nobody answered

    @property
    def row(self) -> RecordChange:
        """As it is sent."""
        return through_account(self.change) if self.by_account else self.change


@dataclass(frozen=True, slots=True)
class RowAnswer:
    """What Salesforce said of one row; ``code`` is "" when it was written. ``of_all``: said of a whole collection.
    ``again``: of a row that was sent before, and not answered. ``stood``: what stood in the record right before."""

    code: str = ""
    message: str = ""
    fields: tuple[str, ...] = ()
    of_all: bool = False
    again: bool = False
    stood: JsonMap = field(default_factory=dict)


def write_rows(
    send: Send, changes: Iterable[RecordChange], pack: Pack, clock: Clock, jitter: Callable[[], float]
) -> Iterator[Sequence[Outcome]]:
    """Sends all changes and yields the outcomes of each request as it is answered. ``send`` takes the collections of
    one request. Refused and LimitReached pass through: what was not yielded by then was not settled either."""
    jobs_to_do = [_Job(each, by_account=_goes_by_account(each, pack)) for each in ordered(changes)]
    queue = deque(sorted(jobs_to_do, key=lambda job: job.by_account))
    timeouts = 0
    while queue:
        jobs = _next_jobs(queue, pack.size)
        if jobs[0].tries:
            clock.sleep(FIRST_WAIT * 2 ** (jobs[0].tries - 1) * (0.5 + jitter()))
        rows: list[RowAnswer] | None = None
        try:
            rows = _send(send, jobs)
            timeouts = 0
        except TimedOut:
            timeouts += 1
            pack.shrink(len(jobs))
            if timeouts < TIMEOUTS:
                queue.extendleft(replace(job, again=True) for job in reversed(jobs))
                continue
        except Transient as error:
            log.warning("write failed", error=error.what)
        if rows is None:
            left = [*jobs, *queue]
            log.warning("writes wait", rows=len(left))
            said = RowAnswer("", "Salesforce did not answer")
            yield [_open(job, Result.WAITING, said) for job in left]
            return
        if outcomes := _take(jobs, rows, queue, pack):
            yield outcomes


def ordered(changes: Iterable[RecordChange]) -> list[RecordChange]:
    """By object type (a collection may change types ten times at most), then account, so that rows that lock the same
    account travel together. A second change of one record goes last: one request must not name a record twice."""
    first: list[RecordChange] = []
    again: list[RecordChange] = []
    seen: set[str] = set()
    for change in sorted(changes, key=lambda each: (each.object, each.account_id, each.id)):
        (again if change.id in seen else first).append(change)
        seen.add(change.id)
    return first + (ordered(again) if again else [])


def row_answers(answer: Answer, count: int) -> list[RowAnswer] | None:
    """What one collection answered, by position (a failed row carries no id). A collection that was refused as a whole
    speaks for each of its rows; None when the answer does not fit the question."""
    if refused := problem(answer):
        code, what, _hint = refused
        return [RowAnswer(code or "REFUSED", what, of_all=True, again=answer.again)] * count
    if not isinstance(answer.body, list) or len(answer.body) != count:
        return None
    return [replace(_row(each), again=answer.again) if answer.again else _row(each) for each in answer.body]


def _goes_by_account(change: RecordChange, pack: Pack) -> bool:
    return needs_account(change) or (change.is_person_account and pack.persons_by_account)


def _row(each: JsonObject) -> RowAnswer:
    if each.get("success"):
        return RowAnswer()
    errors = each.get("errors") or [{}]
    message = hidden("; ".join(str(error.get("message") or "") for error in errors))
    fields = tuple(str(name) for error in errors for name in error.get("fields") or ())
    return RowAnswer(str(errors[0].get("statusCode") or "UNKNOWN_EXCEPTION"), message, fields)


def _without_refused(job: _Job, row: RowAnswer) -> _Job | None:
    """The rest of a row of which Salesforce refused some fields; None where it refused more than that."""
    gone = _named(job, row)
    rest = tuple(each for each in job.change.changes if each not in gone)
    if row.code not in FIELD_CODES or not gone or not rest:
        return None
    left_out = (*job.left_out, *gone)
    return replace(job, change=replace(job.change, changes=rest), refused=(*job.refused, row), left_out=left_out)


def _named(job: _Job, row: RowAnswer) -> list[Change]:
    """The changes of which Salesforce speaks."""
    names = set(quoted_in(row.message) if row.code == INVALID_FIELD else row.fields)
    sent = zip(job.change.changes, job.row.changes, strict=True)  # of a person account, the names that are sent differ
    return [each for each, as_sent in sent if names & {each.field, as_sent.field}]


def _written(job: _Job, row: RowAnswer) -> list[Outcome]:
    """The row, and the fields that were left out of it."""
    sent = zip(job.change.changes, job.row.changes, strict=True)  # of a person account, the names that are sent differ
    stood = {each.field: row.stood[as_sent.field] for each, as_sent in sent if as_sent.field in row.stood}
    done = written_over(job.change, stood, str(row.stood.get(CHANGED_BY) or ""), again=job.again)
    if not job.left_out:
        return [done]
    apart = replace(job.change, changes=job.left_out)
    return [Outcome(apart, Result.SET_ASIDE, job.refused[0].code, _words(job.refused), job.again), done]


def _open(job: _Job, result: Result, row: RowAnswer) -> Outcome:
    whole = replace(job.change, changes=(*job.change.changes, *job.left_out))
    return Outcome(whole if job.left_out else job.change, result, row.code, _words((row, *job.refused)), job.again)


def _words(said: Sequence[RowAnswer]) -> str:
    """All that Salesforce said of one row, the first by its words alone: its code stands beside them."""
    first, *others = said
    return "; ".join([first.message, *(f"{each.code}: {each.message}" for each in others)])


def _next_jobs(queue: deque[_Job], size: int) -> list[_Job]:
    """The next jobs of the same number of tries, no record twice, as many as the collections of a request hold."""
    jobs = [queue.popleft()]
    ids = {jobs[0].row.id}
    while queue and len(jobs) < size and queue[0].tries == jobs[0].tries and queue[0].row.id not in ids:
        jobs.append(queue.popleft())
        ids.add(jobs[-1].row.id)
    count = sum(map(len, islice(collections([job.row for job in jobs]), COLLECTIONS)))
    queue.extendleft(reversed(jobs[count:]))
    return jobs[:count]


def _send(send: Send, jobs: Sequence[_Job]) -> list[RowAnswer] | None:
    """What Salesforce said of each row; None when nobody knows."""
    parts = list(collections([job.row for job in jobs]))
    try:
        answers = send(parts)
    except Refused as error:
        if error.code not in GOVERNED_ROW:
            raise
        return [RowAnswer(error.code, error.what)] * len(jobs)
    rows: list[RowAnswer] = []
    for part, answer in zip(parts, answers, strict=True):
        with reading("Salesforce"):
            found = row_answers(answer, len(part))
        if found is None:
            return None
        rows += [replace(row, stood=answer.stood.get(change.id, {})) for row, change in zip(found, part, strict=True)]
    return rows


def _take(jobs: Sequence[_Job], rows: Sequence[RowAnswer], queue: deque[_Job], pack: Pack) -> list[Outcome]:
    """Outcomes of the rows that are done; the others go back into the queue: locked ones to its end, those that were
    too many at once to its front."""
    outcomes, governed = [], []
    jobs = [replace(job, again=True) if row.again else job for job, row in zip(jobs, rows, strict=True)]
    hidden = [row.of_all and row.code == INVALID_FIELD for row in rows]
    is_known = any(said and _named(job, row) for said, job, row in zip(hidden, jobs, rows, strict=True))
    for job, row, is_hidden in zip(jobs, rows, hidden, strict=True):
        if not row.code:
            pack.persons_by_account = pack.persons_by_account or (job.by_account and not needs_account(job.change))
            outcomes += _written(job, row)
        elif job.change.is_person_account and not job.by_account and row.code in NOT_THROUGH_CONTACT:
            queue.append(replace(job, by_account=True))
        elif rest := _without_refused(job, row):
            queue.append(rest)
        elif is_hidden and is_known and not _named(job, row):
            queue.append(job)  # it was about another row
        elif is_passing_row(row.code) and job.tries + 1 < LOCK_TRIES:
            queue.append(replace(job, tries=job.tries + 1))
        elif is_passing_row(row.code):
            outcomes.append(_open(job, Result.WAITING, row))
        elif is_governed_row(row.code, row.message) and len(jobs) > 1:
            governed.append(job)
        else:
            outcomes.append(_open(job, Result.SET_ASIDE, row))
    if governed:
        pack.shrink(len(jobs))
        log.warning("smaller packs", rows=pack.size)
        queue.extendleft(reversed(governed))
    else:
        pack.succeeded()
    return outcomes
