"""``python -m bench.beside``: what naming the tenant costs a request here, and with django-tenants' middleware.

The same two views, one that touches no table and one that makes one query, on the same PostgreSQL, with as many
tenants: Flask bare and with Tenancy, Django bare and with django-tenants. Four processes, which take turns of a few
requests; the fastest turn of each counts, by the clock: what is slower was disturbed.

    asking.py     asks for a view so many times when it is told to
    ours.py       Flask: --bare, or with Tenancy
    theirs.py     Django: --bare, or with django-tenants, in a virtual environment of its own
    __main__.py   the turns, and the figures

What one framework costs beside the other is not the point, and is not shown: each side's cost is what comes on top of
its own bare request.
"""
