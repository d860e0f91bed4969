"""What Account Engagement's v5 objects hold: fields, what can be filtered and ordered, and the activity types.

From the vendor's object pages (visitor activity, prospect, lifecycle stage and history); the other objects have the
fields that clients ask for. Types 1-34 as listed by clients, 35-37 as seen in data. That activities can be ordered by
``updatedAt``, as clients do, is UNCONFIRMED: the vendor's page names ``id`` and ``createdAt``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RANGE_FIELDS: dict[str, Literal["time", "number"]] = {"createdAt": "time", "updatedAt": "time", "id": "number"}

TIME_FIELDS = frozenset(
    {
        "createdAt", "updatedAt", "lastActivityAt", "firstActivityAt", "convertedAt", "salesforceLastSync",
        "firstAssignedAt", "emailBouncedAt", "firstVisitorPageViewAt", "lastVisitorPageViewAt",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ObjectType:
    """``ranges``: fields with After/Before or GreaterThan/LessThan filters; ``equals``: fields compared for equality;
    ``related``: name of a related object -> (its object type, the field that points to it)."""

    name: str
    fields: frozenset[str]
    orders: frozenset[str]
    equals: frozenset[str] = frozenset()
    ranges: frozenset[str] = frozenset(RANGE_FIELDS)
    related: tuple[tuple[str, str, str], ...] = ()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


VISITOR_ACTIVITIES = ObjectType(
    "visitor-activities",
    _words(
        "id type typeName details prospectId visitorId visitId visitorPageViewId campaignId customRedirectId emailId"
        " emailTemplateId fileId formId formHandlerId landingPageId listEmailId multivariateTestVariationId"
        " opportunityId paidSearchAdId siteSearchQueryId createdAt updatedAt"
    ),
    orders=_words("id createdAt updatedAt"),
    equals=_words("type prospectId campaignId"),
    related=(("campaign", "campaigns", "campaignId"), ("prospect", "prospects", "prospectId")),
)
PROSPECTS = ObjectType(
    "prospects",
    _words(
        "id email firstName lastName company jobTitle phone country state city source score grade salesforceId"
        " salesforceLeadId salesforceContactId salesforceAccountId salesforceOwnerId salesforceUrl salesforceLastSync"
        " lastActivityAt firstActivityAt isDoNotEmail isDoNotCall optedOut isEmailHardBounced isDeleted"
        " lifecycleStageId campaignId prospectAccountId assignedToId convertedAt createdAt updatedAt"
        " isReviewed isStarred doNotSell profileId userId recentInteraction salutation emailBouncedAt"
        " emailBouncedReason sourceParameter campaignParameter mediumParameter contentParameter termParameter"
        " firstAssignedAt firstReferrerQuery firstReferrerType firstReferrerUrl salesforceCampaignId"
        " convertedFromObjectName convertedFromObjectType fax addressOne addressTwo zip annualRevenue website industry"
        " department yearsInBusiness employees territory comments notes createdById updatedById"
    ),
    orders=_words("id createdAt updatedAt"),
    equals=_words("campaignId"),
    related=(("campaign", "campaigns", "campaignId"),),
)
LIFECYCLE_HISTORIES = ObjectType(
    "lifecycle-histories",
    _words("id prospectId previousStageId nextStageId secondsElapsed createdAt"),
    orders=_words("id createdAt"),
    equals=_words("prospectId"),
    ranges=_words("id createdAt"),
    related=(("prospect", "prospects", "prospectId"),),
)
LIFECYCLE_STAGES = ObjectType(
    "lifecycle-stages",
    _words("id name position isLocked matchType isDeleted createdAt updatedAt"),
    orders=_words("id createdAt updatedAt"),
)
CAMPAIGNS = ObjectType(
    "campaigns",
    _words("id name cost salesforceId folderId parentCampaignId isDeleted createdById updatedById createdAt updatedAt"),
    orders=_words("id createdAt updatedAt"),
)
_BY = " isDeleted createdById updatedById createdAt updatedAt"
_ORDERS = _words("id createdAt updatedAt")
_OTHERS = (  # what clients ask for beside it, by object
    ("lists", "id name title description isPublic folderId campaignId isDynamic" + _BY),
    ("list-memberships", "id listId prospectId optedOut" + _BY),
    (
        "prospect-accounts",
        "id name salesforceId annualRevenue billingAddressOne billingAddressTwo billingCity billingCountry billingState"
        " billingZip description employees fax industry number ownership phone rating shippingAddressOne"
        " shippingAddressTwo shippingCity shippingCountry shippingState shippingZip sic site tickerSymbol type website"
        " assignedToId" + _BY,
    ),
    ("users", "id email username firstName lastName jobTitle role roleName salesforceId tagReplacementLanguage" + _BY),
    (
        "visitors",
        "id prospectId pageViewCount isIdentified doNotSell hostname ipAddress campaignId sourceParameter"
        " campaignParameter mediumParameter contentParameter termParameter isDeleted createdAt updatedAt",
    ),
    (
        "visits",
        "id visitorId prospectId visitorPageViewCount firstVisitorPageViewAt lastVisitorPageViewAt durationInSeconds"
        " sourceParameter campaignParameter mediumParameter contentParameter termParameter createdAt updatedAt",
    ),
)
OBJECTS = {
    each.name: each
    for each in (
        VISITOR_ACTIVITIES,
        PROSPECTS,
        LIFECYCLE_STAGES,
        LIFECYCLE_HISTORIES,
        CAMPAIGNS,
        *(ObjectType(name, _words(fields), orders=_ORDERS) for name, fields in _OTHERS),
    )
}

BOOLEANS = _words(  # false when not given
    "isDoNotEmail isDoNotCall optedOut isEmailHardBounced isDeleted isLocked isReviewed isStarred doNotSell isPublic"
    " isDynamic isIdentified"
)

DEFAULT_STAGES = ("Visitor", "Prospect", "MQL", "SQL", "Won")

# type -> (what happened, the typeName it most often comes with). typeName is the kind of asset, not the action.
ACTIVITY_TYPES: dict[int, tuple[str, str]] = {
    1: ("Click", "Email"),
    2: ("View", "Form"),
    3: ("Error", "Form"),
    4: ("Success", "Form"),
    5: ("Session", "Visit"),
    6: ("Sent", "Email"),
    7: ("Search", "Site Search"),
    8: ("New Opportunity", "New Opportunity"),
    9: ("Opportunity Won", "Opportunity Won"),
    10: ("Opportunity Lost", "Opportunity Lost"),
    11: ("Open", "Email"),
    12: ("Unsubscribe Page", "Email"),
    13: ("Bounced", "Email"),
    14: ("Spam Complaint", "Email"),
    15: ("Email Preference Page", "Email"),
    16: ("Resubscribed", "Email"),
    17: ("Click", "Email Tracker"),
    18: ("Opportunity Reopened", "Opportunity Reopened"),
    19: ("Opportunity Linked", "Opportunity Linked"),
    20: ("Visit", "Visit"),
    21: ("Custom URL Click", "Custom Redirect"),
    22: ("Olark Chat", "Olark Chat"),
    23: ("Invited to Webinar", "Webinar"),
    24: ("Attended Webinar", "Webinar"),
    25: ("Registered for Webinar", "Webinar"),
    26: ("Social Post Click", "Social Post"),
    27: ("Video View", "Video"),
    28: ("Event Registered", "Event"),
    29: ("Event Checked In", "Event"),
    30: ("Video Conversion", "Video"),
    31: ("UserVoice Suggestion", "UserVoice"),
    32: ("UserVoice Comment", "UserVoice"),
    33: ("UserVoice Ticket", "UserVoice"),
    34: ("Video Watched (75% or more)", "Video"),
    35: ("Indirect Unsubscribe", "Email"),
    36: ("Indirect Bounce", "Email"),
    37: ("Indirect Resubscribe", "Email"),
}
