"""The sections of a mapping file: the table that reading, the JSON Schema and the reference come from."""

from __future__ import annotations

from datetime import timedelta

from connector.base.facts import PEOPLE
from connector.lifecycle.calendar import Calendar
from connector.lifecycle.deals import DEFAULT_PRECEDENCE, POLICIES, DealPolicy
from connector.lifecycle.handoff import FREE, WHOSE
from connector.lifecycle.model import Identity, Manual
from connector.lifecycle.values import ONE_DAY
from connector.mapping.business import CALENDAR
from connector.mapping.examples import EXAMPLE
from connector.mapping.filters import ACTIVITY_FILTER, KIND_LIST, OPPORTUNITY_FILTER, Filters
from connector.mapping.ladders import MIGRATE, MOVE, NAME, RULE, SEGMENT, STAGE, STATUS
from connector.mapping.language import CONDITION
from connector.mapping.makers import (
    SCORE_SOURCE,
    ManualShape,
    OrNone,
    PatternShape,
    PerObject,
    PrecedenceShape,
    make_dates,
    make_deals,
    make_handoff,
    make_identity,
    make_owner_rule,
    make_points,
    make_score,
    make_tag,
    make_threshold,
)
from connector.mapping.noise import OURS_KEYS
from connector.mapping.records import RecordsShape, RefreshShape
from connector.mapping.shape import (
    PATH,
    Block,
    Duration,
    FieldName,
    Key,
    ListOf,
    MapOf,
    NameOf,
    Number,
    Text,
    Word,
    YesNo,
)
from connector.mapping.sources import TYPES_DOC, SourcesShape, TypesShape
from connector.mapping.steps import Steps
from connector.mapping.writing import WRITE

GATE_STAGE = {
    "direction": Key(Word(("forward", "both")), "forward: rules never lower it; both: it follows the rules", None),
    "manual": Key(ManualShape(), "how long a value that a person set stays", Manual()),
}
GATE = Block(
    "gate",
    {
        "stage": Key(Block("gate stage", GATE_STAGE, doc="how stages move"), "how stages move"),
        "status": Key(
            Block(
                "gate status",
                {
                    **GATE_STAGE,
                    "stages": Key(Steps("stage"), "only people at these stages have a status"),
                    "outside": Key(
                        Word(("leave", "clear")),
                        "what happens to the status of others (a Lead's cannot be emptied)",
                        "leave",
                    ),
                },
                doc="how lead statuses move",
            ),
            "how lead statuses move",
        ),
        "lock": Key(CONDITION, "freezes a person: while it holds, nothing of them changes"),
    },
    doc="whether a track may move, in one place",
)
FIELDS_SECTION = Block(
    "fields",
    {
        "stage": Key(PerObject(FieldName()), "where the stage is written", dict.fromkeys(PEOPLE, "Lifecycle_Stage__c")),
        "status": Key(
            PerObject(FieldName()), "where the lead status is written", {"Contact": "Lead_Status__c", "Lead": "Status"}
        ),
        "highest_stage": Key(PerObject(FieldName()), "where the furthest stage ever is written", {}),
        "score": Key(PerObject(FieldName()), "where the score is written", {}),
        "fit": Key(PerObject(FieldName()), "where the fit is written", {}),
        "tags": Key(PerObject(FieldName()), "where tags are written: a multi-select picklist or a text field", {}),
        "tag_separator": Key(Text(longest=3), "what stands between tags; ; for a multi-select picklist", ";"),
        "account_stage": Key(FieldName(), "the Account field where the furthest stage of its people is written"),
    },
    doc="the Salesforce fields that are written",
)
_ACTIVITIES = Block(
    "activities",
    {
        "ignore": Key(
            OrNone(KIND_LIST),
            "kinds that count only where a condition names them (mail scanners open mails); none: all count",
            ("email_open",),
        ),
        "kinds": Key(ListOf(Text()), "further kinds that your own files or hooks deliver", ()),
        "types": Key(TypesShape(), TYPES_DOC, {}, example="types: {Form Submitted on Website: form_submit}"),
        **OURS_KEYS,
    },
    doc="what counts as engagement",
)
POINTS = Block(
    "points",
    {
        "activity": Key(ACTIVITY_FILTER, "points for each activity that fits"),
        "when": Key(CONDITION, "points once, while this holds, however many activities fit; they do not fade"),
        "points": Key(Number(-1000, 1000), "how many; negative ones are taken off", required=True),
        "cap": Key(Number(0, 100_000), "at most so many from this entry"),
    },
    make_points,
    doc="what gives points",
)
SCORE_KEYS = {
    "from": Key(SCORE_SOURCE, "take the number from the marketing system, a field, or sources: as each says it"),
    "points": Key(ListOf(POINTS, strict=True), "or count it"),
    "min": Key(Number(-10_000, 10_000, whole=True), "never below", 0),
    "max": Key(Number(-10_000, 10_000, whole=True), "never above", 100),
}
SCORE = Block(
    "score",
    {
        **SCORE_KEYS,
        "half_life": Key(Duration(is_plain=True), "points of activities lose half their worth in so long"),
        "decay": Key(
            Block(
                "decay",
                {
                    "points": Key(Number(0.001, 100_000), "how many", required=True),
                    "every": Key(Duration(ONE_DAY, is_plain=True), "in so long", required=True),
                },
                doc="the points of activities together, less and less",
            ),
            "or so many points less in so long, down to none: a new activity begins from what is left",
        ),
    },
    make_score,
    doc="a number for what a person does",
)
FIT = Block("fit", SCORE_KEYS, make_score, doc="a number for who a person is")
THRESHOLD = Block(
    "threshold",
    {
        "of": Key(Word(("score", "fit")), "which number", "score"),
        "at": Key(Number(), "on from this number and above", required=True),
        "again_below": Key(Number(), "off again below this number; without it, below at"),
    },
    make_threshold,
    doc="crossed once, on the way up; again only after falling below",
)
OWNER_RULE = Block(
    "owner rule",
    {
        "name": Key(NAME, "named in decisions"),
        "when": Key(CONDITION, "people for whom this holds; without it, everybody"),
        "user": Key(Text(), "one user, by username, e-mail address or id"),
        "queue": Key(Text(), "one queue, by name or id (Leads only)"),
        "round_robin": Key(ListOf(Text(), strict=True), "these users, evenly"),
        "weights": Key(MapOf(Number(0, 1000), key_words="a user"), "these users, in these proportions"),
        "capacity": Key(
            MapOf(Number(0, 100_000), key_words="a user"), "these users, by how many more people they can take"
        ),
        "account_owner": Key(YesNo(), "true: whoever owns the contact's account, unless they are away"),
    },
    make_owner_rule,
    doc="who gets a person; the first rule that fits decides",
)
HANDOFF = Block(
    "hand-off",
    {
        "name": Key(NAME, "named in decisions", "hand-off"),
        "when": Key(CONDITION, "happens once when this turns true, and again only after it was false", required=True),
        "unless": Key(
            CONDITION,
            "people for whom this holds are left alone; otherwise those sales worked on within 30 days; never: nobody",
        ),
        "status": Key(NameOf("status"), "the lead status that goes with it"),
        "owner": Key(
            ListOf(OWNER_RULE, strict=True, lenient=True), "who gets them, in order; without it, nobody changes", ()
        ),
        "reassign": Key(
            ListOf(Text()),
            "whose people may get another owner: nobody's, a queue's and the integration user's, unless you say it: "
            + ", ".join(WHOSE)
            + ", or owners by name. handed off: whom a hand-off of this mapping gave away",
            FREE,
        ),
    },
    make_handoff,
    doc="a person goes to sales",
)
WHO_IS_THERE = Block(
    "owners",
    {
        "away": Key(
            Filters(),
            "users for whom this holds get nobody: fields of User. Who is not active never does",
            example="away: {Out_Of_Office_Until__c: {after: today}}",
        )
    },
    doc="who is there to get people",
)
TAG = Block(
    "tag",
    {
        "name": Key(NAME, "the label", required=True),
        "when": Key(CONDITION, "people for whom this holds have it", required=True),
        "keep": Key(YesNo(), "true: never taken away again", False),
    },
    make_tag,
    doc="a label that rules add and remove; those of others are left alone",
)
_DEALS = Block(
    "opportunities",
    {
        "counts": Key(OPPORTUNITY_FILTER, "only opportunities that fit count at all"),
        "precedence": Key(PrecedenceShape(), "which of several counts", DEFAULT_PRECEDENCE),
        "without_roles": Key(ListOf(Word(POLICIES)), "whom opportunities without any contact role move", ("ignore",)),
        "active_within": Key(
            Duration(is_plain=True), "for active_contacts: with an activity at most so long ago", timedelta(days=90)
        ),
        "primary_contact_field": Key(FieldName(), "for primary_contact: the Account field with the contact's id"),
        "pipeline": Key(ListOf(Text(), strict=True), "the opportunity stages in order, for past:"),
    },
    make_deals,
    doc="which opportunities count",
)
DATES = Block(
    "dates",
    {
        "entered": Key(PatternShape(), "when the person came to the stage", ""),
        "exited": Key(PatternShape(), "when the person left it", ""),
        "days": Key(PatternShape(), "how many days in between", ""),
        "how": Key(PatternShape(), "observed, or inferred from the evidence", ""),
        "as": Key(Word(("date", "datetime")), "the type of the fields", "date"),
    },
    make_dates,
    doc="dates of each stage, to fields by a pattern such as '{stage}_Entered__c'",
)
_IDENTITY = Block(
    "identity",
    {
        "by_email": Key(YesNo(), "true: Contacts and unconverted Leads with one e-mail address are one human", False),
        "prefer": Key(ListOf(Word(PEOPLE)), "whose record leads: the first object in this list that there is", PEOPLE),
        "then": Key(Word(("oldest", "newest")), "which of several of that object leads, by CreatedDate", "oldest"),
        "at_most": Key(
            Number(2, 200, whole=True), "an address that more records have is nobody's own: they stay apart", 20
        ),
        "addresses": Key(
            PerObject(ListOf(FieldName())),
            "further fields with an e-mail address of theirs: what comes from one is theirs, too",
            example="addresses: [Email, Work_Email__c]",
        ),
    },
    make_identity,
    doc="when records are one human, besides conversion and merge",
)
_ACCOUNTS = Block(
    "accounts",
    {
        "counts": Key(CONDITION, "who of the people of an account counts for its stage; without it everybody does"),
        "leads_by_domain": Key(
            YesNo(), "true: a lead is of the account whose website has the domain of the lead's address", False
        ),
    },
    doc="what counts for an account as a whole",
)
TESTS = ListOf(EXAMPLE, strict=True, lenient=True)
ROOT = Block(
    "mapping",
    {
        "name": Key(NAME, "the mapping's name; without one, the file's"),
        "description": Key(Text(longest=5000), "for people"),
        "include": Key(ListOf(Text()), "files, or shipped mappings, that this one adds to and overrides"),
        "fields": Key(FIELDS_SECTION, FIELDS_SECTION.doc),
        "attributes": Key(
            MapOf(MapOf(FieldName(PATH), (*PEOPLE, "Prospect"))),
            "names for fields that are called differently on each object",
        ),
        "activities": Key(_ACTIVITIES, _ACTIVITIES.doc),
        "sources": Key(SourcesShape(), "what counts of each source, and how its people are found", ()),
        "records": Key(
            RecordsShape(),
            "objects of the org, standard or custom, whose records are evidence: whose they are",
            {},
            example="records: {Subscription__c: {person: Contact__c}, Order: {account: AccountId}}",
        ),
        "conditions": Key(MapOf(CONDITION), "conditions with a name, to be used in others"),
        "stages": Key(ListOf(STAGE, strict=True, lenient=True), "the stages, in order", required=True),
        "statuses": Key(ListOf(STATUS, strict=True, lenient=True), "the lead statuses, in order"),
        "rules": Key(ListOf(RULE, strict=True, lenient=True), "further rules", ()),
        "segments": Key(
            ListOf(SEGMENT, strict=True, lenient=True), "people with a ladder of their own, the first counts", ()
        ),
        "migrate": Key(MIGRATE, MIGRATE.doc),
        "refresh": Key(
            RefreshShape(),
            "objects that are read again in full so often: formulas and fields of parents change without the record",
            {},
            example="refresh: {Contact: 6h}",
        ),
        "calendar": Key(CALENDAR, CALENDAR.doc, Calendar()),
        "gate": Key(GATE, GATE.doc),
        "moves": Key(ListOf(MOVE, strict=True, lenient=True), "named exceptions to the gate", ()),
        "opportunities": Key(_DEALS, _DEALS.doc, DealPolicy()),
        "score": Key(SCORE, SCORE.doc),
        "fit": Key(FIT, FIT.doc),
        "thresholds": Key(MapOf(THRESHOLD), "named thresholds", {}),
        "handoff": Key(ListOf(HANDOFF, lenient=True), "when people go to sales, and to whom", ()),
        "owners": Key(WHO_IS_THERE, WHO_IS_THERE.doc),
        "tags": Key(ListOf(TAG, strict=True, lenient=True), "labels", ()),
        "dates": Key(DATES, DATES.doc),
        "write": Key(ListOf(WRITE, strict=True, lenient=True), "further fields that are written", ()),
        "tests": Key(TESTS, "example people, and what they must become", ()),
        "accounts": Key(_ACCOUNTS, _ACCOUNTS.doc),
        "identity": Key(_IDENTITY, _IDENTITY.doc, Identity()),
    },
    doc="one mapping",
    lenient=True,
)
