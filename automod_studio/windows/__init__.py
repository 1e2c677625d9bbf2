"""Windows: assembly of widgets, session and services."""
