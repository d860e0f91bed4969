"""The canonical activity kinds, as far as a mapping may name them. A test holds them to the table of the sources."""

from __future__ import annotations

KINDS = (
    "email_sent", "email_open", "email_click", "email_reply", "email_bounce", "unsubscribe", "resubscribe",
    "spam_complaint", "email_preferences", "form_view", "form_submit", "form_error", "page_view", "visit", "link_click",
    "site_search", "file_download", "video_view", "social_click", "social_message", "chat", "support", "event_invite",
    "event_register", "event_attend", "campaign_response", "call", "meeting", "meeting_no_show", "task", "opportunity",
    "deal", "score_change", "status_change", "other",
)  # fmt: skip
