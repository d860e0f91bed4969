"""Queries and searches that are made from the grammar, and spoiled; and asking a practice org a great many of them.

``python -m tests.practice_org.soql_queries --count 1000000 --seed 1`` prints how many were answered and refused, and
every query that was neither; it ends with 1 if there was one.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections import Counter

from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.rest.calls import Call
from practice_org.salesforce.rest.resources import ROUTER

FIELDS = {  # by object and by what they are compared with
    "Contact": {"text": ("Name", "LastName", "Email", "Title", "Account.Name", "Account.Owner.Name", "toLabel(Title)"),
                "time": ("CreatedDate", "SystemModstamp", "Account.CreatedDate"), "day": ("DAY_ONLY(CreatedDate)",),
                "id": ("Id", "AccountId", "OwnerId"), "flag": ("IsDeleted",),
                "number": ("DAY_IN_WEEK(CreatedDate)", "CALENDAR_YEAR(CreatedDate)", "Account.AnnualRevenue")},
    "Opportunity": {"text": ("Name", "StageName", "Account.Name", "Type"), "day": ("CloseDate",),
                    "time": ("CreatedDate",), "id": ("Id", "AccountId"), "flag": ("IsWon",),
                    "number": ("Amount", "Account.AnnualRevenue", "WEEK_IN_YEAR(CloseDate)", "FISCAL_YEAR(CloseDate)")},
    "Task": {"text": ("Subject", "Who.Name", "What.Name", "What.Type", "Owner.Name"), "day": ("ActivityDate",),
             "time": ("CreatedDate",), "id": ("Id", "WhoId", "WhatId"), "flag": ("IsClosed",),
             "number": ("DAY_IN_YEAR(CreatedDate)", "HOUR_IN_DAY(CreatedDate)")},
    "Account": {"text": ("Name", "Owner.Name", "Parent.Name"), "day": ("DAY_ONLY(CreatedDate)",),
                "time": ("CreatedDate",), "id": ("Id", "OwnerId"), "flag": ("IsDeleted",),
                "number": ("AnnualRevenue", "WEEK_IN_MONTH(CreatedDate)")},
}  # fmt: skip
LITERALS = {
    "text": ("'a'", "''", "'a\\'b'", "'%_'", "null"), "flag": ("true", "FALSE"),
    "time": ("2026-01-31T23:01:01Z", "TODAY", "LAST_N_DAYS:30", "NEXT_WEEK", "N_DAYS_AGO : 3"),
    "day": ("2026-01-31", "YESTERDAY", "LAST_N_MONTHS:3", "null"), "id": ("'003000000000001AAA'", "null", "''"),
    "number": ("5", "-1.5", "USD500", "99999999999999999999", "null"),
}  # fmt: skip
WILD = (
    "Nope", "Nope__c", "Description", "MailingAddress", "Account", "c.Id", "What.Account.Name", "Who.Type", "'\\uD800'",
    "1e5", "2026-13-41", "0000-00-00T00:00:00Z", "9999-12-31", "NEXT_N_YEARS : 99999999", "LAST_N_FOO:1", ":x",
    "COUNT(Id)", "COUNT()", "SUM(Name)", "MAX(COUNT(Id))", "ROLLUP(Name)", "DISTANCE(a, b, 'mi')", "==",
    "HAVING", "WHERE", "AND", "(", ")", ",", "'", "\x00", "\ud800", "/*", "LIKE", "TYPEOF What WHEN Lead THEN Id END",
    "ALL ROWS", "FORMAT(MailingAddress)", "FIELDS(ALL)", ";",
)  # fmt: skip
TERMS = ("{ada}", "{Acme OR bo}", "{a*}", '{"Ada Lovelace"}', "{}", "{a\\}b}", "'ada'", "{ada AND NOT bo}", "ada")
CLAUSES = (
    "HAVING COUNT(Id) > 1", "ORDER BY COUNT(Id)", "GROUP BY Name", "WHERE COUNT(Id) > 1", "LIMIT -1", "OFFSET -5",
    "LIMIT 1.5", "OFFSET 2001", "ORDER BY MailingAddress", "GROUP BY MailingAddress, Id", "HAVING Name = 'a'",
)  # fmt: skip
ORDERED = ("=", "!=", "<>", "<", "<=", ">", ">=")


class Maker:
    """Queries and searches of a seed: made by the grammar, and four in ten spoiled afterwards."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice

    def one(self) -> str:
        text = self.query(2)
        return self.spoiled(text) if self.dice.random() < 0.4 else text

    def searched(self) -> str:
        """SOSL."""
        pick = self.dice.choice
        parts = [f"FIND {pick(TERMS)}", pick(("", "IN ALL FIELDS", "IN NAME FIELDS", "IN EMAIL FIELDS"))]
        if self.dice.random() < 0.8:
            name = pick(tuple(FIELDS))
            plain = [field for field in self.fields(name) if "(" not in field]
            where = pick(("", f" WHERE {self.condition(name, 1)}"))
            order = pick(("", f" ORDER BY {pick(self.fields(name))}"))
            parts.append(
                f"RETURNING {name}({', '.join(self.dice.sample(plain, 2))}{where}{order}{pick(('', ' LIMIT 1'))})"
            )
            parts.append(pick(("", ", Lead", ", Nope", ", User(Id)")))
        parts.append(pick(("", "LIMIT 5", "LIMIT 0", "WITH SNIPPET")))
        text = " ".join(part for part in parts if part)
        return self.spoiled(text) if self.dice.random() < 0.4 else text

    def query(self, depth: int, name: str = "", *, plain: bool = False) -> str:
        chance, pick = self.dice.random, self.dice.choice
        name = name or pick(tuple(FIELDS))
        grouped = not plain and chance() < 0.25
        totals = ""
        if grouped:
            group = pick([field for field in self.fields(name) if "(" not in field])
            totals = pick(("", "", "ROLLUP", "CUBE"))
            measured = f", GROUPING({group}) g" if totals else ""
            parts = [f"SELECT {group}, COUNT(Id) n, MAX(CreatedDate){measured} FROM {name}"]
        else:
            parts = [f"SELECT {', '.join(self.selected(name, depth))} FROM {name}"]
        if chance() < 0.7:
            parts.append(f"WHERE {self.condition(name, depth)}")
        if grouped:
            by = f"{totals}({group})" if totals else group
            parts.append(f"GROUP BY {by} HAVING COUNT(Id) {pick(ORDERED)} {pick(('0', '1'))}")
        if chance() < 0.4:
            order = pick((group, "n", "COUNT(Id)")) if grouped else pick(self.fields(name))
            parts.append(f"ORDER BY {order} {pick(('', 'ASC', 'DESC'))} {pick(('', 'NULLS LAST'))}")
        parts += [pick(("", "LIMIT 1", "LIMIT 0")), pick(("", "OFFSET 1"))]
        return " ".join(part for part in parts if part)

    def fields(self, name: str) -> list[str]:
        return [field for group in FIELDS[name].values() for field in group]

    def selected(self, name: str, depth: int) -> list[str]:
        plain = sorted({field for field in self.fields(name) if "(" not in field})
        found = self.dice.sample(plain, self.dice.randint(1, 3))
        if depth and name == "Account" and self.dice.random() < 0.4:
            child = self.dice.choice(("Contact", "Opportunity"))
            inner = self.query(0, child, plain=True).replace(f"FROM {child}", f"FROM {child}s".replace("ys", "ies"))
            found.append(f"({inner})")
        if name == "Task" and self.dice.random() < 0.3:
            found = ["TYPEOF What WHEN Account THEN Name, Owner.Name WHEN Opportunity THEN Amount ELSE Name END"]
        return found

    def condition(self, name: str, depth: int) -> str:
        kind = self.dice.random()
        if kind < 0.25:
            return f"({self.condition(name, depth)}) {self.dice.choice(('AND', 'OR'))} {self.condition(name, depth)}"
        if kind < 0.33:
            return f"(NOT {self.condition(name, depth)})"
        if kind < 0.37 and name == "Account":
            place = f"GEOLOCATION({self.dice.choice(('47.1', '-90', '1e3', 'null'))}, 7)"
            return f"DISTANCE(BillingAddress, {place}, '{self.dice.choice(('km', 'mi', 'm'))}') < 20"
        of = self.dice.choice(tuple(FIELDS[name]))
        left, values = self.dice.choice(FIELDS[name][of]), self.dice.choices(LITERALS[of], k=self.dice.randint(1, 3))
        if depth and of == "id" and kind < 0.6:
            inner = f"SELECT Id FROM {self.dice.choice(tuple(FIELDS))} WHERE {self.condition(name, 0)}"
            return f"{left} {self.dice.choice(('IN', 'NOT IN'))} ({inner})"
        if kind < 0.7:
            return f"{left} {self.dice.choice(('IN', 'NOT IN', 'not  in'))} ({', '.join(values)})"
        operator = self.dice.choice(("=", "!=") if of in ("flag", "id") else ORDERED)
        return f"{left} LIKE 'a%'" if of == "text" and kind < 0.8 else f"{left} {operator} {values[0]}"

    def spoiled(self, text: str) -> str:
        """By clauses as often as by words: a whole clause too many, or one that is missing."""
        if self.dice.random() < 0.5:
            clauses = re.split(r" (?=WHERE|GROUP|HAVING|ORDER|LIMIT|OFFSET)", text)
            at = self.dice.randrange(len(clauses))
            if self.dice.random() < 0.5:
                del clauses[at]
            else:
                clauses.insert(at + 1, self.dice.choice(CLAUSES))
            return " ".join(clauses) or " "
        words = text.split(" ")
        for _ in range(self.dice.randint(1, 3)):
            at, other = self.dice.randrange(len(words)), self.dice.randrange(len(words))
            what = self.dice.randrange(6)
            if what == 0 and len(words) > 1:
                del words[at]
            elif what == 1:
                words.insert(at, words[other])
            elif what == 2:
                words[at], words[other] = words[other], words[at]
            elif what == 4:
                words.append(self.dice.choice(WILD))
            elif what == 3:
                words[at] = words[at][: self.dice.randint(0, len(words[at]))]
            else:
                words[at] = self.dice.choice(WILD)
        return " ".join(words) or " "


def small_org() -> PracticeOrg:
    """One record of each kind that is asked for."""
    org = PracticeOrg()
    [account] = org.create("Account", [{"Name": "Acme", "BillingCity": "Bern", "AnnualRevenue": 5}])
    [contact] = org.create("Contact", [{"LastName": "Ada", "Email": "ada@practice.example", "AccountId": account}])
    org.create("Lead", [{"LastName": "Bo", "Company": "B"}])
    org.create(
        "Opportunity", [{"Name": "O", "StageName": "Closed Won", "CloseDate": "2026-05-05", "AccountId": account}]
    )
    org.create("Task", [{"Subject": "s", "WhoId": contact, "WhatId": account}])
    return org


def answer(org: PracticeOrg, text: str, resource: str = "query") -> int:
    """The status; 500 for an answer that cannot be sent."""
    reply = ROUTER.dispatch(org, Call("GET", "67.0", resource, {"q": text}))
    json.dumps(reply.body)
    return reply.status


def ask_many(count: int, seed: int) -> int:
    """Prints what came of it; returns how many were neither answered nor refused."""
    dice, org, statuses = random.Random(seed), small_org(), Counter[int]()  # noqa: S311
    maker = Maker(dice)
    for number in range(count):
        is_search = number % 10 == 9
        text = maker.searched() if is_search else maker.one()
        try:
            status = answer(org, text, "search" if is_search else "query")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is found, and the next one is asked
            status = 500
            sys.stdout.write(f"{text!r}: {type(error).__name__}: {error}\n")
        statuses[status] += 1
    org.close()
    sys.stdout.write(f"{count:,} asked with seed {seed}: {dict(sorted(statuses.items()))}\n")
    return sum(n for status, n in statuses.items() if status != 200 and not 400 <= status < 500)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    sys.exit(1 if ask_many(words.count, words.seed) else 0)
