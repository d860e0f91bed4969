"""Account Engagement's API beside the org."""
