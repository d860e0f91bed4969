"""What the mappings say of example people comes true through the whole pipeline, too.

Every test of every shipped mapping and of every sentence in the documentation is played again: its people, deals and
activities are rows of an org and pages of sources, cycles poll, record, decide and write them, and what stands in the
org afterwards is compared. So an example cannot pass on facts that the connector would never put together like that.
"""

import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from connector import mapping as mappings
from connector.base.clock import FrozenClock
from connector.base.facts import Activity, Direction, Prospect, SourcePage
from connector.base.ports import Answers, Page
from connector.mapping.kinds import OUTBOUND
from connector.mapping.language import ATTRIBUTES
from connector.mapping.load import shipped_names
from connector.pipeline.cycle import Pipeline, run_cycle
from connector.salesforce.objects import polled_objects
from connector.store import Store, open_store
from tests.fakes import FakeSalesforce, FakeSource, sf_time

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
UNITS = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
DEALS = {"open": ("Prospecting", False, False), "won": ("Closed Won", True, True), "lost": ("Closed Lost", True, False)}
RECORDS = {
    "Contact": ("003000000000001AAA", "003000000000002AAA", "003000000000003AAA"),
    "Lead": ("00Q000000000001AAA", "00Q000000000002AAA", "00Q000000000003AAA"),
}
ACCOUNT = "001000000000001AAA"
EMAIL = "ann@example.com"
FEEDS = {"webhook": "hook", "files": "source", "warehouse": "source"}


def span(text: str) -> timedelta:
    number, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()
    return timedelta(days=365 * int(number)) if unit == "y" else timedelta(**{UNITS[unit]: int(number)})


def as_list(value: Any, key: str) -> list[dict[str, Any]]:
    """``open``, ``{state: open}`` or a list of such."""
    parts = value if isinstance(value, list) else [value]
    return [each if isinstance(each, dict) else {key: each} for each in parts if each != "none"]


class Office(FakeSalesforce):
    """An org that has every owner whom a mapping names, with the name as the id."""

    owners: Mapping[str, bool]
    amounts: Mapping[str, frozenset[str]]
    away: frozenset[str] = frozenset()

    def describe(self, object_name):
        money = self.amounts.get(object_name, ()) if self.rows.get("CurrencyType") else ()
        fields = super().describe(object_name)["fields"] + [{"name": "CurrencyIsoCode"}]
        types = [{**each, "type": "currency" if each["name"] in money else "string"} for each in fields]
        return {"name": object_name, "fields": types}

    def read(self, reads, windows=()):
        if reads[-1].name != "every queue":
            return super().read(reads, windows)
        people = tuple(
            {"Id": each, "Username": each, "Email": each, "Name": each, "Away__c": each in self.away}
            for each in self.owners
        )
        return Answers({each.name: Page(people, None, self.now) for each in reads}, {}, self.now)


@dataclass
class Scene:
    """One example person in an org of their own."""

    mapping: mappings.CompiledMapping
    store: Store
    clock: FrozenClock
    object: str
    org: Office = field(default_factory=Office)
    pages: dict[str, FakeSource] = field(default_factory=dict)
    seen: int = 0
    records: int = 0
    prospect: dict[str, Any] | None = None
    deals: set[str] = field(default_factory=set)
    linked: set[tuple[str, str]] = field(default_factory=set)
    has_begun: bool = False

    def __post_init__(self):
        self.feeds = {each.name: each.through[0] for each in self.mapping.model.sources if each.through}
        self.org.now, self.org.owners, self.org.amounts = NOW, self.mapping.owners, self.mapping.amounts
        self.org.put("Account", {"Id": ACCOUNT, "Name": "Acme"})
        if self.object != "Prospect":
            self.new_record(self.object)

    @property
    def id(self) -> str:
        return "pardot:1" if self.object == "Prospect" else RECORDS[self.object][self.records - 1]

    def new_record(self, object_name: str) -> None:
        self.object, self.records = object_name, self.records + 1
        row = {"Id": self.id, "Email": EMAIL, "Name": "Ann", "MasterRecordId": None}
        row |= {"CreatedDate": sf_time(NOW - timedelta(days=400))}
        self.org.put(
            object_name, row | ({"AccountId": ACCOUNT} if object_name == "Contact" else {"IsConverted": False})
        )

    def play(self, step: Mapping[str, Any]) -> None:
        """What the step says happened."""
        seconds = span(step["after"]).total_seconds() if "after" in step else 0
        self.clock.sleep(seconds)
        self.org.pass_time(seconds)
        if "becomes" in step:
            self.become(step["becomes"])
        if "away" in step:
            self.org.away = frozenset(step["away"])
        for number, (code, rate) in enumerate(step.get("currencies", {}).items()):
            row = {"IsoCode": code, "ConversionRate": rate, "DecimalPlaces": 2, "IsCorporate": rate == 1}
            self.org.put("CurrencyType", {"Id": f"01L{number:012d}AAA", **row})
        if "account" in step:
            self.org.put("Account", {"Id": ACCOUNT, **step["account"]})
        if "account_stage" in step:
            stands = {"AccountId": ACCOUNT, **self.stands({"stage": step["account_stage"]}, "Contact")}
            self.org.put("Contact", {"Id": "003000000000009AAA", "Email": "colleague@example.com", **stands})
        changes = {
            self.field_of(key): None if value == "missing" else value for key, value in step.get("person", {}).items()
        }
        changes |= self.stands(step, self.object)
        if changes and self.object != "Prospect":
            self.org.put(self.object, {"Id": self.id, **changes})
        if "opportunities" in step:
            self.has_deals(as_list(step["opportunities"], "state"))
        if "records" in step:
            self.has_records(as_list(step["records"], "of"))
        if "prospect" in step or self.object == "Prospect":
            self.told(step.get("prospect", {}), changes)
        for spec in as_list(step.get("activities", []), "kind"):
            self.does(spec)
        for spec in as_list(step.get("colleagues", []), "kind"):
            self.seen += 1
            key = f"003{self.seen:09d}CCCAAA"
            self.org.put("Contact", {"Id": key, "Email": f"{self.seen}@example.com", "AccountId": ACCOUNT})
            self.does(spec, key)

    def field_of(self, name: str) -> str:
        return ATTRIBUTES.get(name, {}).get(self.object, name)

    def stands(self, step: Mapping[str, Any], object_name: str) -> dict[str, Any]:
        """What somebody set by hand."""
        found = {}
        for track in self.mapping.model.tracks:
            if (value := step.get(track.name)) is not None and (name := track.fields.get(object_name)):
                step_named = next((each for each in track.steps if each.name == value), None)
                found[name] = None if value == "none" else step_named.value(object_name) if step_named else value
        return found

    def become(self, object_name: str) -> None:
        """A conversion, or a merge: as Salesforce does it, with the roles and the fields that the org moves over."""
        before, old = self.org.rows[self.object][self.id], self.id
        old_object = self.object
        self.new_record(object_name)
        ours = {name for fields in self.mapping.writes.values() for name in fields.values()}
        kept = ours | {"Id", "IsConverted", "MasterRecordId", "SystemModstamp", "AccountId", "Name"}
        self.org.put(object_name, {"Id": self.id, **{k: v for k, v in before.items() if k not in kept}})
        if old_object == "Lead" and object_name == "Contact":
            self.org.put("Lead", {"Id": old, "IsConverted": True, "ConvertedContactId": self.id})
        else:
            self.org.put(old_object, {"Id": old, "IsDeleted": True, "MasterRecordId": self.id})
        for role in list(self.org.rows.get("OpportunityContactRole", {}).values()):
            self.org.put("OpportunityContactRole", {"Id": role["Id"], "ContactId": self.id})

    def has_deals(self, deals: list[dict[str, Any]]) -> None:
        there = set()
        for number, spec in enumerate(deals, 1):
            stage, is_closed, is_won = DEALS[spec.get("state", "open")]
            key = f"{spec.get('id', number):0>12}AAA"
            now, before = (
                self.clock.now(),
                None if "ago" in spec else self.org.rows.get("Opportunity", {}).get(f"006{key}"),
            )
            then = now - span(spec.get("ago", "0d" if self.has_begun else "30d"))
            closes = then if is_closed else now + timedelta(days=30)
            via = spec.get("via", "role")
            row: dict[str, Any] = {
                "Id": f"006{key}",
                "Name": "Deal",
                "StageName": stage,
                "IsClosed": is_closed,
                "IsWon": is_won,
            }
            row |= {"AccountId": ACCOUNT if via in {"account", "colleagues"} else None, **spec.get("fields", {})}
            made = before["CreatedDate"] if before else sf_time(then)
            if before is None or any(
                before.get(name) != value for name, value in row.items()
            ):  # else it keeps its dates
                dates = {"CloseDate": closes.date().isoformat(), "CreatedDate": made}
                self.org.put("Opportunity", dates | row)
            if via == "conversion":
                self.org.put("Lead", {"Id": RECORDS["Lead"][0], "ConvertedOpportunityId": row["Id"]})
            if via == "colleagues":
                colleague = {"Id": "003000000000008AAA", "Email": "col@example.com", "AccountId": ACCOUNT}
                self.org.put("Contact", colleague)
                role = {"Id": f"00K{key}", "ContactId": colleague["Id"], "OpportunityId": row["Id"]}
                self.org.put("OpportunityContactRole", role | {"CreatedDate": made})
            if via == "role":
                role = {
                    "Id": f"00K{key}",
                    "ContactId": self.id,
                    "OpportunityId": row["Id"],
                    "CreatedDate": made,
                }
                role |= {"Role": spec.get("role", "Decision Maker"), "IsPrimary": spec.get("primary", True)}
                self.org.put("OpportunityContactRole", role)
                there.add(role["Id"])
        for gone in self.deals - there:
            self.org.remove("OpportunityContactRole", gone, hard=True)
        self.deals = there

    def has_records(self, records: list[dict[str, Any]]) -> None:
        """Of other objects, each linked by every way that the mapping knows: the first that is filled counts."""
        there = set()
        for number, spec in enumerate(records, 1):
            link, key = self.mapping.model.records[spec["of"]], f"a00{number:012d}AAA"
            ways = {link.person: self.id, link.email: EMAIL, link.account: ACCOUNT}
            then = sf_time(self.clock.now() - span(spec.get("ago", "1d")))
            fields = {name: plain(value) for name, value in spec.get("fields", {}).items()}
            row = {name: value for name, value in ways.items() if name} | {link.dated_by: then, "CreatedDate": then}
            self.org.put(spec["of"], {"Id": key, "Name": "one"} | row | fields)
            there.add((spec["of"], key))
        for gone in self.linked - there:
            self.org.remove(*gone)
        self.linked = there

    def told(self, attributes: Mapping[str, Any], more: Mapping[str, Any]) -> None:
        """What the marketing system says of the person."""
        self.prospect = {**(self.prospect or {}), **attributes, **more}
        crm_id = None if self.object == "Prospect" else self.id
        email = self.prospect.get("Email", EMAIL)
        self.page("pardot", SourcePage({}, (), (Prospect("pardot", "1", email, crm_id, self.prospect),)))

    def does(self, spec: Mapping[str, Any], who: str | None = None) -> None:
        source, kind, now = spec.get("source", "salesforce"), spec["kind"], self.clock.now()
        first = now + span(spec["ahead"]) if "ahead" in spec else now - span(spec.get("ago", "1d"))
        attributes, through = dict(spec.get("attributes", {})), self.feeds.get(source, source)
        if source in self.feeds:
            attributes[FEEDS[through]] = source
        usual = Direction.OUTBOUND if kind in OUTBOUND else Direction.INBOUND
        by, crm_id = spec.get("by", "crm_id"), who or (None if self.object == "Prospect" else self.id)
        for number in range(spec.get("count", 1)):
            self.seen += 1
            activity = Activity(
                source=through,
                id=f"a{self.seen:06d}",
                kind=kind,
                direction=Direction(spec["direction"]) if "direction" in spec else usual,
                occurred_at=first - timedelta(minutes=number),
                name=spec.get("name", ""),
                attributes=attributes,
                crm_id=crm_id if by == "crm_id" else None,
                prospect_id="1" if by == "prospect" or crm_id is None else None,
                email=EMAIL if by == "email" else None,
            )
            self.page(through, SourcePage({}, (activity,)))

    def page(self, source: str, page: SourcePage) -> None:
        self.pages.setdefault(source, FakeSource(f"{source} feed")).pages.append(page)

    def cycle(self) -> None:
        self.has_begun = True
        pipeline = Pipeline(
            mapping=self.mapping,
            store=self.store,
            salesforce=self.org,
            sources=list(self.pages.values()),
            objects=polled_objects(self.mapping),
            clock=self.clock,
            overlap=timedelta(minutes=10),
            pack=1000,
        )
        report = run_cycle(pipeline)
        assert not report.sources_failed

    def found(self, expect: Mapping[str, Any]) -> dict[str, Any]:
        """The same keys, as they stand in the org, or where no field holds them as they were decided."""
        person = next(iter(self.store.facts_of([self.id])))
        row = self.org.rows[self.object][self.id] if self.object != "Prospect" else {}
        latest = {each["track"]: each for each in self.store.latest(self.id)}
        return {key: self.one(key, value, row, person.memory, latest) for key, value in expect.items() if key != "held"}

    def one(self, key, wanted, row, memory, latest):
        if key == "fields":
            return {name: row.get(name) if row.get(name) != "" else None for name in wanted}
        if key == "rule":
            return latest["stage"]["rule"]
        written = self.mapping.writes.get(key, {}).get(self.object)
        if key in {"score", "fit"}:
            return memory[key]["value"]
        value = row.get(written) if written else memory.get(key, {}).get("written")
        if key == "tags":
            ours = {tag.name for tag in self.mapping.model.tags}
            return {part.strip() for part in (value or "").split(self.mapping.model.tag_separator)} & ours
        steps = [step for track in self.mapping.model.tracks if track.name == key for step in track.steps]
        named = [step.name for step in steps if step.value(self.object) == value]
        at = memory.get(key, {}).get("at")  # tells steps apart that share a value
        return at if at in named else named[0] if named else value


def wanted(expect: Mapping[str, Any]) -> dict[str, Any]:
    said = {key: None if value == "none" else value for key, value in expect.items() if key != "held"}
    if "tags" in said:
        said["tags"] = set(said["tags"] if isinstance(said["tags"], list) else [said["tags"]]) - {None}
    if "fields" in said:
        said["fields"] = {name: plain(value) for name, value in said["fields"].items()}
    return said


def plain(value: Any) -> Any:
    return None if value == "missing" else value.isoformat() if hasattr(value, "isoformat") else value


PAGE = (ROOT / "docs" / "mapping-examples.md").read_text(encoding="utf-8")
TEXTS = re.findall(r"^### (.*?)\n\n```yaml\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
TEXTS += [(name, (ROOT / "mappings" / f"{name}.yaml").read_text(encoding="utf-8")) for name in shipped_names()]
SEEDS = sorted((ROOT / "tests" / "mapping" / "seeds").glob("*.yaml"))
TEXTS += [(f"seeds of {file.stem}", file.read_text(encoding="utf-8")) for file in SEEDS]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One state for all, emptied between them: statements are compiled once."""
    path = tmp_path_factory.mktemp("sentences") / "state.sqlite3"
    clock = FrozenClock(NOW)
    with open_store(f"sqlite:///{path}", clock=clock) as store:
        yield path, store, clock


@pytest.fixture
def stage(shared):
    """Empties the state and sets the clock back."""
    path, store, clock = shared

    def empty() -> tuple[Store, FrozenClock]:
        clock.at = NOW
        with closing(sqlite3.connect(path)) as connection, connection:
            kept = {"alembic_version", "cycle"}  # a state without its last cycle was put back from a backup
            names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            for name in sorted(names - kept):
                connection.execute(f'DELETE FROM "{name}"')
        return store, clock

    return empty


@pytest.mark.parametrize(("sentence", "text"), TEXTS, ids=[sentence[:60] for sentence, _ in TEXTS])
def test_what_is_said_comes_true_in_an_org(sentence, text, stage):
    mapping = mappings.loads(text)
    examples = YAML(typ="safe", pure=True).load(text)["tests"]
    for example in examples:
        store, clock = stage()
        scene = Scene(mapping, store, clock, example.get("object", "Contact"))
        steps = [example, *example.get("then", ())]
        for step in steps:
            scene.play(step)
            scene.cycle()
            if "account_stage" in step or step is steps[-1]:  # colleagues are looked at in the next one
                scene.cycle()
            expect = step.get("expect", {})
            assert scene.found(expect) == wanted(expect), (example["name"], step)
