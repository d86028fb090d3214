"""Reads that go to another engine, where a rule says so: ``route: replica``.

Only what a session executes is routed, and only while the session has not been at its usual engine: whatever it did
there (a write, a lock, a connection that the application took for itself), it goes on to see the same database. It
stays until it is closed, because a replica may be behind what was committed a moment ago. What is not certain to be a
read stays as well. That is slower, and never wrong.
"""

from __future__ import annotations

import logging
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.base import OptionEngine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import ORMExecuteState, Session
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import TextClause

from ..context import current_scope
from .rawsql.lexer import scan

if TYPE_CHECKING:
    from .wall import Wall

log = logging.getLogger("flask_tenant")

_STAYS, _COURSE = "ft_stays", "ft_course"
"""Keys in ``session.info``: it has been at its usual engine; what stands for its transaction before the rules."""

_JUDGED = 512
"""Statements of which it is kept whether they only read."""

_BEGINS = frozenset({"SELECT", "WITH", "VALUES", "("})
_WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "INTO"})
_LOCKS = frozenset({"UPDATE", "SHARE", "NO", "KEY"})


class _Course:
    """Stands for a session's transaction before the rules: one version of them decides where its reads go."""

    def __init__(self) -> None:
        self.ft_held: dict[str, object] = {}


def listen() -> None:
    """Watch every session of the process. Nothing is, before an application has registered an engine."""
    if not event.contains(Session, "do_orm_execute", _route):
        event.listen(Session, "do_orm_execute", _route)
        event.listen(Session, "after_begin", _begun)
        event.listen(Session, "after_transaction_end", _ended)


def _route(state: ORMExecuteState) -> None:
    session, arguments = state.session, state.bind_arguments
    read = state.is_select or state.is_from_statement or isinstance(state.statement, TextClause)
    if not read or arguments.get("bind") is not None:
        return
    scope = current_scope()
    if (scope is not None and (scope.internal or scope.central)) or not _free(session):
        return
    try:
        usual = session.get_bind(**arguments)
    except SQLAlchemyError:
        return  # it will be raised where it always is
    # Options of an engine or a connection would be lost on the way.
    if not isinstance(usual, Engine) or isinstance(usual, OptionEngine):
        return
    engine = _other(session, usual)
    if engine is not None and only_reads(state.statement, usual.dialect):
        arguments["bind"] = engine


def _free(session: Session) -> bool:
    """Whether a session has neither been at its usual engine nor holds what the next flush will write."""
    held: Any = session.identity_map
    if _STAYS in session.info or getattr(held, "ft_stays", False) or session.twophase:
        return False
    return not (session.new or session.deleted or held.check_modified())


def _other(session: Session, usual: Engine) -> Engine | None:
    """The engine that the rules send a session's reads to."""
    wall: Wall | None = getattr(usual.dialect, "ft_wall", None)
    if wall is None or wall.law.source is None or not wall.in_tenant():
        return None
    ruling = wall.law.source.ruling(session.info.setdefault(_COURSE, _Course()))
    name = ruling.decision.route if ruling is not None else None
    if name is None:
        return None
    engine = wall.law.routes(name)
    if engine is None:
        log.warning(
            "Rules route reads to %r, and no such engine is registered: they go to the usual one", name
        )
        return None
    there: Any = engine.dialect
    # Another database of the application has replicas of its own; and who waits in another way cannot go there.
    return engine if there.ft_wall.law is wall.law and there.is_async == usual.dialect.is_async else None


def _begun(session: Session, transaction: Any, connection: Connection) -> None:
    dialect: Any = connection.engine.dialect
    if getattr(dialect, "ft_wall", None) is not None and not getattr(dialect, "ft_replica", False):
        # In the map until the session is closed; in the info for this transaction, whatever becomes of the map.
        session.info[_STAYS] = True
        session.identity_map.ft_stays = True  # type: ignore[attr-defined]


def _ended(session: Session, transaction: Any) -> None:
    if transaction.parent is None:
        session.info.pop(_STAYS, None)
        session.info.pop(_COURSE, None)


def only_reads(statement: Any, dialect: Any) -> bool:
    """Whether a statement is certain to do nothing but read.

    The wall has an allow-list of functions; those that an application adds to it may do anything.

    :param dialect: of the usual engine
    """
    found = statement._generate_cache_key()
    kept: dict[Any, bool] = dialect.__dict__.setdefault("ft_only_reads", {})
    known = kept.get(found.key) if found is not None else None
    if known is None:
        known = _judge(statement, dialect)
        if found is not None:
            if len(kept) >= _JUDGED:
                kept.clear()
            kept[found.key] = known
    return known


def _judge(statement: Any, dialect: Any) -> bool:
    # Where a database has no row locks, FOR UPDATE is not rendered.
    if any(getattr(part, "_for_update_arg", None) is not None for part in visitors.iterate(statement)):
        return False
    wall: Wall = dialect.ft_wall
    style: Any = "format" if dialect.paramstyle == "pyformat" else dialect.paramstyle
    try:
        text = str(statement.compile(dialect=dialect.ft_plain))
        tokens = scan(text, wall.raw.dialect, style, None).tokens
    except Exception:  # it stays, and whoever executes it is told
        return False
    words = [token.key for token in tokens]
    if not words or words[0] not in _BEGINS or _WRITES.intersection(words):
        return False
    if any(word == "FOR" and after in _LOCKS for word, after in pairwise(words)):
        return False
    own = {name.rpartition(".")[2].lower() for name in wall.config.safe_functions} | {"nextval"}
    return own.isdisjoint(token.name.lower() for token in tokens)
