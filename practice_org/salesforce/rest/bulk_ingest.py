"""Runs an ingest job: CSV rows through the same checks as any other write, and the three result files."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from practice_org.salesforce.jobs import Job
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem
from practice_org.salesforce.rest import bulk_csv
from practice_org.salesforce.rest.rows import upsert_row
from practice_org.salesforce.schema import ObjectSpec
from practice_org.salesforce.writing import dml, removal
from practice_org.salesforce.writing.results import Options, RowResult

_NULL = "#N/A"  # clears a field; an empty cell leaves it as it is
_BATCH = 200


class InvalidFile(Exception):
    """The whole file cannot be read; the text is the job's errorMessage."""


def work(org: PracticeOrg, job: Job) -> None:
    """Brings the job to JobComplete or Failed."""
    try:
        spec = org.schema.get(job.settings["object"])
        header, rows = _parse(job, spec)
    except InvalidFile as invalid:
        job.state, job.counts = "Failed", {"errorMessage": str(invalid)}
        job.unprocessed = (job.content or b"").decode("utf-8", "replace")
        return
    results = in_batches(org, job, [row(header, cells) for cells in rows])
    good: list[Sequence[Any]] = [("sf__Id", "sf__Created", *header)]
    bad: list[Sequence[Any]] = [("sf__Id", "sf__Error", *header)]
    for cells, result in zip(rows, results, strict=True):
        if result.success:
            good.append((result.id, bulk_csv.cell(bool(result.created)), *cells))
        else:
            bad.append((result.id or "", error(result.problems[0]), *cells))
    job.successful, job.failed = bulk_csv.write(good, job.settings), bulk_csv.write(bad, job.settings)
    job.unprocessed = bulk_csv.write([header], job.settings)
    job.state = "JobComplete"
    job.counts = {"numberRecordsProcessed": len(rows), "numberRecordsFailed": len(bad) - 1,
                  "totalProcessingTime": 1 + len(rows) // 10}  # fmt: skip


def in_batches(org: PracticeOrg, job: Job, rows: Sequence[Mapping[str, Any]]) -> list[RowResult]:
    """What came of each row; 200 are written at a time."""
    spec = org.schema.get(job.settings["object"])
    results: list[RowResult] = []
    for start in range(0, len(rows), _BATCH):
        results += _batch(org, job, spec, rows[start : start + _BATCH])
    return results


def error(problem: Problem) -> str:
    return f"{problem.code}:{problem.message}:{', '.join(problem.fields or ())} --"


def _parse(job: Job, spec: ObjectSpec) -> tuple[list[str], list[list[str]]]:
    text = (job.content or b"").decode("utf-8-sig", "replace")
    first = text.partition("\n")[0]
    if first.endswith("\r") != (job.settings["lineEnding"] == "CRLF") and "\n" in text:
        raise InvalidFile("InvalidBatch : LineEnding is invalid on user data. Current LineEnding setting is "
                       f"{job.settings['lineEnding']}")  # fmt: skip
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=bulk_csv.DELIMITERS[job.settings["columnDelimiter"]])
    header, *rows = [row for row in reader if row] or [[]]  # a file with nothing in it is a job of no rows
    for name in header:
        stem = name.partition(".")[0]
        if spec.find(name) is None and not ("." in name and spec.by_relationship(stem)):
            raise InvalidFile(f"InvalidBatch : Field name not found : {name}")
    if any(len(row) != len(header) for row in rows):
        raise InvalidFile("InvalidBatch : The 'number of columns' in a row does not match that of the header")
    return header, rows


def row(header: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
    """What a line says; an empty cell says nothing."""
    found: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=True):
        if cell == "":
            continue
        relationship, _, field = name.partition(".")
        found[relationship if field else name] = {field: cell} if field else None if cell == _NULL else cell
    return found


def _batch(org: PracticeOrg, job: Job, spec: ObjectSpec, rows: Sequence[Mapping[str, Any]]) -> list[RowResult]:
    operation = job.settings["operation"]
    options = Options(auto_assign=bool(job.settings.get("assignmentRuleId")))
    try:
        if operation == "insert":
            return dml.create(org, spec, rows, options)
        if operation == "update":
            return dml.update(org, spec, rows, options)
        if operation == "upsert":
            key = spec.find(job.settings["externalIdFieldName"])
            assert key is not None  # noqa: S101 - the job would not have been made
            return [upsert_row(org, spec, key, row, options) for row in rows]
        wanted = [str(next((v for k, v in row.items() if k.lower() == "id"), "")) for row in rows]
        return removal.delete(org, spec, wanted, hard=operation == "hardDelete", trusted=False)
    except Problem as problem:
        return [RowResult(problems=[problem]) for _ in rows]
