"""Rules: what operators write for their tenants, compiled, decided by durable-rules and handed to the wall.

``language`` reads and checks rule files; ``model`` is what it makes of them; ``engine`` and ``decide`` say what holds
for a request; ``store`` keeps versions; ``hooks`` and ``events`` do what rules ask for.
"""
