"""What people write for a number, a date or a sign: ``10k``, ``=>``, ``“>= 71”``, ``at least 71``, ``71-100``."""

from __future__ import annotations

import re
from datetime import UTC, datetime

QUOTES = {"“": "”", "„": "“", "‘": "’", "‚": "‘", "«": "»", "»": "«", '"': '"', "'": "'"}
SIGNS = {"≥": ">=", "=>": ">=", "≤": "<=", "=<": "<=", "≠": "!=", "<>": "!=", "==": "="}  # -> as it is written here
SIGNED = re.compile(r"(>=|<=|!=|=>|=<|<>|==|>|<|=|≥|≤|≠)\s*(.*)", re.DOTALL)
IN_WORDS = {  # for what is known to be a number or a date
    ">=": ("at least", "no less than", "minimum", "from", "since"),
    "<=": ("at most", "no more than", "maximum", "up to", "until"),
    ">": ("more than", "greater than", "above", "over", "after"),
    "<": ("less than", "fewer than", "below", "under", "before"),
    "=": ("exactly", "equals", "is"),
}
WORDED = re.compile("(" + "|".join(word for words in IN_WORDS.values() for word in words) + r")\s+(.+)", re.IGNORECASE)
RANGE = re.compile(r"(?:between\s+|from\s+)?(\S+?)\s*(?:-|–|—|\.\.\.?|\bto\b|\band\b)\s*(\S+)", re.IGNORECASE)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")
ELSEWHERE_DATE = re.compile(r"(\d{1,2})[./](\d{1,2})[./](\d{4})")
_NUMBER = re.compile(r"([+-]?\d[\d.,_  ']*)\s*(k|thousand|m|mio|million)?\s*%?", re.IGNORECASE)
_CODE = r"[A-Z]{3}|eur|usd|gbp|chf|jpy|sek|nok|dkk|pln|cad|aud|€|£"
_MONEY = re.compile(rf"(?P<before>{_CODE})?\s*(?P<number>.*?\d.*?)\s*(?P<after>{_CODE})?", re.DOTALL)
_SYMBOLS = {"€": "EUR", "£": "GBP"}
_OF_SEVERAL = {"$": ("USD", "CAD or AUD"), "¥": ("JPY", "CNY")}  # signs of more than one currency
_TIMES = {"k": 1e3, "thousand": 1e3, "m": 1e6, "mio": 1e6, "million": 1e6}


def unquoted(text: str) -> str:
    """Without the quotes that a word processor leaves around."""
    text = text.strip()
    while len(text) > 1 and QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text


def signed(text: str) -> tuple[str, str] | None:
    """Sign and the rest of ``>= 71``, however the sign was typed."""
    found = SIGNED.fullmatch(text)
    return (SIGNS.get(found[1], found[1]), found[2].strip()) if found else None


def worded(text: str) -> tuple[str, str] | None:
    """The same of ``at least 71`` and ``71+``."""
    if text.endswith("+") and len(text) > 1:
        return ">=", text[:-1].strip()
    found = WORDED.fullmatch(text)
    if found is None:
        return None
    return next(sign for sign, words in IN_WORDS.items() if found[1].lower() in words), found[2].strip()


def number(text: str) -> float | None:
    """None when it is no number, or may be two: 10.000 is ten to some, and ten thousand to others."""
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        return None
    digits = re.sub(r"[_  ']", "", found[1])
    if re.fullmatch(r"[+-]?\d{1,3}\.\d{3}", digits):
        return None
    comma, point = digits.rfind(","), digits.rfind(".")
    is_grouped = re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", digits) is not None
    if comma >= 0 and not is_grouped:  # a decimal comma
        digits = digits.replace(".", "") if point < comma else digits
        digits = digits.replace(",", ".")
    try:
        value = float(digits.replace(",", "")) * _TIMES.get((found[2] or "").lower(), 1)
    except ValueError:
        return None
    return value if abs(value) < 1e15 else None


def money(text: str) -> tuple[float, str] | None:
    """``10k EUR``, ``€ 10,000``: the number, and the code of the currency."""
    found = _MONEY.fullmatch(text.strip())
    if found is None or (found["before"] is None) == (found["after"] is None):
        return None
    value, code = number(found["number"]), found["before"] or found["after"]
    return None if value is None else (value, _SYMBOLS.get(code, code.upper()))


def currency_of_range(text: str) -> tuple[str, str]:
    """``10k - 50k EUR``, ``10k EUR - 50k EUR``: without the currency, and its code; "" where there is none."""
    codes = re.findall(rf"(?<![A-Za-z])(?:{_CODE})(?![A-Za-z])", text)
    bare = re.sub(rf"\s*(?<![A-Za-z])(?:{_CODE})(?![A-Za-z])\s*", " ", text).strip()
    known = {_SYMBOLS.get(code, code.upper()) for code in codes}
    return (bare, known.pop()) if len(known) == 1 else (text, "")


def date(text: str) -> datetime | None:
    """Midnight in UTC where no time is said."""
    if not DATE.fullmatch(text):
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def why_no_number(text: str) -> tuple[str, str]:
    """What is wrong, and what to write."""
    if sign := next((sign for sign in _OF_SEVERAL if sign in text), ""):
        one, others = _OF_SEVERAL[sign]
        return f"{sign} may be {one}, {others}", f"write the code, like {text.replace(sign, '').strip()} {one}"
    bare, code = currency_of_range(text)
    if re.fullmatch(r"[+-]?\d{1,3}\.\d{3}", bare):
        (whole, rest), more = bare.split("."), f" {code}" if code else ""
        return f"{text} is {whole} to some and {whole}{rest} to others", f"write {whole}{rest}{more}, or {whole}{more}"
    return f"{text} is no number", "write it like '>= 71', 71+ or 71-100"


def why_no_date(text: str) -> tuple[str, str]:
    if found := ELSEWHERE_DATE.fullmatch(text):
        day, month, year = found.groups()
        written = f"{year}-{int(month):02}-{int(day):02}"
        return f"{text} is no date as they are written here", f"write {written if date(written) else '2026-01-31'}"
    return f"{text} is no date", "write it like 2026-01-31, or today"
