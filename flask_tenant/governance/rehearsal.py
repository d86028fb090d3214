"""Tries statements under other rules or other facts than those of the moment; for one process's command line.

Nothing is kept: what is executed at all is executed in a transaction that is rolled back, and only what reads.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ..context import Scope
from ..decision import Decision, Ruling
from ..errors import ConfigurationError
from ..evaluation import evaluate
from ..expressions import Kind
from ..model import Tenant
from ..rules.model import Facts, RuleSet
from .proof import reached
from .recording import Recording

if TYPE_CHECKING:
    from .governance import Governance

MOST_ROWS = 100_000
"""Rows that are counted of one statement at most."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What would be handed to the driver."""

    sql: str
    parameters: Any


@dataclass(frozen=True, slots=True)
class Result:
    """What comes of a statement.

    :param rows: how many it gives, ``None`` when it was not executed
    :param refused: with which message, ``""`` when it is not
    :param masked: ``table.column`` of what is masked or hidden in its tables
    :param values: how often it gives each row, by what the row hashes to
    """

    rows: int | None
    refused: str = ""
    masked: tuple[str, ...] = ()
    values: Mapping[int, int] = field(default_factory=dict)

    def rows_beyond(self, other: Result) -> int | None:
        """Return how many rows it gives that another does not, or not with these values; ``None`` without rows."""
        if self.rows is None or other.rows is None:
            return None
        return (Counter(self.values) - Counter(other.values)).total()


class Fixed:
    """Says the same of every statement: a :class:`~flask_tenant.protocols.RuleSource`."""

    def __init__(self, ruling: Ruling | None) -> None:
        self._ruling = ruling

    def ruling(self, holder: object) -> Ruling | None:
        """Return what holds."""
        return self._ruling


class Rehearsal:
    """Tries statements for one tenant.

    :param governance: the application's rules
    """

    def __init__(self, governance: Governance, tenant: Tenant) -> None:
        self._governance = governance
        self._application = governance.application
        self.tenant = tenant
        self.recording = Recording(self._application.directory, tenant)

    @cached_property
    def kinds(self) -> Mapping[str, Kind]:
        """The facts that are registered."""
        found: Mapping[str, Kind] = self._application.tenancy.facts.kinds
        return found

    def facts(self) -> dict[str, Any]:
        """Return what is known about the running code, in the tenant."""
        with self._application.enter(Scope(self.tenant)):
            return self._governance.runtime.current_facts()

    def active(self) -> RuleSet | None:
        """Return the rules that the tenant has to obey now."""
        self._governance.book.enter(self.tenant)
        return self._governance.book.active(self.tenant)

    def decision(self, rules: RuleSet, facts: Facts) -> Decision:
        """Return what rules decide for facts."""
        return self._governance.decide(rules, facts)

    def tables_in(self, sql: str) -> set[str]:
        """Return the tables whose names stand in a statement."""
        words = set(re.findall(r"\w+", sql.lower()))
        return {name for name in self._governance.tables() if name.lower() in words}

    def rendered(
        self, sql: str, parameters: Mapping[str, Any], rules: RuleSet | None, facts: Facts
    ) -> Rendered:
        """Return what a statement becomes under some rules, up to the driver; nothing is executed."""
        with self._under(rules, facts) as engine:
            text, values = reached(engine, lambda connection: connection.execute(sa.text(sql), parameters))
        return Rendered(text, values)

    def result(
        self, sql: str, parameters: Mapping[str, Any] | None, rules: RuleSet | None, facts: Facts
    ) -> Result:
        """Return what comes of a statement under some rules. Only what reads, and whose values are known, is executed.

        :param parameters: ``None`` when they are not known
        """
        from ..errors import TenancyError

        masked: tuple[str, ...] = ()
        if rules is not None:
            overlays = self.decision(rules, facts).overlays
            masked = tuple(
                f"{name}.{column}"
                for name in sorted(self.tables_in(sql) & overlays.keys())
                for column in (*overlays[name].hidden, *(column for column, _ in overlays[name].masks))
            )
        reads = re.match(r"\s*(?:SELECT|WITH)\b", sql, re.IGNORECASE) is not None
        with self._under(rules, facts) as engine, engine.connect() as connection:
            try:
                if not reads or parameters is None:
                    return Result(None, self._refused(sql, rules, facts), masked)
                counted = connection.execution_options(stream_results=True).execute(sa.text(sql), parameters)
                values = Counter(hash(repr(tuple(row))) for row in islice(counted, MOST_ROWS))
                counted.close()
                return Result(values.total(), "", masked, values)
            except TenancyError as error:
                return Result(None, error.message, masked)
            except sa.exc.DBAPIError as error:
                return Result(None, f"the database refuses it: {error.orig}", masked)
            finally:
                connection.rollback()

    def _refused(self, sql: str, rules: RuleSet | None, facts: Facts) -> str:
        """Whether a statement that is not executed is refused whatever its values are."""
        if rules is None:
            return ""
        decision, tables = self.decision(rules, facts), self.tables_in(sql)
        verb = sql.split(None, 1)[0].lower()
        denials = [decision.reads[name] for name in sorted(tables & decision.reads.keys())]
        for name in sorted(tables):
            writes = decision.writes.get((name, verb))
            denials += [d for d in writes.denials if d.applies is None] if writes is not None else []
        return "".join(str(part) for part in denials[0].message if isinstance(part, str)) if denials else ""

    @contextmanager
    def _under(self, rules: RuleSet | None, facts: Facts) -> Iterator[sa.Engine]:
        """Let every statement of the block obey these rules, and know these facts."""
        ruling = None
        if rules is not None:
            decision = self.decision(rules, facts)
            ruling = Ruling(decision, tuple(evaluate(slot, facts=facts) for slot in decision.slots))
        engines = [e for e in self._application.databases.isolations if not e.dialect.is_async]
        if not engines:
            raise ConfigurationError("The application has no engine that statements can be tried on")
        walls: list[Any] = [
            isolation.wall for isolation in dict.fromkeys(self._application.databases.isolations.values())
        ]
        with self._application.enter(Scope(self.tenant)):
            before = [wall.rules for wall in walls]
            for wall in walls:
                wall.rules = Fixed(ruling)
            try:
                yield engines[0]
            finally:
                for wall, source in zip(walls, before, strict=True):
                    wall.rules = source
