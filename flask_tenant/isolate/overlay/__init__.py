"""What a tenant's rules add to its view of a table, as SQL.

``render`` turns an expression into SQL text, ``values`` binds what the request gives, ``masks`` renders what a column
shows in place of its value, ``tables`` puts them together for one table. ``shapes`` keeps one dialect object for each
set of overlays, because that is what SQLAlchemy's caches are keyed by; ``compiler`` and ``fence`` serve statements that
SQLAlchemy compiles, and :mod:`~flask_tenant.isolate.rawsql` asks ``tables`` for the text that it splices.
"""
