"""Columns of records that are asked for by their ids, and answers of several pages as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import structlog

from connector.base.errors import Refused, Transient
from connector.base.facts import Row
from connector.base.ports import Answers, LocatorExpired, Page, Read, Salesforce
from connector.base.soql import among, select
from connector.pipeline.hidden import named_in

log = structlog.get_logger(__name__)

IDS_PER_QUERY = 300  # records that one query asks for
ALWAYS = ("Id", "SystemModstamp", "IsDeleted")
_TOO_SLOW = "QUERY_TIMEOUT"
_FORGOTTEN = 3  # times that an answer is asked for from its beginning


class Seen(NamedTuple):
    """Records as they are now. ``refused``: why there are none."""

    rows: list[Row]
    hidden: Sequence[str] = ()
    refused: Refused | None = None


def columns(fields: Sequence[str]) -> list[str]:
    return [*ALWAYS, *(name for name in fields if name not in ALWAYS)]


def is_slow(error: Refused | None) -> bool:
    return error is not None and error.code == _TOO_SLOW


def rows_from(salesforce: Salesforce, read: Read, page: Page) -> list[Row]:
    """The rows of a page and of all that follow it. Where Salesforce forgot how to go on, or takes
    too long, it is asked from the beginning. Raises Transient where it does so every time."""
    for _ in range(_FORGOTTEN):
        rows = [*page.rows]
        try:
            while page.next is not None:
                page = salesforce.more(page.next)
                rows += page.rows
        except LocatorExpired:
            log.info("locator expired", object=read.name)
        except Refused as error:
            if not is_slow(error):
                raise
        else:
            return rows
        page = answer_of(salesforce.read([read]), read.name)
    raise Transient(f"Salesforce did not come to the end of {read.name}", "it is tried again in the next cycle")


def reads_by_ids(
    object_name: str, names: Sequence[str], ids: Sequence[str], *, all_rows: bool = False, alone: bool = False
) -> list[Read]:
    """What asks for these columns of these records."""
    return [
        Read(f"{object_name}:{number}", select(object_name, names, among("Id", part)), all_rows=all_rows, alone=alone)
        for number, part in enumerate(chunks(ids, IDS_PER_QUERY))
    ]


def rows_by_ids(
    salesforce: Salesforce, object_name: str, fields: Sequence[str], ids: Sequence[str], *, all_rows: bool = False
) -> list[Row]:
    """These records as they are now; ``all_rows``: those that were deleted, too."""
    reads = reads_by_ids(object_name, columns(fields), ids, all_rows=all_rows)
    pages = salesforce.read(reads).pages
    return [row for read in reads for row in rows_from(salesforce, read, pages[read.name])]


def seen_by_ids(
    salesforce: Salesforce, object_name: str, fields: Sequence[str], ids: Sequence[str], *, all_rows: bool = False
) -> Seen:
    """These records, without the fields that the user does not see; none where Salesforce refuses the object, which
    then stops nobody else."""
    names, hidden = list(fields), list[str]()
    while True:
        reads = reads_by_ids(object_name, columns(names), ids, all_rows=all_rows, alone=True)
        answers = salesforce.read(reads)
        if not answers.refused:
            return Seen(
                [row for read in reads for row in rows_from(salesforce, read, answers.pages[read.name])], hidden
            )
        error = next(iter(answers.refused.values()))
        gone = named_in(error, names)
        if not gone:
            return Seen([], hidden, error)
        hidden += gone
        names = [each for each in names if each not in gone]


def answer_of(answers: Answers, read_name: str) -> Page:
    """Raises Refused."""
    if error := answers.refused.get(read_name):
        raise error
    return answers.pages[read_name]


def chunks(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
