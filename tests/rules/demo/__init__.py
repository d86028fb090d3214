"""The rule file of the documentation, end to end: the demonstration application as a SaaS, its pages and its SQL."""
