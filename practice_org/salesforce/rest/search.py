"""SOSL: ``search`` and ``parameterizedSearch``, over names, e-mail addresses, phones and other short texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem
from practice_org.salesforce.rest.calls import Call, Reply, Router
from practice_org.salesforce.rest.rows import typed
from practice_org.salesforce.schema import ObjectSpec
from practice_org.salesforce.soql import run as soql_run
from practice_org.salesforce.storage import quoted

MOST = 2000
_USUAL = ("Account", "Contact", "Lead", "Opportunity", "Campaign", "Case", "User")
_SCOPES = {
    "all": ("string", "email", "phone", "textarea", "url"),
    "name": ("string",),
    "email": ("email",),
    "phone": ("phone",),
    "sidebar": ("string", "email", "phone"),
}
_FIND = re.compile(
    r"\s*FIND\s*(?:\{(?P<braced>(?:[^{}\\]|\\.)*)\}|'(?P<quoted>(?:[^'\\]|\\.)*)')"
    r"(?:\s+IN\s+(?P<scope>ALL|NAME|EMAIL|PHONE|SIDEBAR)\s+FIELDS)?"
    r"(?:\s+RETURNING\s+(?P<returning>.*?))?(?:\s+WITH\s+.*?)?(?:\s+LIMIT\s+(?P<limit>\d+))?\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
_OBJECT = re.compile(r"\s*(\w+)\s*(?:\((.*)\))?\s*\Z", re.DOTALL)
_CLAUSES = re.compile(
    r"(.*?)(?:\s+WHERE\s+(.*?))?((?:\s+ORDER\s+BY\s.*?)?)(?:\s+LIMIT\s+(\d+))?\s*\Z", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of one object."""

    name: str
    fields: str = "Id"
    where: str = ""
    order: str = ""
    limit: int = MOST


def routes(router: Router) -> None:
    router.add("search", GET=search)
    router.add("parameterizedSearch", GET=by_parameters, POST=by_body)


def _malformed(text: str) -> Problem:
    return Problem(400, "MALFORMED_SEARCH", text)


def search(org: PracticeOrg, call: Call) -> Reply:
    """``?q=FIND {Ada} IN ALL FIELDS RETURNING Contact(Id, Name WHERE ... LIMIT 5), Lead``"""
    match = _FIND.match(call.query.get("q", ""))
    if match is None:
        raise _malformed("No search term found. The search term must be enclosed in braces.")
    words = re.sub(r"\\(.)", r"\1", match["braced"] if match["braced"] is not None else match["quoted"])
    wanted = [_object(one) for one in _split(match["returning"])] if match["returning"] else [*map(Wanted, _USUAL)]
    return _answer(org, call, words, (match["scope"] or "ALL").lower(), wanted, int(match["limit"] or MOST))


def _split(text: str) -> list[str]:
    """At the commas outside of parentheses."""
    parts, depth = [""], 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if char == "," and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _object(text: str) -> Wanted:
    match = _OBJECT.match(text)
    if match is None:
        raise _malformed(f"unexpected token: {text.strip()}")
    clauses = _CLAUSES.match(match[2] or "Id")
    assert clauses is not None  # noqa: S101 - the pattern matches everything
    return Wanted(match[1], clauses[1].strip() or "Id", clauses[2] or "", clauses[3], int(clauses[4] or MOST))


def by_parameters(org: PracticeOrg, call: Call) -> Reply:
    """``?q=Ada&sobject=Contact&Contact.fields=Id,Name``"""
    names = [one for text in (call.query.get("sobject", ""),) for one in text.split(",") if one]
    usual = call.query.get("fields", "Id")
    wanted = [Wanted(name, call.query.get(f"{name}.fields", usual)) for name in names or _USUAL]
    scope = call.query.get("in", "ALL").lower()
    return _answer(org, call, call.query.get("q", ""), scope, wanted, _limit(call.query.get("overallLimit")))


def by_body(org: PracticeOrg, call: Call) -> Reply:
    """``{"q", "in"?, "fields"?, "sobjects"?: [{"name", "fields"?, "where"?, "limit"?}], "overallLimit"?}``"""
    body = call.mapping()
    usual = body.get("fields") or ["Id"]
    given = [one for one in body.get("sobjects") or () if isinstance(one, dict)] or [{"name": name} for name in _USUAL]
    wanted = [
        Wanted(
            str(one.get("name", "")), ", ".join(map(str, one.get("fields") or usual)), str(one.get("where") or ""),
            f" ORDER BY {one['orderBy']}" if one.get("orderBy") else "", _limit(one.get("limit")),
        )
        for one in given
    ]  # fmt: skip
    scope = str(body.get("in", "ALL")).lower()
    return _answer(org, call, str(body.get("q", "")), scope, wanted, _limit(body.get("overallLimit")))


def _limit(given: Any) -> int:
    text = str(given or MOST)
    return min(MOST, int(text)) if text.isascii() and text.isdigit() else MOST


def _answer(org: PracticeOrg, call: Call, words: str, scope: str, wanted: Sequence[Wanted], most: int) -> Reply:
    if len(re.sub(r"[\W_]", "", words)) < 2:
        raise _malformed(f"search term must be longer than one character: {words}")
    kinds = _SCOPES.get(scope.split(maxsplit=1)[0] if scope.strip() else "all")
    if kinds is None:
        raise _malformed(f"unexpected token: {scope}")
    found: list[dict[str, Any]] = []
    for one in wanted:
        spec = typed(org, one.name)
        ids = _matching(org, spec, words, kinds, by_name=scope.startswith("name"))
        listed = ", ".join(f"'{each}'" for each in ids)
        if ids:
            where = f" AND ({one.where})" if one.where else ""
            text = f"SELECT {one.fields} FROM {spec.name} WHERE Id IN ({listed}){where}{one.order} LIMIT {one.limit}"
            found += soql_run.run(org, text, page=MOST, base=call.base).first
    return Reply(body={"searchRecords": found[:most]})


def _matching(org: PracticeOrg, spec: ObjectSpec, words: str, kinds: Sequence[str], *, by_name: bool) -> list[str]:
    """The ids of the records that have the words: all of them unless OR stands between, quoted ones in a row."""
    fields = [
        found.name
        for found in spec.fields.values()
        if found.visible and found.type in kinds and found.name != "Id" and (not by_name or found.name == "Name")
    ]
    if not fields:
        return []
    parameters: list[str] = []
    choices = []
    for choice in re.split(r"\s+OR\s+", words.strip()):
        terms = []
        for quoted_term, term in re.findall(r'"([^"]*)"|(\S+)', re.sub(r"\s+AND\s+", " ", choice)):
            columns = [f"sf_words({quoted(name)}, ?)" for name in fields]
            parameters += [quoted_term or term] * len(fields)
            terms.append(f"({' OR '.join(columns)})")
        choices.append(f"({' AND '.join(terms)})")
    sql = (
        f"SELECT Id FROM {quoted(spec.name)} WHERE IsDeleted = 0 AND ({' OR '.join(choices)}) ORDER BY Id LIMIT {MOST}"
    )
    return [str(row[0]) for row in org.db.read(sql, parameters)]
