"""Poolers between the application and PostgreSQL, such as pgbouncer.

Pooling by transaction, they give each transaction some connection to the server, and that connection to other clients
afterwards. What one tenant sets on it stays for the others, and a statement that a driver has prepared there under a
name of its own meets other clients' statements of that name: PostgreSQL runs *theirs*, with this tenant's values.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import make_url

from ...errors import StatementRefusedError

POOLED = "ft_pooled"
"""Marks a driver's connection that leads to a pooler."""


def is_pooled(connection: Any) -> bool:
    """Whether a driver's connection leads to a pooler."""
    found: bool = getattr(connection, POOLED, False)
    return found


def leads_to_pooler(connection: Any, process: int, cursor: Any) -> bool:
    """Ask the server whether somebody stands in between, in one statement outside any transaction.

    A server tells its process number when a connection begins (the message BackendKeyData of PostgreSQL's protocol);
    a pooler, which has no such process, tells a number of its own.

    :param connection: as SQLAlchemy hands it out; nobody has used it yet
    :param process: the number that was told when it was opened
    :param cursor: makes a cursor
    """
    before = connection.autocommit
    connection.autocommit = True
    try:
        asking = cursor()
        # Counted, because a connection's rows may be anything that the application has asked for.
        asking.execute(f"SELECT 1 WHERE pg_catalog.pg_backend_pid() = {process}")
        same: bool = asking.rowcount == 1
        asking.close()
        connection.autocommit = before
    except BaseException:
        connection.close()
        raise
    return not same


def unprepared(url: str) -> dict[str, Any]:
    """Return the ``connect_args`` of an engine without the wall that may lead to a pooler: nothing is prepared."""
    return {"prepare_threshold": None} if make_url(url).get_driver_name() == "psycopg" else {}


def refuse_lasting(what: str, value: str, hint: str) -> StatementRefusedError:
    """Return the error for what would stay on a pooler's connection to the server.

    :param what: would stay
    :param value: the name of what was to be set
    """
    return StatementRefusedError(
        f"{what}, behind a pooler that gives the server's connection to others after this transaction",
        value=value,
        hint=hint,
    )
