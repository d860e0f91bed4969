"""What the practice org refuses, in Salesforce's own words and codes.

A :class:`Problem` becomes ``[{"message", "errorCode", "fields"?}]`` with its status in a single-row answer and
``{"statusCode", "message", "fields"}`` in a Collections row. Raised out of the Python handle it is a
PracticeError: the caller handed in something an org would refuse.
"""

from __future__ import annotations

from typing import Any

from practice_org.errors import PracticeError

_SEE = "Please reference your WSDL or the describe call for the appropriate names."


class Problem(PracticeError):
    """``fields`` is None where Salesforce leaves the key out (everything but DML)."""

    def __init__(self, status: int, code: str, message: str, fields: tuple[str, ...] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields

    def as_error(self) -> dict[str, Any]:
        body: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        return body if self.fields is None else {**body, "fields": list(self.fields)}

    def as_row_error(self) -> dict[str, Any]:
        return {"statusCode": self.code, "message": self.message, "fields": list(self.fields or ())}


class Problems(Problem):
    """Several errors of one row, as two failing validation rules give."""

    def __init__(self, several: list[Problem]) -> None:
        first = several[0]
        super().__init__(first.status, first.code, first.message, first.fields)
        self.several = several


def each(problem: Problem) -> list[Problem]:
    return problem.several if isinstance(problem, Problems) else [problem]


def not_found() -> Problem:
    return Problem(404, "NOT_FOUND", "The requested resource does not exist")


def no_such_object(name: str) -> Problem:
    return Problem(
        400,
        "INVALID_TYPE",
        f"sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append "
        "the '__c' after the entity name. " + _SEE,
    )


def no_such_field(field: str, object_name: str) -> Problem:
    return Problem(400, "INVALID_FIELD", f"No such column '{field}' on sobject of type {object_name}", ())


def malformed_query(message: str) -> Problem:
    return Problem(400, "MALFORMED_QUERY", message)


def rolled_back() -> Problem:
    """What the innocent rows of an all-or-none request get."""
    text = "Record rolled back because not all records were valid and the request was using AllOrNone header"
    return Problem(400, "ALL_OR_NONE_OPERATION_ROLLED_BACK", text, ())


def no_such_column(field: str, entity: str) -> Problem:
    """As a query says it."""
    text = (
        f"No such column '{field}' on entity '{entity}'. If you are attempting to use a custom field, be sure to "
        "append the '__c' after the custom field name. " + _SEE
    )
    return Problem(400, "INVALID_FIELD", text)


def no_such_relationship(name: str) -> Problem:
    text = (
        f"Didn't understand relationship '{name}' in field path. If you are attempting to use a custom relationship, "
        "be sure to append the '__r' after the custom relationship name. " + _SEE
    )
    return Problem(400, "INVALID_FIELD", text)


def pointed(problem: Problem, pointer: str) -> Problem:
    """The same problem with the place in the query before its message."""
    return Problem(problem.status, problem.code, pointer + problem.message, problem.fields)
