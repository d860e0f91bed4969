"""What ``plan`` and ``explain`` say now is what the next sync writes, owners and their turns included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from connector.base.clock import FrozenClock
from connector.base.facts import Activity, Direction, SourcePage
from connector.base.settings import explicit
from connector.commands.explain import explain_people
from connector.commands.plan import run_preview
from connector.pipeline.cycle import poll
from connector.pipeline.planned import Listing, Planned
from connector.store import open_store
from tests.cases import cases
from tests.fakes import SIGNED_IN, START
from tests.lifecycle.test_always import FAST
from tests.pipeline.conftest import World
from tests.pipeline.test_refused_rows import Office

AWARE = '  - {name: Aware, when: {account_stage: ">= Opportunity"}}\n'
MAPPING = """
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
  status: {Contact: Lead_Status__c, Lead: Status}
  tags: {Contact: Tags__c, Lead: Tags__c}
  account_stage: Stage__c
dates: {entered: "Entered_{stage}__c"}
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Aware, when: {account_stage: ">= Opportunity"}}
  - {name: Engaged, when: {activity: inbound}}
  - {name: Hot, when: {activity: {kind: form_submit, within: 2d}}}
  - {name: Opportunity, when: {opportunity: any}}
  - {name: Customer, when: {opportunity: won}}
  - {name: Out, set_by: people, funnel: false}
moves:
  - {from: Hot, to: Engaged, when: {not: {activity: {kind: form_submit, within: 2d}}}}
statuses: [{name: New, set_by: people}, {name: Working, when: {stage: ">= Opportunity"}}]
handoff:
  - name: to sales
    when: {stage: ">= Engaged"}
    status: New
    owner:
      - {when: {country: DE}, user: cat@example.com}
      - {weights: {ann@example.com: 1, ben@example.com: 1, cat@example.com: 0.5}}
  - name: to success
    when: {stage: ">= Customer"}
    unless: never
    owner: [{round_robin: [ann@example.com, ben@example.com, cat@example.com]}]
tags:
  - {name: warm, when: {activity: {direction: inbound, within: 3d}}}
  - {name: group, when: {account: {people: {count: 2, activity: {direction: inbound, within: 3d}}}}}
  - {name: dealing, when: {account: {opportunity: open}}}
gate: {lock: {field: {Locked__c: true}}}
accounts: {leads_by_domain: true, counts: {not: {all: [{country: DE}, {stage: Suspect}]}}}
"""
ACCOUNTS = ("001000000000001AAA", "001000000000002AAA")
OTHERS = {  # what the admin may make of the mapping before the next sync
    "as it is": MAPPING,
    "other owners": MAPPING.replace(
        "{ann@example.com: 1, ben@example.com: 1", "{ben@example.com: 2, ann@example.com: 1"
    ),
    "other rules": MAPPING.replace('">= Engaged"', '">= Suspect"'),
    "joined by e-mail": MAPPING + "identity: {by_email: true}\n",
    "leads alone": MAPPING.replace("leads_by_domain: true, ", ""),
    "without accounts": MAPPING.replace("  account_stage: Stage__c\n", "").replace(AWARE, ""),
}
FIELDS = {"stage": ("Lifecycle_Stage__c",) * 2, "status": ("Lead_Status__c", "Status"), "tags": ("Tags__c",) * 2,
          "owner": ("OwnerId",) * 2}  # fmt: skip
WHO = st.integers(0, 30)
THINGS = st.one_of(
    st.tuples(st.just("contact"), st.booleans(), st.sampled_from(["DE", "US"]), st.sampled_from([None, *ACCOUNTS])),
    st.tuples(st.just("lead"), st.booleans(), st.sampled_from(["DE", "US"])),
    st.tuples(st.just("does"), WHO, st.sampled_from(["email_click", "form_submit", "form_submit"])),
    st.tuples(st.just("does"), WHO, st.sampled_from(["email_click", "page_view"])),
    st.tuples(st.just("deal"), WHO, st.booleans()),
    st.tuples(st.just("edits"), WHO, st.sampled_from(["Suspect", "Engaged", "Out", None])),
    st.tuples(st.just("locks"), WHO),
    st.tuples(st.just("refused"), WHO),
    st.tuples(st.just("moves"), st.sampled_from(ACCOUNTS), st.sampled_from(["acme0.example", "acme1.example"])),
    st.tuples(st.just("refused_account"), st.sampled_from(ACCOUNTS)),
)
LIVES = st.lists(
    st.one_of(THINGS, THINGS, THINGS, st.tuples(st.just("cycle"), st.integers(60, 200_000))), min_size=8, max_size=25
)
BEGINNING = [("contact", True, "US", ACCOUNTS[0]), ("contact", True, "US", ACCOUNTS[0]), ("lead", True, "DE")]


class Org(World):
    """People by number, in a world with three owners and two accounts."""

    def begin(self) -> None:
        self.people: list[str] = []
        for number, account in enumerate(ACCOUNTS):
            self.org.put(
                "Account", {"Id": account, "Name": f"Acme {number}", "Website": f"https://acme{number}.example"}
            )

    def happens(self, what: str, *how: Any) -> None:
        getattr(self, f"_{what}")(*how)

    def _contact(self, has_email: bool, country: str, account: str | None) -> None:
        email = f"p{len(self.people)}@example.com" if has_email else None
        self.people.append(self.contact(email, MailingCountry=country, AccountId=account, OwnerId=SIGNED_IN))

    def _lead(self, has_email: bool, country: str) -> None:
        domain = ("example.com", "acme0.example", "acme1.example")[len(self.people) % 3]
        email = f"p{len(self.people) // 2}@{domain}" if has_email else None
        self.people.append(self.lead(email, Country=country, OwnerId=SIGNED_IN))

    def _who(self, number: int) -> str:
        return self.people[number % len(self.people)]

    def _does(self, number: int, kind: str) -> None:
        key = f"a{len(self.source.pages)}"
        did = Activity("fake", key, kind, Direction.INBOUND, self.clock.now(), crm_id=self._who(number))
        self.source.pages.append(SourcePage({}, (did,)))

    def _deal(self, number: int, won: bool) -> None:
        if (person := self._who(number)).startswith("003"):
            self.role(person, self.deal(won=won))

    def _edits(self, number: int, stage: str | None) -> None:
        self._put(number, {"Lifecycle_Stage__c": stage})

    def _locks(self, number: int) -> None:
        self._put(number, {"Locked__c": True})

    def _moves(self, account: str, website: str) -> None:
        self.org.put("Account", {"Id": account, "Website": website})

    def _refused(self, number: int) -> None:
        self.org.refuse[self._who(number)] = "FIELD_CUSTOM_VALIDATION_EXCEPTION"

    def _refused_account(self, account: str) -> None:
        self.org.refuse[account] = "FIELD_CUSTOM_VALIDATION_EXCEPTION"

    def _put(self, number: int, row: Mapping[str, Any]) -> None:
        person = self._who(number)
        self.org.put("Contact" if person.startswith("003") else "Lead", {"Id": person, **row})

    def _cycle(self, seconds: int) -> None:
        self.cycle()
        self.wait(seconds)


class Caught(Listing):
    """Keeps what is planned as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.planned: list[Planned] = []

    def add(self, batch: Iterable[Planned]) -> None:
        self.planned += batch


def changes(planned: Iterable[Planned]) -> dict[str, dict[str, Any]]:
    return {each.id: each.change.values() for each in planned if each.change is not None}


def moved(document: Mapping[str, Any]) -> dict[str, str]:
    """Field -> value of the tracks that explain says will be written, of those with one value."""
    is_lead = document["object"] == "Lead"
    return {
        FIELDS[track["track"]][is_lead]: track["value"]
        for track in document["now"]["tracks"]
        if track["track"] in FIELDS and track["value"] is not None and track["value"] != (track["current"] or "")
    }


TURNS = [("contact", True, "US", None), *(("does", each, "form_submit") for each in range(4))]
COLLEAGUES = [("deal", 0, False), ("cycle", 60), ("cycle", 60), ("contact", True, "US", ACCOUNTS[0])]
TOGETHER = [("contact", True, "US", ACCOUNTS[0]), ("contact", True, "US", ACCOUNTS[0]), ("deal", 0, False)]
BY_DOMAIN = [("lead", True, "US"), ("deal", 0, False), ("cycle", 60), ("moves", ACCOUNTS[1], "acme0.example")]
REFUSED = [("refused_account", ACCOUNTS[0]), ("deal", 0, False), ("cycle", 60), ("cycle", 60)]


@example(TURNS, "as it is")
@example(COLLEAGUES, "as it is")
@example(TOGETHER, "as it is")
@example(REFUSED, "as it is")
@example(BY_DOMAIN, "as it is")
@example(BY_DOMAIN, "leads alone")
@example(TURNS, "other owners")
@example(COLLEAGUES, "without accounts")
@example([("does", 2, "form_submit")], "joined by e-mail")
@settings(max_examples=cases(8), deadline=None, **FAST)
@given(LIVES, st.sampled_from(["as it is", "as it is", *OTHERS]))
def test_what_plan_and_explain_say_now_the_next_sync_writes(life: list[Any], mapping_then: str) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as few:
        few.setattr("connector.pipeline.decisions.BATCH", 2)
        state, mapping = Path(folder) / "state.sqlite3", Path(folder) / "mapping.yaml"
        mapping.write_text(OTHERS[mapping_then])
        clock = FrozenClock(START)
        with open_store(f"sqlite:///{state}", clock=clock) as store:
            world = Org(store, org=Office(), clock=clock, mapping=MAPPING, pack=1)
            world.begin()
            for what, *how in (*BEGINNING, ("cycle", 60), *life):
                world.happens(what, *how)
            poll(world.pipeline)  # the facts are read, and nothing is decided of them
            said = explicit(state=str(state), mapping=str(mapping))
            with Caught() as caught:
                run_preview(said, None, lambda *_: None, caught, clock)
            plan = changes(caught.planned)
            explained = [document for each in world.people for document in explain_people(said, each, clock=clock)]
            world.org.refuse.clear()
            before = len(world.org.updates)
            world.mapping = OTHERS[mapping_then]
            world.cycle()
            written = {row["Id"]: {k: v for k, v in row.items() if k not in {"Id", "object"}} for row in
                       world.org.updates[before:]}  # fmt: skip
    assert plan == written
    for document in explained:
        person = document["person"]
        fields = {name: value or "" for name, value in written.get(person, {}).items() if "Entered" not in name}
        if person in written or all(each["outcome"] != "refused" for each in document["decided"]):
            assert moved(document) == fields, document["now"]
    event(f"{len(written)} written, {sum('OwnerId' in row for row in written.values())} owners")
