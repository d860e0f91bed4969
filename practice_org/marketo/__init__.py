"""Marketo's REST API beside the org."""
