"""The drivers' own connection and cursor classes, guarded. One module for each driver; none is imported before use."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from ...errors import ConfigurationError

if TYPE_CHECKING:
    from ..wall import Wall


class Driver(Protocol):
    """What a driver module provides."""

    def connect(self, wall: Wall, connect: Any, args: Any, kw: dict[str, Any]) -> Any:
        """Open a guarded connection.

        :param connect: the dialect's own connect function
        """

    def raw(self, connection: Any) -> Any:
        """Return the driver's own connection below SQLAlchemy's asyncio adapter."""

    def arm(self, connection: Any, wall: Wall) -> bool:
        """Switch the guard on for the next user of a connection. Returns whether it may be handed out at all."""

    def own_cursor(self, connection: Any) -> Any:
        """Return a cursor that gives tuples, whatever the application has set on the connection."""

    def state(self, connection: Any) -> tuple[bool, bool]:
        """Return whether a connection is in no transaction, and whether nobody but us would end one."""


_MODULES = {
    "pysqlite": "sqlite",
    "aiosqlite": "sqlite",
    "psycopg": "psycopg3",
    "psycopg_async": "psycopg3",
    "psycopg2": "psycopg2",
}


@cache
def driver_for(name: str) -> Driver:
    """Return the guard of a driver.

    :param name: SQLAlchemy's name of the driver, such as ``psycopg``
    :raises ConfigurationError: for a driver that has no guard
    """
    try:
        module = _MODULES[name]
    except KeyError:
        known = ", ".join(sorted(_MODULES))
        raise ConfigurationError(
            f"The database driver {name!r} has no guard", value=name, hint=f"Use one of: {known}"
        ) from None
    return cast(Driver, import_module(f"{__name__}.{module}"))
