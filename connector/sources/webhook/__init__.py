"""Messages that other systems send."""
