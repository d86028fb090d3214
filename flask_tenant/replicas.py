"""Engines that rules may send reads to, by name: ``route: replica``.

A rule file names no address: it can only choose among what the application has registered here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.engine import Engine
from sqlalchemy.engine.base import OptionEngine

from .discovery import Found, blocking, synchronous
from .errors import ConfigurationError
from .isolate import Isolation, is_tenanted, routing

if TYPE_CHECKING:
    # At run time SQLAlchemy 2.1's asyncio module needs greenlet, which applications without asyncio do not have.
    from sqlalchemy.ext.asyncio import AsyncEngine


@dataclass(frozen=True, slots=True)
class Replica:
    """An engine whose database follows another one.

    :param engine: the engine, or its bind key
    :param of: the engine, or the bind key, whose reads may go there; ``None`` for the only one
    """

    engine: Engine | AsyncEngine | str
    of: Engine | AsyncEngine | str | None


class Engines:
    """The engines of one application that rules may name.

    :param added: called when there is another
    """

    def __init__(self, added: Callable[[], None]) -> None:
        self._replicas: dict[str, Replica] = {}
        self._added = added

    def add(
        self,
        name: str,
        engine: Engine | AsyncEngine | str,
        *,
        of: Engine | AsyncEngine | str | None = None,
    ) -> None:
        """Let rules send reads to an engine whose database is kept a copy, such as a streaming replica.

        :param name: as rule files call it
        :param engine: the engine, or its bind key in Flask-SQLAlchemy
        :param of: whose copy it is, where the application keeps tenants in several databases
        :raises ConfigurationError: when another engine has the name, or this one cannot be used
        :raises SchemaNotReadyError: when its tables lack the tenant column
        :raises UnsafeObjectError: when triggers, views or functions have not been vouched for
        """
        if not name.strip():
            raise ConfigurationError("An engine without a name", value=name)
        wanted = Replica(engine, of)
        if self._replicas.setdefault(name, wanted) != wanted:
            raise ConfigurationError(
                f"Two engines are registered as {name!r}", value=name, hint="Rename one of them"
            )
        try:
            self._added()
        except Exception:
            del self._replicas[name]
            raise

    def items(self) -> list[tuple[str, Replica]]:
        """Names and what they stand for."""
        return list(self._replicas.items())

    def __contains__(self, name: object) -> bool:
        return name in self._replicas

    def __iter__(self) -> Iterator[str]:
        return iter(self._replicas)

    def __len__(self) -> int:
        return len(self._replicas)


def adopt(name: str, replica: Replica, found: Found, isolations: Mapping[Engine, Isolation]) -> Engine | None:
    """Put the wall of the database that it follows into a replica, and look at its schema.

    :param found: what the application has registered, by bind key
    :param isolations: the engines with tenant data
    :returns: the engine; ``None`` while the database that it follows, or its own bind key, is not there yet
    """
    engine = _resolved(replica.engine, found)
    isolation = _followed(name, replica, found, isolations)
    if engine is None or isolation is None:
        return None
    if isinstance(engine, OptionEngine) or engine in isolations:
        raise ConfigurationError(
            f"The engine {name!r} is not an engine of its own",
            value=name,
            hint="Make it with create_engine(); execution_options=... is an argument of it",
        )
    if engine.dialect.name != isolation.engine.dialect.name:
        raise ConfigurationError(
            f"The engine {name!r} is on {engine.dialect.name}, and what it follows on {isolation.engine.dialect.name}",
            value=name,
        )
    if not is_tenanted(engine.dialect):
        own = blocking(engine) if engine.dialect.is_async else engine
        if own is not engine:
            isolation.share(own)
        isolation.share(engine)
        try:
            isolation.check_copy(own)
        finally:
            if own is not engine:
                own.dispose()
    wall = cast(Any, engine.dialect).ft_wall
    if wall.views is not isolation.views:
        raise ConfigurationError(f"The engine {name!r} follows two databases", value=name)
    cast(Any, engine.dialect).ft_replica = True
    routing.listen()
    return engine


def _resolved(wanted: Engine | AsyncEngine | str, found: Found) -> Engine | None:
    if isinstance(wanted, str):
        return next(iter(found.named(wanted)), None)
    return synchronous(wanted)


def _followed(
    name: str, replica: Replica, found: Found, isolations: Mapping[Engine, Isolation]
) -> Isolation | None:
    if replica.of is not None:
        engine = _resolved(replica.of, found)
        return isolations.get(engine) if engine is not None else None
    several = list(dict.fromkeys(isolations.values()))
    if len(several) > 1:
        raise ConfigurationError(
            f"Tenants are in {len(several)} databases, and {name!r} does not say which of them it follows",
            value=name,
            hint=f'tenancy.engines.add("{name}", engine, of="default")',
        )
    return several[0] if several else None
