"""The rules of one application: puts the store, the language, the engine and the application's own words together.

What reads rule files is imported when it is needed: an installation without rules does without these packages.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..context import Scope
from ..decision import Decision, Ruling
from ..errors import ConfigurationError
from ..isolate.onward import REPLACING
from ..model import Tenant
from ..rules.facts import Facts as Known
from ..rules.model import Facts, RuleSet
from ..rules.runtime import Rules
from ..rules.store import Activations, RuleBook, RuleFile
from .proof import Application, Proof
from .recording import KEY, Recorder, wanted

if TYPE_CHECKING:
    from ..protocols import RuleHolder
    from ..rules.language import Checked, Vocabulary


class Governance:
    """The rules of one application. It is an adapter too: each stay in a tenant begins with its newest rules.

    :param application: Tenancy's state of it
    :param here: in which scope the running code works
    :param facts: what is known about it
    """

    def __init__(self, application: Application, here: Callable[[], Scope | None], facts: Known) -> None:
        self._application = weakref.ref(application)
        self._here = here
        self._facts = facts
        self._running: Rules | None = None
        self._proven = 0
        self._recorder = Recorder()

    @property
    def application(self) -> Application:
        """Tenancy's state of the application."""
        found = self._application()
        if found is None:
            raise ConfigurationError("The application is gone")
        return found

    @cached_property
    def book(self) -> RuleBook:
        """The compiled rules of each tenant."""
        return RuleBook(self.application.directory, self.compile, _restored)

    @cached_property
    def runtime(self) -> Rules:
        """What decides statement by statement."""
        return Rules(
            self._here,
            self._facts,
            self.book,
            self.tables,
            zone_of=lambda tenant: self.application.zone_of(tenant),
        )

    # ---- for the wall
    def ruling(self, holder: RuleHolder) -> Ruling | None:
        """Return what rules hold for the next statement, ``None`` when the current tenant has none."""
        if self._running is None:
            scope = self._here()
            if scope is None or not scope.tenant_id or scope.internal:
                return None  # such as our own, while the directory is being opened
            self._running = self.runtime
        return self._running.ruling(holder)

    def tables(self) -> tuple[str, ...]:
        """Return the names of the tables that rules can be about."""
        return self.application.databases.tables()

    @cached_property
    def activations(self) -> Activations:
        """What switches rules."""
        from ..rules.language import dump

        directory = self.application.directory
        return Activations(directory, self.compile, dump, directory.all, prove=self.prove)

    # ---- a stay in a tenant
    def enter(self, scope: Scope) -> None:
        """See that the tenant's newest rules are there, and that they are enforced.

        :raises RuleEngineError: when either cannot be said: nobody is served then
        """
        if not scope.tenant_id or scope.internal or scope.tenant is None:
            return
        book = self.book
        book.enter(scope.tenant)
        if book.loaded != self._proven:
            loaded = book.loaded
            self.prove()
            self._proven = loaded
        told = wanted(scope.tenant) if KEY in scope.tenant.config else None
        if told is not None:
            self._recorder.begin(
                scope,
                told,
                [*self.application.databases.isolations, *self.application.databases.replicas.values()],
            )

    def leave(self, scope: Scope) -> None:
        """Write what was recorded of the stay, if anything."""
        if scope.tenant is not None and KEY in scope.tenant.config:
            self._recorder.end(scope, self.application.directory, self.runtime.current_facts)

    def prove(self) -> None:
        """Show that rules are enforced, with a rule that is there for nothing else.

        :raises RuleEngineError: when they are not
        """
        Proof(self.application, self.book).run()

    # ---- rule files
    def vocabulary(self) -> Vocabulary:
        """Return what rule files may name: the tables as they stand in the databases now, and what is registered."""
        from ..rules.language import Vocabulary
        from .vocabulary import generated_of, keys_of, tables_of

        tables: dict[str, Mapping[str, Any]] = {}
        keys: dict[str, frozenset[str]] = {}
        generated: dict[str, Mapping[str, str]] = {}
        passing: dict[tuple[str, str], tuple[tuple[str, str, str], ...]] = {}
        unknown: list[tuple[str, str]] = []
        views: dict[str, frozenset[str]] = {}
        for isolation in dict.fromkeys(self.application.databases.isolations.values()):
            tables.update(tables_of(isolation))
            keys.update(keys_of(isolation))
            generated.update(generated_of(isolation))
            onwards = isolation.catalog.onwards
            passing.update({does: found for does, found in onwards.known.items() if does[1] != REPLACING})
            unknown += onwards.unknown
            views.update(isolation.catalog.shown)
        return Vocabulary(
            tables=tables,
            keys=keys,
            generated=generated,
            passing=passing,
            passing_unknown=unknown,
            views=views,
            **registered(self.application),
        )

    def check(
        self, files: Sequence[RuleFile], tenant: Tenant | None, vocabulary: Vocabulary | None = None
    ) -> Checked:
        """Check the files of a chain together.

        :raises RuleFileError: with everything that is wrong
        """
        from ..rules.language import Source, check

        # A tenant that was renamed still obeys what says its former slug: the store knows tenants by their ids.
        named = next((f.scope.removeprefix("tenant:") for f in files if f.scope.startswith("tenant:")), "")
        sources = [Source(file.name, file.text, file.scope) for file in files]
        checked = check(sources, vocabulary or self.vocabulary(), named)
        slug = tenant.slug if tenant is not None else named
        return replace(checked, ruleset=replace(checked.ruleset, tenant=slug))

    def compile(self, files: Sequence[RuleFile], tenant: Tenant | None) -> RuleSet:
        """Check the files of a chain, and make a rule set of them.

        :raises RuleFileError: with everything that is wrong
        """
        return self.check(files, tenant).ruleset

    def decide(self, rules: RuleSet, facts: Facts) -> Decision:
        """Return what a rule set decides for given facts, without durable-rules: for cases, and to explain."""
        from ..rules.decide import Decider
        from ..rules.engine import Reference

        return Decider(rules, Reference(), self.tables()).decide(facts)


def registered(application: Application) -> dict[str, Any]:
    """Return what the application has registered for rules, by the names that the vocabulary has for it."""
    tenancy: Any = application.tenancy
    found: dict[str, Any] = {"facts": dict(tenancy.facts.kinds)}
    for name in ("hooks", "engines", "themes", "webhooks", "events"):
        if hasattr(tenancy, name):
            found[name] = getattr(tenancy, name)
    return found


def _restored(text: str) -> RuleSet:
    from ..rules.language import restore

    return restore(text)
