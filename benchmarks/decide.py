"""How many people a second one core decides.

    python benchmarks/decide.py [--people 10000] [--mapping NAME_OR_FILE] [--rounds 5] [--profile]

Without --mapping, a mapping of 30 rules for stages, statuses and moves; then the same with a fading score and tags.
The people are of a made-up company: about ten activities each, a third with a contact role. ``first`` is a backfill,
in which everybody gets a stage with its evidence; ``again`` is everybody a second time, unchanged, with memory.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import random
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from connector.base.facts import Activity, Direction, OpportunityRole, Person
from connector.lifecycle import CompiledMapping, decide, plan
from connector.mapping import load, loads

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
THIRTY_RULES = """
name: thirty-rules
conditions:
  demo: {activity: {kind: form_submit, name: {contains: demo}, within: 90d}}
  trial: {activity: {kind: form_submit, name: {contains: trial}}}
  big: {account: {NumberOfEmployees: ">= 1000"}, activity: {direction: inbound, count: 2}}
stages:
  - {name: Anonymous, reports: hidden, when: {email: missing}}
  - {name: Suspect, when: {email: present}}
  - {name: Aware, when: {activity: [page_view, visit]}}
  - {name: Engaged, when: {activity: inbound}}
  - {name: Active, when: {activity: {direction: inbound, within: 30d, count: 3}}}
  - {name: Marketing Qualified, when: {condition: demo}}
  - {name: Sales Qualified, set_by: people}
  - {name: Opportunity, when: {opportunity: {state: open, role: [Decision Maker, Champion, Evaluator]}}}
  - {name: Customer, when: {opportunity: won}}
  - {name: Repeat Customer, when: {opportunity: {state: won, count: 2}}}
rules:
  - {name: asked for a trial, when: {condition: trial}, then: {stage: Marketing Qualified}}
  - {name: referral, when: {lead_source: Referral, activity: inbound}, then: {stage: Marketing Qualified}}
  - {name: chat, when: {activity: chat}, then: {stage: Marketing Qualified}}
  - {name: event guest, when: {activity: {kind: event_attend, within: 180d}}, then: {stage: Engaged}}
  - {name: campaign, when: {activity: {kind: campaign_response, count: 2}}, then: {stage: Engaged}}
  - {name: big company, when: {condition: big}, then: {stage: Active}}
  - {name: large deal, when: {opportunity: {state: open, where: {Amount: ">= 50000"}}}, then: {stage: Opportunity}}
  - {name: partner, when: {account: {Type: Partner}, activity: inbound}, then: {stage: Active}}
  - {name: callback, when: {activity: {kind: call, direction: inbound}}, then: {status: Connected}}
  - {name: thanked, when: {activity: {kind: email_reply, name: {contains: thank}}}, then: {status: Connected}}
  - {name: planned, when: {activity: {kind: meeting, upcoming: true}}, then: {status: Meeting}}
statuses:
  - {name: New, when: {stage: Marketing Qualified}}
  - {name: Attempting, when: {activity: {kind: call, within: 60d}}}
  - {name: Mailed, when: {activity: {kind: email_sent, source: salesforce, within: 30d}}}
  - {name: Connected, when: {activity: {kind: call, where: {CallDisposition: Connected}, within: 90d}}}
  - {name: Answered, when: {activity: {kind: email_reply, within: 60d}}}
  - {name: Meeting, when: {activity: {kind: meeting, within: 60d}}}
  - {name: In Progress, when: {activity: {kind: meeting, count: 2, within: 90d}}}
  - {name: Bad Timing, set_by: people}
moves:
  - {from: Opportunity, to: Marketing Qualified, when: {opportunity: all_lost}, after: 30d}
  - {from: Aware, to: Suspect, when: {not: {activity: {within: 2y}}}}
  - {from: Active, to: Engaged, when: {not: {activity: {direction: inbound, within: 90d}}}}
"""
EXTRAS = """
fields: {tags: Tags__c}
score:
  points:
    - {activity: form_submit, points: 20, cap: 60}
    - {activity: email_click, points: 5, cap: 25}
    - {activity: page_view, points: 1, cap: 20}
    - {activity: event_attend, points: 20}
    - {activity: unsubscribe, points: -30}
  half_life: 45d
thresholds: {hot: {at: 71, again_below: 60}}
tags:
  - {name: Germany, when: {country: [DE, Germany]}}
  - {name: Quiet, when: {not: {activity: {direction: inbound, within: 180d}}}}
  - {name: Clicker, when: {activity: {kind: email_click, count: 5}}}
  - {name: Champion, when: {opportunity: {state: any, role: Champion}}}
  - {name: Enterprise, when: {account: {NumberOfEmployees: ">= 1000"}}}
"""
KINDS = (
    [("email_sent", Direction.OUTBOUND)] * 4
    + [("email_open", Direction.INBOUND)] * 3
    + [("email_click", Direction.INBOUND)] * 2
    + [("page_view", Direction.INBOUND)] * 3
    + [("form_submit", Direction.INBOUND), ("call", Direction.OUTBOUND), ("meeting", Direction.OUTBOUND)]
)


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def somebody(number: int, dice: random.Random) -> Person:
    """A contact with about ten activities over two years; a third have a contact role or two."""
    key = f"003{number:012d}AAA"
    created = NOW - timedelta(days=dice.uniform(10, 900))
    activities = [activity(number, index, dice) for index in range(dice.randint(2, 18))]
    fields = {
        "Id": key,
        "Email": f"person{number}@example.com" if dice.random() < 0.95 else None,
        "CreatedDate": stamp(created),
        "AccountId": f"001{number // 5:012d}AAA",
        "MailingCountry": dice.choice(["DE", "US", "FR", None]),
        "LeadSource": dice.choice(["Web", "Referral", "Event", None]),
        "Lifecycle_Stage__c": None,
        "Lead_Status__c": None,
    }
    deals = [deal(number, index, dice) for index in range(dice.choice([0, 0, 0, 0, 1, 1, 2]))]
    activities.sort(key=lambda each: each.occurred_at)
    account = {"NumberOfEmployees": dice.choice([10, 200, 5000])}
    return Person(key, "Contact", fields, account, tuple(deals), tuple(activities))


def activity(number: int, index: int, dice: random.Random) -> Activity:
    kind, direction = dice.choice(KINDS)
    at = NOW - timedelta(days=dice.expovariate(1 / 120))
    name = dice.choice(["Newsletter", "Demo request", "Trial", "Pricing"])
    disposition = {"CallDisposition": dice.choice(["Connected", "No answer"])} if kind == "call" else {}
    return Activity(
        "salesforce" if direction == "outbound" else "pardot",
        f"{number}-{index}",
        kind,
        direction,
        at,
        name,
        disposition,
    )


def deal(number: int, index: int, dice: random.Random) -> OpportunityRole:
    stage, closed, won = dice.choice(
        [("Prospecting", False, False), ("Closed Won", True, True), ("Closed Lost", True, False)]
    )
    at = NOW - timedelta(days=dice.uniform(1, 400))
    role = {
        "Role": dice.choice(["Champion", "Decision Maker", None]),
        "IsPrimary": index == 0,
        "CreatedDate": stamp(at),
    }
    row = {
        "Name": f"Deal {number}",
        "StageName": stage,
        "IsClosed": closed,
        "IsWon": won,
        "Amount": dice.uniform(1e3, 1e5),
    }
    row |= {"CreatedDate": stamp(at), "CloseDate": at.date().isoformat()}
    return OpportunityRole(f"00K{number:09d}{index:03d}AAA", f"006{number:09d}{index:03d}AAA", role, row)


def measured(people: list[Person], mapping: CompiledMapping, rounds: int) -> float:
    """Decisions a second, the best round."""
    best = 0.0
    for _ in range(rounds):
        started = time.process_time()
        for person in people:
            decide(person, mapping, NOW)
        best = max(best, len(people) / (time.process_time() - started))
    return best


def settled(person: Person, mapping: CompiledMapping) -> Person:
    decision = decide(person, mapping, NOW)
    change = plan(person, decision, mapping)
    fields = {**person.fields, **(change.values() if change else {})}
    return replace(person, fields=fields, memory={track.track: track.memory for track in decision.tracks})


def report(mapping: CompiledMapping, count: int, rounds: int) -> None:
    dice = random.Random(7)
    first = [somebody(number, dice) for number in range(count)]
    again = [settled(person, mapping) for person in first]
    rules = sum(len(step.rules) for track in mapping.model.tracks for step in track.steps)
    rules += sum(len(track.moves) for track in mapping.model.tracks)
    beside = f", {len(mapping.model.tags)} tags and a score" if mapping.model.tags and mapping.model.scores else ""
    print(f"{mapping.name}: {rules} rules{beside}; {count:,} people, one core")
    for name, people in (("first", first), ("again", again)):
        speed = measured(people, mapping, rounds)
        print(f"  {name}: {speed:>9,.0f} decisions a second ({1e6 / speed:.1f} µs each)")


def profile(mapping: CompiledMapping, count: int) -> None:
    dice = random.Random(7)
    people = [settled(somebody(number, dice), mapping) for number in range(count)]
    names = {"decide": decide, "NOW": NOW, "people": people, "mapping": mapping}
    cProfile.runctx("for p in people: decide(p, mapping, NOW)", names, {}, sort="tottime")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--people", type=int, default=10_000)
    options.add_argument("--mapping", help="a shipped mapping or a file, instead of the one of 30 rules")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--profile", action="store_true", help="show where the time goes")
    asked = options.parse_args()
    chosen = [load(asked.mapping)] if asked.mapping else [loads(THIRTY_RULES), loads(THIRTY_RULES + EXTRAS)]
    gc.disable()
    for mapping in chosen:
        if asked.profile:
            profile(mapping, asked.people)
        else:
            report(mapping, asked.people, asked.rounds)


if __name__ == "__main__":
    main()
