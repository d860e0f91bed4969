"""Writing rows as an org does."""
