"""Random mappings and random lives of people, for what must hold always.

Purely random conditions rarely hold and random moves rarely lead out of where somebody stands, so that half of what is
drawn is what admins really write. ``test_stories.py`` measures that lives have everything in them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from connector.base.facts import Prospect
from connector.mapping.include import Gathered
from connector.mapping.load import compile_tree
from connector.mapping.mistakes import MappingInvalid, Notes, Place
from connector.mapping.tree import Map, Scalar, Seq
from tests.lifecycle.someone import DAY, NOW, deal, did, person

MANUAL = st.sampled_from(["until_promotion", "forever", "ignored", "5d"])
NOWHERE = Place("<story>", 0)
KINDS = ("email_click", "form_submit", "call", "meeting", "email_open", "email_sent", "meeting_no_show")
STAGES = ("Anonymous", "Suspect", "Engaged", "Qualified", "Opportunity", "Customer", "Former", "Disqualified")
STATUSES = ("New", "Working", "Connected", "Bad Timing")
SPANS = st.sampled_from(["1d", "3d", "10d", "30d", "12h"])
USUAL = (
    {"email": "present"},
    {"country": "DE"},
    {"activity": "inbound"},
    {"activity": "form_submit"},
    {"activity": {"kind": ["form_submit", "email_click"], "within": "10d"}},
    {"activity": {"kind": "form_submit", "count": 2}},
    {"activity": {"kind": "meeting", "upcoming": True}},
    {"activity": {"kind": "meeting", "latest_of": ["meeting_no_show"]}},
    {"activity": {"kind": "call", "since": "start"}},
    {"not": {"activity": {"within": "10d"}}},
    {"opportunity": "any"},
    {"opportunity": "open"},
    {"opportunity": "won"},
    {"opportunity": {"state": "all_lost", "since": "start"}},
    {"threshold": "hot"},
    {"score": ">= 20"},
    {"fit": ">= 20"},
    {"account_stage": ">= Opportunity"},
)
USUAL_STANDING = (
    {"activity": {"direction": "inbound", "since": "stage"}},
    {"stage_for": "3d"},
    {"stage": ">= Engaged"},
)
USUAL_MOVES = (
    {"opportunity": "all_lost"},
    {"opportunity": "none"},
    {"email": "present"},
    {"not": {"threshold": "hot"}},
    {"not": {"activity": {"direction": "inbound", "within": "10d"}}},
    {"activity": {"kind": "meeting_no_show", "latest_of": ["meeting"]}},
)
COUNTRIES = st.sampled_from(["DE", "FR", "US", None])


@cache
def comparison() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.sampled_from(["DE", ["DE", "FR"], "present", "missing", "!= US"]),
        st.fixed_dictionaries({"contains": st.sampled_from(["D", "r"])}),
    )


@cache
def activity(standing: bool) -> st.SearchStrategy[Any]:
    anchors = ["stage", "status", "start", "handoff"] if standing else ["start", "handoff"]
    kind = st.lists(st.sampled_from(KINDS), min_size=1, max_size=2, unique=True)
    plain = st.fixed_dictionaries(
        {},
        optional={
            "kind": kind,
            "direction": st.sampled_from(["inbound", "outbound"]),
            "within": SPANS,
            "since": st.sampled_from(anchors),
            "count": st.integers(1, 3),
            "after_quiet": SPANS,
        },
    )
    upcoming = st.fixed_dictionaries({"kind": kind, "upcoming": st.just(True)})
    latest = st.fixed_dictionaries({"kind": kind, "latest_of": kind}, optional={"within": SPANS})
    return st.one_of(st.sampled_from(["inbound", "form_submit"]), plain.filter(bool), upcoming, latest)


@cache
def opportunity(standing: bool) -> st.SearchStrategy[Any]:
    state = st.sampled_from(["any", "open", "won", "lost", "closed", "all_lost", "none"])
    filters = {
        "where": st.sampled_from(
            [{"Amount": ">= 100"}, {"CloseDate": {"within": "10d"}}, {"CloseDate": {"ahead": "3d"}}]
        ),
        "primary": st.booleans(),
        "since": st.sampled_from(["start", "stage"] if standing else ["start"]),
    }
    return st.one_of(state, st.fixed_dictionaries({"state": state}, optional=filters))


@cache
def leaf(with_later: bool, standing: bool) -> st.SearchStrategy[Any]:
    leaves = [
        st.fixed_dictionaries({"email": st.sampled_from(["present", "missing"])}),
        st.fixed_dictionaries({"country": comparison()}),
        st.fixed_dictionaries(
            {
                "field": st.fixed_dictionaries(
                    {
                        "Birthdate": st.sampled_from(
                            [{"within": "30d"}, {"older_than": "10d"}, {"ahead": "10d"}, ">= 2026-05-20"]
                        )
                    }
                )
            }
        ),
        st.fixed_dictionaries({"activity": activity(standing)}),
        st.fixed_dictionaries({"opportunity": opportunity(standing)}),
        st.fixed_dictionaries({"score": st.sampled_from([">= 20", "< 40", ">= 71"])}),
        st.fixed_dictionaries({"threshold": st.just("hot")}),
        st.fixed_dictionaries({"prospect": st.just({"score": ">= 50"})}),
    ]
    if standing:
        leaves += [
            st.fixed_dictionaries({"stage_for": SPANS}),
            st.fixed_dictionaries({"stage": st.sampled_from(STAGES)}),
        ]
    if with_later:
        leaves += [
            st.fixed_dictionaries({"handed_off": st.sampled_from([True, False, {"within": "3d"}])}),
            st.fixed_dictionaries({"response_time": st.sampled_from(["> 1d", "<= 12h"])}),
        ]
    if with_later and standing:
        leaves += [
            st.fixed_dictionaries({"status": st.sampled_from(STATUSES)}),
            st.fixed_dictionaries({"status_for": SPANS}),
        ]
    return st.one_of(leaves)


@cache
def condition(with_later: bool, standing: bool = True) -> st.SearchStrategy[Any]:
    usual = st.sampled_from(USUAL + (USUAL_STANDING if standing else ()))
    return st.booleans().flatmap(lambda is_usual: usual if is_usual else any_condition(with_later, standing))


@cache
def any_condition(with_later: bool, standing: bool = True) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaf(with_later, standing),
        lambda inner: st.one_of(
            st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)}),
            st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)}),
            st.fixed_dictionaries({"not": inner}),
        ),
        max_leaves=4,
    )


@st.composite
def mapping_values(
    draw: st.DrawFn,
    moves: bool = True,
    lock: bool = False,
    later: bool = False,
    standing: bool = True,
    ways: tuple[str, ...] = ("forward",),
) -> dict[str, Any]:
    """What a mapping file says. ``later``: the stage may look at what is decided after it. ``standing``: rules may look
    at where the person stands, so that one decision can lead to the next. ``ways``: how stages may move."""
    stages = [{"name": name, "when": draw(condition(later, standing))} for name in STAGES[:6]]
    stages += [{"name": "Former", "set_by": "people"}, {"name": "Disqualified", "set_by": "people", "funnel": False}]
    draw(st.sampled_from(stages))["terminal"] = draw(st.booleans())
    statuses = [{"name": name, "when": draw(condition(True, standing))} for name in STATUSES[:3]]
    statuses.append({"name": "Bad Timing", "set_by": "people"})
    status_gate = {"manual": draw(MANUAL), "direction": draw(st.sampled_from(["forward", "both"]))}
    if draw(st.booleans()):
        status_gate |= {"stages": "< Customer", "outside": draw(st.sampled_from(["leave", "clear"]))}
    values: dict[str, Any] = {
        "stages": stages,
        "statuses": statuses,
        "fields": {"tags": "Tags__c", "score": "Score__c", "highest_stage": "Highest__c"},
        "score": draw(_score()),
        "fit": {"points": [{"when": {"country": "DE"}, "points": 30}]},
        "thresholds": {"hot": {"at": 40, "again_below": 25}},
        "gate": {"stage": {"manual": draw(MANUAL), "direction": draw(st.sampled_from(ways))}, "status": status_gate},
        "handoff": draw(_handoffs(standing)),
        "tags": [
            {"name": "T1", "when": draw(condition(True, standing))},
            {"name": "T2", "when": draw(condition(True, standing)), "keep": True},
        ],
        "opportunities": {
            "precedence": draw(st.sampled_from(["won > open > lost", "open > won > lost", "newest", "primary"])),
            "without_roles": draw(st.sampled_from(["ignore", ["active_contacts", "converted_lead"]])),
            "active_within": "10d",
        },
        "dates": {"entered": "{stage}_Entered__c", "exited": "{stage}_Exited__c"},
    }
    if moves and (drawn := draw(st.lists(_move(standing), min_size=1, max_size=4))):
        values["moves"] = [_leading_out(move, stages) for move in drawn]
    if lock:
        values["gate"]["lock"] = {"field": {"Locked__c": True}}
    return values


@cache
@st.composite
def _score(draw: st.DrawFn) -> dict[str, Any]:
    if draw(st.integers(0, 3)) == 0:
        return {"from": {"prospect": "score"}}
    points = [
        {"activity": "form_submit", "points": 30, "cap": 60},
        {"activity": {"kind": "email_click", "within": "10d"}, "points": 7},
        {"activity": {"kind": "meeting_no_show"}, "points": -20},
    ]
    return {"points": points, **draw(st.sampled_from([{}, {"half_life": "2d"}, {"half_life": "30d"}]))}


# Named by their ids, so that any org has them.
A_USER, A_QUEUE = "005000000000001AAA", "00G000000000001AAA"
OTHERS = [f"00500000000000{number}AAA" for number in range(2, 6)]


@cache
@st.composite
def _handoffs(draw: st.DrawFn, standing: bool) -> list[dict[str, Any]]:
    first = {
        "name": "to sales",
        "when": draw(condition(False, standing)),
        "unless": draw(st.sampled_from(["never", {"activity": {"kind": "call", "within": "3d"}}])),
        "status": "New",
        "owner": [
            {"when": {"country": "DE"}, "round_robin": [A_USER, OTHERS[0]]},
            {"queue": A_QUEUE},
            {"weights": {OTHERS[1]: 2, OTHERS[2]: 1}},
        ],
    }
    back = {
        "name": "back",
        "when": {"handed_off": {"by": "to sales"}, "not": {"threshold": "hot"}},
        "owner": [{"user": OTHERS[3]}],
    }
    return [first, {**back, "unless": "never"}] if standing and draw(st.booleans()) else [first]


@cache
@st.composite
def _move(draw: st.DrawFn, standing: bool) -> dict[str, Any]:
    """``rule``: its condition holds besides the one that led to where it begins, as it does when a deal is lost."""
    origins = draw(st.lists(st.sampled_from(STAGES[1:]), min_size=1, max_size=3, unique=True))
    back = [name for name in STAGES[: STAGES.index(origins[0])] if name not in origins]
    others = [name for name in STAGES if name not in origins]
    goes_back = bool(back) and draw(st.integers(0, 3)) > 0
    to = draw(st.sampled_from(back if goes_back else others))
    usual = st.sampled_from(USUAL_MOVES + (USUAL_STANDING[:1] if standing else ()))
    when = draw(usual if draw(st.integers(0, 2)) else condition(False, standing))
    move: dict[str, Any] = {"from": origins, "to": to, "when": when, "rule": draw(st.booleans())}
    for key in ("after", "cool_off") if standing else ("after",):
        if draw(st.integers(0, 3)) == 0:
            move[key] = draw(SPANS)
    if draw(st.integers(0, 2)) == 0:
        move["restart"] = True
    if draw(st.booleans()):
        move["status"] = "New"
    return move


def _leading_out(move: dict[str, Any], stages: list[dict[str, Any]]) -> dict[str, Any]:
    move, with_rule = {key: value for key, value in move.items() if key != "rule"}, move["rule"]
    rule = next((each.get("when") for each in stages if each["name"] == move["from"][0]), None)
    if with_rule and rule is not None and len(move["from"]) == 1:
        move["when"] = rule
    return move


def tree_of(value: Any) -> Any:
    """As if it had been read from YAML, which takes most of the time of a test."""
    if isinstance(value, dict):
        return Map({key: tree_of(each) for key, each in value.items()}, NOWHERE)
    if isinstance(value, list):
        return Seq(tuple(tree_of(each) for each in value), NOWHERE)
    return Scalar(value, NOWHERE, str(value).lower() if isinstance(value, bool) else str(value))


def compiled(values: dict[str, Any]) -> Any:
    """The mapping; a random one that nobody could mean is skipped."""
    try:
        mapping = compile_tree(Gathered(tree_of(values), {}, {}), "<story>", Notes())
    except MappingInvalid as error:
        assume(not all("can never hold" in each.what for each in error.mistakes))
        raise
    return mapping


LIKELY = ("form_submit", "form_submit", "email_click", "meeting", "call", *KINDS)
# Never at the very moment of a decision: "since the stage began" is then true by coincidence.
DID = st.builds(did, st.sampled_from(LIKELY), st.floats(-5, 40).map(lambda days: round(days, 2) + 0.003))
DEAL = st.builds(
    lambda state, key, ago, amount, primary: deal(state, key, ago, {"IsPrimary": primary}, Amount=amount),
    st.sampled_from(["open", "won", "lost", "lost"]),
    st.sampled_from(["1", "2", "3"]),
    st.integers(0, 60),
    st.sampled_from([None, 50, 500]),
    st.booleans(),
)
DEALS = st.lists(DEAL, max_size=3, unique_by=lambda role: role.role_id)
VIA = st.sampled_from(["account", "conversion"])
ROLELESS = st.lists(
    st.builds(lambda role, via: replace(role, role_id="", role={"Via": via}), DEAL, VIA),
    max_size=1,
)
STAGE_EDIT = st.fixed_dictionaries({"Lifecycle_Stage__c": st.sampled_from([*STAGES, None, "Nonsense"])})
EDIT = st.one_of(
    st.just({}),
    STAGE_EDIT,
    STAGE_EDIT,
    STAGE_EDIT,
    st.sampled_from([*STATUSES, None]).map(lambda status: {"Lead_Status__c": status, "Status": status}),
    COUNTRIES.map(lambda country: {"MailingCountry": country, "Country": country}),
    st.fixed_dictionaries({"Email": st.sampled_from([None, "ann@example.com"])}),
    st.fixed_dictionaries({"Tags__c": st.sampled_from([None, "VIP", "VIP;T1"])}),
    st.fixed_dictionaries({"OwnerId": st.just("005other")}),
)
STEP = st.fixed_dictionaries(
    {"days": st.floats(0, 20).map(lambda days: round(days, 1)), "did": st.lists(DID, max_size=2), "edit": EDIT},
    optional={
        "deals": DEALS,
        "roleless": ROLELESS,
        "score": st.sampled_from([0, 20, 80]),
        "account_stage": st.sampled_from([None, "Customer"]),
        "becomes": st.just("Contact"),
    },
)
STORY = st.lists(STEP, min_size=3, max_size=6)
DATES = st.sampled_from([None, "2026-05-25", "2026-06-05", "2026-05-31T12:00:00.000+0000"])


@st.composite
def somebody(draw: st.DrawFn) -> Any:
    country = draw(COUNTRIES)
    return person(
        draw(st.sampled_from([None, None, *STAGES])),
        object_name=draw(st.sampled_from(["Contact", "Contact", "Contact", "Lead", "Lead", "Prospect"])),
        email=draw(st.sampled_from(["ann@example.com", "ann@example.com", None])),
        deals=draw(DEALS),
        did=draw(st.lists(DID, max_size=5)),
        score=draw(st.sampled_from([None, 20, 80])),
        MailingCountry=country,
        Country=country,
        Birthdate=draw(DATES),
    )


def changed(someone: Any, step: dict[str, Any], now: Any) -> Any:
    """The person after one step of a story; activities are dated around ``now``, so that some are late or to come."""
    shift = now - NOW
    new = [replace(each, id=f"{each.id}@{shift}", occurred_at=each.occurred_at + shift) for each in step.get("did", ())]
    activities = sorted((*someone.activities, *new), key=lambda a: (a.occurred_at, a.source, a.id))
    if "becomes" in step:
        someone = converted(someone)
    prospects = (Prospect("pardot", "1", None, attributes={"score": step.get("score")}),)
    return replace(
        someone,
        fields={**someone.fields, **step.get("edit", {})},
        activities=tuple(activities),
        opportunities=tuple(step["deals"]) if "deals" in step else someone.opportunities,
        account_opportunities=tuple(step["roleless"]) if "roleless" in step else someone.account_opportunities,
        prospects=prospects if "score" in step else someone.prospects,
        account_stage=step.get("account_stage", someone.account_stage),
    )


def converted(someone: Any) -> Any:
    """Goes on as another contact with empty fields: a conversion, a merge, or a prospect whose record appears."""
    key = f"003{len(someone.aliases) + 2:012d}AAA"
    kept = ("Email", "CreatedDate", "MailingCountry", "Country", "Birthdate", "Locked__c")
    fields = {"Id": key} | {name: value for name, value in someone.fields.items() if name in kept}
    return replace(someone, id=key, object="Contact", fields=fields, aliases=(*someone.aliases, someone.id))


def later(now: Any, step: dict[str, Any]) -> Any:
    return now + timedelta(days=step["days"])


__all__ = ["DAY", "STORY", "changed", "compiled", "later", "mapping_values", "somebody"]
