"""The wall: every table that the application names is rendered as its tenant's view of that table."""
