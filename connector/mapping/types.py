"""What kind of value a field has, where that is known, and which comparisons make sense of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from connector.lifecycle.compare import Comparison, OneOf
from connector.mapping.literals import DATE, date, number

NUMERIC, DAY, CHECKBOX, TEXT, LIST = "number", "date", "checkbox", "text", "list"
OF_FIELDS: dict[str, str] = {  # Salesforce's own fields
    **dict.fromkeys(("Amount", "ExpectedRevenue", "Probability", "TotalOpportunityQuantity"), NUMERIC),
    **dict.fromkeys(("NumberOfEmployees", "AnnualRevenue", "ForecastCategoryOrder"), NUMERIC),
    **dict.fromkeys(("CloseDate", "CreatedDate", "LastModifiedDate", "SystemModstamp", "LastActivityDate"), DAY),
    **dict.fromkeys(("Birthdate", "EmailBouncedDate", "ConvertedDate", "LastStageChangeDate"), DAY),
    **dict.fromkeys(("IsWon", "IsClosed", "IsPrimary", "IsConverted", "HasOptedOutOfEmail", "DoNotCall"), CHECKBOX),
    **dict.fromkeys(("Email", "Name", "FirstName", "LastName", "Title", "LeadSource", "StageName", "Type"), TEXT),
    **dict.fromkeys(("Industry", "Rating", "Country", "MailingCountry", "Website"), TEXT),
}
OF_DESCRIBE: dict[str, str] = {  # describe's type -> ours; what is not here compares with anything
    **dict.fromkeys(("double", "int", "currency", "percent", "long"), NUMERIC),
    **dict.fromkeys(("date", "datetime"), DAY),
    "boolean": CHECKBOX,
    **dict.fromkeys(("picklist", "email", "phone", "url", "id", "reference"), TEXT),
    "multipicklist": LIST,
}  # a formula is described by the type of its result; a string may hold a number or a date
SENSIBLE: Mapping[str, frozenset[str]] = {  # what a comparison asks for -> the kinds of value that it makes sense of
    "": frozenset((NUMERIC, DAY, CHECKBOX, TEXT, LIST)),
    NUMERIC: frozenset((NUMERIC,)),
    DAY: frozenset((DAY,)),
    TEXT: frozenset((TEXT, LIST)),
    LIST: frozenset((LIST, TEXT)),
}
HINTS = {
    NUMERIC: "write it like '>= 71' or {between: [71, 100]}",
    DAY: "write it like '>= 2026-01-31', today or {within: 90d}",
    CHECKBOX: "write true or false",
    TEXT: "write a text, a list of texts or {contains: ...}",
    LIST: "write {includes: ...}",
}


def clashes(compare: Comparison, kind: str) -> Iterator[str]:
    """What of a comparison makes no sense of a value of this kind."""
    for each in compare.walk():
        if isinstance(each, OneOf):
            yield from (f"a {kind} is never {value}" for value in each.values if not _is_one(value, kind))
        elif kind not in SENSIBLE[each.asks]:
            yield f"{each.words()} makes no sense of a {kind}"


def _is_one(value: object, kind: str) -> bool:
    """Whether a value could stand in such a field."""
    if isinstance(value, bool):
        return kind == CHECKBOX
    if kind == NUMERIC:
        return isinstance(value, int | float) or number(str(value)) is not None
    if kind == DAY:
        return isinstance(value, str) and DATE.fullmatch(value) is not None and date(value) is not None
    return kind != CHECKBOX
