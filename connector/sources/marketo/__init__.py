"""Marketo."""
