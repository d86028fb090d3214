"""Rules: what operators write for their tenants, compiled, decided by durable-rules and handed to the wall.

``language`` reads and checks rule files; ``model`` is what it makes of them; ``engine``, ``decide`` and ``runtime`` say
what holds for a statement; ``store`` keeps versions; ``cases`` tries them; ``events`` does what event rules ask for.
What filters, masks and writes become of them is in ``isolate``; ``governance`` puts both together.
"""
