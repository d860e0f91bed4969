"""``/practice`` in a browser: the rows, the calls and the faults of the org, as they are now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.storage import quoted

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2733}"
    "h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #dde3ea;vertical-align:top}"
    "td.n,th.n{text-align:right}code{background:#f2f5f8;padding:0 .25rem}p.quiet{color:#5b6b7b}"
)


def page(org: PracticeOrg, url: str, systems: Sequence[str]) -> str:
    """Whole and without a script; it asks again every five seconds."""
    used = f"{org.used_today():,} of {org.daily_limit:,} calls of the last 24 hours are used."
    beside = "".join(f' <a href="{escape(path)}">{escape(path.rpartition("/")[2])}</a>' for path in systems)
    parts = [
        f"<h1>Practice org</h1><p>A local imitation of Salesforce at <code>{escape(url)}</code>. {used}</p>",
        f'<p class="quiet">Beside it:{beside}</p>' if beside else "",
        "<h2>Rows</h2>",
        _table(("Object", "#Rows", "Last change"), _rows(org), "Nothing is in it yet."),
        "<h2>Calls</h2>",
        _table(("Resource", "#Calls"), _calls(org), "Nobody has called yet."),
        "<h2>Faults</h2>",
        _table(("Kind", "Where", "#Met", "#Left", "How"), _faults(org), "None is on."),
        '<p class="quiet">Switch one on: <code>curl -X POST '
        f"{escape(url)}/practice/faults -d '{{&quot;kind&quot;: &quot;slow&quot;, &quot;seconds&quot;: 2}}'</code>; "
        f'<a href="/practice/faults/kinds">all kinds</a>, <a href="/practice/settings">settings</a>.</p>',
    ]
    again = '<meta charset="utf-8"><meta http-equiv="refresh" content="5">'
    head = f"{again}<title>Practice org</title><style>{_STYLE}</style>"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>'


def _rows(org: PracticeOrg) -> Iterable[Sequence[Any]]:
    for spec in sorted(org.schema.objects.values(), key=lambda one: one.name):
        sql = f"SELECT COUNT(*), MAX(SystemModstamp) FROM {quoted(spec.name)} WHERE IsDeleted = 0"
        count, last = org.db.read(sql)[0]
        if count:
            yield spec.name, f"{count:,}", str(last)[:19].replace("T", " ")


def _calls(org: PracticeOrg) -> Iterable[Sequence[Any]]:
    return [(name, f"{count:,}") for name, count in org.calls.most_common() if count]


def _faults(org: PracticeOrg) -> Iterable[Sequence[Any]]:
    for fault in list(org.faults.active):
        left = "until switched off" if fault.times is None else f"{fault.times:,}"
        how = json.dumps(fault.values) if fault.values else ""
        yield fault.kind, fault.path or "everywhere", f"{fault.met:,}", left, how


def _table(names: Sequence[str], rows: Iterable[Sequence[Any]], nothing: str) -> str:
    """A ``#`` before a name: numbers, on the right."""
    right = [name.startswith("#") for name in names]
    shown = ["".join(_cell("td", one, n) for one, n in zip(row, right, strict=True)) for row in rows]
    if not shown:
        return f'<p class="quiet">{nothing}</p>'
    head = "".join(_cell("th", name.lstrip("#"), n) for name, n in zip(names, right, strict=True))
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{one}</tr>' for one in shown)}</table>"


def _cell(tag: str, text: Any, right: bool) -> str:
    kind = ' class="n"' if right else ""
    return f"<{tag}{kind}>{escape(str(text))}</{tag}>"
