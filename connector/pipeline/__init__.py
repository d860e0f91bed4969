"""The data's way: poll, decide, plan, write, settle. ``cycle.py`` is its table of contents."""
