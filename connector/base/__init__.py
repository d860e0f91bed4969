"""What every wing stands on: the values they share, the ports, errors, clock, settings, logs and HTTP."""
