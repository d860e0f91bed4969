"""The canonical kinds of activities, with the direction each usually has. Every source maps its own types to these.

Inbound is what a person does, and counts as engagement where the mapping says so; outbound is what was done to them.
Bounces, unsubscribes, preferences and complaints are outbound: they say something of our mail, and are no engagement.
Opens are inbound but weak, because mail scanners open too; by default rules that ask for no kind ignore them.
"""

from __future__ import annotations

from connector.base.facts import Direction

INBOUND_KINDS, OUTBOUND_KINDS = Direction.INBOUND, Direction.OUTBOUND
OTHER = "other"  # a type that the source's table does not know: kept, counted, and no engagement

KINDS: dict[str, Direction] = {
    "email_sent": OUTBOUND_KINDS,
    "email_open": INBOUND_KINDS,
    "email_click": INBOUND_KINDS,
    "email_reply": INBOUND_KINDS,
    "email_bounce": OUTBOUND_KINDS,
    "unsubscribe": OUTBOUND_KINDS,
    "resubscribe": OUTBOUND_KINDS,
    "spam_complaint": OUTBOUND_KINDS,
    "email_preferences": OUTBOUND_KINDS,
    "form_view": INBOUND_KINDS,
    "form_submit": INBOUND_KINDS,
    "form_error": OUTBOUND_KINDS,
    "page_view": INBOUND_KINDS,
    "visit": INBOUND_KINDS,
    "link_click": INBOUND_KINDS,
    "site_search": INBOUND_KINDS,
    "file_download": INBOUND_KINDS,
    "video_view": INBOUND_KINDS,
    "social_click": INBOUND_KINDS,
    "social_message": OUTBOUND_KINDS,
    "chat": INBOUND_KINDS,
    "support": INBOUND_KINDS,
    "event_invite": OUTBOUND_KINDS,
    "event_register": INBOUND_KINDS,
    "event_attend": INBOUND_KINDS,
    "campaign_response": INBOUND_KINDS,
    "call": OUTBOUND_KINDS,
    "meeting": OUTBOUND_KINDS,
    "meeting_no_show": OUTBOUND_KINDS,
    "task": OUTBOUND_KINDS,
    "opportunity": OUTBOUND_KINDS,
    "deal": OUTBOUND_KINDS,
    "score_change": OUTBOUND_KINDS,
    "status_change": OUTBOUND_KINDS,
    OTHER: OUTBOUND_KINDS,
}
