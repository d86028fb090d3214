"""Activates rule files: everything that they touch is compiled first, then all of it holds, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from ...errors import RuleConflictError, RuleFileError
from ...model import Tenant
from ..model import RuleSet
from .history import Activated, Active, Chain, History, RuleFile, chain_for
from .home import Home, plan_of

Compile: TypeAlias = Callable[[Sequence[RuleFile], "Tenant | None"], RuleSet]
"""Checks the files of a chain, and makes a rule set of them; raises RuleFileError."""

Step: TypeAlias = Callable[..., None]


@dataclass
class Plan:
    """What an activation is going to do.

    :param after: every file as it will be; those that change have ``source_id`` -1
    :param changed: names of files that change
    """

    newest: int
    after: dict[str, Active]
    files: dict[str, RuleFile]
    changed: list[str]
    compiled: dict[str, str]


class Activations:
    """Switches rule files.

    :param home: the directory
    :param compile: checks a chain's files and makes a rule set of them
    :param dump: writes a rule set, so that it loads without parsing
    :param tenants: all tenants
    :param prove: shows that rules are enforced; called before anything is switched
    """

    def __init__(
        self,
        home: Home,
        compile: Compile,  # noqa: A002 - the word for it
        dump: Callable[[RuleSet], str],
        tenants: Callable[[], Iterable[Tenant]],
        prove: Callable[[], None] = lambda: None,
    ) -> None:
        self.history = History(home)
        self._home = home
        self._tables = home.tables
        self._compile = compile
        self._dump = dump
        self._tenants = tenants
        self._prove = prove

    def activate(
        self,
        files: Iterable[RuleFile],
        *,
        author: str,
        reason: str = "",
        remove: Iterable[str] = (),
        step: Step = lambda *a, **kw: None,
        back_to: int | None = None,
    ) -> Activated | None:
        """Let these files hold, and let those named ``remove`` hold no longer; others stay as they are.

        :param files: contents; those that hold already are passed over
        :param author: who does it
        :param reason: why
        :param step: called as each tenant's rules have been checked
        :returns: what was switched; ``None`` when all of it holds already
        :raises RuleFileError: when the rules of one tenant that this touches cannot be accepted; nothing is switched
        :raises RuleConflictError: when somebody else has activated something in between; nothing is switched
        """
        plan = self.plan(files, remove, step=step)
        if not plan.changed:
            return None
        self._prove()
        try:
            with self._home.change() as change:
                number = plan.newest + 1
                table = self._tables.rule_activation
                row = {"at": datetime.now(UTC), "author": author[:200], "reason": reason, "back_to": back_to}
                change.connection.execute(table.insert().values(number=number, **row))
                touched = self._switch(change.connection, plan, number)
                if all(file.tenant_id for file in touched):
                    change.tenants.update(file.tenant_id for file in touched)
                else:
                    change.everyone = True
        except IntegrityError:
            raise RuleConflictError(
                "Somebody else has activated rules in between; nothing was switched",
                value=plan.newest + 1,
                hint="Look at 'flask tenant rules history', and activate again",
            ) from None
        return self.history.all(number=number)[0]

    def rollback(
        self,
        to: int,
        *,
        author: str,
        reason: str = "",
        only: Callable[[str], bool] = lambda name: True,
        step: Step = lambda *a, **kw: None,
    ) -> Activated | None:
        """Let hold again what held after an activation, 0 for before the first.

        The older contents are checked as any others: against the schema and the facts of today.

        :param only: says of a file's name whether it is meant
        :raises RuleFileError: when they cannot be accepted any more; nothing is switched
        """
        with self._home.connect() as connection:
            newest = self.history.newest(connection)
            if not 0 <= to <= newest:
                raise RuleFileError(
                    f"There is no activation {to}",
                    value=to,
                    hint=f"The newest is {newest}; 0 is before the first",
                )
            then = self.history.switched(connection, to)
            now = {f.name: f for f in self.history.active(connection) if only(f.name)}
            ids = {name: row.source_id for name, row in then.items() if only(name)}
            texts = self.history.texts(connection, [i for i in ids.values() if i is not None])
        files = [texts[i] for i in ids.values() if i is not None]
        gone = [name for name, f in now.items() if f.source_id is not None and ids.get(name) is None]
        return self.activate(files, remove=gone, author=author, reason=reason, step=step, back_to=to)

    # ---- what is going to be
    def plan(
        self, files: Iterable[RuleFile], remove: Iterable[str] = (), *, step: Step = lambda *a, **kw: None
    ) -> Plan:
        """Compile everything that these files touch, and switch nothing.

        :raises RuleFileError: when one tenant's rules cannot be accepted
        """
        with self._home.connect() as connection:
            newest = self.history.newest(connection)
            before = {f.name: f for f in self.history.active(connection)}
            texts = self.history.texts(
                connection, [f.source_id for f in before.values() if f.source_id is not None]
            )
        contents = {file.name: file for file in texts.values()}
        after, changed = dict(before), []
        for file in files:
            had = before.get(file.name)
            if had is not None and (had.scope, had.digest) == (file.scope, file.digest):
                continue
            whose = self._whose(file)
            if had is not None and had.source_id is not None and (had.plan, had.tenant_id) != whose:
                raise RuleFileError(
                    f"{file.name} is active for {had.scope}, and now says {file.scope}",
                    value=file.name,
                    hint="Rename the file, or remove the old one first: whom a file is for does not change",
                )
            after[file.name] = Active(file.name, *whose, -1, newest + 1, file.scope, file.digest)
            contents[file.name] = file
            changed.append(file.name)
        for name in remove:
            had = before.get(name)
            if had is None or had.source_id is None:
                raise RuleFileError(
                    f"{name} is not active", value=name, hint="'flask tenant rules history' shows what is"
                )
            after[name] = had._replace(source_id=None, activation=newest + 1, digest="", scope="")
            contents.pop(name, None)
            changed.append(name)
        compiled = self._compiled(before, after, contents, step) if changed else {}
        return Plan(newest, after, contents, changed, compiled)

    def _whose(self, file: RuleFile) -> tuple[str, int]:
        kind, _, who = file.scope.partition(":")
        if kind == "all":
            return "", 0
        if kind == "plan":
            return who, 0
        tenant = self._home.find(who)
        if tenant is None:
            raise RuleFileError(
                f"{file.name} is for the tenant {who!r}, which does not exist",
                value=who,
                hint="'flask tenant list' shows the tenants",
            )
        return "", tenant.id

    def _compiled(
        self, before: dict[str, Active], after: dict[str, Active], contents: dict[str, RuleFile], step: Step
    ) -> dict[str, str]:
        """Compile every chain that differs: those of all, of each plan, and of each tenant with files of its own."""
        found: dict[str, str] = {}
        for chain, tenant in self._differing(before, after):
            texts = [contents[file.name] for file in chain.files]
            made = self._compile(texts, tenant)
            found[chain.digest] = self._dump(replace(made, version=0))
            step(tenant.slug if tenant is not None else chain.plan or "all")
        return found

    def _differing(
        self, before: dict[str, Active], after: dict[str, Active]
    ) -> Iterable[tuple[Chain, Tenant | None]]:
        plans = sorted({f.plan for f in after.values() if f.source_id is not None} | {""})
        owners = {f.tenant_id for f in after.values() if f.tenant_id and f.source_id is not None}
        wanted: list[tuple[str, int, Tenant | None]] = [(plan, 0, None) for plan in plans]
        if owners:
            wanted += [(plan_of(t), t.id, t) for t in self._tenants() if t.id in owners]
        seen = set()
        for plan, tenant_id, tenant in wanted:
            old, new = chain_for(before.values(), plan, tenant_id), chain_for(after.values(), plan, tenant_id)
            if new is None or new.digest in seen or (old is not None and old.digest == new.digest):
                continue
            seen.add(new.digest)
            yield new, tenant

    # ---- in the transaction
    def _switch(self, connection: Connection, plan: Plan, number: int) -> list[Active]:
        tables, touched = self._tables, []
        for name in plan.changed:
            file = plan.after[name]
            had = connection.execute(
                sa.select(tables.rule_active).where(tables.rule_active.c.name == name)
            ).first()
            source_id = self._source(connection, plan.files[name]) if file.source_id is not None else None
            connection.execute(
                tables.rule_switch.insert().values(
                    activation=number,
                    name=name,
                    source_id=source_id,
                    previous_id=had.source_id if had is not None else None,
                    plan=file.plan,
                    tenant_id=file.tenant_id,
                )
            )
            values: dict[str, Any] = {
                "plan": file.plan,
                "tenant_id": file.tenant_id,
                "source_id": source_id,
                "activation": number,
            }
            if had is None:
                connection.execute(tables.rule_active.insert().values(name=name, **values))
            else:
                mine = tables.rule_active.c.name == name
                connection.execute(tables.rule_active.update().where(mine).values(**values))
            touched.append(file)
        for digest, payload in plan.compiled.items():
            table = tables.rule_set
            connection.execute(table.delete().where(table.c.digest == digest))
            connection.execute(table.insert().values(digest=digest, payload=payload))
        return touched

    def _source(self, connection: Connection, file: RuleFile) -> int:
        table = self._tables.rule_source
        same = (table.c.name == file.name, table.c.scope == file.scope, table.c.digest == file.digest)
        found: int | None = connection.scalar(sa.select(table.c.id).where(*same))
        if found is not None:
            return found
        values = {"name": file.name, "scope": file.scope, "digest": file.digest, "text": file.text}
        key: Any = connection.execute(table.insert().values(**values)).inserted_primary_key
        made: int = key[0]
        return made
