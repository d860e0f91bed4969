"""``/practice`` in a browser: the rows, the calls and the faults of the org, as they are now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.storage import quoted

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2733;--quiet:#5b6b7b;--line:#dde3ea;--code:#f2f5f8;--paper:#fff;--link:#0b5cad}
@media(prefers-color-scheme:dark){:root{--ink:#dbe4ec;--quiet:#97a6b4;--line:#33404d;--code:#243140;--paper:#16202a;
--link:#7ab8f5}}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:var(--ink);
background:var(--paper)}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}p.quiet,th{color:var(--quiet)}a{color:var(--link)}
table{border-collapse:collapse;width:100%}th{font-weight:600}
th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}
td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
td:last-child,th:last-child{padding-right:0}
code,.long td{overflow-wrap:anywhere}code{background:var(--code);padding:0 .25rem}
@media(min-width:50rem){.two{display:grid;grid-template-columns:3fr 2fr;gap:3rem}td.n,th.n{padding-right:1.5rem}}
@media(max-width:50rem){body{font-size:13px}.long tr{display:grid;grid-template-columns:3fr 3fr 1fr 2fr}
.long td:last-child{grid-column:1/-1}.long th:last-child{display:none}.long td:not(:last-child){border-bottom:0}}
"""
_NAMES = {"pardot": "Account Engagement", "marketo": "Marketo", "hubspot": "HubSpot"}


def page(org: PracticeOrg, url: str, systems: Sequence[str]) -> str:
    """Whole and without a script; it asks again every five seconds."""
    used = f"{org.used_today():,} of {org.daily_limit:,} calls of the last 24 hours are used."
    named = [(path, path.rpartition("/")[2]) for path in systems]
    links = [f'<a href="{escape(path)}">{escape(_NAMES.get(name, name))}</a>' for path, name in named]
    rows = _table(("Object", "#Rows", "Changed (UTC)"), _rows(org), "Nothing is in it yet.")
    faults = _table(("Kind", "Where", "#Met", "#Left", "How"), _faults(org), "None is on.")
    calls = _table(("Resource", "#Calls"), _calls(org), "Nobody has called yet.")
    parts = [
        f"<h1>Practice org</h1><p>A local imitation of Salesforce at <code>{escape(url)}</code>. {used}</p>",
        f'<p class="quiet">Beside it: {", ".join(links)}</p>' if links else "",
        f'<div class="two"><section><h2>Rows</h2>{rows}</section><section><h2>Calls</h2>{calls}</section></div>',
        f'<section class="long"><h2>Faults</h2>{faults}</section>',
        '<p class="quiet">Switch one on: <code>curl -X POST '
        f"{escape(url)}/practice/faults -d '{{&quot;kind&quot;: &quot;slow&quot;, &quot;seconds&quot;: 2}}'</code>; "
        f'<a href="/practice/faults/kinds">all kinds</a>, <a href="/practice/settings">settings</a>.</p>',
    ]
    again = '<meta charset="utf-8"><meta http-equiv="refresh" content="5">'
    fits = '<meta name="viewport" content="width=device-width,initial-scale=1">'
    head = f"{again}{fits}<title>Practice org</title><style>{_STYLE}</style>"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>'


def _rows(org: PracticeOrg) -> Iterable[Sequence[Any]]:
    for spec in sorted(org.schema.objects.values(), key=lambda one: one.name):
        sql = f"SELECT COUNT(*), MAX(SystemModstamp) FROM {quoted(spec.name)} WHERE IsDeleted = 0"
        count, last = org.db.read(sql)[0]
        if count:
            yield spec.name, f"{count:,}", str(last)[:16].replace("T", " ")


def _calls(org: PracticeOrg) -> Iterable[Sequence[Any]]:
    return [(name, f"{count:,}") for name, count in org.calls.most_common() if count]


def _faults(org: PracticeOrg) -> Iterable[Sequence[Any]]:
    for fault in list(org.faults.active):
        left = "always" if fault.times is None else f"{fault.times:,}"
        how = ", ".join(f"{name}: {_plain(value)}" for name, value in fault.values.items())
        yield fault.kind, fault.path or "everywhere", f"{fault.met:,}", left, how


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


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
