"""HTTP: sessions, limits, faults on the wire, and the practice org's own paths."""
