"""The canonical activity kinds a mapping may name, by usual direction, and the sources. Tests hold them to the sources'
own tables."""

from __future__ import annotations

from connector.base.facts import Direction

INBOUND = (
    "email_open", "email_click", "email_reply", "form_view", "form_submit", "page_view", "visit", "link_click",
    "site_search", "file_download", "video_view", "social_click", "chat", "support", "event_register",
    "event_attend", "campaign_response",
)  # fmt: skip
OUTBOUND = (
    "email_sent", "email_bounce", "unsubscribe", "resubscribe", "spam_complaint", "email_preferences",
    "form_error", "social_message", "event_invite", "call", "meeting", "meeting_no_show", "task", "opportunity",
    "deal", "score_change", "status_change", "other",
)  # fmt: skip


def usual_direction(kind: str) -> Direction:
    """What is of nobody's table is no engagement, unless a record says so."""
    return Direction.INBOUND if kind in INBOUND else Direction.OUTBOUND


KNOWN_KINDS = (*INBOUND, *OUTBOUND)
KNOWN_SOURCES = ("salesforce", "pardot", "marketo", "hubspot", "files", "warehouse", "webhook")
