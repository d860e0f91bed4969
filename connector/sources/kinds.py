"""The canonical kinds of activities, with the direction each usually has. Every source maps its own types to these.

Inbound is what a person does, and counts as engagement where the mapping says so; outbound is what was done to them.
Bounces, unsubscribes, preferences and complaints are outbound: they say something of our mail, and are no engagement.
Opens are inbound but weak, because mail scanners open too; by default rules that ask for no kind ignore them.
"""

from __future__ import annotations

from connector.base.facts import Direction

IN, OUT = Direction.INBOUND, Direction.OUTBOUND
OTHER = "other"  # a type that the source's table does not know: kept, counted, and no engagement

KINDS: dict[str, Direction] = {
    "email_sent": OUT,
    "email_open": IN,
    "email_click": IN,
    "email_reply": IN,
    "email_bounce": OUT,
    "unsubscribe": OUT,
    "resubscribe": OUT,
    "spam_complaint": OUT,
    "email_preferences": OUT,
    "form_view": IN,
    "form_submit": IN,
    "form_error": OUT,
    "page_view": IN,
    "visit": IN,
    "link_click": IN,
    "site_search": IN,
    "file_download": IN,
    "video_view": IN,
    "social_click": IN,
    "social_message": OUT,
    "chat": IN,
    "support": IN,
    "event_invite": OUT,
    "event_register": IN,
    "event_attend": IN,
    "campaign_response": IN,
    "call": OUT,
    "meeting": OUT,
    "meeting_no_show": OUT,
    "task": OUT,
    "opportunity": OUT,
    "deal": OUT,
    "score_change": OUT,
    "status_change": OUT,
    OTHER: OUT,
}
