"""A database of yours, as a source."""
